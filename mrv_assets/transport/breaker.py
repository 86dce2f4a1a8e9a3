"""Leaving a host alone that is down, or that asks for it, and finding out whether it is back."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from mrv_assets.transport.limits import Limits


class Breaker:
    """One host's door. After some failures in a row it shuts; after a pause one request at a time tries it.

    Waiting at the door is no attempt: it is bounded by the waiting call's deadline. Lives on one event loop.
    """

    def __init__(self, limits: Limits, sleep: Callable[[float], Awaitable[None]]) -> None:
        self._limits, self._sleep = limits, sleep
        self._failures = 0
        self._shut_until = self._paused_until = 0.0
        self._probe = asyncio.Lock()

    @asynccontextmanager
    async def passed(self) -> AsyncIterator[None]:
        """Wait until a request may be sent, and send it inside."""
        while (left := self._paused_until - _now()) > 0:
            await self._sleep(left)
        if self._shut:
            async with self._probe:
                # While this one waited, another may have found the host back.
                if self._shut:
                    if (left := self._shut_until - _now()) > 0:
                        await self._sleep(left)
                    # Held until its outcome is known, cancelled or not, so that it is the only one.
                    yield
                    return
        yield

    def pause(self, seconds: float) -> None:
        """Send nothing for so long: the host asked for it."""
        self._paused_until = max(self._paused_until, _now() + seconds)

    def heard(self, of_use: bool) -> None:
        """What came of a request: whether the host is there, or did not answer or only to say that it cannot."""
        self._failures = 0 if of_use else self._failures + 1
        if self._shut:
            self._shut_until = _now() + self._limits.breaker_pause_s

    @property
    def _shut(self) -> bool:
        return self._failures >= self._limits.breaker_failures


def _now() -> float:
    return asyncio.get_running_loop().time()
