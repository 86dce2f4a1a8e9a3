"""Documents of an API: every hop checked, every answer bounded, what may pass tried again, and counted."""

import json
import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import urllib3
from urllib3 import exceptions
from urllib3.response import BaseHTTPResponse

from mrv_assets import __version__
from mrv_assets.errors import CatalogueError, HostRefused
from mrv_assets.scenes.links import without_query
from mrv_assets.stac.guarded_pool import cut_off, guarded_pool
from mrv_assets.stac.json_document import MAX_DOCUMENT_BYTES, parsed
from mrv_assets.transport.hosts import HostRules, host_of, joined
from mrv_assets.transport.limits import Limits
from mrv_assets.transport.retry import Failure, retry_after_s, wait_s

# A search over years of a busy catalogue can take most of a minute before its first byte.
LIMITS = Limits(silence_s=60.0, attempts=7)
"""Of asking an API; the deadline is that of one search, all its pages, attempts and waits together."""
TRY_AGAIN = frozenset({408, 429, 500, 502, 503, 504})
"""HTTP statuses that may pass."""

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_KEEP_METHOD = frozenset({307, 308})
_HEADERS = {
    "Accept": "application/geo+json, application/json",
    "Accept-Encoding": "gzip",
    "User-Agent": f"mrv-assets/{__version__}",
}
_CHUNK = 64 << 10
_EXPLANATION_BYTES = 16 << 10
_CURES = {
    401: "This API wants to know who asks, which is not supported; name another catalogue",
    403: "This API refuses this machine or wants to know who asks; name another catalogue",
    404: "Check that this is the address of a STAC API's root",
}


@dataclass(frozen=True, kw_only=True)
class Unanswered:
    """Why a request brought no document, after all its attempts."""

    failure: Failure
    status: int
    """HTTP status of the last answer; 0 where there was none."""
    attempts: int
    seconds: float


@dataclass(frozen=True, kw_only=True)
class _Refusal:
    """Why one attempt brought nothing. A value, so that no library's exception, which may quote an address with its
    query, is ever behind an error of ours."""

    failure: Failure
    status: int = 0


class Api:
    """An API, asked by any thread."""

    def __init__(self, root: str, rules: HostRules, limits: Limits = LIMITS) -> None:
        """An API at an address.

        Args:
            root: What errors call it: its address.
            rules: Which machines may be asked; redirects and the addresses of names are held against them too.
            limits: Of each request and wait.
        """
        self.root, self._rules, self._limits = root, rules, limits
        self._pools: dict[int, urllib3.PoolManager] = {}

    def document(self, method: str, url: str, body: Mapping[str, Any] | None, deadline: float) -> tuple[Any, int]:
        """The JSON document at an address, and its bytes.

        Args:
            method: GET or POST.
            url: Address, absolute.
            body: What to post, as JSON; None for nothing.
            deadline: When to give up, on the monotonic clock.

        Raises:
            CatalogueError: When it cannot be had; with host, reason, attempts, time and cure.
        """
        answer = self.answer(method, url, body, deadline)
        if isinstance(answer, Unanswered):
            raise self.error(url, answer)
        try:
            return parsed(answer), len(answer)
        except ValueError as error:
            kind = "is a web page" if answer.lstrip()[:1] == b"<" else str(error)
        raise CatalogueError(
            self.root, f"what {_host(url)} answers {kind}", "Check that this is the address of a STAC API's root"
        )

    def error(self, url: str, unanswered: Unanswered) -> CatalogueError:
        """What to raise where there is no document."""
        failure, attempts = unanswered.failure, unanswered.attempts
        tried = f"; asked {attempts} times in {unanswered.seconds:.0f} s" if attempts > 1 else ""
        cure = failure.cure or (
            f"Check that this machine reaches {_host(url)}, then run again; a catalogue on disk needs no network"
        )
        return CatalogueError(self.root, f"{failure.reason}{tried}", cure)

    def answer(self, method: str, url: str, body: Mapping[str, Any] | None, deadline: float) -> bytes | Unanswered:
        """What lies at an address, as bytes, or why there is nothing; see :meth:`document`."""
        began, attempts = time.monotonic(), 0
        while True:
            attempts += 1
            outcome = self._followed(method, url, body, deadline)
            if isinstance(outcome, bytes):
                return outcome
            now = time.monotonic()
            wait = wait_s(without_query(url), attempts, attempts, outcome.failure, self._limits)
            if outcome.failure.permanent or attempts >= self._limits.attempts or now + wait > deadline:
                return Unanswered(
                    failure=outcome.failure, status=outcome.status, attempts=attempts, seconds=now - began
                )
            time.sleep(wait)

    def _followed(self, method: str, url: str, body: Mapping[str, Any] | None, deadline: float) -> bytes | _Refusal:
        """One attempt, through every redirect."""
        for _ in range(self._limits.redirects + 1):
            outcome = self._asked(method, self._secured(url), body, deadline)
            if not isinstance(outcome, str):
                return outcome
            url = outcome
        reason = f"{_host(url)} redirects more than {self._limits.redirects} times"
        return _Refusal(failure=Failure(reason=reason, permanent=True))

    def _asked(self, method: str, url: str, body: Mapping[str, Any] | None, deadline: float) -> bytes | str | _Refusal:
        """The body of one answer, or where it redirects to, or why there is neither."""
        try:
            self._rules.check(url)
            left_s = max(0.001, deadline - time.monotonic())
            response = self._pool.urlopen(
                method,
                url,
                body=None if body is None else json.dumps(body).encode(),
                headers=_HEADERS if body is None else {**_HEADERS, "Content-Type": "application/json"},
                redirect=False,
                retries=False,
                preload_content=False,
                timeout=urllib3.Timeout(
                    connect=min(self._limits.connect_s, left_s), read=min(self._limits.silence_s, left_s)
                ),
            )
            try:
                return self._read(response, method, url, deadline)
            finally:
                # Whole answers have given their connection back by now; a rest is not worth waiting for.
                response.close()
        except HostRefused as refusal:
            reason = f"a link of it leads to {refusal.href}: {refusal.reason}"
            return _Refusal(failure=Failure(reason=reason, cure=_NAME_HOSTS, permanent=True))
        except (exceptions.HTTPError, OSError, ValueError) as error:
            late = time.monotonic() > deadline
            return self._late() if late else _Refusal(failure=self._described(error, _host(url)))

    def _read(self, response: BaseHTTPResponse, method: str, url: str, deadline: float) -> bytes | str | _Refusal:
        status, location = response.status, response.headers.get("Location")
        if status in _REDIRECTS and location:
            target = joined(url, location)
            if method == "GET" or status in _KEEP_METHOD:
                return target
            # Asked without its body a search would find everything, everywhere.
            failure = Failure(
                reason=f"{_host(url)} says that it moved to {without_query(target)} (HTTP {status})",
                cure="Write the new address of the API's root into the programme",
                permanent=True,
            )
            return _Refusal(failure=failure, status=status)
        if status == 200:
            body = self._body(response, MAX_DOCUMENT_BYTES, deadline)
            # A header that breaks off reads like one that ends, and then nothing follows.
            return body or _Refusal(failure=Failure(reason=f"{_host(url)} gives an empty answer"), status=status)
        if status in TRY_AGAIN:
            asked = retry_after_s(response.headers.get("Retry-After"), response.headers.get("Date"), datetime.now(UTC))
            failure = Failure(reason=f"{_host(url)} is busy or broken (HTTP {status})", retry_after_s=asked)
            return _Refusal(failure=failure, status=status)
        explained = _explained(self._body(response, _EXPLANATION_BYTES, deadline))
        failure = Failure(
            reason=f"{_host(url)} refuses the request (HTTP {status}{explained})",
            cure=_CURES.get(status, "Check that this API offers STAC's item search"),
            permanent=True,
        )
        return _Refusal(failure=failure, status=status)

    def _body(self, response: BaseHTTPResponse, limit: int, deadline: float) -> bytes | _Refusal:
        held = bytearray()
        with cut_off(response, deadline - time.monotonic()):
            while chunk := response.read1(_CHUNK, decode_content=True):
                held += chunk
                if len(held) > limit:
                    reason = f"an answer of it is larger than {limit >> 20} MB"
                    cure = "Ask its operators for smaller pages, or keep the items needed in a catalogue on disk"
                    return _Refusal(failure=Failure(reason=reason, cure=cure, permanent=True))
        # What was cut off may look like the end of a body.
        return self._late() if time.monotonic() > deadline else bytes(held)

    def _late(self) -> _Refusal:
        return _Refusal(failure=Failure(reason=f"it took longer than {self._limits.deadline_s:g} s"))

    def _secured(self, url: str) -> str:
        """An address of the API itself over https, if that is how the API is asked.

        Behind a proxy that ends TLS, APIs write http into their own links and redirects.
        """
        root = urlsplit(self.root)
        plain = f"http://{root.netloc}"
        return f"https{url[4:]}" if root.scheme == "https" and (f"{url}/").startswith(f"{plain}/") else url

    @property
    def _pool(self) -> urllib3.PoolManager:
        # A process that was forked from this one must not talk on the same connections.
        pid = os.getpid()
        if pid not in self._pools:
            self._pools[pid] = guarded_pool(self._rules)
        return self._pools[pid]

    def _described(self, error: Exception, host: str) -> Failure:
        """What an exception means, in words that hold nothing of the request."""
        match error:
            case exceptions.NameResolutionError():
                return Failure(reason=f"the name {host} was not found")
            case exceptions.NewConnectionError():
                number = getattr(error.__cause__, "errno", None)
                return Failure(reason=f"no connection to {host} ({os.strerror(number) if number else 'refused'})")
            case exceptions.ConnectTimeoutError():
                return Failure(reason=f"no connection to {host} within {self._limits.connect_s:g} s")
            case exceptions.ReadTimeoutError() | TimeoutError():
                return Failure(reason=f"{host} sent nothing for {self._limits.silence_s:g} s")
            case exceptions.SSLError() if "CERTIFICATE_VERIFY_FAILED" in str(error):
                return Failure(
                    reason=f"the certificate of {host} cannot be trusted",
                    cure="Check who answers in its name: a proxy, a captive portal or an expired certificate",
                    permanent=True,
                )
            case exceptions.DecodeError():
                return Failure(reason=f"an answer of {host} cannot be decompressed")
            case exceptions.LocationValueError() | ValueError():
                return Failure(reason="a link of it is no well-formed address", permanent=True)
            case _:
                return Failure(reason=f"an answer of {host} broke off ({type(error).__name__})")


_NAME_HOSTS = (
    "Only hosts of the catalogue's preset and those that MRV_ALLOW_HOSTS names are asked; find out who runs that one "
    "before you add it"
)


def _explained(body: bytes | _Refusal) -> str:
    """What a server says of its refusal, shortened, without queries."""
    try:
        said = parsed(body) if isinstance(body, bytes) else None
    except ValueError:
        return ""
    if not isinstance(said, dict):
        return ""
    texts = [said[key] for key in ("description", "detail", "message") if isinstance(said.get(key), str)]
    plain = re.sub(r"\?\S*", "", texts[0]) if texts else ""
    return f": {' '.join(plain.split())[:200]}" if plain.isprintable() and plain else ""


def _host(url: str) -> str:
    return host_of(url) or "it"
