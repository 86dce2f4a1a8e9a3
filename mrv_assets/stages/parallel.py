"""Parallel work on files: a limit on the files at once, a limit on the bytes held in memory, and progress logs."""

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from threading import Condition
from typing import TypeVar

log = logging.getLogger("mrv_assets")

K = TypeVar("K")
T = TypeVar("T")

FILES_AT_ONCE = 16
"""Files under way at once; their requests share the transport's own limits."""

_LOGGED_EVERY_S = 5.0


def each(keys: Iterable[K], work: Callable[[K], T], progress: "Progress | None" = None) -> dict[K, T]:
    """Results of the work, in the order of the keys; some run at once. The first error cancels the rest."""
    keys = list(keys)
    with ThreadPoolExecutor(FILES_AT_ONCE, thread_name_prefix="mrv-files") as pool:
        futures = {pool.submit(work, key): key for key in keys}
        done: dict[K, T] = {}
        try:
            for future in as_completed(futures):
                done[futures[future]] = future.result()
                if progress is not None:
                    progress.one_more()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return {key: done[key] for key in keys}


class Progress:
    """Logs from time to time how many files are done: a month over the network takes minutes."""

    def __init__(self, what: str, of: int) -> None:
        self._what, self._of, self._done, self._logged = what, of, 0, time.monotonic()

    def one_more(self) -> None:
        """Count a file."""
        self._done += 1
        if time.monotonic() - self._logged >= _LOGGED_EVERY_S and self._done < self._of:
            self._logged = time.monotonic()
            log.info("%s: %d of %d files", self._what, self._done, self._of)


class Budget:
    """Limit on the bytes held at once. A request for more than the limit waits until no bytes are held."""

    def __init__(self, limit: int) -> None:
        self._limit, self._taken, self._freed = limit, 0, Condition()

    @contextmanager
    def taken(self, size: int) -> Iterator[None]:
        """Hold a number of bytes, after waiting until the limit leaves room for them."""
        with self._freed:
            self._freed.wait_for(lambda: self._taken == 0 or self._taken + size <= self._limit)
            self._taken += size
        try:
            yield
        finally:
            with self._freed:
                self._taken -= size
                self._freed.notify_all()
