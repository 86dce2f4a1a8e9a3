"""Where a mission's scenes are published: a catalogue to search, and a transport that brings what it links."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from mrv_assets.science.grid import Bounds
from mrv_assets.transport.store import Transport

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Found:
    """What a search gave."""

    items: tuple[Json, ...]
    """Items as published, in the order the catalogue gives them."""
    matched: int | None
    """How many the catalogue says there are; None where it does not count."""
    returned: int
    """How many it gave."""


class Catalogue(Protocol):
    """A STAC catalogue, on disk or behind an API."""

    def search(self, collection: str, bounds: Bounds, start: str, end: str) -> Found:
        """Items of a collection that touch a place and a time, both ends included; more may come back, never less."""
        ...

    def absolute_href(self, item_id: str, href: str, collection: str | None = None) -> str:
        """The object that an item's link means, as the transport wants it named."""
        ...


@dataclass(frozen=True, kw_only=True)
class Published:
    """A catalogue and the transport that reads what it links."""

    name: str
    """What a record says of it; where a copy of it lies on some disk is no part of any identity."""
    catalogue: Catalogue
    transport: Transport
    named_by_bytes: bool
    """True on disk, where nothing tells one file from another but its bytes: then they are part of the request."""
    check: Callable[[str], None] = lambda href: None
    """Raises ``HostRefused`` for a link, as the transport wants it named, that leads where nothing may be asked."""
