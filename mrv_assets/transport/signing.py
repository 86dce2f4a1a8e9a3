"""Signing a link just before it is read: the interface of signers, and the tools that they share."""

import asyncio
from collections.abc import Callable, Coroutine, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Signed:
    """A link as it is requested. Secret: neither part is ever shown."""

    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Sent to the URL's own host, and to no other that it redirects to."""


class Signer(Protocol):
    """A holder of a publisher's secrets. Called on the event loop, before every request."""

    async def sign(self, href: str, *, fresh: bool = False) -> Signed:
        """The link, good for some minutes, since the request may have to wait for its turn.

        Args:
            href: As the catalogue has it.
            fresh: Whether the last signature was refused; then nothing cached of it may be used again.
        """
        ...


class Unsigned:
    """A signer of links that everyone may read."""

    async def sign(self, href: str, *, fresh: bool = False) -> Signed:
        """The link as it is."""
        return Signed(url=href)


class Signers:
    """Several signers: a link is signed by the first that does not let it pass."""

    def __init__(self, signers: Sequence[Signer]) -> None:
        self._signers = tuple(signers)

    async def sign(self, href: str, *, fresh: bool = False) -> Signed:
        """The link, signed by the signer that it belongs to; as it is where it belongs to none."""
        for signer in self._signers:
            signed = await signer.sign(href, fresh=fresh)
            if signed.url != href or signed.headers:
                return signed
        return Signed(url=href)


class SingleFlight(Generic[T]):
    """Work that several callers ask for at once and that is done once, such as fetching a token.

    Nothing of it is cached once it is done.
    """

    def __init__(self) -> None:
        # By event loop too: a forked child cannot wait for work that its parent had under way.
        self._under_way: dict[tuple[asyncio.AbstractEventLoop, Hashable], asyncio.Task[T]] = {}

    async def joined(self, key: Hashable, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """The result of the work; of the work under way, where another caller has begun it.

        Args:
            key: Names the work.
            work: Begins it. It goes on when the caller that began it no longer waits, so it must end by itself.
        """
        flight = (asyncio.get_running_loop(), key)
        task = self._under_way.get(flight)
        if task is None:
            task = self._under_way[flight] = asyncio.create_task(work())
            task.add_done_callback(lambda _: self._under_way.pop(flight))
        return await asyncio.shield(task)
