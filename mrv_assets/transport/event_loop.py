"""The event loop: one a process, in a thread of its own, where bytes are moved and nothing is computed.

Threads call ``run`` and wait. It works where a loop already runs (an async asset, a dask worker), and after a fork the
child starts its own: a loop's thread does not come along.
"""

import asyncio
import os
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class _Running:
    """A loop, the thread it runs in and the process that has the thread."""

    loop: asyncio.AbstractEventLoop
    thread: threading.Thread
    pid: int
    parents: "_Running | None"
    """What a fork left here. Its thread is gone, and dropping it would look like a loop someone forgot to close."""


_starting = threading.Lock()
_running: _Running | None = None


def current() -> asyncio.AbstractEventLoop:
    """This process's loop; started when there is none."""
    return _current().loop


def is_here() -> bool:
    """Whether this is the loop's own thread."""
    return threading.get_ident() == _current().thread.ident


def start(work: Coroutine[Any, Any, T]) -> Future[T]:
    """Begin work on the loop; the future is for threads to wait on, or to cancel.

    Raises:
        RuntimeError: On the loop's own thread, which would wait for itself.
    """
    if is_here():
        work.close()
        raise RuntimeError("the event loop's own thread cannot wait for it; await the coroutine instead")
    return asyncio.run_coroutine_threadsafe(work, current())


def run(work: Coroutine[Any, Any, T]) -> T:
    """What work gives. When the waiting thread is interrupted the work is cancelled.

    Raises:
        RuntimeError: On the loop's own thread, which would wait for itself.
    """
    future = start(work)
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise


def _current() -> _Running:
    global _running
    with _starting:
        if _running is None or _running.pid != os.getpid():
            loop = asyncio.new_event_loop()
            thread = threading.Thread(target=loop.run_forever, name="mrv-ingest", daemon=True)
            thread.start()
            _running = _Running(loop=loop, thread=thread, pid=os.getpid(), parents=_running)
        return _running


def _after_fork() -> None:
    # Another thread of the parent may have held the lock, and in the child nobody would release it.
    global _starting
    _starting = threading.Lock()


os.register_at_fork(after_in_child=_after_fork)
