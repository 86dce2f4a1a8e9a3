"""Published objects over the network: every byte of a remote file comes through here."""

import asyncio
import hashlib
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from types import TracebackType
from typing import Any, TypeVar

from mrv_assets.errors import HostRefused, MrvError, ObjectChanged, ObjectReadError
from mrv_assets.scenes.item import recordable
from mrv_assets.scenes.links import without_query
from mrv_assets.transport import event_loop
from mrv_assets.transport.coalesce import piece, reading
from mrv_assets.transport.fetch import Doubt, Fetched, fetch
from mrv_assets.transport.hosts import HostRules
from mrv_assets.transport.limits import Limits
from mrv_assets.transport.response import Version
from mrv_assets.transport.retry import Failure
from mrv_assets.transport.signing import Signer, Unsigned
from mrv_assets.transport.store import PREFIX_BYTES, ByteRange, Cut, ObjectInfo, hasher
from mrv_assets.transport.wire import Connections, Wire

T = TypeVar("T")

_KNOWN_OBJECTS = 10_000
_CACHED_PREFIXES = 256
# Parts of a whole object that are on their way while one part is digested.
_AHEAD = 3


@dataclass(frozen=True, kw_only=True)
class Counters:
    """Counts of a transport's requests, bytes and waits so far. For a run record; not part of any identity."""

    requests: int
    """Requests sent, redirects and further attempts included."""
    retries: int
    """Further attempts."""
    bytes: int
    """Bytes received in bodies, those that were dropped included."""
    waits: int
    """Number of waits: before an attempt, or because a host asked for it or was down."""
    waited_s: float
    """Sum of all waits, which run beside each other."""


@dataclass(kw_only=True)
class _Known:
    """An object that was reached."""

    version: Version
    promised: bool = False
    """Whether a caller was told of this version, so that no other may be read for it from then on."""


class HttpTransport:
    """Objects at https links. Safe to use from several threads, which wait while an event loop moves the bytes.

    Stat and read of one link give one version, as long as no 10,000 other links come between. When the object is
    replaced, the call that finds it out raises ``ObjectChanged`` and the version is forgotten; ``of_one_version``
    begins anew. Therefore one link is read by one piece of work at a time.

    A transport may live as long as its process, and pass through a fork. Its connections close when it is closed or
    dropped, or when the process ends.
    """

    def __init__(
        self,
        rules: HostRules,
        *,
        signer: Signer | None = None,
        limits: Limits | None = None,
        doubt: Doubt = lambda data: None,
    ) -> None:
        """A transport that has not sent a request yet.

        Args:
            rules: The machines that may be asked.
            signer: Signs links; by default none is signed.
            limits: Bounds on requests and memory.
            doubt: Looks at an object's first bytes; those that it doubts are asked for again, as after a broken
                response.
        """
        self._doubt, self._limits = doubt, limits or Limits()
        self._connections = Connections(rules, self._limits, signer or Unsigned())
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._prefixes: OrderedDict[str, bytes] = OrderedDict()
        self._closed = False

    def stat(self, href: str) -> ObjectInfo:
        """Size and version of an object, by a request that brings its first bytes along.

        Raises:
            HostRefused: When the link, or one it redirects to, leads to a machine that may not be asked.
            ObjectReadError: When the object cannot be read.
        """

        async def info(known: _Known) -> ObjectInfo:
            etag = known.version.etag
            return ObjectInfo(size=known.version.size, etag=None if etag is None else recordable(etag))

        return self._done(href, info)

    def read(self, href: str, ranges: Sequence[ByteRange]) -> list[bytes]:
        """The bytes of each range, in the order asked, each as long as asked, and all of one version.

        Raises:
            HostRefused: When the link, or one it redirects to, leads to a machine that may not be asked.
            ObjectChanged: When the object was replaced since a caller was told of it.
            ObjectReadError: When the object cannot be read or ends before a range does.
            ValueError: For a range below 0.
        """
        _require_positive(ranges)
        read = self._done(href, lambda known: self._read(href, known.version, ranges))
        # Joined here, in the caller's thread: a long range is a long copy.
        return [pieces[0] if len(pieces) == 1 else b"".join(pieces) for pieces in read]

    def digest(self, href: str, algorithm: str) -> str:
        """Digest of all of an object, lower-case hex. It passes through memory in parts.

        Raises:
            HostRefused: When the link, or one it redirects to, leads to a machine that may not be asked.
            ObjectChanged: When the object was replaced since a caller was told of it.
            ObjectReadError: When the object cannot be read.
            ValueError: For a function that publishers do not state.
        """
        return self.read_digested(href, algorithm, ())[0]

    def read_digested(self, href: str, algorithm: str, ranges: Sequence[ByteRange]) -> tuple[str, list[bytes]]:
        """Digest of all of an object, lower-case hex, and the bytes of some ranges, cut out of the bytes digested.

        Raises:
            HostRefused: When the link, or one it redirects to, leads to a machine that may not be asked.
            ObjectChanged: When the object was replaced since a caller was told of it.
            ObjectReadError: When the object cannot be read or ends before a range does.
            ValueError: For a function that publishers do not state, or a range below 0.
        """
        hasher(algorithm)
        _require_positive(ranges)
        digest, cut = self._done(href, lambda known: self._digest(href, known.version, algorithm, ranges))
        return digest, cut.pieces()

    def counters(self) -> Counters:
        """Counts of requests, bytes and waits so far."""
        tally = self._connections.tally
        return Counters(
            requests=tally.requests,
            retries=tally.retries,
            bytes=tally.bytes,
            waits=tally.waits,
            waited_s=tally.waited_s,
        )

    def close(self) -> None:
        """Close the connections; nothing can be read afterwards."""
        self._closed = True
        self._connections.close()

    def __enter__(self) -> "HttpTransport":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _done(self, href: str, work: Callable[[_Known], Awaitable[T | Failure]]) -> T:
        """The result of work on an object, done on the event loop.

        It is done anew when the object was replaced and no caller was told of the old version.
        """

        async def of_one_version() -> T | Failure:
            outcome: T | Failure
            for _ in range(self._limits.versions):
                known = await self._reached(href)
                if isinstance(known, Failure):
                    return known
                promised = known.promised
                outcome = await work(known)
                if not isinstance(outcome, Failure):
                    known.promised = True
                    return outcome
                if not outcome.changed:
                    return outcome
                if self._known.get(href) is known:
                    del self._known[href]
                    self._prefixes.pop(href, None)
                if promised:
                    return outcome
            return outcome

        if self._closed:
            raise RuntimeError("this transport is closed")
        outcome = event_loop.run(of_one_version())
        if isinstance(outcome, Failure):
            raise _error(href, outcome)
        return outcome

    async def _reached(self, href: str) -> _Known | Failure:
        """The object's version, asked for when it is not known yet."""
        async with self._wire().once(href):
            if href in self._known:
                self._known.move_to_end(href)
                return self._known[href]
            fetched: Fetched | Failure
            for _ in range(self._limits.versions):
                first, deadline = ByteRange(0, PREFIX_BYTES), self._deadline(PREFIX_BYTES)
                fetched = await fetch(self._wire(), href, first, None, deadline, self._doubt)
                if not isinstance(fetched, Failure) or not fetched.changed:
                    break
            if isinstance(fetched, Failure):
                return fetched
            known = self._known[href] = _Known(version=fetched.version)
            self._prefixes[href] = bytes(fetched.data)
            for objects, most in ((self._known, _KNOWN_OBJECTS), (self._prefixes, _CACHED_PREFIXES)):
                if len(objects) > most:
                    objects.popitem(last=False)
            return known

    async def _read(self, href: str, version: Version, ranges: Sequence[ByteRange]) -> list[list[bytes]] | Failure:
        """Pieces of each range, in order."""
        if (failure := _beyond(version, ranges)) is not None:
            return failure
        prefix = self._prefixes.get(href, b"")
        read = [[prefix[part.offset : part.offset + part.length]] for part in ranges]
        missing = [index for index, part in enumerate(ranges) if len(read[index][0]) < part.length]
        plan = reading(
            [ranges[index] for index in missing],
            gap_bytes=self._limits.gap_bytes,
            part_bytes=self._limits.part_bytes,
        )
        pieces: list[dict[int, bytes]] = [{} for _ in missing]
        deadline = self._deadline(sum(part.length for part in plan.parts))
        todo = iter(enumerate(plan.parts))

        async def bring() -> Failure | None:
            for number, part in todo:
                fetched = await fetch(self._wire(), href, part, version, deadline)
                if isinstance(fetched, Failure):
                    return fetched
                # Cut at once, so that bytes that nobody asked for are not held until the last part is here.
                for index in plan.wanted_by[number]:
                    pieces[index][number] = piece(part, fetched.data, ranges[missing[index]])
            return None

        failure = await _first_failure([bring() for _ in range(min(self._limits.per_host, len(plan.parts)))])
        if failure is not None:
            return failure
        for index, of_range in zip(missing, pieces, strict=True):
            read[index] = [of_range[number] for number in sorted(of_range)]
        return read

    async def _digest(
        self, href: str, version: Version, algorithm: str, ranges: Sequence[ByteRange]
    ) -> tuple[str, Cut] | Failure:
        if (failure := _beyond(version, ranges)) is not None:
            return failure
        computed, cut = hasher(algorithm), Cut(ranges)
        plan = reading([ByteRange(0, version.size)], gap_bytes=0, part_bytes=self._limits.part_bytes)
        deadline = self._deadline(version.size)
        todo = iter(plan.parts)
        coming: deque[asyncio.Task[Fetched | Failure]] = deque()
        try:
            while True:
                for part in islice(todo, _AHEAD - len(coming)):
                    coming.append(asyncio.create_task(fetch(self._wire(), href, part, version, deadline)))
                if not coming:
                    return computed.hexdigest(), cut
                fetched = await coming[0]
                if isinstance(fetched, Failure):
                    return fetched
                coming.popleft()
                # In a thread: the event loop moves bytes, and is not held up by looking at them.
                await asyncio.to_thread(_pass_by, computed, cut, fetched.data)
        finally:
            await _cancelled(coming)

    def _wire(self) -> Wire:
        return self._connections.wire()

    def _deadline(self, wanted: int) -> float:
        limits = self._limits
        return asyncio.get_running_loop().time() + limits.deadline_s + wanted / limits.slowest_bytes_s


def _pass_by(computed: "hashlib._Hash", cut: Cut, data: bytearray) -> None:
    computed.update(data)
    cut.pass_by(data)


def _require_positive(ranges: Sequence[ByteRange]) -> None:
    for part in ranges:
        if part.offset < 0 or part.length < 0:
            raise ValueError(f"a byte range starts and extends at or above 0, not {part}")


def _beyond(version: Version, ranges: Sequence[ByteRange]) -> Failure | None:
    """The failure of a range that ends behind the object; None where every range ends within it."""
    for part in ranges:
        if part.offset + part.length > version.size:
            return Failure(
                reason=f"it ends at byte {version.size}, before the {part.length} bytes from {part.offset} that "
                "were asked for",
                permanent=True,
            )
    return None


async def _first_failure(works: Sequence[Coroutine[Any, Any, Failure | None]]) -> Failure | None:
    """The first failure of works done side by side, at which the others are given up; None where all succeed."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        for done in asyncio.as_completed(tasks):
            failure = await done
            if failure is not None:
                return failure
        return None
    finally:
        await _cancelled(tasks)


async def _cancelled(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Give up tasks that are still under way, and wait until they have let go of their connections."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _error(href: str, failure: Failure) -> MrvError:
    if failure.refused is not None:
        return HostRefused(*failure.refused)
    if failure.changed:
        return ObjectChanged(without_query(href), failure.reason, failure.permanent, failure.cure)
    gone = failure.status in GONE
    return ObjectReadError(without_query(href), failure.reason, failure.permanent, failure.cure, gone)


GONE = (404, 410)
"""Statuses by which a server says that there is no such object."""
