"""The event loop that every thread shares."""

import asyncio
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from servers import RangeServer

from mrv_assets.transport import event_loop

TESTS = Path(__file__).parents[1] / "support"


async def ident() -> int:
    return threading.get_ident()


def test_one_thread_runs_it_for_all() -> None:
    """Whoever asks, the work runs on one thread that is nobody's own."""
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: event_loop.run(ident()), range(50)))

    assert len(found) == 1
    assert threading.get_ident() not in found


def test_it_works_where_a_loop_already_runs() -> None:
    """In an async asset or a dask worker; asyncio.run would refuse."""

    async def inside() -> int:
        return event_loop.run(ident())

    assert asyncio.run(inside()) != threading.get_ident()


def test_waiting_for_it_on_its_own_thread_is_an_error_and_no_deadlock() -> None:
    """It would wait for itself for ever."""

    async def inside() -> int:
        return event_loop.run(ident())

    with pytest.raises(RuntimeError, match="own thread"):
        event_loop.run(inside())


def test_an_interrupted_wait_ends_the_work() -> None:
    """Ctrl-C in the thread that waits does not leave a download running."""
    cancelled = threading.Event()

    async def endless() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            cancelled.set()

    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    with pytest.raises(KeyboardInterrupt):
        event_loop.run(endless())
    signal.signal(signal.SIGALRM, before)

    assert cancelled.wait(5)


def test_a_forked_child_has_a_loop_of_its_own(server: RangeServer) -> None:
    """The thread of a loop does not come along with a fork; neither process disturbs the other's connections."""
    url = server.put("a", bytes(range(256)) * 400)

    done = subprocess.run(
        [sys.executable, "-W", "error::ResourceWarning", "-c", _FORK, url],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        cwd=TESTS,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["child", "1000", "parent", "1000"]
    assert done.stderr == ""


_FORK = """
import os, sys
from mrv_assets.transport.hosts import HostRules
from mrv_assets.transport.http import HttpTransport
from mrv_assets.transport.store import ByteRange
url = sys.argv[1]
with HttpTransport(HostRules(loopback=True)) as transport:
    transport.read(url, [ByteRange(50_000, 10)])
    if (child := os.fork()) == 0:
        print("child", len(transport.read(url, [ByteRange(60_000, 1000)])[0]), flush=True)
        transport.close()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    print("parent", len(transport.read(url, [ByteRange(70_000, 1000)])[0]), flush=True)
"""
