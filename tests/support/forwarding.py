"""A server between us and an API: it keeps a log, gives smaller pages, and lets things happen between two of them."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from typing import cast
from urllib.error import HTTPError
from urllib.parse import parse_qsl, urlencode, urlsplit
from urllib.request import Request, urlopen

from stac_servers import Asked, Json, QuietHandler, serving


def nothing(asked: Asked) -> None:
    """Nothing happens."""


class Forwarder(ThreadingHTTPServer):
    """Hands each request on, and its answer back."""

    daemon_threads = True

    def __init__(self, upstream: str, page_items: int, before: Callable[[Asked], None], methods: tuple[str, ...]):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.page_items = page_items
        self._upstream, self._before, self._methods = upstream, before, methods
        self.searches: list[Asked] = []

    @property
    def root(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def answer(self, method: str, target: str, body: bytes, host: str) -> tuple[int, bytes]:
        """Status and body of what the API answers."""
        url = urlsplit(target)
        if url.path == "/search":
            target, body = self._searched(method, target, body)
        # By this name of its host the API makes its links, so that they lead back here.
        headers = {"Host": host, **({"Content-Type": "application/json"} if body else {})}
        request = Request(f"{self._upstream}{target}", body or None, headers, method=method)
        try:
            with urlopen(request, timeout=60) as answer:
                status, answered = answer.status, answer.read()
        except HTTPError as error:
            status, answered = error.code, error.read()
        return status, self._landing(answered) if url.path == "/" else answered

    def _searched(self, method: str, target: str, body: bytes) -> tuple[str, bytes]:
        """The same search, of smaller pages."""
        query = dict(parse_qsl(urlsplit(target).query))
        wanted: Json = json.loads(body) if body else {}
        asked = Asked(
            method=method,
            path="/search",
            query=query,
            body=wanted,
            headers={},
            number=len(self.searches) + 1,
            at=time.monotonic(),
        )
        self.searches.append(asked)
        self._before(asked)
        if method == "GET":
            return f"/search?{urlencode({**query, 'limit': self.page_items})}", body
        return target, json.dumps({**wanted, "limit": self.page_items}).encode()

    def _landing(self, answered: bytes) -> bytes:
        """The landing page without links to searches by other methods."""
        page = json.loads(answered)
        links = [one for one in page["links"] if one["rel"] != "search" or one.get("method") in self._methods]
        return json.dumps({**page, "links": links}).encode()


@contextmanager
def forwarding(
    upstream: str,
    *,
    page_items: int = 10,
    before: Callable[[Asked], None] = nothing,
    methods: tuple[str, ...] = ("GET", "POST"),
) -> Iterator[Forwarder]:
    """Forward to an API.

    Args:
        upstream: Its address.
        page_items: Of one page, whatever is asked for.
        before: Called before a search or one of its further pages is handed on.
        methods: By which it is searched.
    """
    server = Forwarder(upstream, page_items, before, methods)
    with serving(server):
        yield server


class _Handler(QuietHandler):
    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        status, answered = cast("Forwarder", self.server).answer(self.command, self.path, body, self.headers["Host"])
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answered)))
        self.end_headers()
        self.wfile.write(answered)
