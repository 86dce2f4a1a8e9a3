"""The pages of one search, each held against the others: a whole result of the items asked for, or an error."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urljoin

from mrv_assets.errors import CatalogueError, SearchTooLarge
from mrv_assets.scenes.bbox import place_of, touches_bbox
from mrv_assets.scenes.item import EXCESS, MAX_NAME, excess, text
from mrv_assets.scenes.item import item_id as id_of
from mrv_assets.science.grid import Bounds
from mrv_assets.stac.source import Json, SearchResult
from mrv_assets.transport.hosts import is_link

MAX_PAGES = 1_000
MAX_ITEMS = 5_000
MAX_BYTES = 128 << 20
"""Bounds on one search. A month of one tile has less than two hundred items of 30 kB; a decade of it has 100 MB."""

_AGAIN = "Run again; if it stays so, tell its operators, or keep the items needed in a catalogue on disk"


class Pages:
    """The pages of a search so far."""

    def __init__(
        self,
        catalogue: str,
        collection: str,
        bounds: Bounds,
        *,
        max_pages: int = MAX_PAGES,
        max_items: int = MAX_ITEMS,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        """A search without a page yet.

        Args:
            catalogue: The catalogue's name in errors.
            collection: The collection searched.
            bounds: The bbox searched: west, south, east, north in degrees.
            max_pages: The most pages, beyond which the search is given up.
            max_items: The most items, beyond which the search is given up.
            max_bytes: The most bytes of all pages as JSON, beyond which the search is given up.
        """
        self._catalogue, self._collection, self._bounds = catalogue, collection, bounds
        self._max_pages, self._max_items, self._max_bytes = max_pages, max_items, max_bytes
        self._asked: set[str] = set()
        self._at = ""
        self._pages: dict[tuple[object, ...], list[Json]] = {}
        self._items: list[Json] = []
        self._bytes = 0
        self._matched: int | None = None

    def ask(self, url: str, posted: Mapping[str, Any] | None) -> None:
        """Note that a page is about to be requested.

        Raises:
            CatalogueError: When it was requested before.
            SearchTooLarge: When it is one too many.
        """
        self._at = url
        request = _digest([url, posted])
        if request in self._asked:
            raise self._error("its pages go round in a circle: one links to itself or to one before it", _AGAIN)
        self._asked.add(request)
        if len(self._asked) > self._max_pages:
            raise SearchTooLarge(
                self._catalogue,
                f"it has more than {self._max_pages} pages of {self._collection}",
                "Check that it filters by bbox and time",
            )

    def take(self, page: object, size: int) -> Json:
        """Hold a page against the search and the pages before it.

        Args:
            page: The document at the address of a page.
            size: Its size in bytes.

        Returns:
            The page as far as it matters: ``features`` and, in ``links``, the one to the next page.

        Raises:
            CatalogueError: When it cannot be part of a whole result.
            SearchTooLarge: When the pages together are too large.
        """
        self._bytes += size
        if self._bytes > self._max_bytes:
            raise SearchTooLarge(
                self._catalogue,
                f"its pages of {self._collection} are larger than {self._max_bytes >> 20} MB together",
                "Check that it filters by bbox and time, or ask for fewer months at once",
            )
        listed = page.get("features") if isinstance(page, dict) else None
        if not isinstance(page, dict) or not isinstance(listed, list):
            raise self._error("its answer is not a page of items", "Check that this is the address of a STAC API")
        following = self._next_link(page)
        stated = stated_count(page)
        # Fewer than before: an item was taken away meanwhile, and with it one may have slipped from page to page.
        self._matched = self._matched if stated is None else max(stated, self._matched or 0)
        features = [self._checked(item) for item in listed]
        names = tuple(id_of(item) for item in features)
        if features and self._pages.setdefault(names, features) is not features and self._pages[names] == features:
            raise self._error("it gives one page twice", _AGAIN)
        self._items += features
        if len(self._items) > self._max_items:
            raise SearchTooLarge(
                self._catalogue,
                f"it gives more than {self._max_items} items of {self._collection} for one bbox and time",
                "Check that it filters by both, or ask for fewer months at once",
            )
        if features and not any(touches_bbox(item, self._bounds) for item in features):
            raise self._error("a page of its answer has no item of the bbox that was asked for", _AGAIN)
        if following and not features and self._different() != self._matched:
            matched = "an unknown number" if self._matched is None else str(self._matched)
            raise self._error(
                f"it stopped paging after {self._different()} of {matched} matched: "
                "a page is empty and links to another",
                _AGAIN,
            )
        return {"features": features, "links": [following] if following else []}

    def result(self) -> SearchResult:
        """The items of all pages.

        Raises:
            CatalogueError: When they are fewer than the catalogue says, or more.
        """
        different, names = self._different(), len({id_of(item) for item in self._items})
        # More than the API counted is whole too, since it keeps its counts for a while. But no item counts twice.
        if self._matched is not None and (different < self._matched or different > max(names, self._matched)):
            raise self._error(
                f"it says that {self._matched} items match, and gives {different}: the answer is not whole",
                _AGAIN,
            )
        return SearchResult(items=tuple(self._items), matched=self._matched, returned=len(self._items))

    def _different(self) -> int:
        """The number of different items; an item that came twice counts once."""
        if len({id_of(item) for item in self._items}) == len(self._items):
            return len(self._items)
        return len({_digest(item) for item in self._items})

    def _checked(self, item: object) -> Json:
        """An item; one that is too large only as far as its exclusion needs: its id, bbox, time and the reason."""
        if not isinstance(item, dict):
            raise self._error("a page of its answer holds an entry that is not an item", _AGAIN)
        collection = item.get("collection")
        if collection is not None and collection != self._collection:
            raise self._error(
                f"asked for {self._collection}, it gives an item of {str(collection)[:100]!r}",
                "It does not filter by collection; name another catalogue",
            )
        too_much = excess(item)
        if not too_much:
            return item
        # Not held in memory until selection refuses it: a compressed page of 16 MB costs its server nothing.
        boxes, stated = (
            place_of(item).boxes,
            {key: text(item, key)[:MAX_NAME] for key in ("datetime", "start_datetime")},
        )
        return {
            "id": id_of(item)[:MAX_NAME],
            "collection": collection,
            "bbox": list(boxes[0]) if boxes else None,
            "properties": {key: value for key, value in stated.items() if value},
            EXCESS: too_much,
        }

    def _next_link(self, page: Mapping[str, Any]) -> Json | None:
        links = page.get("links")
        for link in links if isinstance(links, list) else []:
            if isinstance(link, dict) and link.get("rel") == "next":
                method, body = link.get("method", "GET"), link.get("body", {})
                href = link.get("href")
                # RFC 3986: what is not absolute is meant as seen from the page.
                try:
                    href = urljoin(self._at, href) if isinstance(href, str) and href else None
                except ValueError:
                    href = None
                followable = href is not None and is_link(href) and isinstance(body, dict)
                if not followable or method not in ("GET", "POST"):
                    raise self._error("the link to its next page cannot be followed", _AGAIN)
                return {
                    "rel": "next",
                    "href": href,
                    "method": method,
                    "body": body,
                    "merge": link.get("merge") is True,
                }
        return None

    def _error(self, reason: str, cure: str) -> CatalogueError:
        return CatalogueError(self._catalogue, reason, cure)


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def stated_count(page: Mapping[str, Any]) -> int | None:
    """The number of items that match a search, by one of its pages; None where it does not say."""
    nested = (page.get(name) for name in ("context", "search:metadata"))
    for stated in (page.get("numberMatched"), *(part.get("matched") for part in nested if isinstance(part, dict))):
        if isinstance(stated, str) and stated.strip().isdecimal():
            stated = int(stated)
        if isinstance(stated, int) and not isinstance(stated, bool) and stated >= 0:
            return stated
    return None
