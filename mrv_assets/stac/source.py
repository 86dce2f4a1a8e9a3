"""A mission's publisher: a catalogue to search, and a transport that reads the objects that its items link to."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from mrv_assets.science.grid import Bounds
from mrv_assets.transport.store import Transport

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class SearchResult:
    """The items that a search gave."""

    items: tuple[Json, ...]
    """Items as published, in the order the catalogue gives them."""
    matched: int | None
    """The number of items that match, as the catalogue states it; None where it does not count."""
    returned: int
    """The number of items that it gave."""


class Catalogue(Protocol):
    """A STAC catalogue, on disk or behind an API."""

    def search(self, collection: str, bounds: Bounds, start: str, end: str) -> SearchResult:
        """Items of a collection that touch a bbox and a time, both ends included; more may come back, never fewer."""
        ...

    def item_assets(self, collection: str) -> Json:
        """A collection's own description of its items' STAC assets, by key; empty where it has none."""
        ...

    def absolute_href(
        self, item_id: str, href: str, collection: str | None = None, *, item: Mapping[str, Any] | None = None
    ) -> str:
        """The object that an item's link means, as the transport names it."""
        ...


@dataclass(frozen=True, kw_only=True)
class Published:
    """A catalogue, and the transport that reads the objects that its items link to."""

    name: str
    """The catalogue's name in records. The place of a copy on a disk is not part of any identity."""
    catalogue: Catalogue
    transport: Transport
    named_by_bytes: bool
    """True on disk, where only its bytes tell one file from another: then they are part of the request. Links of a
    catalogue on disk may lead over the network all the same."""
    check: Callable[[str], None] = lambda href: None
    """Raises ``HostRefused`` for a link, as the transport names it, that leads to a machine that may not be asked."""
