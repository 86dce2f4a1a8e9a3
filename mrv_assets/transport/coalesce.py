"""Few requests for many ranges: ranges that are near are read in one request, long ones in several."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from mrv_assets.transport.store import ByteRange


@dataclass(frozen=True, kw_only=True)
class Reading:
    """A plan of requests that bring all bytes of some ranges."""

    parts: tuple[ByteRange, ...]
    """Ranges to request, ascending and disjoint. Each begins and ends with bytes that were asked for."""
    wanted_by: tuple[tuple[int, ...], ...]
    """For each part, the indices of the ranges that have bytes in it."""


def reading(ranges: Sequence[ByteRange], *, gap_bytes: int, part_bytes: int) -> Reading:
    """The requests for ranges in any order, overlapping or not.

    Args:
        ranges: The ranges asked for; none below 0.
        gap_bytes: The longest run of bytes that nobody asked for and that is read all the same. For n ranges fewer
            than n x gap_bytes are read in vain.
        part_bytes: The most bytes that one request brings.
    """
    parts: list[ByteRange] = []
    offset = end = -1
    for part in sorted((part for part in ranges if part.length), key=lambda part: (part.offset, part.length)):
        begin, stop = part.offset, part.offset + part.length
        if end < 0:
            offset, end = begin, stop
            continue
        # Overlapping ranges are read once, however long they grow; others start anew where a part is full.
        if begin < end or (begin - end <= gap_bytes and stop - offset <= part_bytes):
            end = max(end, stop)
            continue
        parts += _cut(offset, end, part_bytes)
        offset, end = begin, stop
    if end >= 0:
        parts += _cut(offset, end, part_bytes)
    return Reading(parts=tuple(parts), wanted_by=_wanted_by(ranges, parts))


def piece(part: ByteRange, data: bytes | bytearray, wanted: ByteRange) -> bytes:
    """The bytes of a range that a part brought."""
    begin = max(wanted.offset - part.offset, 0)
    stop = min(wanted.offset + wanted.length - part.offset, part.length)
    return bytes(memoryview(data)[begin:stop])


def _cut(offset: int, end: int, part_bytes: int) -> list[ByteRange]:
    return [ByteRange(start, min(part_bytes, end - start)) for start in range(offset, end, part_bytes)]


def _wanted_by(ranges: Sequence[ByteRange], parts: Sequence[ByteRange]) -> tuple[tuple[int, ...], ...]:
    starts = [part.offset for part in parts]
    wanted: list[list[int]] = [[] for _ in parts]
    for index, asked in enumerate(ranges):
        if asked.length:
            first = bisect_right(starts, asked.offset) - 1
            last = bisect_right(starts, asked.offset + asked.length - 1)
            for number in range(first, last):
                wanted[number].append(index)
    return tuple(map(tuple, wanted))
