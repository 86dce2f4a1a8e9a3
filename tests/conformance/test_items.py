"""What a full API makes of published items: stored in parts, put together again, with links of its own."""

import copy
from collections.abc import Mapping
from typing import Any

import dialects
import dialects_of_others as others
import pytest
from forwarding import forwarding
from pgstac_servers import Pgstac
from scene_builders import Item, romanian
from searching import HERE, api, search

from mrv_assets.missions.sentinel2 import SENTINEL2
from mrv_assets.scenes.item import item_digest
from mrv_assets.scenes.select import select

DIALECTS = {
    "c1": dialects.earth_search_c1,
    "l2a": dialects.earth_search_l2a,
    "pc": dialects.planetary_computer,
    "cdse": dialects.cdse,
    "look": others.landsatlook,
    "es-landsat": others.earth_search_landsat,
}
SUMMER = ("2022-07-01T00:00:00Z", "2022-08-01T00:00:00Z")


def kept(item: Mapping[str, Any]) -> str:
    """The digest of what pgstac does not change of an item.

    It drops an item's links to itself, its collection and its catalogue, and writes its own; it resolves the others
    against its own address; and it drops fields that are null.
    """
    return item_digest({**_without_nulls(item), "links": []})


def _without_nulls(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _without_nulls(inner) for name, inner in value.items() if inner is not None}
    return [_without_nulls(inner) for inner in value] if isinstance(value, list) else value


def shared_by(item: Item) -> Item:
    """What a collection may say of its items' assets: half of what this one says, and of one that it has not."""
    shared: Item = {}
    for number, (key, asset) in enumerate(item["assets"].items()):
        shared[key] = {name: copy.deepcopy(value) for name, value in asset.items() if name != "href"}
        if number % 3 == 1:
            shared[key]["title"] = "What no item calls it"
        if number % 3 == 2:
            shared[key].pop("type", None)
    return {**shared, "rededge9": {"type": "image/tiff", "roles": ["data"]}}


@pytest.mark.parametrize("dialect", sorted(DIALECTS))
def test_an_item_comes_back_as_it_was_loaded(stac: Pgstac, dialect: str) -> None:
    """Stored as what differs from its collection and put together again, no value of it is another or elsewhere."""
    published = {**DIALECTS[dialect](), "collection": f"{dialect}-whole"}
    stac.load([published], shared_by(published))

    [found] = api(stac.root).search(published["collection"], (21, 44, 23, 46), *SUMMER).items

    assert kept(found) == kept(published)
    assert list(published["links"]) != list(found["links"])


def test_a_digest_is_the_same_from_search_to_search(stac: Pgstac) -> None:
    """Else each search would ask for a new month: links and all, whatever the pages, and whatever is beside it."""
    items = [
        {**romanian(f"i{n:02d}", f"2018-07-{n + 1:02d}T09:30:00Z"), "collection": "again", "links": own_links()}
        for n in range(25)
    ]
    stac.load(items, shared_by(items[0]))

    with forwarding(stac.root, page_items=10) as between:
        in_three_pages, again = search(between.root, "again"), search(between.root, "again")
        between.page_items = 4
        in_seven_pages = search(between.root, "again")

    digests = [[item_digest(item) for item in found.items] for found in (in_three_pages, again, in_seven_pages)]
    assert digests[0] == digests[1] == digests[2]
    assert len(set(digests[0])) == 25
    assert len(between.searches) == 3 + 3 + 7


def own_links() -> list[Item]:
    """Links of an item as its publisher has them."""
    return [
        {"rel": "self", "href": "https://publisher.example.org/items/a.json"},
        {"rel": "collection", "href": "../collection.json"},
        {"rel": "license", "href": "https://publisher.example.org/license?key=1"},
        {"rel": "derived_from", "href": "./l1c.json"},
    ]


def test_links_are_the_api_s_own(stac: Pgstac) -> None:
    """Its publisher's self is gone; a relative link to a file is read from where the API says the item lies."""
    item = {**romanian("linked"), "collection": "links", "links": own_links()}
    stac.load([item])

    catalogue = api(stac.root)
    [found] = catalogue.search("links", HERE, "2018-07-01T00:00:00Z", "2018-08-01T00:00:00Z").items

    links = {link["rel"]: link["href"] for link in found["links"]}
    place = f"{stac.root}/collections/links"
    assert links["self"] == f"{place}/items/linked"
    assert links["collection"] == place
    assert links["license"] == "https://publisher.example.org/license?key=1"
    assert links["derived_from"] == f"{stac.root}/l1c.json"
    assert catalogue.absolute_href("linked", "./B4.tif") == f"{place}/items/B4.tif"


def test_a_null_is_no_other_choice(stac: Pgstac) -> None:
    """pgstac drops what is null: a null offset, scale or checksum is decided as one that is not stated."""
    published = {**dialects.earth_search_c1(), "collection": "nulls"}
    published["properties"]["view:sun_azimuth"] = None
    for asset in published["assets"].values():
        asset["file:checksum"] = asset["file:size"] = None
        for band in asset.get("raster:bands", []):
            band["scale"] = band["offset"] = None
    stac.load([published])

    [found] = api(stac.root).search("nulls", (21, 44, 23, 46), *SUMMER).items

    assert "view:sun_azimuth" not in found["properties"]
    [[ours], [theirs]] = (
        [scene for one in select([item], SENTINEL2, "2022-07").observations for scene in one.scenes]
        for item in (published, found)
    )
    assert (theirs.bands, theirs.offset) == (ours.bands, ours.offset)


def test_what_is_searched_is_what_is_there_item_by_item(stac: Pgstac) -> None:
    """Completeness of a month: of those that match, each is used or excluded with its reason."""
    copies = [
        dialects.earth_search_c1("old", baseline="04.00", made="20220710T154200"),
        dialects.earth_search_c1("new", baseline="05.10", made="20230410T154200"),
    ]
    no_bands = {**dialects.earth_search_c1("no bands"), "assets": {}}
    items = [{**item, "collection": "complete"} for item in (*copies, no_bands)]
    stac.load(items)

    found = api(stac.root).search("complete", (21, 44, 23, 46), *SUMMER)

    selection = select(found.items, SENTINEL2, "2022-07")
    used = [scene.id for one in selection.observations for scene in one.scenes]
    assert (found.matched, found.returned, selection.matched) == (3, 3, 3)
    assert used == ["new"]
    assert [(one.id, one.code) for one in selection.excluded] == [
        ("no bands", "bands_missing"),
        ("old", "superseded_by:new"),
    ]
