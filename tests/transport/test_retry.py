"""When to try again, and when to leave a host alone."""

import asyncio
import math
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from servers import Fault, RangeServer, made_content

from mrv_assets.errors import ObjectReadError
from mrv_assets.transport.breaker import Breaker
from mrv_assets.transport.limits import Limits
from mrv_assets.transport.retry import Failure, retry_after_s, wait_s

NOW = datetime(2026, 1, 2, 12, 0, 0, tzinfo=UTC)
DATE = "Fri, 02 Jan 2026 12:00:00 GMT"


@pytest.mark.parametrize(
    ("stated", "date", "seconds"),
    [
        (None, None, None),
        ("0", None, 0),
        (" 120 ", None, 120),
        ("Fri, 02 Jan 2026 12:01:30 GMT", None, 90),
        ("Fri, 02 Jan 2026 11:00:00 GMT", None, 0),
        ("Fri, 02 Jan 2026 12:01:30 GMT", "Fri, 02 Jan 2026 12:01:00 GMT", 30),
        ("Friday, 02-Jan-26 12:00:05 GMT", DATE, 5),
        ("Fri Jan  2 12:00:05 2026", DATE, 5),
        ("soon", None, None),
        ("Thu, 01 Jan 99999999999 00:00:00 GMT", None, None),
        ("Fri, 02 Jan 2026 12:01:30 GMT", "Thu, 01 Jan 99999999999 00:00:00 GMT", 90),
        ("-5", None, None),
        ("1e9", None, None),
        ("", None, None),
        ("1000000000000", None, 1e12),
        ("9" * 400, None, math.inf),
        ("99", "no date", 99),
        ("Fri, 02 Jan 2026 12:01:30 GMT", "no date", 90),
    ],
)
def test_what_a_server_asks_to_wait(stated: str | None, date: str | None, seconds: float | None) -> None:
    """Seconds, or a date by the clock of whoever wrote it; what cannot be read asks for nothing."""
    assert retry_after_s(stated, date, NOW) == seconds


def waits(key: str, **failure: float) -> list[float]:
    limits = Limits(backoff_s=1, longest_backoff_s=16, longest_retry_after_s=50)
    return [wait_s(key, n, n, Failure(reason="", **failure), limits) for n in range(1, 9)]  # type: ignore[arg-type]


def test_waits_double_up_to_the_longest() -> None:
    """Each is between half of its step and all of it."""
    steps = [1, 2, 4, 8, 16, 16, 16, 16]

    assert all(step / 2 <= wait < step for step, wait in zip(steps, waits("https://a.org/b#0"), strict=True))


def test_waits_are_the_same_in_every_run_and_differ_between_links() -> None:
    """The spread is a hash: a run can be repeated, and readers that failed together do not come back together."""
    assert waits("https://a.org/b#0") == waits("https://a.org/b#0")
    firsts = {waits(f"https://a.org/{i}#0")[0] for i in range(100)}
    assert len(firsts) == 100
    assert max(firsts) - min(firsts) > 0.4


def test_a_server_is_never_asked_earlier_than_it_said() -> None:
    """Nor much later; and no longer is waited than allowed."""
    assert all(30 < wait <= 31 for wait in waits("https://a.org/b#0", retry_after_s=30))
    for asked in (3600, 1e12, math.inf):
        assert all(50 < wait <= 51 for wait in waits("https://a.org/b#0", retry_after_s=asked))


@settings(deadline=None)
@given(st.text(), st.integers(1, 10**6), st.integers(0, 10**6), st.floats(0, 1e12))
def test_every_wait_is_bounded(key: str, attempt: int, fruitless: int, asked: float) -> None:
    """Whatever the count and whatever was asked."""
    limits = Limits()

    wait = wait_s(key, attempt, fruitless, Failure(reason="", retry_after_s=asked), limits)

    assert 0 <= wait <= limits.longest_retry_after_s + limits.longest_backoff_s


class Watched:
    """Requests through a breaker, and how many there were at once."""

    def __init__(self, limits: Limits) -> None:
        self.breaker = Breaker(limits, asyncio.sleep)
        self.sent = self.at_once = self.most = 0

    async def send(self, ok: bool) -> None:
        async with self.breaker.passed():
            self.sent += 1
            self.at_once += 1
            self.most = max(self.most, self.at_once)
            await asyncio.sleep(0.01)
            self.at_once -= 1
            self.breaker.heard(ok)


def test_a_host_that_is_down_is_asked_by_one_at_a_time() -> None:
    """After three failures it is left alone; then one request after the other tries it, with a pause before each."""

    async def run() -> tuple[int, int, float]:
        watched = Watched(Limits(breaker_failures=3, breaker_pause_s=0.05))
        for _ in range(3):
            await watched.send(ok=False)
        watched.most = 0
        began = asyncio.get_running_loop().time()
        await asyncio.gather(*(watched.send(ok=False) for _ in range(4)))
        return watched.most, watched.sent, asyncio.get_running_loop().time() - began

    most, sent, took = asyncio.run(run())

    assert (most, sent) == (1, 7)
    assert took >= 4 * 0.05


def test_a_host_that_is_back_is_open_to_all() -> None:
    """One good answer is enough, and those who waited go side by side."""

    async def run() -> tuple[int, float]:
        watched = Watched(Limits(breaker_failures=3, breaker_pause_s=0.05))
        for _ in range(3):
            await watched.send(ok=False)
        watched.most = 0
        began = asyncio.get_running_loop().time()
        await asyncio.gather(*(watched.send(ok=True) for _ in range(20)))
        return watched.most, asyncio.get_running_loop().time() - began

    most, took = asyncio.run(run())

    assert most >= 15
    assert took < 0.15


def test_failures_between_good_answers_shut_nothing() -> None:
    """They must come in a row."""

    async def run() -> float:
        watched = Watched(Limits(breaker_failures=3, breaker_pause_s=5))
        began = asyncio.get_running_loop().time()
        for ok in (False, False, True) * 3:
            await watched.send(ok=ok)
        return asyncio.get_running_loop().time() - began

    assert asyncio.run(run()) < 2


def test_a_probe_that_is_cancelled_lets_the_next_one_try() -> None:
    """A caller that gives up while its request tries the host does not lock the others out."""

    async def run() -> int:
        watched = Watched(Limits(breaker_failures=1, breaker_pause_s=0.02))
        await watched.send(ok=False)
        probe = asyncio.create_task(watched.send(ok=True))
        await asyncio.sleep(0.025)
        probe.cancel()
        async with asyncio.timeout(2):
            await watched.send(ok=True)
        return watched.sent

    assert asyncio.run(run()) in (2, 3)


@pytest.mark.parametrize("kind", ["broken", "reset"])
def test_requests_to_a_host_that_is_down_are_few(server: RangeServer, opened: Any, kind: str) -> None:
    """Ten threads, and yet, once it is known to be down, one request at a time, with a pause before each."""
    server.made = made_content
    for i in range(10):
        server.always[f"{i}-100000"] = Fault(kind=kind)
    transport = opened(attempts=2, breaker_failures=4, breaker_pause_s=0.1, per_host=4, total=4)

    def tried(name: str) -> bool:
        try:
            transport.stat(server.url(name))
        except ObjectReadError:
            return False
        return True

    with ThreadPoolExecutor(10) as pool:
        answered = list(pool.map(tried, list(server.always)))
    at = [request.at for request in server.log]
    server.always.clear()
    server.log.clear()
    with ThreadPoolExecutor(10) as pool:
        back = list(pool.map(tried, [f"{i}-100000" for i in range(10)]))

    assert not any(answered)
    assert all(later - earlier > 0.08 for earlier, later in pairwise(at[8:]))
    assert all(back)
    assert server.log[-1].at - server.log[0].at < 9 * 0.1
