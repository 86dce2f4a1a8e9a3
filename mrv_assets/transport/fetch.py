"""One range of one object: attempts that keep the bytes they brought, and never join two versions."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import aiohttp

from mrv_assets.scenes.links import without_query
from mrv_assets.transport.hosts import host_of
from mrv_assets.transport.response import Response, Version, read_response
from mrv_assets.transport.retry import Failure, retrying, wait_s
from mrv_assets.transport.store import ByteRange
from mrv_assets.transport.wire import BROKEN, Wire


@dataclass(frozen=True, kw_only=True)
class Fetched:
    """A range's bytes, and the version of the object that they belong to."""

    data: bytearray = field(repr=False)
    """The buffer that the bytes were received into: not copied, and not to be changed."""
    version: Version


Doubt = Callable[[bytes | bytearray], Failure | None]
"""Gives the reason why bytes cannot be the object's, though the server says they are; None where they may be."""


@dataclass(kw_only=True)
class _Fetch:
    """A range under way."""

    asked: ByteRange
    version: Version | None
    """None until a response states it."""
    held: bytearray = field(default_factory=bytearray)
    """The range's first bytes, all of one version."""
    fruitless: int = 0
    """Attempts in a row that added no byte."""
    attempts: int = 0
    last: Failure | None = None

    @property
    def rest(self) -> ByteRange:
        """The bytes that are still to come."""
        end = self.asked.offset + self.asked.length
        end = end if self.version is None else min(end, self.version.size)
        offset = self.asked.offset + len(self.held)
        return ByteRange(offset, max(0, end - offset))


async def fetch(
    wire: Wire,
    href: str,
    asked: ByteRange,
    known: Version | None,
    deadline: float,
    doubt: Doubt = lambda data: None,
) -> Fetched | Failure:
    """The bytes of a range, cut where the object ends; or why they could not be had.

    Args:
        wire: Sends requests.
        href: As the catalogue has it.
        asked: The range.
        known: The version that the bytes must belong to; None for any.
        deadline: When to give up, on the event loop's clock.
        doubt: Looks at the bytes received; those that it doubts are asked for again.
    """
    under_way = _Fetch(asked=asked, version=known)
    key = f"{without_query(href)}#{asked.offset}"

    async def attempt() -> Failure | None:
        under_way.attempts += 1
        wire.tally.retries += under_way.attempts > 1
        before = len(under_way.held)
        failure = await _attempt(wire, href, under_way)
        if failure is None or (under_way.version is not None and not under_way.rest.length):
            failure = doubt(under_way.held)
            if failure is None:
                return None
            # A page in place of the object has a version of its own.
            under_way.version = None
        if under_way.version is None or under_way.version.strong is None:
            # Nothing tells whether the next response goes on with the same bytes.
            under_way.held.clear()
            under_way.version = known
        under_way.fruitless = 1 if len(under_way.held) > before else under_way.fruitless + 1
        under_way.last = failure
        return failure

    clock, limits = wire.loop.time, wire.limits
    again = retrying(
        wait=lambda attempt, failure: wait_s(key, attempt, under_way.fruitless, failure, limits),
        stop=lambda wait: under_way.fruitless >= limits.attempts or clock() + wait > deadline,
        sleep=wire.rest,
    )
    failure: Failure | None = Failure(reason="it took longer than it may")
    try:
        async with asyncio.timeout_at(deadline):
            failure = await again(attempt)
    except TimeoutError:
        failure = under_way.last or failure
    if failure is not None:
        return failure if failure.permanent or failure.changed else _counted(failure, under_way.attempts)
    # A response was read, so the version is known.
    assert under_way.version is not None
    return Fetched(data=under_way.held, version=under_way.version)


async def _attempt(wire: Wire, href: str, under_way: _Fetch) -> Failure | None:
    """Add to the bytes held; None when the response brought all that it promised."""
    rest, version = under_way.rest, under_way.version
    headers = {"Range": f"bytes={rest.offset}-{rest.offset + rest.length - 1}"}
    if version is not None and version.strong is not None:
        headers["If-Match"] = version.strong
    refused_before = under_way.last is not None and under_way.last.resign
    try:
        async with wire.sent(href, headers, fresh=refused_before) as received:
            if isinstance(received, Failure):
                return received
            response = read_response(received.status, received.headers, rest, version, wire.limits)
            failure = response if isinstance(response, Failure) else await _take(wire, received, response, under_way)
            if not received.content.at_eof():
                # The rest of the body was not asked for, and reading it to its end could take for ever.
                received.close()
            return failure
    except BROKEN as error:
        # A value, returned below: an error raised here would carry this one, and with it the URL.
        broken = wire.described(error, host_of(href))
    return broken


async def _take(wire: Wire, received: aiohttp.ClientResponse, response: Response, under_way: _Fetch) -> Failure | None:
    """Read a body as far as it was asked for."""
    rest, before = under_way.rest, len(under_way.held)
    if response.total is not None:
        under_way.version = under_way.version or response.version(response.total)
    stop = response.skip + (rest.length if response.length is None else response.length)
    position = 0
    if not response.exact and not stop:
        return None
    async for chunk in received.content.iter_any():
        wire.tally.bytes += len(chunk)
        under_way.held += chunk[max(0, response.skip - position) : max(0, stop - position)]
        position += len(chunk)
        if response.exact and position > stop:
            del under_way.held[before:]
            return Failure(reason="the server sends more bytes than it announced")
        if not response.exact and response.total is not None and position >= stop:
            break
        if position > wire.limits.cheap_bytes and response.total is None:
            return Failure(
                reason="the server neither says how long it is nor answers requests for a part of it",
                cure="Ask the publisher for a server that answers range requests, or keep a copy of the catalogue",
                permanent=True,
            )
    if response.total is None:
        # All of it was read, and it is small: its end is where the server said that it ends.
        under_way.version = under_way.version or response.version(position)
    elif position < stop or under_way.rest.length:
        return Failure(reason=f"it broke off {under_way.rest.length} bytes early")
    return None


def _counted(failure: Failure, attempts: int) -> Failure:
    return replace(failure, reason=f"{failure.reason}, after {attempts} attempt{'' if attempts == 1 else 's'}")
