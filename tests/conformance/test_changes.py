"""A catalogue that changes while its pages are read, or between two searches: a whole answer or an error."""

from collections.abc import Callable
from typing import Any

import pytest
from forwarding import forwarding
from pgstac_servers import Pgstac
from scene_builders import Item, romanian
from searching import names, search
from stac_servers import Asked

from mrv_assets.errors import CatalogueError
from mrv_assets.stac.source import SearchResult

# The API gives the newest first, ten a page: 24 to 15, 14 to 05, 04 to 00.
GIVEN, LAST_OF_PAGE, TO_COME = 20, 15, 7


def a_series(collection: str) -> list[Item]:
    """Items of 25 days of July."""
    return [{**romanian(f"i{n:02d}", f"2018-07-{n + 1:02d}T09:30:00Z"), "collection": collection} for n in range(25)]


def changed(item: Item, **properties: Any) -> Item:
    """An item with other properties."""
    return {**item, "properties": {**item["properties"], **properties}}


def searched(stac: Pgstac, collection: str, change: Callable[[], None]) -> SearchResult:
    """A search in pages of ten, with a change after the first."""

    def before(asked: Asked) -> None:
        if asked.number == 2:
            change()

    with forwarding(stac.root, page_items=10, before=before) as between:
        return search(between.root, collection)


def test_an_item_that_is_updated_before_its_page_is_read_is_the_new_one(stac: Pgstac) -> None:
    """With new content and in its place the answer is whole."""
    items = a_series("updated-ahead")
    stac.load(items)
    new = changed(items[TO_COME], **{"eo:cloud_cover": 99})

    found = searched(stac, "updated-ahead", lambda: stac.put(new))

    assert (found.matched, found.returned, len(set(names(found)))) == (25, 25, 25)
    assert [item["id"] for item in found.items if "eo:cloud_cover" in item["properties"]] == ["i07"]


@pytest.mark.parametrize("which", [GIVEN, LAST_OF_PAGE])
def test_an_item_that_is_updated_after_its_page_was_read_is_the_old_one(stac: Pgstac, which: int) -> None:
    """As it was when it was read; the next search has the new one."""
    items = a_series(f"updated-behind-{which}")
    stac.load(items)
    new = changed(items[which], **{"eo:cloud_cover": 99})

    found = searched(stac, f"updated-behind-{which}", lambda: stac.put(new))
    again = search(stac.root, f"updated-behind-{which}")

    assert (found.matched, found.returned, len(set(names(found)))) == (25, 25, 25)
    assert [item["id"] for item in found.items if "eo:cloud_cover" in item["properties"]] == []
    assert [item["id"] for item in again.items if "eo:cloud_cover" in item["properties"]] == [f"i{which:02d}"]


def test_an_item_that_moves_out_of_what_is_still_to_come_is_missed_by_no_one(stac: Pgstac) -> None:
    """Its datetime was corrected: it is in none of the pages, which the count tells."""
    items = a_series("moved-ahead")
    stac.load(items)
    new = changed(items[TO_COME], datetime="2018-07-31T09:30:00Z")

    with pytest.raises(CatalogueError, match=r"25 items match, and gives 24.*Run again"):
        searched(stac, "moved-ahead", lambda: stac.put(new))

    assert search(stac.root, "moved-ahead").returned == 25


def test_an_item_that_moves_into_what_is_still_to_come_is_not_two(stac: Pgstac) -> None:
    """It comes twice, with two contents: which of them holds is not for us to say."""
    items = a_series("moved-behind")
    stac.load(items)
    new = changed(items[GIVEN], datetime="2018-07-02T00:00:00Z")

    with pytest.raises(CatalogueError, match=r"25 items match, and gives 26.*Run again"):
        searched(stac, "moved-behind", lambda: stac.put(new))

    assert search(stac.root, "moved-behind").returned == 25


def test_a_page_whose_token_leads_nowhere_is_an_error(stac: Pgstac) -> None:
    """The item that ended the page before is gone, and with it where to go on: no smaller month comes of it."""
    items = a_series("token-gone")
    stac.load(items)

    with stac.not_counting(), pytest.raises(CatalogueError, match=r"127\.0\.0\.1"):
        searched(stac, "token-gone", lambda: stac.delete(items[LAST_OF_PAGE]))


def test_an_item_that_is_taken_away_is_told_by_the_count(stac: Pgstac) -> None:
    """Whether it was withdrawn or lost between two pages nobody can see from here."""
    items = a_series("withdrawn")
    stac.load(items)

    with pytest.raises(CatalogueError, match=r"25 items match, and gives 24"):
        searched(stac, "withdrawn", lambda: stac.delete(items[TO_COME]))


def test_scenes_that_came_after_they_were_counted_are_found(stac: Pgstac) -> None:
    """pgstac keeps a search's count for a day: a month that grows meanwhile has more items than it says, all there."""
    items = a_series("growing")
    stac.load(items[:20])
    first = search(stac.root, "growing")
    for item in items[20:]:
        stac.post(item)

    second = search(stac.root, "growing")

    assert (first.matched, first.returned) == (20, 20)
    assert (second.matched, second.returned) == (20, 25)
    assert sorted(names(second)) == [item["id"] for item in items]
