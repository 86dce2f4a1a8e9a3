"""The event loop: one a process, in a thread of its own, which moves bytes and computes nothing.

Threads call ``run`` and wait, even where another event loop runs in them (an async asset, a dask worker). After a fork
the child starts its own loop, since a thread does not come along.
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
    """An event loop, the thread that runs it and the process that has the thread."""

    loop: asyncio.AbstractEventLoop
    thread: threading.Thread
    pid: int
    parents: "_Running | None"
    """The parent's loop after a fork. Its thread is gone, and dropping it would warn of a loop that was not closed."""


_starting = threading.Lock()
_running: _Running | None = None


def current() -> asyncio.AbstractEventLoop:
    """This process's event loop, started at the first call."""
    return _current().loop


def is_here() -> bool:
    """Whether the calling thread is the event loop's own."""
    return threading.get_ident() == _current().thread.ident


def start(work: Coroutine[Any, Any, T]) -> Future[T]:
    """The future of work begun on the event loop, for a thread to wait for or to cancel.

    Raises:
        RuntimeError: On the event loop's own thread, which would wait for itself.
    """
    if is_here():
        work.close()
        raise RuntimeError("the event loop's own thread cannot wait for it; await the coroutine instead")
    return asyncio.run_coroutine_threadsafe(work, current())


def run(work: Coroutine[Any, Any, T]) -> T:
    """The result of work done on the event loop. When the waiting thread is interrupted, the work is cancelled.

    Raises:
        RuntimeError: On the event loop's own thread, which would wait for itself.
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
