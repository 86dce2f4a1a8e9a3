"""Signing for Azure's blob storage: a token for each container, requested shortly before it is needed."""

import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import urlsplit

from mrv_assets.errors import ObjectReadError
from mrv_assets.scenes.item import instant
from mrv_assets.scenes.links import without_query
from mrv_assets.transport.document import Document, fetch_document
from mrv_assets.transport.hosts import HostRules
from mrv_assets.transport.limits import Limits
from mrv_assets.transport.retry import Failure, http_date
from mrv_assets.transport.signing import Signed, SingleFlight
from mrv_assets.transport.wire import Tally, wire

# A read that gets no token is tried again as well, so few attempts are made each time.
LIMITS = Limits(attempts=3, deadline_s=180.0)
"""Bounds on the request for one token."""

_TOKEN_BYTES = 16 << 10
# A request may wait for its turn that long after it was signed.
_MARGIN_S = 300.0
_TOKEN = re.compile(r"[A-Za-z0-9%&=._~:/+*,;!$'()@-]+")
_SIGNED = re.compile(r"[?&]sig=")
_NO_TOKEN = Failure(reason="its response is not a token")
_CURE = (
    "See that the catalogue's preset fits the link, and that MRV_PC_SUBSCRIPTION_KEY, where it is set, holds a key of "
    "this service"
)


@dataclass(frozen=True, kw_only=True)
class SasService:
    """A service of tokens, and the links that need them. Data of a preset."""

    token_url: str
    """Address of a token, with ``{account}`` and ``{container}`` in it. No host but its own is ever asked."""
    blobs: str = r"https://(?P<account>[a-z0-9]{3,24})\.blob\.core\.windows\.net/(?P<container>[a-z0-9$-]{3,63})/"
    """The beginning of a link that is signed: a regular expression with groups ``account`` and ``container``. The host
    is part of it, for a token is given to no other."""


class _Container(NamedTuple):
    account: str
    name: str


@dataclass(frozen=True, kw_only=True)
class _Token:
    query: str = field(repr=False)
    renew_at: float
    """On the signer's clock."""


class SasSigner:
    """A signer that adds a container's token to each link into it. Other links, and links signed already, pass."""

    def __init__(
        self,
        service: SasService,
        *,
        subscription_key: str | None = None,
        loopback: bool = False,
        limits: Limits = LIMITS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """A signer that has not requested a token yet.

        Args:
            service: The service of tokens.
            subscription_key: Sent with the request for a token, and nowhere else. The service is slower without it.
            loopback: Whether the service may be on this machine.
            limits: Bounds on the request for one token.
            clock: Seconds from any moment on.
        """
        host = urlsplit(service.token_url).hostname or ""
        self._service, self._host, self._limits, self._clock = service, host, limits, clock
        self._rules = HostRules(hosts=(host,), loopback=loopback)
        self._subscription = _Subscription(subscription_key)
        self._blobs = re.compile(service.blobs)
        self._tokens: dict[_Container, _Token] = {}
        self._flights = SingleFlight[_Token | Failure]()

    async def sign(self, href: str, *, fresh: bool = False) -> Signed:
        """The link with a token that is good for some minutes yet.

        Raises:
            ObjectReadError: When there is no token for it.
        """
        blob = self._blobs.match(href)
        if blob is None or _SIGNED.search(href):
            return Signed(url=href)
        container = _Container(account=blob["account"], name=blob["container"])
        if fresh:
            self._tokens.pop(container, None)
        token = self._tokens.get(container)
        if token is None or self._clock() >= token.renew_at:
            renewed = await self._flights.joined(container, lambda: self._renewed(container))
            if isinstance(renewed, Failure):
                raise ObjectReadError(without_query(href), renewed.reason, renewed.permanent, renewed.cure)
            token = renewed
        link = href.partition("#")[0]
        return Signed(url=f"{link}{'&' if '?' in link else '?'}{token.query}")

    async def _renewed(self, container: _Container) -> _Token | Failure:
        """A new token, which is cached; or why there is none."""
        # A wire for this request alone: it is made every half hour, and nobody has to close it later.
        requests = wire(self._rules, self._limits, self._subscription, Tally())
        async with requests.session:
            token = await fetch_document(
                requests,
                self._service.token_url.format(account=container.account, container=container.name),
                {"Accept": "application/json"},
                self._read,
                limit=_TOKEN_BYTES,
                deadline=requests.loop.time() + self._limits.deadline_s,
            )
        if isinstance(token, Failure):
            return replace(
                token,
                reason=f"no token for container {container.name} of account {container.account} from "
                f"{self._host}: {token.reason}",
                cure=_CURE if token.permanent else f"Try again later, or ask the operators of {self._host}",
            )
        self._tokens[container] = token
        return token

    def _read(self, document: Document) -> _Token | Failure:
        """The token of a response, and the time until which it is used."""
        if document.body is None:
            return _NO_TOKEN
        try:
            stated = json.loads(document.body)
            token, expiry = str(stated["token"]).removeprefix("?"), instant(str(stated["msft:expiry"]))
        except (ValueError, KeyError, TypeError, RecursionError):
            return _NO_TOKEN
        if expiry is None or not _TOKEN.fullmatch(token):
            return _NO_TOKEN
        # By the service's own clock, so that ours may be wrong.
        life_s = (expiry - _now(document.date)).total_seconds()
        if life_s <= 0:
            return Failure(reason=f"the token that it gives ended at {expiry:%Y-%m-%d %H:%M:%S} UTC")
        return _Token(query=token, renew_at=self._clock() + max(life_s - _MARGIN_S, life_s / 2))


class _Subscription:
    """A signer that tells the token service who asks."""

    def __init__(self, subscription_key: str | None) -> None:
        self._headers = {} if subscription_key is None else {"Ocp-Apim-Subscription-Key": subscription_key}

    async def sign(self, href: str, *, fresh: bool = False) -> Signed:
        """The link as it is, with the key."""
        return Signed(url=href, headers=self._headers)


def _now(date: str | None) -> datetime:
    """The instant that a response's Date header states, or ours where it states none."""
    return (http_date(date) if date else None) or datetime.now(UTC)
