"""``python -m bench.http2``: the time of byte ranges over HTTP/1.1 and HTTP/2, by three clients in one run.

The server speaks both, over TLS on this machine, and sends its first byte some milliseconds late. httpx speaks both,
so its two rows differ in the protocol alone; aiohttp, which the transport uses, speaks HTTP/1.1.
"""

import argparse
import asyncio
import datetime as dt
import ipaddress
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tabulate import tabulate

BODY = bytes(range(256)) * (1 << 14)
"""Four megabytes; a request takes a part of them."""
AT_ONCE = (1, 8, 16)
SIZES = (16 << 10, 256 << 10)
"""A header, and a COG tile."""
REQUESTS = 96

Client = Callable[[str, Path, int, int], Coroutine[Any, Any, float]]


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """The server: a range of the body, late by as many milliseconds as the path names."""
    if scope["type"] != "http":
        return
    headers = dict(scope["headers"])
    start, stop = (int(part) for part in headers[b"range"].removeprefix(b"bytes=").split(b"-"))
    await asyncio.sleep(float(scope["path"].strip("/")) / 1000)
    body = BODY[start : stop + 1]
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": 206, "headers": [length]})
    await send({"type": "http.response.body", "body": body})


async def _aiohttp(url: str, trust: Path, size: int, at_once: int) -> float:
    connector = aiohttp.TCPConnector(limit=at_once, ssl=ssl.create_default_context(cafile=trust))
    async with aiohttp.ClientSession(connector=connector) as session:

        async def get() -> int:
            async with session.get(url, headers=_range(size)) as answer:
                return len(await answer.read())

        return await _timed(get, size, at_once)


async def _httpx(url: str, trust: Path, size: int, at_once: int, *, http2: bool) -> float:
    # Over HTTP/2 one connection carries all requests.
    limits = httpx.Limits(max_connections=1 if http2 else at_once, max_keepalive_connections=at_once)
    async with httpx.AsyncClient(
        http2=http2, verify=ssl.create_default_context(cafile=trust), limits=limits, timeout=60
    ) as client:

        async def get() -> int:
            answer = await client.get(url, headers=_range(size))
            assert answer.http_version == ("HTTP/2" if http2 else "HTTP/1.1")
            return len(answer.content)

        return await _timed(get, size, at_once)


CLIENTS: dict[str, Client] = {
    "aiohttp, HTTP/1.1": _aiohttp,
    "httpx, HTTP/1.1": lambda *asked: _httpx(*asked, http2=False),
    "httpx, HTTP/2": lambda *asked: _httpx(*asked, http2=True),
}


def _range(size: int) -> dict[str, str]:
    return {"Range": f"bytes=0-{size - 1}", "Accept-Encoding": "identity"}


async def _timed(get: Callable[[], Coroutine[Any, Any, int]], size: int, at_once: int) -> float:
    """Seconds of all requests, some at once, after a first one that opens the connection."""
    await get()
    free = asyncio.Semaphore(at_once)

    async def limited_get() -> None:
        async with free:
            assert await get() == size

    before = time.perf_counter()
    await asyncio.gather(*(limited_get() for _ in range(REQUESTS)))
    return time.perf_counter() - before


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.http2")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--delay-ms", type=float, default=50.0)
    options = parser.parse_args()
    print(asyncio.run(_page(options.rounds, options.delay_ms)))


async def _page(rounds: int, delay_ms: float) -> str:
    rows = []
    with tempfile.TemporaryDirectory(prefix="mrv-bench-") as folder:
        async with _served(Path(folder)) as (root, trust):
            for size in SIZES:
                for at_once in AT_ONCE:
                    times_by_client: dict[str, list[float]] = {name: [] for name in CLIENTS}
                    for _ in range(rounds):
                        for name, client in CLIENTS.items():
                            times_by_client[name].append(await client(f"{root}/{delay_ms:g}", trust, size, at_once))
                    first = statistics.median(times_by_client["aiohttp, HTTP/1.1"])
                    medians = (statistics.median(times) for times in times_by_client.values())
                    rows.append([size >> 10, at_once, *(f"{s:.2f} s ({s / first:.2f} x)" for s in medians)])
    headers = ["KB", "at once", *CLIENTS]
    table = tabulate(rows, headers=headers, disable_numparse=True)
    return f"{REQUESTS} ranges, first byte after {delay_ms:g} ms; medians of {rounds} rounds.\n{table}"


@asynccontextmanager
async def _served(folder: Path) -> AsyncIterator[tuple[str, Path]]:
    """A server of both protocols, and its certificate. Clients must not share an SSL context: httpx writes into it."""
    certificate, key = _certificate(folder)
    command = [sys.executable, "-m", "hypercorn", "bench.http2:app", "-b", "127.0.0.1:0"]
    command += ["--certfile", str(certificate), "--keyfile", str(key), "--error-logfile", str(folder / "log")]
    with subprocess.Popen(command) as process:
        try:
            log = folder / "log"
            while not (log.exists() and "Running on https://127.0.0.1:" in log.read_text()):
                assert process.poll() is None, "the server did not start"
                await asyncio.sleep(0.05)
            port = log.read_text().partition("https://127.0.0.1:")[2].split()[0]
            yield f"https://127.0.0.1:{port}", certificate
        finally:
            # A child ignores SIGTERM where the parent of this process did.
            process.kill()


def _certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for this machine, good for a day, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    certificate, private = folder / "certificate.pem", folder / "key.pem"
    certificate.write_bytes(built.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return certificate, private


if __name__ == "__main__":
    main()
