"""One small document, whole: attempts until it is here, a bound on its size, and a deadline."""

import asyncio
import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TypeVar

from mrv_assets.scenes.links import without_query
from mrv_assets.transport.hosts import host_of
from mrv_assets.transport.response import read_refusal
from mrv_assets.transport.retry import Failure, retrying, wait_s
from mrv_assets.transport.wire import BROKEN, Refusal, Wire

T = TypeVar("T")

REFUSAL_BYTES = 16 << 10
"""The most that is read of a body that explains a refusal."""


@dataclass(frozen=True, kw_only=True)
class Document:
    """A response that has been received whole."""

    status: int
    date: str | None
    """The server's Date header."""
    body: bytes | None = field(repr=False)
    """Uncompressed; None where it is longer than the limit."""


async def fetch_document(
    wire: Wire,
    href: str,
    headers: Mapping[str, str],
    read: Callable[[Document], T | Failure],
    *,
    limit: int,
    deadline: float,
    body: bytes | None = None,
    refusal: Refusal = read_refusal,
) -> T | Failure:
    """The value that a document is read as; it is asked for again after every failure that may pass.

    Args:
        wire: Sends requests.
        href: The document's address.
        headers: Sent to every host on the way. A body may be compressed only if they ask for gzip.
        read: Makes a value of a document, or says why it is none. Called on the event loop, so it must be quick.
        limit: The most bytes of a body, compressed and uncompressed.
        deadline: When to give up, on the event loop's clock.
        body: Posted; None for a GET.
        refusal: Decides which responses are not read.
    """
    limits, clock = wire.limits, wire.loop.time
    began, attempts = clock(), 0

    async def attempt() -> T | Failure:
        nonlocal attempts
        attempts += 1
        wire.tally.retries += attempts > 1
        document = await _received(wire, href, headers, body, limit, refusal)
        return document if isinstance(document, Failure) else read(document)

    again = retrying(
        wait=lambda attempt, failure: wait_s(without_query(href), attempt, attempt, failure, limits),
        stop=lambda wait: attempts >= limits.attempts or clock() + wait > deadline,
        sleep=wire.rest,
    )
    outcome: T | Failure = Failure(reason=f"it took longer than {limits.deadline_s:g} s")
    with suppress(TimeoutError):
        async with asyncio.timeout_at(deadline):
            outcome = await again(attempt)
    if isinstance(outcome, Failure) and attempts > 1:
        return replace(outcome, reason=f"{outcome.reason}; asked {attempts} times in {clock() - began:.0f} s")
    return outcome


async def _received(
    wire: Wire, href: str, headers: Mapping[str, str], body: bytes | None, limit: int, refusal: Refusal
) -> Document | Failure:
    """The response to one request, or why there is none."""
    try:
        # Fresh, since no attempt repeats a signature: the signer of a document's address signs it each time.
        async with wire.sent(href, headers, body=body, fresh=True, refusal=refusal) as response:
            if isinstance(response, Failure):
                return response
            status, date = response.status, response.headers.get("Date")
            most = limit if status == 200 else min(limit, REFUSAL_BYTES)
            received = await wire.whole(response, most)
            coding = response.headers.get("Content-Encoding", "identity").strip().lower()
    except BROKEN as error:
        # A value, returned below: an error raised here would carry this one, and with it the address.
        broken = wire.described(error, host_of(href))
    else:
        if received and coding not in ("identity", ""):
            # In a thread: the event loop moves bytes, and is not held up by looking at them.
            uncompressed = await asyncio.to_thread(_uncompressed, received, coding, most, host_of(href))
            if not isinstance(uncompressed, Failure):
                received = uncompressed
            elif status == 200:
                return uncompressed
            else:
                # A refusal counts without its explanation.
                received = None
        return Document(status=status, date=date, body=received)
    return broken


def _uncompressed(data: bytes, coding: str, limit: int, host: str) -> bytes | Failure | None:
    """A compressed body as it was before; None where that is longer than ``limit`` bytes."""
    if coding not in ("gzip", "x-gzip"):
        return Failure(
            reason=f"{host} compresses its response in a way that was not asked for ({coding[:20]})", permanent=True
        )
    inflating = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        body = inflating.decompress(data, limit + 1)
    except zlib.error:
        body = b""
    if len(body) > limit:
        return None
    # A body that stops before the end of the compressed data, or goes on behind it, is damaged.
    whole = inflating.eof and not inflating.unused_data
    return body if whole else Failure(reason=f"a response of {host} cannot be decompressed")
