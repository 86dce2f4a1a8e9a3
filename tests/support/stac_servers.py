"""Real STAC APIs on this machine: rustac's, and one of ours that does wrong whatever a test asks of it."""

import json
import socket
import ssl
import subprocess
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qsl, urlsplit
from urllib.request import urlopen

from scene_builders import Item

Json = dict[str, Any]
STARTS_WITHIN_S = 30


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A request as it came."""

    method: str
    path: str
    query: dict[str, str]
    body: Json
    headers: dict[str, str]
    number: int
    """Which request for this path it is, from 1."""
    at: float
    """When, on the monotonic clock."""


@dataclass(frozen=True, kw_only=True)
class Reply:
    """An answer to send instead."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    length: int | None = None
    """What Content-Length says; None: the truth."""
    wait_s: float = 0.0
    """Before the answer."""
    header_pause_s: float = 0.0
    """Between the letters of the header."""
    body_pause_s: float = 0.0
    """Between the letters of the body."""
    endless: bool = False
    """Whether the body is sent again and again."""


Twist = Callable[[Asked, Json], Json | Reply]
"""Changes the document that would be right, or puts another answer in its place."""


def as_it_is(asked: Asked, document: Json) -> Json:
    """No twist."""
    return document


class StacServer(ThreadingHTTPServer):
    """A STAC API over some items, paged by number; it filters by collection and by nothing else."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self, items: Sequence[Item], *, page_items: int, twist: Twist, counts: bool, tls: ssl.SSLContext | None
    ) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self._scheme = "http" if tls is None else "https"
        if tls is not None:
            # Hands are shaken by the thread of a connection, at its first read.
            self.socket = tls.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.items, self.page_items, self.twist, self.counts = list(items), page_items, twist, counts
        self.log: list[Asked] = []
        self._lock = threading.Lock()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of those who went away in the middle of a handshake or a request; of all else as usual."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)

    @property
    def root(self) -> str:
        """Its address."""
        return f"{self._scheme}://127.0.0.1:{self.server_address[1]}"

    def asked(self, path: str) -> list[Asked]:
        """The requests for a path, in order."""
        return [one for one in self.log if one.path == path]

    def noted(self, method: str, path: str, query: dict[str, str], body: Json, headers: dict[str, str]) -> Asked:
        """Put a request into the log."""
        with self._lock:
            one = Asked(
                method=method,
                path=path,
                query=query,
                body=body,
                headers=headers,
                number=len(self.asked(path)) + 1,
                at=time.monotonic(),
            )
            self.log.append(one)
        return one

    def document(self, asked: Asked) -> Json | Reply:
        """What is right to answer."""
        collections = sorted({item["collection"] for item in self.items})
        match asked.path.strip("/").split("/"):
            case [""]:
                links = [("data", "/collections", "GET"), ("search", "/search", "GET"), ("search", "/search", "POST")]
                return {
                    "type": "Catalog",
                    "stac_version": "1.0.0",
                    "id": "here",
                    "description": "",
                    "conformsTo": ["https://api.stacspec.org/v1.0.0/item-search"],
                    "links": [{"rel": r, "href": self.root + path, "method": m} for r, path, m in links],
                }
            case ["collections"]:
                return {"collections": [{"id": name} for name in collections], "links": []}
            case ["collections", name] if name in collections:
                return {"type": "Collection", "id": name, "links": []}
            case ["search"]:
                return self._page(asked)
        return Reply(status=404, body=b'{"code": "NotFound"}')

    def _page(self, asked: Asked) -> Json:
        wanted = asked.body or asked.query
        named = wanted.get("collections", "")
        collections = named.split(",") if isinstance(named, str) else named
        found = [item for item in self.items if item["collection"] in collections]
        start = int(wanted.get("token", 0))
        shown = found[start : start + self.page_items]
        page: Json = {"type": "FeatureCollection", "features": shown, "links": [], "numberReturned": len(shown)}
        if self.counts:
            page["numberMatched"] = len(found)
        if start + self.page_items < len(found):
            following = {**wanted, "token": start + self.page_items}
            page["links"] = [next_link(self.root, asked.method, following)]
        return page


def next_link(root: str, method: str, wanted: Json) -> Json:
    """A link to the page that a search for this would give."""
    if method == "POST":
        return {"rel": "next", "href": f"{root}/search", "method": "POST", "body": wanted}
    query = "&".join(f"{name}={value}" for name, value in wanted.items() if name in ("collections", "token"))
    return {"rel": "next", "href": f"{root}/search?{query}", "method": "GET"}


@contextmanager
def stac_server(
    items: Sequence[Item],
    *,
    page_items: int = 10,
    twist: Twist = as_it_is,
    counts: bool = True,
    tls: ssl.SSLContext | None = None,
) -> Iterator[StacServer]:
    """Serve items.

    Args:
        items: In the order they are given out.
        page_items: Of one page, whatever is asked for.
        twist: What to do wrong.
        counts: Whether numberMatched is stated.
        tls: To serve https.
    """
    server = StacServer(items, page_items=page_items, twist=twist, counts=counts, tls=tls)
    with serving(server):
        yield server


@contextmanager
def serving(server: ThreadingHTTPServer) -> Iterator[None]:
    """Let a server answer, in a thread of its own, until the block ends."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class QuietHandler(BaseHTTPRequestHandler, ABC):
    """Answers GET and POST alike, by ``answer``, and says nothing of it."""

    protocol_version = "HTTP/1.1"
    # Else the second of two small writes waits for the first one's acknowledgement.
    disable_nagle_algorithm = True

    @abstractmethod
    def answer(self) -> None:
        """Answer the request that has been read."""

    def do_GET(self) -> None:
        """Answer."""
        self.answer()

    def do_POST(self) -> None:
        """Answer."""
        self.answer()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


class _Handler(QuietHandler):
    def answer(self) -> None:
        server, url = cast("StacServer", self.server), urlsplit(self.path)
        length = int(self.headers.get("Content-Length", 0))
        body = json.loads(self.rfile.read(length)) if length else {}
        asked = server.noted(self.command, url.path, dict(parse_qsl(url.query)), body, dict(self.headers))
        document = server.document(asked)
        answer = document if isinstance(document, Reply) else server.twist(asked, document)
        reply = answer if isinstance(answer, Reply) else Reply(body=json.dumps(answer).encode())
        try:
            self._send(reply)
        except OSError:
            # Whoever asked has gone.
            self.close_connection = True

    def _send(self, reply: Reply) -> None:
        time.sleep(reply.wait_s)
        length = len(reply.body) if reply.length is None else reply.length
        headers = {"Content-Type": "application/json", "Content-Length": str(length), **reply.headers}
        if reply.endless or "Transfer-Encoding" in reply.headers:
            del headers["Content-Length"]
        if reply.endless:
            self.close_connection = True
        head = f"HTTP/1.1 {reply.status} -\r\n" + "".join(f"{k}: {v}\r\n" for k, v in headers.items()) + "\r\n"
        self._trickle(head.encode(), reply.header_pause_s)
        self._trickle(reply.body, reply.body_pause_s)
        while reply.endless:
            self.wfile.write(reply.body)
        if reply.length is not None:
            self.close_connection = True

    def _trickle(self, data: bytes, pause_s: float) -> None:
        if not pause_s:
            self.wfile.write(data)
            return
        for letter in data:
            self.wfile.write(bytes([letter]))
            self.wfile.flush()
            time.sleep(pause_s)


@contextmanager
def rustac_server(folder: Path, items: Sequence[Item]) -> Iterator[str]:
    """rustac's STAC API over items of one collection; gives its address.

    It pages by ten, filters by place and time, and does not count.
    """
    [collection] = {item["collection"] for item in items}
    world = {"spatial": {"bbox": [[-180, -90, 180, 90]]}, "temporal": {"interval": [["2015-01-01T00:00:00Z", None]]}}
    files = {
        "collection.json": {
            "type": "Collection",
            "stac_version": "1.0.0",
            "id": collection,
            "description": "",
            "license": "other",
            "extent": world,
            "links": [],
        },
        "items.json": {"type": "FeatureCollection", "features": list(items)},
    }
    for name, document in files.items():
        (folder / name).write_text(json.dumps(document))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [str(Path(sys.executable).parent / "rustac"), "serve", *files, "-a", f"127.0.0.1:{port}"]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    root = f"http://127.0.0.1:{port}"
    try:
        _wait_for(root, process)
        yield root
    finally:
        # Where this process ignores SIGTERM, its children do too.
        process.kill()
        process.wait(10)


def _wait_for(root: str, process: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + STARTS_WITHIN_S
    while time.monotonic() < until and process.poll() is None:
        try:
            with urlopen(root, timeout=1):
                return
        except OSError:
            time.sleep(0.05)
    raise AssertionError(f"rustac did not start (exit code {process.poll()})")
