"""Work that several ask for at once, done once: signers fetch a token or look for credentials this way."""

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class SingleFlight(Generic[T]):
    """Work under way, by what it is for. Nothing is kept of it once it is done."""

    def __init__(self) -> None:
        # By loop too: what a fork's parent had under way is not the child's to wait for.
        self._under_way: dict[tuple[asyncio.AbstractEventLoop, Hashable], asyncio.Task[T]] = {}

    async def joined(self, key: Hashable, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """What the work gives; that of whoever asked first, when it is under way already.

        Args:
            key: What the work is for.
            work: Begins it. It goes on when whoever asked first no longer waits, so it must end by itself.
        """
        flight = (asyncio.get_running_loop(), key)
        task = self._under_way.get(flight)
        if task is None:
            task = self._under_way[flight] = asyncio.create_task(work())
            task.add_done_callback(lambda _: self._under_way.pop(flight))
        return await asyncio.shield(task)
