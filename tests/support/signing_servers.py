"""Real servers that read signatures, on this machine: a token service, blobs that want its tokens, and S3."""

import asyncio
import hashlib
import hmac
import json
import re
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote

from aiohttp import web

ACCOUNT, CONTAINER = "landsateuwest", "landsat-c2"
ACCESS_KEY, SECRET_KEY, SESSION_TOKEN = (
    "AKIAIOSFODNN7EXAMPLE",
    "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "aSession//tok+en==",
)

Answer = Callable[[], web.StreamResponse]


@dataclass
class Azure:
    """Blobs beneath ``/<account>/<container>/``, and tokens for them beneath ``/token/``."""

    folder: Path
    port: int = 0
    life: timedelta = timedelta(minutes=45)
    """Of a token, from when it is given."""
    ahead: timedelta = timedelta(0)
    """Of this server's clock before the readers'."""
    late_s: float = 0.0
    """How long a token takes."""
    wrong: deque[Answer] = field(default_factory=deque)
    """Given instead of tokens, one after the other."""
    always_wrong: Answer | None = None
    subscription_key: str | None = None
    """What must be sent along, when set."""
    given: list[str] = field(default_factory=list)
    """Tokens, in the order they were given."""
    void: set[str] = field(default_factory=set)
    """Of them those that are refused all the same."""
    all_void: bool = False
    asked: list[str] = field(default_factory=list)
    """Paths asked of the token service."""
    keys: list[str | None] = field(default_factory=list)
    """Subscription keys that were sent with them."""
    answers: Counter[int] = field(default_factory=Counter)
    """How blobs were answered, by status."""

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}/{path}"

    def put(self, name: str, data: bytes, container: str = CONTAINER) -> str:
        path = self.folder / ACCOUNT / container / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return self.url(f"{ACCOUNT}/{container}/{name}")

    async def token(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.path.removeprefix("/token/"))
        self.keys.append(request.headers.get("Ocp-Apim-Subscription-Key"))
        await asyncio.sleep(self.late_s)
        answer = self.wrong.popleft() if self.wrong else self.always_wrong
        if answer is not None:
            return answer()
        if self.subscription_key not in (None, self.keys[-1]):
            return web.Response(status=401)
        until = datetime.now(UTC) + self.ahead + self.life
        ends = until.strftime("%Y-%m-%dT%H:%M:%SZ")
        token = f"se={quote(ends)}&sp=rl&sr=c&sig=S3cr3t{len(self.given)}%2Fab%3D"
        self.given.append(token)
        date = (datetime.now(UTC) + self.ahead).strftime("%a, %d %b %Y %H:%M:%S GMT")
        return web.json_response({"msft:expiry": ends, "token": token}, headers={"Date": date})

    async def blob(self, request: web.Request) -> web.StreamResponse:
        container, query = request.match_info["container"], request.raw_path.partition("?")[2]
        if not query:
            text = "<Error><Code>PublicAccessNotPermitted</Code></Error>"
            return web.Response(status=409, text=text, content_type="application/xml")
        token = query[query.index("se=") :]
        until = datetime.fromisoformat(request.query["se"])
        void = self.all_void or token in self.void
        if token not in self.given or void or datetime.now(UTC) + self.ahead >= until:
            return web.Response(status=403, text="<Error><Code>AuthenticationFailed</Code></Error>")
        path = self.folder / request.match_info["account"] / container / request.match_info["name"]
        return web.FileResponse(path) if path.is_file() else web.Response(status=404)


@dataclass
class S3:
    """Buckets beneath ``/<bucket>/``, for readers who sign as Amazon's documents say, and pay where they must.

    The signature is worked out anew from what is on the wire, by nothing that made it.
    """

    folder: Path
    port: int = 0
    region: str = "us-west-2"
    secrets: dict[str, str] = field(default_factory=lambda: {ACCESS_KEY: SECRET_KEY})
    session_token: str | None = None
    requester_pays: set[str] = field(default_factory=set)
    anonymous: set[str] = field(default_factory=set)
    ahead: deque[timedelta] = field(default_factory=deque)
    """Of this server's clock, one request after the other; then it is right."""
    log: list[str] = field(default_factory=list)
    """Path and query of each request, as on the wire."""
    refused: list[str] = field(default_factory=list)
    """Codes."""

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def put(self, bucket: str, key: str, data: bytes) -> str:
        path = self._path(bucket, key)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return f"s3://{bucket}/{key}"

    def _path(self, bucket: str, key: str) -> Path:
        return self.folder / bucket / hashlib.sha256(key.encode()).hexdigest()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.log.append(request.raw_path)
        path, _, query = request.raw_path.partition("?")
        now = datetime.now(UTC) + (self.ahead.popleft() if self.ahead else timedelta(0))
        bucket, _, key = unquote(path.removeprefix("/")).partition("/")
        code = self.refusal(bucket, path, query, request.headers, now)
        if code is not None:
            self.refused.append(code)
            return web.Response(status=403, text=f"<Error><Code>{code}</Code></Error>")
        found = self._path(bucket, key)
        return web.FileResponse(found) if found.is_file() else web.Response(status=404, text="<Code>NoSuchKey</Code>")

    def refusal(self, bucket: str, path: str, query: str, headers: Mapping[str, str], now: datetime) -> str | None:
        """Why a GET is refused, as S3 names it."""
        stated = dict(parse_qsl(query, keep_blank_values=True, encoding="utf-8"))
        if "X-Amz-Signature" not in stated:
            return None if bucket in self.anonymous else "AccessDenied"
        access_key, _, scope = stated["X-Amz-Credential"].partition("/")
        day, region, service, kind = scope.split("/")
        signed_at = datetime.strptime(stated["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        if access_key not in self.secrets or stated.get("X-Amz-Security-Token") != self.session_token:
            return "InvalidAccessKeyId"
        if (region, service, kind) != (self.region, "s3", "aws4_request"):
            return "AuthorizationQueryParametersError"
        if not signed_at - timedelta(minutes=15) <= now < signed_at + timedelta(seconds=int(stated["X-Amz-Expires"])):
            return "ExpiredToken"
        names = stated["X-Amz-SignedHeaders"].split(";")
        if any(name.lower().startswith("x-amz-") and name.lower() not in names for name in headers):
            return "HeadersNotSigned"
        if signature(self.secrets[access_key], day, region, path, query, names, headers) != stated["X-Amz-Signature"]:
            return "SignatureDoesNotMatch"
        payer = stated.get("x-amz-request-payer", headers.get("x-amz-request-payer"))
        return "AccessDenied" if bucket in self.requester_pays and payer != "requester" else None


def signature(
    secret: str, day: str, region: str, path: str, query: str, names: list[str], headers: Mapping[str, str]
) -> str:
    """The signature of a presigned GET, from Amazon's "Authenticating Requests: Using Query Parameters"."""

    def encoded(text: str, also: str = "") -> str:
        return quote(text, safe="-_.~" + also)

    pairs = sorted(
        (encoded(unquote(name)), encoded(unquote(value)))
        for name, _, value in (part.partition("=") for part in query.split("&"))
        if name != "X-Amz-Signature"
    )
    request = "\n".join(
        [
            "GET",
            encoded(unquote(path), also="/"),
            "&".join(f"{name}={value}" for name, value in pairs),
            *(f"{name}:{re.sub(' +', ' ', headers[name].strip())}" for name in names),
            "",
            ";".join(names),
            "UNSIGNED-PAYLOAD",
        ]
    )
    [at] = re.findall(r"X-Amz-Date=(\w+)", query)
    scope = f"{day}/{region}/s3/aws4_request"
    to_sign = f"AWS4-HMAC-SHA256\n{at}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    key = f"AWS4{secret}".encode()
    for part in (day, region, "s3", "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.digest(key, to_sign.encode(), "sha256").hex()


def answering(status: int, body: object = "", **headers: str) -> Answer:
    """An answer of the token service that brings no token."""
    text = body if isinstance(body, str) else json.dumps(body)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda: web.Response(status=status, text=text, headers=named)


@contextmanager
def azure_server(folder: Path) -> Iterator[Azure]:
    """A token service and its blobs."""
    server = Azure(folder=folder)
    app = web.Application()
    app.router.add_get("/token/{account}/{container}", server.token)
    app.router.add_get("/{account}/{container}/{name:.+}", server.blob)

    async def count(request: web.Request, response: web.StreamResponse) -> None:
        if not request.path.startswith("/token/"):
            server.answers[response.status] += 1

    # Here, and not where it is made: a file's answer finds out whether a part of it is wanted when it begins.
    app.on_response_prepare.append(count)
    with _served(app) as server.port:
        yield server


@contextmanager
def s3_server(folder: Path) -> Iterator[S3]:
    """An S3 that checks signatures."""
    server = S3(folder=folder)
    app = web.Application()
    app.router.add_get("/{path:.*}", server.answer)
    with _served(app) as server.port:
        yield server


@contextmanager
def _served(app: web.Application) -> Iterator[int]:
    """The port of an application that runs in a thread of its own, on loopback."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="signing-server", daemon=True)
    thread.start()

    async def begun() -> web.AppRunner:
        runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return runner

    runner = asyncio.run_coroutine_threadsafe(begun(), loop).result(10)
    try:
        yield runner.addresses[0][1]
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
