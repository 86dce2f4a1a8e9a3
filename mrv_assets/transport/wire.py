"""Sending requests: each in its turn, signed, redirected only where that is allowed, and counted."""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import wait
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from weakref import WeakValueDictionary

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError
from yarl import URL

from mrv_assets import __version__
from mrv_assets.errors import HostRefused, ObjectReadError
from mrv_assets.scenes.links import without_query
from mrv_assets.transport import event_loop as loop
from mrv_assets.transport.breaker import Breaker
from mrv_assets.transport.hosts import CheckedResolver, HostRules, joined
from mrv_assets.transport.limits import Limits
from mrv_assets.transport.response import read_refusal
from mrv_assets.transport.retry import Failure
from mrv_assets.transport.signing import Signed, Signer

BROKEN = (aiohttp.ClientError, HttpProcessingError, OSError, TimeoutError)
"""What aiohttp raises when a request does not go well. Many of them quote the URL: they are described, never shown."""

_CLOSE_S = 2.0
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


@dataclass(kw_only=True)
class Tally:
    """What was sent, received and waited; written on the event loop only."""

    requests: int = 0
    retries: int = 0
    bytes: int = 0
    waits: int = 0
    waited_s: float = 0.0


@dataclass(frozen=True, kw_only=True)
class _Door:
    """What stands before one host."""

    slots: asyncio.Semaphore
    breaker: Breaker


@dataclass(frozen=True, kw_only=True)
class Wire:
    """Connections of one transport on one event loop. To be made on that loop."""

    rules: HostRules
    limits: Limits
    signer: Signer
    tally: Tally
    session: aiohttp.ClientSession
    slots: asyncio.Semaphore
    loop: asyncio.AbstractEventLoop
    doors: dict[str, _Door] = field(default_factory=dict)
    firsts: WeakValueDictionary[str, asyncio.Lock] = field(default_factory=WeakValueDictionary)

    def once(self, href: str) -> asyncio.Lock:
        """Held while an object is reached for the first time, so that all who ask learn of one version."""
        return self.firsts.setdefault(href, asyncio.Lock())

    def close(self) -> None:
        """Close the connections, from any thread, once or more; not those of a process this one was forked from."""
        if self.loop is loop.current() and not self.session.closed:
            closing = asyncio.run_coroutine_threadsafe(self.session.close(), self.loop)
            # The garbage collector may have called this anywhere, on the loop's thread too.
            if not loop.is_here():
                wait([closing], timeout=_CLOSE_S)

    @asynccontextmanager
    async def sent(
        self, href: str, headers: Mapping[str, str], *, fresh: bool
    ) -> AsyncIterator[aiohttp.ClientResponse | Failure]:
        """The answer to a GET, its body unread; or why there is none that brings bytes.

        Args:
            href: As the catalogue has it.
            headers: What is asked for; sent to every host on the way.
            fresh: Whether the link was refused with its last signature.
        """
        signed = await self._signed(href, fresh)
        if isinstance(signed, Failure):
            yield signed
            return
        may_renew = not fresh and (signed.url != href or bool(signed.headers))
        url, origin = signed.url, None
        for _ in range(self.limits.redirects + 1):
            checked = self._checked(url)
            if isinstance(checked, Failure):
                yield checked
                return
            origin = origin or checked.origin()
            own = signed.headers if checked.origin() == origin else {}
            door = self._door(checked)
            async with door.slots, door.breaker.passed(), self.slots:
                response = await self._get(checked, {**headers, **own})
                if isinstance(response, Failure):
                    if not response.permanent:
                        door.breaker.heard(False)
                    yield response
                    return
                async with response:
                    location = response.headers.get("Location") if response.status in _REDIRECTS else None
                    if location is None:
                        try:
                            yield self._judged(response, door.breaker, may_renew=may_renew)
                        except BROKEN:
                            # A head and no body is as good as no answer.
                            door.breaker.heard(response.status < 500 and response.content.total_bytes > 0)
                            raise
                        door.breaker.heard(response.status < 500)
                        return
            url = joined(str(checked), location)
        yield Failure(
            reason=f"it is redirected more than {self.limits.redirects} times",
            cure="Check the link with its publisher",
            permanent=True,
        )

    async def rest(self, seconds: float) -> None:
        """Wait, and count it."""
        self.tally.waits += 1
        self.tally.waited_s += seconds
        await asyncio.sleep(seconds)

    def described(self, error: BaseException) -> Failure:
        """What one of ``BROKEN`` means, in words that hold nothing of the request."""
        match error:
            case aiohttp.ClientConnectorCertificateError():
                return Failure(
                    reason="the host's certificate cannot be trusted",
                    cure="Check who answers in the host's name: a proxy, a captive portal or an expired certificate",
                    permanent=True,
                )
            case aiohttp.ClientConnectorDNSError():
                return Failure(reason="the host's name was not found")
            case aiohttp.ConnectionTimeoutError():
                return Failure(reason=f"no connection within {self.limits.connect_s:g} s")
            case TimeoutError():
                return Failure(reason=f"no byte for {self.limits.silence_s:g} s")
            case aiohttp.ClientConnectorError(errno=int(number)):
                return Failure(reason=f"no connection ({os.strerror(number)})")
            case aiohttp.InvalidURL():
                return Failure(reason="it is no well-formed URL", permanent=True)
            case _:
                return Failure(reason=f"the connection broke off ({type(error).__name__})")

    async def _signed(self, href: str, fresh: bool) -> Signed | Failure:
        try:
            return await self.signer.sign(href, fresh=fresh)
        except ObjectReadError as error:
            return Failure(reason=error.reason, cure=error.cure, permanent=error.permanent)
        except HostRefused as error:
            return _refused(error.href, error.reason)
        except BROKEN as error:
            return Failure(reason=f"it could not be signed ({type(error).__name__})")

    def _checked(self, url: str) -> URL | Failure:
        try:
            return self.rules.check(url)
        except HostRefused as error:
            return _refused(error.href, error.reason)

    async def _get(self, url: URL, headers: Mapping[str, str]) -> aiohttp.ClientResponse | Failure:
        self.tally.requests += 1
        try:
            return await self.session.get(url, headers=headers, allow_redirects=False)
        except HostRefused as error:
            return _refused(without_query(str(url)), error.reason)
        except BROKEN as error:
            return self.described(error)

    def _judged(
        self, response: aiohttp.ClientResponse, breaker: Breaker, *, may_renew: bool
    ) -> aiohttp.ClientResponse | Failure:
        failure = read_refusal(response.status, response.headers, datetime.now(UTC), signed=may_renew)
        if failure is not None and failure.retry_after_s is not None:
            breaker.pause(min(failure.retry_after_s, self.limits.longest_retry_after_s))
        return response if failure is None else failure

    def _door(self, url: URL) -> _Door:
        host = f"{url.host}:{url.port}"
        if host not in self.doors:
            self.doors[host] = _Door(
                slots=asyncio.Semaphore(self.limits.per_host), breaker=Breaker(self.limits, self.rest)
            )
        return self.doors[host]


def wire(rules: HostRules, limits: Limits, signer: Signer, tally: Tally) -> Wire:
    """Connections on the event loop that runs."""
    return Wire(
        rules=rules,
        limits=limits,
        signer=signer,
        tally=tally,
        session=aiohttp.ClientSession(
            # Requests wait for their turn here, not in the connector, where waiting would count as connecting.
            connector=aiohttp.TCPConnector(limit=0, resolver=CheckedResolver(rules)),
            timeout=aiohttp.ClientTimeout(total=None, connect=limits.connect_s, sock_read=limits.silence_s),
            # What lies there is what is hashed.
            headers={"Accept-Encoding": "identity", "User-Agent": f"mrv-assets/{__version__}"},
            auto_decompress=False,
            # Nothing that one host says is told to another.
            cookie_jar=aiohttp.DummyCookieJar(),
        ),
        slots=asyncio.Semaphore(limits.total),
        loop=asyncio.get_running_loop(),
    )


def _refused(href: str, reason: str) -> Failure:
    return Failure(reason=reason, permanent=True, refused=(href, reason))
