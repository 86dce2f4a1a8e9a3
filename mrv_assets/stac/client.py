"""The client of a STAC API: its JSON documents, requested over the wire, and the words of an error about them."""

import json
import re
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from mrv_assets.errors import CatalogueError
from mrv_assets.stac.json_document import MAX_DOCUMENT_BYTES, parsed
from mrv_assets.transport import event_loop
from mrv_assets.transport.document import Document, fetch_document
from mrv_assets.transport.hosts import HostRules, host_of
from mrv_assets.transport.limits import Limits
from mrv_assets.transport.response import busy
from mrv_assets.transport.retry import Failure
from mrv_assets.transport.signing import Unsigned
from mrv_assets.transport.wire import Connections

# A search over years of a busy catalogue can take most of a minute before its first byte.
LIMITS = Limits(silence_s=60.0, attempts=7)
"""Bounds on requests to an API; the deadline is that of one search, all its pages, attempts and waits together."""

_HEADERS = {"Accept": "application/geo+json, application/json", "Accept-Encoding": "gzip"}
_CURES = {
    401: "This API wants to know who asks, which is not supported; name another catalogue",
    403: "This API refuses this machine or wants to know who asks; name another catalogue",
    404: "Check that this is the address of a STAC API's root",
}
_NAME_HOSTS = (
    "Only hosts of the catalogue's preset and those that MRV_ALLOW_HOSTS names are asked; find out who runs that one "
    "before you add it"
)


class ApiClient:
    """A client of one API. Safe to use from several threads, which wait while an event loop moves the bytes."""

    def __init__(self, root: str, rules: HostRules, limits: Limits = LIMITS) -> None:
        """A client that has not sent a request yet.

        Args:
            root: The API's address, by which errors name it.
            rules: The machines that may be asked; redirects and the addresses of names are held against them too.
            limits: Bounds on each request and wait.
        """
        url = urlsplit(root)
        self.root = root
        self._connections = Connections(
            replace(rules, https_only=url.netloc if url.scheme == "https" else None), limits, Unsigned()
        )

    def document(self, url: str, posted: Mapping[str, Any] | None, deadline: float) -> tuple[Any, int]:
        """The JSON document at an address, and its size in bytes.

        Args:
            url: Address, absolute.
            posted: Posted as JSON; None for a GET.
            deadline: When to give up, on the monotonic clock.

        Raises:
            CatalogueError: When it cannot be had; with host, reason, attempts, time and cure.
        """
        body = self.body(url, posted, deadline)
        if isinstance(body, Failure):
            raise self.error(url, body)
        try:
            # In the caller's thread: the event loop is never held up by a large document.
            return parsed(body), len(body)
        except ValueError as error:
            problem = "is a web page" if body.lstrip()[:1] == b"<" else str(error)
        raise CatalogueError(
            self.root, f"the response of {_host(url)} {problem}", "Check that this is the address of a STAC API's root"
        )

    def body(self, url: str, posted: Mapping[str, Any] | None, deadline: float) -> bytes | Failure:
        """The bytes at an address, or why there are none; see :meth:`document`."""
        return event_loop.run(self._body(url, posted, deadline))

    def error(self, url: str, failure: Failure) -> CatalogueError:
        """The error to raise where there is no document."""
        if failure.refused is not None:
            link, reason = failure.refused
            return CatalogueError(self.root, f"a link of it leads to {link}: {reason}", _NAME_HOSTS)
        cure = failure.cure or (
            f"Check that this machine reaches {_host(url)}, then run again; a catalogue on disk needs no network"
        )
        return CatalogueError(self.root, failure.reason, cure, failure.status)

    async def _body(self, url: str, posted: Mapping[str, Any] | None, deadline: float) -> bytes | Failure:
        wire, host = self._connections.wire(), _host(url)
        return await fetch_document(
            wire,
            url,
            _HEADERS if posted is None else {**_HEADERS, "Content-Type": "application/json"},
            lambda document: _read(document, host),
            limit=MAX_DOCUMENT_BYTES,
            deadline=wire.loop.time() + deadline - time.monotonic(),
            body=None if posted is None else json.dumps(posted).encode(),
            # Other statuses than those that may pass are read, for the API's own explanation.
            refusal=lambda status, headers, now, _: busy(status, headers, now, host),
        )


def _read(document: Document, host: str) -> bytes | Failure:
    """The bytes of a response, or why it has none."""
    if document.status != 200:
        return Failure(
            reason=f"{host} refuses the request (HTTP {document.status}{_explanation(document.body)})",
            cure=_CURES.get(document.status, "Check that this API offers STAC's item search"),
            permanent=True,
            status=document.status,
        )
    if document.body is None:
        return Failure(
            reason=f"a response of {host} is larger than {MAX_DOCUMENT_BYTES >> 20} MB",
            cure="Ask its operators for smaller pages, or keep the items needed in a catalogue on disk",
            permanent=True,
        )
    # A header that breaks off reads like one that ends, and no byte follows.
    return document.body or Failure(reason=f"{host} gives an empty response")


def _explanation(body: bytes | None) -> str:
    """A server's own explanation of a refusal, shortened, without queries."""
    try:
        stated = parsed(body or b"")
    except ValueError:
        return ""
    if not isinstance(stated, dict):
        return ""
    texts = [stated[key] for key in ("description", "detail", "message") if isinstance(stated.get(key), str)]
    text = re.sub(r"\?\S*", "", texts[0]) if texts else ""
    return f": {' '.join(text.split())[:200]}" if text.isprintable() and text else ""


def _host(url: str) -> str:
    return host_of(url) or "it"
