"""Computing beside the network: on no more threads than there are cores, and behind the event loop's."""

import os
import sys
import threading

_NICENESS = 10


class _Computing:
    """Lets in as many threads as there are cores; one that has computed stays behind others.

    It is one of a pool that ends with the files it works on.
    """

    def __init__(self) -> None:
        self._cores = threading.BoundedSemaphore(os.cpu_count() or 1)
        self._this_thread = threading.local()

    def __enter__(self) -> None:
        self._cores.acquire()
        # Only Linux knows priorities of threads; elsewhere the number would be some other process's.
        if sys.platform != "linux" or threading.current_thread() is threading.main_thread():
            return
        if not getattr(self._this_thread, "gives_way", False):
            self._this_thread.gives_way = True
            # Each moment that the event loop waits, no connection moves a byte.
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), min(19, os.nice(0) + _NICENESS))

    def __exit__(self, *_: object) -> None:
        self._cores.release()


computing = _Computing()
"""Held by a thread while it decodes, hashes or writes what was read; never while it waits for the network."""
