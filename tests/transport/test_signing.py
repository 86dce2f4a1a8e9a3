"""Work that several callers ask for at once is done once, and nothing of it is cached."""

import asyncio

import pytest

from mrv_assets.transport.signing import SingleFlight


class Work:
    """Gives how often it was begun."""

    def __init__(self, fails: bool = False) -> None:
        self.begun, self.fails = 0, fails

    async def __call__(self) -> int:
        self.begun += 1
        await asyncio.sleep(0.02)
        if self.fails:
            raise OSError("gone")
        return self.begun


def test_who_asks_meanwhile_gets_the_same() -> None:
    """Work for one thing is shared; for another it is not; and when it is done, asking begins anew."""
    flights, work, other = SingleFlight[int](), Work(), Work()

    async def asked() -> list[int]:
        first = await asyncio.gather(*(flights.joined("a", work) for _ in range(5)), flights.joined("b", other))
        return [*first, await flights.joined("a", work)]

    assert asyncio.run(asked()) == [1] * 6 + [2]


def test_a_failure_is_everyones_and_is_forgotten() -> None:
    """All who wait are told; the next who asks tries again."""
    flights, work = SingleFlight[int](), Work(fails=True)

    async def asked() -> list[int | BaseException]:
        return await asyncio.gather(*(flights.joined("a", work) for _ in range(3)), return_exceptions=True)

    got = asyncio.run(asked())
    work.fails = False

    assert [str(error) for error in got] == ["gone"] * 3
    assert asyncio.run(flights.joined("a", work)) == 2


def test_another_loop_waits_for_its_own() -> None:
    """A fork's child, which finds its parent's work under way for ever, begins its own."""
    flights, stuck = SingleFlight[int](), Work()

    async def begin() -> None:
        waiting = asyncio.create_task(flights.joined("a", stuck))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    parent = asyncio.new_event_loop()
    parent.run_until_complete(begin())
    got = asyncio.run(flights.joined("a", Work()))
    parent.run_until_complete(asyncio.sleep(0.05))
    parent.close()

    assert got == 1
    assert stuck.begun == 1
