"""A real server of byte ranges on this machine, which does wrong whatever a test asks of it, and keeps a log."""

import asyncio
import hashlib
import random
import socket
import ssl
import struct
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache

from aiohttp import web

from mrv_assets.transport.signing import Signed

CHUNK = 1 << 16
FAULTS = (
    *("reset", "stall", "truncate", "busy", "broken", "lying_length", "short_length", "other_range", "no_range"),
    *("truncated_chunks", "more_bytes"),
)
"""What chaos may do: all that passes when asked again."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One thing to do wrong, once."""

    kind: str
    after: int = 0
    """Bytes of the body that are sent right."""
    status: int = 500
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    meanwhile: Callable[[], None] = lambda: None
    """Done before the answer, for what changes between two requests."""
    pause_s: float = 0.02
    """Between the bytes of a slow body, or before a late answer."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A request as it came."""

    name: str
    query: str
    target: str
    """Path and query as they stood on the wire."""
    range: str | None
    if_match: str | None
    headers: dict[str, str]
    at: float
    """When, on the monotonic clock."""


@dataclass(frozen=True, kw_only=True)
class Content:
    """An object's state."""

    data: bytes
    etag: str | None
    modified: str | None = None


@dataclass
class RangeServer:
    """Objects by name. Everything here may be called from the test while the server runs."""

    port: int = 0
    scheme: str = "http"
    contents: dict[str, Content] = field(default_factory=dict)
    made: Callable[[str], bytes] | None = None
    """Content of names that were not put."""
    faults: dict[str, deque[Fault]] = field(default_factory=lambda: defaultdict(deque))
    always: dict[str, Fault] = field(default_factory=dict)
    """Done whenever a name is asked for and no other fault is left."""
    log: list[Asked] = field(default_factory=list)
    token: str | None = None
    """What ``sig`` in a query must be, when set."""
    chaos: random.Random | None = None
    share: float = 0.3
    """Of requests that chaos spoils."""
    spoilt: int = 0
    under_way: int = 0
    most_under_way: int = 0

    def url(self, name: str, host: str = "127.0.0.1") -> str:
        return f"{self.scheme}://{host}:{self.port}/{name}"

    def put(self, name: str, data: bytes, *, etag: str | None = "", modified: str | None = None) -> str:
        """Have an object under a name, with a strong ETag of its content unless another is given."""
        named = f'"{hashlib.md5(data, usedforsecurity=False).hexdigest()}"' if etag == "" else etag
        self.contents[name] = Content(data=data, etag=named, modified=modified)
        return self.url(name)

    def fail(self, name: str, *faults: Fault | str) -> None:
        """Do these wrong, one request after the other."""
        self.faults[name].extend(Fault(kind=fault) if isinstance(fault, str) else fault for fault in faults)

    def asked(self, name: str) -> list[str | None]:
        """The ranges that were asked of an object so far."""
        return [request.range for request in self.log if request.name == name]

    def content(self, name: str) -> Content | None:
        if name not in self.contents and self.made is not None:
            data = self.made(name)
            return Content(data=data, etag=f'"{name}-{len(data)}"')
        return self.contents.get(name)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """One request, right or wrong."""
        # What was put under a path and a query is another object than what lies at the path.
        whole = request.path_qs.removeprefix("/")
        name = whole if whole in self.contents else request.path.removeprefix("/")
        self.log.append(
            Asked(
                name=name,
                query=request.query_string,
                target=request.raw_path,
                range=request.headers.get("Range"),
                if_match=request.headers.get("If-Match"),
                headers=dict(request.headers),
                at=time.monotonic(),
            )
        )
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            return await self._answer(request, name)
        finally:
            self.under_way -= 1

    async def _answer(self, request: web.Request, name: str) -> web.StreamResponse:
        fault = self._fault(name)
        fault.meanwhile()
        if fault.kind == "late":
            await asyncio.sleep(fault.pause_s)
        if self.token is not None and request.query.get("sig") != self.token:
            return web.Response(status=403, text="<Error><Message>Signature expired</Message></Error>")
        match fault.kind:
            case "status":
                return web.Response(status=fault.status, headers=fault.headers, body=fault.body)
            case "busy":
                return web.Response(status=429, headers=fault.headers)
            case "broken":
                return web.Response(status=503, headers=fault.headers)
            case "page":
                return web.Response(status=200, text="<html>Please log in</html>", content_type="text/html")
            case "chunked_page":
                return await self._chunked_page(request)
            case "endless":
                return await self._endless(request)
        content = self.content(name)
        if content is None:
            return web.Response(status=404, text="<Error><Code>NoSuchKey</Code></Error>")
        wanted_version = request.headers.get("If-Match")
        if wanted_version is not None and wanted_version != content.etag:
            return web.Response(status=412)
        return await self._send(request, content, fault)

    def _fault(self, name: str) -> Fault:
        if self.faults[name]:
            return self.faults[name].popleft()
        if name in self.always:
            return self.always[name]
        if self.chaos is not None and self.chaos.random() < self.share:
            self.spoilt += 1
            return Fault(kind=self.chaos.choice(FAULTS), after=self.chaos.randrange(1, 100_000))
        return Fault(kind="none")

    async def _send(self, request: web.Request, content: Content, fault: Fault) -> web.StreamResponse:
        size = len(content.data)
        headers = {"Content-Type": "image/tiff", **fault.headers}
        if content.etag is not None:
            headers["ETag"] = content.etag
        if content.modified is not None:
            headers["Last-Modified"] = content.modified
        asked = _range(request.headers.get("Range"), size)
        if asked is None or fault.kind == "no_range":
            status, begin, end = 200, 0, size
        else:
            status, (begin, end) = 206, asked
            if begin >= size:
                return web.Response(status=416, headers={"Content-Range": f"bytes */{size}"})
            if fault.kind == "shorter_range":
                end = begin + max(1, (end - begin) // 2)
            shift = 1 if fault.kind == "other_range" else 0
            headers["Content-Range"] = f"bytes {begin + shift}-{end - 1 + shift}/{size}"
            if fault.kind == "unknown_size":
                headers["Content-Range"] = f"bytes {begin}-{end - 1}/*"
        body = content.data[begin:end]
        if fault.kind == "lies_inside" and begin:
            # Consistent in itself: length, range and ETag are right.
            body = bytes(byte ^ 0xFF for byte in body)
        response = web.StreamResponse(status=status, headers=headers)
        cut = min(fault.after, len(body) // 2)
        match fault.kind:
            case "truncated_chunks":
                response.enable_chunked_encoding()
                body = body[:cut]
            case "chunked":
                response.enable_chunked_encoding()
            case "more_bytes":
                response.enable_chunked_encoding()
                body += b"surplus"
            case "short_length":
                # Consistent in itself, and shorter than its own Content-Range.
                body = body[:cut]
                response.content_length = len(body)
            case "lying_length":
                response.content_length = len(body) + 1000
            case _:
                response.content_length = len(body)
        if fault.kind in ("reset", "truncate", "stall"):
            body = body[:cut]
        try:
            await response.prepare(request)
            await self._write(response, body, fault)
        except (ConnectionError, asyncio.CancelledError):
            return response
        if fault.kind == "reset":
            _reset(request)
        elif fault.kind in ("truncate", "lying_length"):
            assert request.transport is not None
            request.transport.close()
        elif fault.kind == "stall":
            await asyncio.sleep(60)
        return response

    async def _write(self, response: web.StreamResponse, body: bytes, fault: Fault) -> None:
        step = 1 if fault.kind == "slow" else CHUNK
        for at in range(0, len(body), step):
            await response.write(body[at : at + step])
            if fault.kind == "slow":
                await asyncio.sleep(fault.pause_s)

    async def _chunked_page(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/html"})
        response.enable_chunked_encoding()
        await response.prepare(request)
        await response.write(b"<html>Please log in</html>")
        return response

    async def _endless(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        response.enable_chunked_encoding()
        await response.prepare(request)
        # As good as endless, and yet bounded: a gigabyte.
        for _ in range(1 << 14):
            await response.write(bytes(CHUNK))
        return response


@dataclass
class TokenSigner:
    """A signer that gives its tokens one after the other; a new one only when the last was refused."""

    tokens: list[str]
    signed: int = 0
    renewed: int = 0

    async def sign(self, href: str, *, fresh: bool = False) -> Signed:
        """The link with a token in its query and in a header."""
        self.signed += 1
        if fresh:
            self.renewed += 1
            self.tokens = self.tokens[1:] or self.tokens
        joint = "&" if "?" in href else "?"
        return Signed(url=f"{href}{joint}sig={self.tokens[0]}", headers={"Authorization": f"Bearer {self.tokens[0]}"})


@contextmanager
def range_server(tls: ssl.SSLContext | None = None) -> Iterator[RangeServer]:
    """A server in a thread of its own, on loopback."""
    server = RangeServer(scheme="http" if tls is None else "https")
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="range-server", daemon=True)
    thread.start()

    async def begin() -> web.AppRunner:
        app = web.Application()
        app.router.add_get("/{name:.*}", server.answer)
        runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
        await site.start()
        server.port = runner.addresses[0][1]
        return runner

    runner = asyncio.run_coroutine_threadsafe(begin(), loop).result(10)
    try:
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


@lru_cache(maxsize=64)
def made_content(name: str) -> bytes:
    """Content that its name says: anyone can tell what should have come. ``name`` ends in ``-<size>``."""
    return hashlib.shake_128(name.encode()).digest(int(name.rpartition("-")[2]))


def ranges_of(log: Iterable[Asked]) -> list[tuple[int, int]]:
    """First and last byte of each request."""
    found = (request.range for request in log)
    return [(int(a), int(b)) for a, _, b in (text.removeprefix("bytes=").partition("-") for text in found if text)]


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _range(stated: str | None, size: int) -> tuple[int, int] | None:
    if stated is None:
        return None
    first, _, last = stated.removeprefix("bytes=").partition("-")
    return int(first), min(int(last) + 1 if last else size, size)


def _reset(request: web.Request) -> None:
    """End a connection as a crash does."""
    assert request.transport is not None
    found = request.transport.get_extra_info("socket")
    found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    request.transport.abort()
