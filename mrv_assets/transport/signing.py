"""Signing a link just before it is read: what a publisher wants to see, and nothing that outlives the request."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, kw_only=True)
class Signed:
    """A link as it is requested. Secret: neither part is ever shown."""

    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Sent to the URL's own host, and to no other that it redirects to."""


class Signer(Protocol):
    """Whoever knows a publisher's secrets. Called on the event loop, before every request."""

    async def sign(self, href: str, *, fresh: bool = False) -> Signed:
        """The link, good for some minutes: the request may have to wait for its turn.

        Args:
            href: As the catalogue has it.
            fresh: Whether the last signature was refused; then nothing kept of it may be used again.
        """
        ...


class Unsigned:
    """For what everyone may read."""

    async def sign(self, href: str, *, fresh: bool = False) -> Signed:
        """The link as it is."""
        return Signed(url=href)
