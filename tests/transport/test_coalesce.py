"""Few requests for many ranges, and exactly the bytes that were asked for."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from mrv_assets.transport.coalesce import Reading, piece, reading
from mrv_assets.transport.store import ByteRange

SIZE = 400
OBJECT = random.Random(1).randbytes(SIZE)


def ranges() -> st.SearchStrategy[list[ByteRange]]:
    """Any ranges of the object: overlapping, twice, empty, in any order."""
    edges = st.tuples(st.integers(0, SIZE), st.integers(0, SIZE))
    return st.lists(edges.map(lambda pair: ByteRange(min(pair), max(pair) - min(pair))), max_size=20)


def answered(plan: Reading, asked: list[ByteRange]) -> list[bytes]:
    """What the parts bring, cut as the ranges want it."""
    pieces: list[list[bytes]] = [[] for _ in asked]
    for part, wanted_by in zip(plan.parts, plan.wanted_by, strict=True):
        data = OBJECT[part.offset : part.offset + part.length]
        for index in wanted_by:
            pieces[index].append(piece(part, data, asked[index]))
    return [b"".join(found) for found in pieces]


@settings(deadline=None, max_examples=150)
@given(ranges(), st.integers(0, 60), st.integers(1, 200))
def test_exactly_what_was_asked_is_returned(asked: list[ByteRange], gap: int, part: int) -> None:
    """Whatever the ranges, the gap and the size of a request."""
    plan = reading(asked, gap_bytes=gap, part_bytes=part)

    assert answered(plan, asked) == [OBJECT[r.offset : r.offset + r.length] for r in asked]


@settings(deadline=None, max_examples=150)
@given(ranges(), st.integers(0, 60), st.integers(1, 200))
def test_requests_are_bounded_and_bring_nothing_twice(asked: list[ByteRange], gap: int, part: int) -> None:
    """Parts are disjoint and no longer than allowed; what nobody asked for lies in gaps no longer than stated."""
    plan = reading(asked, gap_bytes=gap, part_bytes=part)

    assert all(0 < p.length <= part for p in plan.parts)
    assert all(a.offset + a.length <= b.offset for a, b in zip(plan.parts, plan.parts[1:]))
    assert all(plan.wanted_by)
    wanted = {byte for r in asked for byte in range(r.offset, r.offset + r.length)}
    for p in plan.parts:
        inside = [byte in wanted for byte in range(p.offset, p.offset + p.length)]
        assert inside[0]
        assert inside[-1]
        assert longest_run(inside, of=False) <= gap


def longest_run(values: list[bool], of: bool) -> int:
    longest = run = 0
    for value in values:
        run = run + 1 if value is of else 0
        longest = max(longest, run)
    return longest


def test_near_ranges_are_one_request_and_far_ones_are_not() -> None:
    """A gap of 10 is read along, one of 11 is not."""
    asked = [ByteRange(100, 5), ByteRange(0, 90), ByteRange(116, 4)]

    plan = reading(asked, gap_bytes=10, part_bytes=1000)

    assert plan.parts == (ByteRange(0, 105), ByteRange(116, 4))


def test_a_full_request_ends_where_a_range_does() -> None:
    """Ranges that lie side by side are not torn when the request that they are in is full."""
    asked = [ByteRange(at, 40) for at in range(0, 400, 40)]

    plan = reading(asked, gap_bytes=10, part_bytes=100)

    assert plan.parts == tuple(ByteRange(at, 80) for at in range(0, 400, 80))


def test_a_long_range_is_cut() -> None:
    """Memory is bounded by the size of a request."""
    assert reading([ByteRange(5, 25)], gap_bytes=0, part_bytes=10).parts == (
        ByteRange(5, 10),
        ByteRange(15, 10),
        ByteRange(25, 5),
    )


def test_what_lies_under_a_long_range_costs_nothing() -> None:
    """A short range behind a longer one that began before it is in the same request."""
    asked = [ByteRange(0, 100), ByteRange(10, 5), ByteRange(100, 20)]

    plan = reading(asked, gap_bytes=0, part_bytes=1000)

    assert plan.parts == (ByteRange(0, 120),)
