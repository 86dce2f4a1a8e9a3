"""Requests over HTTP: host rules, turns, breakers, signatures and redirects, with a count of requests and bytes."""

import asyncio
import os
import weakref
from collections.abc import AsyncIterator, Callable, Mapping
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
from mrv_assets.transport import event_loop
from mrv_assets.transport.breaker import Breaker
from mrv_assets.transport.hosts import CheckedResolver, HostRules, joined
from mrv_assets.transport.limits import Limits
from mrv_assets.transport.response import read_refusal
from mrv_assets.transport.retry import Failure
from mrv_assets.transport.signing import Signed, Signer

BROKEN = (aiohttp.ClientError, HttpProcessingError, OSError, TimeoutError)
"""Exceptions of aiohttp for a request that fails. Many of them quote the URL, so they are described and never shown."""

Refusal = Callable[[int, Mapping[str, str], datetime, bool], Failure | None]
"""Decides by status, headers, the time now and whether a new signature may help that a response is not read."""

_CLOSE_S = 2.0
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_KEEP_BODY = frozenset({307, 308})


@dataclass(kw_only=True)
class Tally:
    """Counts of requests, bytes and waits. Written on the event loop only."""

    requests: int = 0
    retries: int = 0
    bytes: int = 0
    waits: int = 0
    waited_s: float = 0.0


@dataclass(frozen=True, kw_only=True)
class _Host:
    """Limits on the requests to one host."""

    slots: asyncio.Semaphore
    breaker: Breaker


@dataclass(frozen=True, kw_only=True)
class Wire:
    """Connections with one set of rules, limits and signatures, on one event loop."""

    rules: HostRules
    limits: Limits
    signer: Signer
    tally: Tally
    session: aiohttp.ClientSession
    slots: asyncio.Semaphore
    loop: asyncio.AbstractEventLoop
    """The event loop that it was made on, and that it works on."""
    hosts: dict[str, _Host] = field(default_factory=dict)
    firsts: WeakValueDictionary[str, asyncio.Lock] = field(default_factory=WeakValueDictionary)

    def once(self, href: str) -> asyncio.Lock:
        """The lock to hold while an object is reached for the first time, so that all who ask learn of one version."""
        return self.firsts.setdefault(href, asyncio.Lock())

    def close(self) -> None:
        """Close the connections, from any thread, once or more; not those of a process this one was forked from."""
        if self.loop is event_loop.current() and not self.session.closed:
            closing = asyncio.run_coroutine_threadsafe(self.session.close(), self.loop)
            # The garbage collector may call this in any thread, the event loop's own included.
            if not event_loop.is_here():
                wait([closing], timeout=_CLOSE_S)

    @asynccontextmanager
    async def sent(
        self,
        href: str,
        headers: Mapping[str, str],
        *,
        body: bytes | None = None,
        fresh: bool = False,
        refusal: Refusal = read_refusal,
    ) -> AsyncIterator[aiohttp.ClientResponse | Failure]:
        """The response to a request, its body unread; or why there is none to read.

        Args:
            href: As the catalogue has it.
            headers: Sent to every host on the way.
            body: Posted; None for a GET.
            fresh: Whether the link was refused with its last signature.
            refusal: Decides which responses are not read.
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
            host = self._host(checked)
            async with host.slots, host.breaker.passed(), self.slots:
                response = await self._response(checked, {**headers, **own}, body)
                if isinstance(response, Failure):
                    if not response.permanent:
                        host.breaker.heard(False)
                    yield response
                    return
                async with response:
                    location = response.headers.get("Location") if response.status in _REDIRECTS else None
                    if not location:
                        try:
                            failure = refusal(response.status, response.headers, datetime.now(UTC), may_renew)
                            if failure is not None and failure.retry_after_s is not None:
                                host.breaker.pause(min(failure.retry_after_s, self.limits.longest_retry_after_s))
                            yield response if failure is None else failure
                        except BROKEN:
                            # A header without a body counts like no response.
                            host.breaker.heard(response.status < 500 and response.content.total_bytes > 0)
                            raise
                        host.breaker.heard(response.status < 500)
                        return
                    url = joined(str(checked), location)
                    if body is not None and response.status not in _KEEP_BODY:
                        yield _moved(checked, url, response.status)
                        return
        yield Failure(
            reason=f"it is redirected more than {self.limits.redirects} times",
            cure="Check the link with its publisher",
            permanent=True,
        )

    async def whole(self, response: aiohttp.ClientResponse, limit: int) -> bytes | None:
        """The body of a response; None where it is longer than ``limit`` bytes.

        Raises:
            BROKEN: When it breaks off.
        """
        held = bytearray()
        async for chunk in response.content.iter_any():
            self.tally.bytes += len(chunk)
            held += chunk
            if len(held) > limit:
                # Reading the rest to its end could take for ever.
                response.close()
                return None
        return bytes(held)

    async def rest(self, seconds: float) -> None:
        """Wait, and count it."""
        self.tally.waits += 1
        self.tally.waited_s += seconds
        await asyncio.sleep(seconds)

    def described(self, error: BaseException, host: str | None) -> Failure:
        """The meaning of one of ``BROKEN``, in words that hold nothing of the request but its host."""
        host = host or "the host"
        match error:
            case aiohttp.ClientConnectorCertificateError():
                return Failure(
                    reason=f"the certificate of {host} cannot be trusted",
                    cure="Check who answers in its name: a proxy, a captive portal or an expired certificate",
                    permanent=True,
                )
            case aiohttp.ClientConnectorDNSError():
                return Failure(reason=f"the name {host} was not found")
            case aiohttp.ConnectionTimeoutError():
                return Failure(reason=f"no connection to {host} within {self.limits.connect_s:g} s")
            case TimeoutError():
                return Failure(reason=f"{host} sent nothing for {self.limits.silence_s:g} s")
            case aiohttp.ClientConnectorError(errno=int(number)):
                return Failure(reason=f"no connection to {host} ({os.strerror(number)})")
            case aiohttp.InvalidURL():
                return Failure(reason="it is not a well-formed URL", permanent=True)
            case _:
                return Failure(reason=f"the response of {host} broke off ({type(error).__name__})")

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

    async def _response(
        self, url: URL, headers: Mapping[str, str], body: bytes | None
    ) -> aiohttp.ClientResponse | Failure:
        self.tally.requests += 1
        method = "GET" if body is None else "POST"
        # The session's limit of silence starts anew with each byte, so that a header could come for hours.
        header_s = self.limits.connect_s + self.limits.silence_s
        patience = asyncio.timeout(header_s)
        try:
            async with patience:
                return await self.session.request(method, url, data=body, headers=headers, allow_redirects=False)
        except HostRefused as error:
            return _refused(without_query(str(url)), error.reason)
        except BROKEN as error:
            if patience.expired():
                return Failure(reason=f"{url.host} sent no whole header within {header_s:g} s")
            return self.described(error, url.host)

    def _host(self, url: URL) -> _Host:
        name = f"{url.host}:{url.port}"
        if name not in self.hosts:
            self.hosts[name] = _Host(
                slots=asyncio.Semaphore(self.limits.per_host), breaker=Breaker(self.limits, self.rest)
            )
        return self.hosts[name]


class Connections:
    """The wire of this process: made when it is first needed, and anew in a forked child.

    Its connections close when it is closed or dropped, or when the process ends.
    """

    def __init__(self, rules: HostRules, limits: Limits, signer: Signer) -> None:
        self._rules, self._limits, self._signer = rules, limits, signer
        self.tally = Tally()
        self._wire: Wire | None = None

    def wire(self) -> Wire:
        """The wire of the event loop that runs. To be called on it."""
        if self._wire is None or self._wire.loop is not asyncio.get_running_loop():
            # A wire that came along with a fork is the parent's to close.
            self._wire = wire(self._rules, self._limits, self._signer, self.tally)
            weakref.finalize(self, self._wire.close)
        return self._wire

    def close(self) -> None:
        """Close the connections, from any thread."""
        if self._wire is not None:
            self._wire.close()


def wire(rules: HostRules, limits: Limits, signer: Signer, tally: Tally) -> Wire:
    """A wire on the event loop that runs."""
    return Wire(
        rules=rules,
        limits=limits,
        signer=signer,
        tally=tally,
        session=aiohttp.ClientSession(
            # Requests wait for their turn here, not in the connector, where waiting would count as connecting.
            connector=aiohttp.TCPConnector(limit=0, resolver=CheckedResolver(rules)),
            timeout=aiohttp.ClientTimeout(total=None, connect=limits.connect_s, sock_read=limits.silence_s),
            # Files are hashed as they are stored; a document that may be compressed is asked for so by its reader.
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


def _moved(url: URL, target: str, status: int) -> Failure:
    """Why a redirect that drops the body is not followed: asked without it, a search would find everything."""
    return Failure(
        reason=f"{url.host} says that it moved to {without_query(target)} (HTTP {status})",
        cure="Write the new address of the API's root into the programme",
        permanent=True,
        status=status,
    )
