"""Signing for Azure's blob storage: a token for each container, asked for shortly before it is needed."""

import asyncio
import json
import re
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import urlsplit

from mrv_assets.errors import ObjectReadError
from mrv_assets.scenes.item import instant
from mrv_assets.scenes.links import without_query
from mrv_assets.transport.hosts import HostRules
from mrv_assets.transport.limits import Limits
from mrv_assets.transport.retry import Failure, http_date, retrying, wait_s
from mrv_assets.transport.signing import Signed
from mrv_assets.transport.single_flight import SingleFlight
from mrv_assets.transport.wire import BROKEN, Tally, Wire, wire

# A reader whose token is not to be had asks again too, so few attempts are made each time.
LIMITS = Limits(attempts=3, deadline_s=180.0)
"""Of asking for one token."""

_ANSWER_BYTES = 16 << 10
# A request may wait for its turn that long after it was signed.
_MARGIN_S = 300.0
_TOKEN = re.compile(r"[A-Za-z0-9%&=._~:/+*,;!$'()@-]+")
_SIGNED = re.compile(r"[?&]sig=")
_NO_TOKEN = Failure(reason="what it answers is no token")
_CURE = (
    "See that the catalogue's preset fits the link, and that MRV_PC_SUBSCRIPTION_KEY, where it is set, holds a key of "
    "this service"
)


@dataclass(frozen=True, kw_only=True)
class SasService:
    """Who gives tokens, and for which links. Data of a preset."""

    token_url: str
    """Where a token is asked for, with ``{account}`` and ``{container}`` in it. Only its host is ever asked."""
    blobs: str = r"https://(?P<account>[a-z0-9]{3,24})\.blob\.core\.windows\.net/(?P<container>[a-z0-9$-]{3,63})/"
    """How a link begins that is signed: a regular expression with groups ``account`` and ``container``. The host is
    part of it, for a token is given to no other."""


class _Container(NamedTuple):
    account: str
    name: str


@dataclass(frozen=True, kw_only=True)
class _Token:
    query: str = field(repr=False)
    renew_at: float
    """On the signer's clock."""


class SasSigner:
    """Puts a container's token behind each link into it. Other links, and those that are signed already, pass."""

    def __init__(
        self,
        service: SasService,
        *,
        subscription_key: str | None = None,
        loopback: bool = False,
        limits: Limits = LIMITS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Ask nothing yet.

        Args:
            service: Who gives tokens.
            subscription_key: Sent along when a token is asked for, and nowhere else. The service is slower without.
            loopback: Whether the service may be on this machine.
            limits: Of asking for one token.
            clock: Seconds from any moment on.
        """
        host = urlsplit(service.token_url).hostname or ""
        self._service, self._host, self._limits, self._clock = service, host, limits, clock
        self._rules = HostRules(hosts=(host,), loopback=loopback)
        self._asker = _Asker(subscription_key)
        self._blobs = re.compile(service.blobs)
        self._tokens: dict[_Container, _Token] = {}
        self._flights = SingleFlight[_Token | Failure]()

    async def sign(self, href: str, *, fresh: bool = False) -> Signed:
        """The link with a token that is good for some minutes yet.

        Raises:
            ObjectReadError: When there is no token to be had for it.
        """
        found = self._blobs.match(href)
        if found is None or _SIGNED.search(href):
            return Signed(url=href)
        container = _Container(account=found["account"], name=found["container"])
        if fresh:
            self._tokens.pop(container, None)
        token = self._tokens.get(container)
        if token is None or self._clock() >= token.renew_at:
            got = await self._flights.joined(container, lambda: self._renewed(container))
            if isinstance(got, Failure):
                raise ObjectReadError(without_query(href), got.reason, got.permanent, got.cure)
            token = got
        link = href.partition("#")[0]
        return Signed(url=f"{link}{'&' if '?' in link else '?'}{token.query}")

    async def _renewed(self, container: _Container) -> _Token | Failure:
        """A new token, kept."""
        # Connections of this alone: it happens every half hour, and what nobody holds nobody has to close.
        sent = wire(self._rules, self._limits, self._asker, Tally())
        url = self._service.token_url.format(account=container.account, container=container.name)
        limits, now = self._limits, sent.loop.time
        deadline = now() + limits.deadline_s
        again = retrying(
            wait=lambda attempt, failure: wait_s(url, attempt, attempt, failure, limits),
            stop=lambda wait: sent.tally.requests >= limits.attempts or now() + wait > deadline,
            sleep=sent.rest,
        )

        async def attempt() -> _Token | Failure:
            return await self._asked(sent, url)

        got: _Token | Failure = Failure(reason=f"it took longer than {limits.deadline_s:g} s")
        async with sent.session:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(deadline):
                    got = await again(attempt)
        if isinstance(got, Failure):
            return replace(
                got,
                reason=f"no token for container {container.name} of account {container.account} from "
                f"{self._host}: {got.reason}",
                cure=_CURE if got.permanent else f"Try again later, or ask whoever runs {self._host}",
            )
        self._tokens[container] = got
        return got

    async def _asked(self, sent: Wire, url: str) -> _Token | Failure:
        try:
            async with sent.sent(url, {"Accept": "application/json"}, fresh=True) as response:
                if isinstance(response, Failure):
                    return response
                body = bytearray()
                async for chunk in response.content.iter_any():
                    body += chunk
                    if len(body) > _ANSWER_BYTES:
                        response.close()
                        return _NO_TOKEN
                return self._read(bytes(body), response.headers.get("Date"))
        except BROKEN as error:
            # A value, returned below: an error raised here would carry this one.
            broken = sent.described(error)
        return broken

    def _read(self, body: bytes, date: str | None) -> _Token | Failure:
        """The token of an answer, and until when it is used."""
        try:
            answer = json.loads(body)
            token, expiry = str(answer["token"]).removeprefix("?"), instant(str(answer["msft:expiry"]))
        except (ValueError, KeyError, TypeError, RecursionError):
            return _NO_TOKEN
        if expiry is None or not _TOKEN.fullmatch(token):
            return _NO_TOKEN
        # By the service's own clock, so that ours may be wrong.
        life_s = (expiry - _now(date)).total_seconds()
        if life_s <= 0:
            return Failure(reason=f"the token it gives ended at {expiry:%Y-%m-%d %H:%M:%S} UTC")
        return _Token(query=token, renew_at=self._clock() + max(life_s - _MARGIN_S, life_s / 2))


class _Asker:
    """Tells the token service who asks."""

    def __init__(self, subscription_key: str | None) -> None:
        self._headers = {} if subscription_key is None else {"Ocp-Apim-Subscription-Key": subscription_key}

    async def sign(self, href: str, *, fresh: bool = False) -> Signed:
        """The link as it is, with the key."""
        return Signed(url=href, headers=self._headers)


def _now(date: str | None) -> datetime:
    """The moment that an answer's Date header states, or ours where it states none."""
    return (http_date(date) if date else None) or datetime.now(UTC)
