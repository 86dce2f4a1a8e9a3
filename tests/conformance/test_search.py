"""Searching a full STAC API over PostgreSQL, which filters, sorts, counts and pages by itself."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from forwarding import forwarding
from pgstac_servers import Pgstac
from scene_builders import Item, romanian
from searching import HERE, JULY, api, names, search
from shapely.geometry import MultiPolygon, Polygon, box, mapping

from mrv_assets.errors import CatalogueError
from mrv_assets.missions.sentinel2 import SENTINEL2
from mrv_assets.scenes.select import select

# Some pixels of a parcel in the middle of where Romanian items lie.
PARCEL = (22.14, 45.24, 22.16, 45.26)


def a_month(collection: str, number: int) -> list[Item]:
    """Items of July, one a day and then again from its first day, each at a time of its own."""
    return [
        {**romanian(f"i{n:03d}", f"2018-07-{n % 31 + 1:02d}T09:{n // 31:02d}:00.024Z"), "collection": collection}
        for n in range(number)
    ]


def within(item: Item, outline: Polygon | MultiPolygon, **changed: Any) -> Item:
    """An item that lies elsewhere."""
    return {**item, "bbox": list(outline.bounds), "geometry": json.loads(json.dumps(mapping(outline))), **changed}


@pytest.mark.parametrize(("page_items", "pages"), [(7, 36), (100, 3), (250, 1)])
def test_every_item_comes_from_every_page(stac: Pgstac, page_items: int, pages: int) -> None:
    """250 items, by pgstac's own tokens from page to page: each comes once, and they are as many as it counts."""
    items = a_month(f"pages-of-{page_items}", 250)
    stac.load(items)

    with forwarding(stac.root, page_items=page_items) as between:
        found = search(between.root, f"pages-of-{page_items}")

    assert sorted(names(found)) == [item["id"] for item in items]
    assert (found.matched, found.returned) == (250, 250)
    tokens = [asked.body.get("token") for asked in between.searches]
    assert len(set(tokens)) == pages
    assert all(token.startswith("next:") for token in tokens[1:])
    assert {asked.method for asked in between.searches} == {"POST"}


def test_the_api_itself_is_searched_whole(stac: Pgstac) -> None:
    """With nothing between it and us, compressed as it likes: the pages it makes of what we ask for."""
    stac.load(a_month("direct", 130))

    found = search(stac.root, "direct")

    assert (found.matched, found.returned, len(set(names(found)))) == (130, 130, 130)


def test_without_a_count_every_page_comes_all_the_same(stac: Pgstac) -> None:
    """As pgstac is installed it does not count: that is recorded as unknown."""
    stac.load(a_month("uncounted", 130))

    with stac.not_counting():
        found = search(stac.root, "uncounted")

    assert (found.matched, found.returned, len(set(names(found)))) == (None, 130, 130)


def test_get_finds_what_post_finds(stac: Pgstac) -> None:
    """An outline, an interval and tokens in an address mean the same as in a body."""
    stac.load([*a_month("by-method", 25), within(romanian("elsewhere"), box(10, 45, 11, 46), collection="by-method")])

    with forwarding(stac.root, methods=("POST",)) as posting, forwarding(stac.root, methods=("GET",)) as getting:
        posted, got = search(posting.root, "by-method"), search(getting.root, "by-method")

    assert [asked.method for asked in (*posting.searches, *getting.searches)] == ["POST"] * 3 + ["GET"] * 3
    assert names(got) == names(posted)
    assert (got.matched, got.returned) == (posted.matched, posted.returned) == (25, 25)
    assert all(asked.query["token"].startswith("next:") for asked in getting.searches[1:])


def test_a_month_is_half_open_to_the_microsecond(stac: Pgstac) -> None:
    """The API takes both ends; what is of August is found and not counted, and no last moment of July is lost.

    An item of an interval is found where any of it is in the month, and counts where it starts.
    """
    moments = {
        "before": "2018-06-30T23:59:59.999999Z",
        "first": "2018-07-01T00:00:00Z",
        "millisecond": "2018-07-31T23:59:59.999Z",
        "microsecond": "2018-07-31T23:59:59.999999Z",
        "zone": "2018-08-01T02:59:59+03:00",
        "next": "2018-08-01T00:00:00Z",
        "after": "2018-08-01T00:00:00.000001Z",
    }
    items = [{**romanian(name, when), "collection": "half-open"} for name, when in moments.items()]
    interval = {"start_datetime": "2018-06-30T23:00:00Z", "end_datetime": "2018-07-01T01:00:00Z"}
    since_june = {**romanian("since June", None), "collection": "half-open"}
    since_june["properties"].update(interval)
    # One at a time: pgstac's loader orders times by how they are written.
    stac.load(items[:1])
    for item in [*items[1:], since_june]:
        stac.post(item)

    found = search(stac.root, "half-open")

    of_july = {"first", "millisecond", "microsecond", "zone"}
    assert set(names(found)) == {*of_july, "next", "since June"}
    selection = select(found.items, SENTINEL2, "2018-07")
    assert {scene.id for one in selection.observations for scene in one.scenes} == of_july
    assert (selection.matched, selection.returned) == (4, 6)


def test_items_are_found_by_their_outline(stac: Pgstac) -> None:
    """Whatever touches the parcel's place is found; what only has a box that does is not, and needs not be."""
    hole = Polygon(box(22, 45, 23, 46).exterior, [box(22.1, 45.2, 22.2, 45.3).exterior])
    # Its box holds the parcel, its outline passes by.
    slanted = Polygon([(22.0, 45.1), (22.3, 45.1), (22.3, 45.2), (22.0, 45.1)])
    outlines = {
        "over": box(22, 45, 23, 46),
        "in": box(22.149, 45.249, 22.151, 45.251),
        "corner": box(22.16, 45.26, 22.3, 45.4),
        "edge": box(22.0, 45.0, 22.14, 45.4),
        "parts": MultiPolygon([box(0, 0, 1, 1), box(22.15, 45.25, 22.2, 45.3)]),
        "beside": box(22.17, 45.2, 22.3, 45.3),
        "hole": hole,
        "slanted": slanted,
    }
    items = [within(romanian(name), outline, collection="outlines") for name, outline in outlines.items()]
    # As some catalogues state them, with heights.
    items[1]["bbox"] = [22.149, 45.249, 100.0, 22.151, 45.251, 200.0]
    stac.load(items)

    found = api(stac.root).search("outlines", PARCEL, *JULY)

    assert set(names(found)) == {"over", "in", "corner", "edge", "parts"}
    assert found.matched == 5


def test_across_the_antimeridian_both_sides_are_found(stac: Pgstac) -> None:
    """A place whose west is east of its east: scenes of either side and of both are found, none around the world."""
    sides = MultiPolygon([box(179.8, -17, 180, -16), box(-180, -17, -179.8, -16)])
    outlines = {
        "west": box(179.0, -17, 179.9, -16),
        "east": box(-179.9, -17, -179.0, -16),
        "both": sides,
        "around": box(-178, -17, 178, -16),
    }
    items = [within(romanian(name), outline, collection="fiji") for name, outline in outlines.items()]
    items[2]["bbox"] = [179.8, -17, -179.8, -16]
    stac.load(items)

    found = api(stac.root).search("fiji", (179.5, -16.8, -179.5, -16.2), *JULY)

    assert set(names(found)) == {"west", "east", "both"}


def test_a_collection_that_is_not_there_is_named_with_those_that_are_near(stac: Pgstac) -> None:
    """The API answers both with no item; only then is it asked which collections it has."""
    stac.load(a_month("sentinel-2-l2a", 1))

    with pytest.raises(CatalogueError) as error:
        search(stac.root, "sentinel2-l2a")
    empty = api(stac.root).search("sentinel-2-l2a", HERE, "2019-07-01T00:00:00Z", "2019-08-01T00:00:00Z")

    assert f"Catalogue {stac.root}: it has no collection 'sentinel2-l2a'. It has " in str(error.value)
    assert "the nearest are: sentinel-2-l2a" in str(error.value)
    assert (empty.items, empty.matched) == ((), 0)


@pytest.mark.parametrize("collection", ["Sentinel 2: L2A", "Köppen+Ω", "s2/l2a", "100%", "a?b#c"])
def test_collections_have_odd_names(stac: Pgstac, collection: str) -> None:
    """A name is found as it is written, and a month of it without items is one."""
    stac.load(a_month(collection, 3))

    found = search(stac.root, collection)
    empty = api(stac.root).search(collection, HERE, "2019-07-01T00:00:00Z", "2019-08-01T00:00:00Z")

    assert len(found.items) == 3
    assert empty.items == ()


def test_any_id_can_be_where_a_page_ends(stac: Pgstac) -> None:
    """Tokens are made of ids; one item a page, so each of them is in one."""
    odd = [
        "a b",
        "a/b?c#d&e=f",
        "next:ids:a",
        "prev:",
        "Ünïcødé 🌳",
        "quote'\"",
        "100%25",
        "x" * 300,
        "..",
        "a+b",
        "{}",
    ]
    items = [{**romanian(name, f"2018-07-{n + 1:02d}T09:30:00Z"), "collection": "ids"} for n, name in enumerate(odd)]
    stac.load(items)

    with forwarding(stac.root, page_items=1) as by_post:
        posted = search(by_post.root, "ids")
    with forwarding(stac.root, page_items=1, methods=("GET",)) as by_get:
        got = search(by_get.root, "ids")

    assert names(posted) == names(got) == odd[::-1]
    assert len(by_post.searches) == len(by_get.searches) == len(odd)
    assert len(select(posted.items, SENTINEL2, "2018-07").observations) == len(odd)


def test_searches_side_by_side_get_what_they_asked_for(stac: Pgstac) -> None:
    """One catalogue, eight threads, four collections, pages of five: no answer goes to another, nor a count."""
    stac.load([item for number in range(4) for item in a_month(f"beside-{number}", 12 + number)])

    with forwarding(stac.root, page_items=5) as between, ThreadPoolExecutor(8) as threads:
        catalogue = api(between.root)
        wanted = [number % 4 for number in range(24)]
        found = list(threads.map(lambda number: catalogue.search(f"beside-{number}", HERE, *JULY), wanted))

    assert [(one.matched, one.returned) for one in found] == [(12 + number, 12 + number) for number in wanted]
    assert [{item["collection"] for item in one.items} for one in found] == [{f"beside-{n}"} for n in wanted]
