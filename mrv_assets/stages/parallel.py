"""Files worked on side by side: some at once, no more bytes held than there is room for, and a word now and then."""

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
"""Files under way at once; their requests share the transport's own caps."""

_SAID_EVERY_S = 5.0


def each(keys: Iterable[K], work: Callable[[K], T], said: "Progress | None" = None) -> dict[K, T]:
    """What work gives for each key, some at once; in the order of the keys. At the first error the rest is given up."""
    keys = list(keys)
    with ThreadPoolExecutor(FILES_AT_ONCE, thread_name_prefix="mrv-files") as pool:
        futures = {pool.submit(work, key): key for key in keys}
        done: dict[K, T] = {}
        try:
            for future in as_completed(futures):
                done[futures[future]] = future.result()
                if said is not None:
                    said.one_more()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return {key: done[key] for key in keys}


class Progress:
    """Says how many files are there, now and then: a month over the network takes minutes."""

    def __init__(self, what: str, of: int) -> None:
        self._what, self._of, self._done, self._said = what, of, 0, time.monotonic()

    def one_more(self) -> None:
        """Count a file."""
        self._done += 1
        if time.monotonic() - self._said >= _SAID_EVERY_S and self._done < self._of:
            self._said = time.monotonic()
            log.info("%s: %d of %d files", self._what, self._done, self._of)


class Budget:
    """Bytes that may be held at once. Whoever wants more than there is in all waits until nobody holds any."""

    def __init__(self, limit: int) -> None:
        self._limit, self._taken, self._freed = limit, 0, Condition()

    @contextmanager
    def taken(self, size: int) -> Iterator[None]:
        """Hold some bytes; waits until they are there."""
        with self._freed:
            self._freed.wait_for(lambda: self._taken == 0 or self._taken + size <= self._limit)
            self._taken += size
        try:
            yield
        finally:
            with self._freed:
                self._taken -= size
                self._freed.notify_all()
