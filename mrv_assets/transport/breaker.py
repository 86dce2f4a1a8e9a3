"""A circuit breaker: leaves a host alone that is down or asks for a pause, and finds out whether it is back."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from mrv_assets.transport.limits import Limits


class Breaker:
    """The circuit breaker of one host.

    It opens after some failures in a row; after a pause one request at a time tries whether the host is back. Waiting
    for it does not count as an attempt, and is bounded by the deadline of the call. It belongs to one event loop.
    """

    def __init__(self, limits: Limits, sleep: Callable[[float], Awaitable[None]]) -> None:
        self._limits, self._sleep = limits, sleep
        self._failures = 0
        self._open_until = self._paused_until = 0.0
        self._probe = asyncio.Lock()

    @asynccontextmanager
    async def passed(self) -> AsyncIterator[None]:
        """Wait until a request may be sent; it is sent within the context."""
        while (left := self._paused_until - _now()) > 0:
            await self._sleep(left)
        if self._open:
            async with self._probe:
                # While this request waited, another may have found the host back.
                if self._open:
                    if (left := self._open_until - _now()) > 0:
                        await self._sleep(left)
                    # Held until the outcome is known, cancelled or not, so that no other request tries meanwhile.
                    yield
                    return
        yield

    def pause(self, seconds: float) -> None:
        """Send nothing for some seconds, which the host asked for."""
        self._paused_until = max(self._paused_until, _now() + seconds)

    def heard(self, answered: bool) -> None:
        """Note the outcome of a request: False where the host did not answer, or answered that it cannot."""
        self._failures = 0 if answered else self._failures + 1
        if self._open:
            self._open_until = _now() + self._limits.breaker_pause_s

    @property
    def _open(self) -> bool:
        return self._failures >= self._limits.breaker_failures


def _now() -> float:
    return asyncio.get_running_loop().time()
