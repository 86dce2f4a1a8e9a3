"""Computing beside the network: how many threads at once, and behind whom."""

import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from mrv_assets.transport import event_loop
from mrv_assets.transport.cores import computing


def niceness(_: object = None) -> int:
    """The calling thread's."""
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


def test_no_more_threads_compute_than_there_are_cores() -> None:
    """However many files are under way."""
    inside, most, lock = 0, 0, threading.Lock()

    def work(_: int) -> None:
        nonlocal inside, most
        with computing:
            with lock:
                inside += 1
                most = max(most, inside)
            time.sleep(0.005)
            with lock:
                inside -= 1

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(work, range(64)))

    assert most == os.cpu_count()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux knows priorities of threads")
def test_threads_that_compute_stay_behind_the_event_loop() -> None:
    """And behind nothing else of ours: the threads that asked for the work are as they were."""
    before = niceness()

    async def of_the_loop() -> int:
        return niceness()

    def work(_: int) -> int:
        with computing:
            return niceness()

    with ThreadPoolExecutor(4) as pool:
        found = set(pool.map(work, range(8)))
    with computing:
        pass

    assert found == {min(19, before + 10)}
    assert niceness() == before == event_loop.run(of_the_loop())
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(niceness).result() == before
