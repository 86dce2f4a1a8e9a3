"""The pages of one search, each held against the others: an answer is whole, of what was asked for, or an error."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from mrv_assets.errors import CatalogueError, SearchTooLarge
from mrv_assets.scenes.bbox import bbox_of, touches_place
from mrv_assets.scenes.item import EXCESS, MAX_NAME, excess, text
from mrv_assets.scenes.item import item_id as id_of
from mrv_assets.science.grid import Bounds
from mrv_assets.stac.source import Found, Json
from mrv_assets.transport.hosts import is_link

MAX_PAGES = 1_000
MAX_ITEMS = 5_000
MAX_BYTES = 128 << 20
"""Of one search. A month of one tile has less than two hundred items, 30 kB each; a decade of it, 100 MB."""

_AGAIN = "Run again; if it stays so, tell its operators, or keep the items needed in a catalogue on disk"


class Pages:
    """What a search has given so far."""

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
        """No page yet.

        Args:
            catalogue: What errors call it.
            collection: The collection searched.
            bounds: The place searched.
            max_pages: After how many the search is given up.
            max_items: After how many the search is given up.
            max_bytes: Of all pages as JSON, after how many the search is given up.
        """
        self._catalogue, self._collection, self._bounds = catalogue, collection, bounds
        self._max_pages, self._max_items, self._max_bytes = max_pages, max_items, max_bytes
        self._asked: set[str] = set()
        self._pages: dict[tuple[object, ...], list[Json]] = {}
        self._items: list[Json] = []
        self._bytes = 0
        self._matched: int | None = None

    def ask(self, method: str, url: str, body: Mapping[str, Any] | None) -> None:
        """Note that a page is about to be asked for.

        Raises:
            CatalogueError: When it was asked for before, or is one too many.
        """
        request = _digest([method, url, body])
        if request in self._asked:
            raise self._error("its pages go round in a circle: one links to itself or to one before it", _AGAIN)
        self._asked.add(request)
        if len(self._asked) > self._max_pages:
            raise SearchTooLarge(
                self._catalogue,
                f"it has more than {self._max_pages} pages of {self._collection}",
                "Check that it filters by place and time",
            )

    def take(self, page: object, size: int) -> Json:
        """Hold a page against what was asked for and what came before.

        Args:
            page: What lay where a page was asked for.
            size: Its bytes.

        Returns:
            The page as far as it matters: ``features`` and, in ``links``, the one to the next page.

        Raises:
            CatalogueError: When it cannot be part of a whole answer.
        """
        self._bytes += size
        if self._bytes > self._max_bytes:
            raise SearchTooLarge(
                self._catalogue,
                f"its pages of {self._collection} are larger than {self._max_bytes >> 20} MB together",
                "Check that it filters by place and time, or ask for fewer months at once",
            )
        listed = page.get("features") if isinstance(page, dict) else None
        if not isinstance(page, dict) or not isinstance(listed, list):
            raise self._error("what it answers is no page of items", "Check that this is the address of a STAC API")
        following = self._next_link(page)
        self._matched = _stated_count(page, self._matched)
        features = [self._checked(item) for item in listed]
        names = tuple(id_of(item) for item in features)
        if features and self._pages.setdefault(names, features) is not features and self._pages[names] == features:
            raise self._error("it gives one page twice", _AGAIN)
        self._items += features
        if len(self._items) > self._max_items:
            raise SearchTooLarge(
                self._catalogue,
                f"it gives more than {self._max_items} items of {self._collection} for one place and time",
                "Check that it filters by both, or ask for fewer months at once",
            )
        if features and not any(touches_place(item, self._bounds) for item in features):
            raise self._error("a page of its answer has no item of the place that was asked for", _AGAIN)
        if following and not features and self._different() != self._matched:
            known = "an unknown number" if self._matched is None else str(self._matched)
            raise self._error(
                f"it stopped paging after {self._different()} of {known} matched: a page is empty and links to another",
                _AGAIN,
            )
        return {"features": features, "links": [following] if following else []}

    def found(self) -> Found:
        """Everything the pages held.

        Raises:
            CatalogueError: When it is not what the catalogue says there is.
        """
        different, names = self._different(), len({id_of(item) for item in self._items})
        # More than it counted is whole too: it keeps its counts for a while. But no item is two.
        if self._matched is not None and (different < self._matched or different > max(names, self._matched)):
            raise self._error(
                f"it says that {self._matched} items match, and gives {different}: the answer is not whole",
                _AGAIN,
            )
        return Found(items=tuple(self._items), matched=self._matched, returned=len(self._items))

    def _different(self) -> int:
        """How many items were given, an item that came twice once."""
        if len({id_of(item) for item in self._items}) == len(self._items):
            return len(self._items)
        return len({_digest(item) for item in self._items})

    def _checked(self, item: object) -> Json:
        """An item as far as it can be worked on: of one that is too much, what tells which it is and why."""
        if not isinstance(item, dict):
            raise self._error("a page of its answer holds what is no item", _AGAIN)
        collection = item.get("collection")
        if collection is not None and collection != self._collection:
            raise self._error(
                f"asked for {self._collection}, it gives an item of {str(collection)[:100]!r}",
                "It does not filter by collection; name another catalogue",
            )
        too_much = excess(item)
        if not too_much:
            return item
        # Not held until selection says the same: a page of 16 MB is as nothing on the wire.
        bbox, stated = bbox_of(item), {key: text(item, key)[:MAX_NAME] for key in ("datetime", "start_datetime")}
        return {
            "id": id_of(item)[:MAX_NAME],
            "collection": collection,
            "bbox": None if bbox is None else list(bbox),
            "properties": {key: value for key, value in stated.items() if value},
            EXCESS: too_much,
        }

    def _next_link(self, page: Mapping[str, Any]) -> Json | None:
        links = page.get("links")
        for link in links if isinstance(links, list) else []:
            if isinstance(link, dict) and link.get("rel") == "next":
                method, body = link.get("method", "GET"), link.get("body", {})
                href = link.get("href")
                followable = isinstance(href, str) and is_link(href) and isinstance(body, dict)
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


def _stated_count(page: Mapping[str, Any], before: int | None) -> int | None:
    """How many items match, as the newest page that says so has it."""
    context = page.get("context")
    for stated in (page.get("numberMatched"), context.get("matched") if isinstance(context, dict) else None):
        if isinstance(stated, int) and not isinstance(stated, bool) and stated >= 0:
            return stated
    return before
