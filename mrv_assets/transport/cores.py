"""Computing beside the network: on no more threads than there are cores, and with less priority than the event loop."""

import os
import sys
import threading

_NICENESS = 10


class _Computing:
    """Admits as many threads as there are cores, and lowers the priority of each for good.

    Such a thread belongs to a pool that ends with the files that it works on.
    """

    def __init__(self) -> None:
        self._cores = threading.BoundedSemaphore(os.cpu_count() or 1)
        self._this_thread = threading.local()

    def __enter__(self) -> None:
        self._cores.acquire()
        # Only Linux has priorities of threads; elsewhere the number would be another process's.
        if sys.platform != "linux" or threading.current_thread() is threading.main_thread():
            return
        if not getattr(self._this_thread, "gives_way", False):
            self._this_thread.gives_way = True
            # While the event loop waits for a core, no connection moves a byte.
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), min(19, os.nice(0) + _NICENESS))

    def __exit__(self, *_: object) -> None:
        self._cores.release()


computing = _Computing()
"""Held by a thread while it decodes, hashes or writes bytes that were read; never while it waits for the network."""
