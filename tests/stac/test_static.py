"""Searching a static STAC catalogue on disk."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from scene_builders import Item, a_catalogue, a_document, romanian, write_json

from mrv_assets.errors import CatalogueError, HrefRefused
from mrv_assets.missions.sentinel2 import SENTINEL2
from mrv_assets.scenes.select import select
from mrv_assets.science.grid import Bounds
from mrv_assets.stac.json_document import MAX_DEPTH
from mrv_assets.stac.source import SearchResult
from mrv_assets.stac.static import StaticCatalogue

HERE = (22.0, 45.0, 23.0, 46.0)
JULY = ("2018-07-01T00:00:00Z", "2018-08-01T00:00:00Z")
DEMO = Path(__file__).parents[2] / "mrv_assets" / "demo" / "catalogue"


def search(root: Path, bounds: Bounds = HERE, collection: str = "sentinel-2") -> SearchResult:
    return StaticCatalogue.open(root).search(collection, bounds, *JULY)


def names(found: SearchResult) -> list[str]:
    return [item["id"] for item in found.items]


@pytest.mark.parametrize("named", ["", "catalog.json", "collection.json"])
def test_a_catalogue_is_opened_by_its_folder_or_a_document(tmp_path: Path, named: str) -> None:
    """Items come as published and in the order they are linked."""
    items = [romanian("b"), romanian("a")]

    found = search(a_catalogue(tmp_path, items) / named)

    assert found.items == tuple(items)
    assert (found.matched, found.returned) == (2, 2)


def test_links_of_an_item_start_at_its_own_folder(tmp_path: Path) -> None:
    """An item keeps its links as published; the catalogue knows which file they mean."""
    catalogue = StaticCatalogue.open(a_catalogue(tmp_path, [romanian("a"), romanian("b")]))

    href = catalogue.absolute_href("b", "./B4.tif")

    assert href == str(tmp_path.resolve() / "items" / "1" / "B4.tif")
    assert catalogue.root == tmp_path.resolve()


@pytest.mark.parametrize(
    "href", ["../../../secret.tif", "/etc/passwd", "file:///etc/passwd", "ftp://example.com/B4.tif"]
)
def test_a_link_out_of_the_catalogue_is_refused(tmp_path: Path, href: str) -> None:
    """However the item puts it."""
    catalogue = StaticCatalogue.open(a_catalogue(tmp_path / "catalogue", [romanian("a")]))

    with pytest.raises(HrefRefused):
        catalogue.absolute_href("a", href)


def test_of_two_items_with_one_id_the_first_is_meant(tmp_path: Path) -> None:
    """As in selection; in another collection the id may stand for another item, which then has to be named."""
    a_catalogue(tmp_path / "one", [romanian("a"), romanian("a")])
    a_catalogue(tmp_path / "two", [romanian("a")], collection="landsat")
    links = [("child", "one/collection.json"), ("child", "two/collection.json")]
    write_json(tmp_path / "catalog.json", a_document("Catalog", "both", links))
    catalogue = StaticCatalogue.open(tmp_path)

    first = catalogue.absolute_href("a", "x.tif", "sentinel-2")

    assert first.endswith("one/items/0/x.tif")
    assert catalogue.absolute_href("a", "x.tif", "landsat").endswith("two/items/0/x.tif")
    with pytest.raises(CatalogueError, match="2 collections hold"):
        catalogue.absolute_href("a", "x.tif")
    with pytest.raises(CatalogueError, match="no collections hold"):
        catalogue.absolute_href("b", "x.tif")


def test_only_items_of_the_collection_are_found(tmp_path: Path) -> None:
    """The collection an item states, else the one it is linked from; an unknown one lists those present."""
    stray = romanian("stray")
    a_catalogue(tmp_path, [romanian("a"), stray])
    write_json(tmp_path / "items" / "1" / "item.json", {**stray, "collection": "landsat"})
    unnamed = {key: value for key, value in romanian("a").items() if key != "collection"}
    write_json(tmp_path / "items" / "0" / "item.json", unnamed)

    assert names(search(tmp_path)) == ["a"]
    assert names(search(tmp_path, collection="landsat")) == ["stray"]
    with pytest.raises(CatalogueError, match="It has: landsat, sentinel-2"):
        search(tmp_path, collection="sentinel2")


def test_a_collection_whose_items_are_of_another_says_so(tmp_path: Path) -> None:
    """A collection.json that was renamed: without a word the month would have no scenes."""
    a_catalogue(tmp_path, [romanian("a")])
    renamed = json.loads((tmp_path / "collection.json").read_bytes())
    write_json(tmp_path / "collection.json", {**renamed, "id": "my-s2"})

    with pytest.raises(CatalogueError, match="'my-s2' links say that they are of sentinel-2"):
        search(tmp_path, collection="my-s2")
    assert names(search(tmp_path)) == ["a"]


def test_items_linked_as_a_page_are_found_on_disk_and_named_elsewhere(tmp_path: Path) -> None:
    """`rel: items` is how APIs link them."""
    a_catalogue(tmp_path, [])
    collection = json.loads((tmp_path / "collection.json").read_bytes())

    def linked(href: str) -> None:
        links = [{"rel": "items", "href": href}]
        write_json(tmp_path / "collection.json", {**collection, "links": links})

    write_json(tmp_path / "items.json", {"type": "FeatureCollection", "features": [romanian("a")]})
    linked("./items.json")
    assert names(search(tmp_path)) == ["a"]
    linked("https://stac.example.org/collections/sentinel-2/items?token=secret")
    with pytest.raises(CatalogueError, match=r"links them at https://stac\.example\.org") as elsewhere:
        search(tmp_path)
    assert "secret" not in str(elsewhere.value)


def test_two_collections_of_one_id_may_not_describe_their_assets_otherwise(tmp_path: Path) -> None:
    """An item would get the offset of the other collection."""
    for year, offset in ((2021, -0.1), (2022, 0)):
        assets = {"red": {"raster:bands": [{"offset": offset}]}}
        document = {"type": "Collection", "id": "s2", "links": [], "item_assets": assets}
        (tmp_path / str(year)).mkdir()
        write_json(tmp_path / str(year) / "collection.json", document)
    links = [{"rel": "child", "href": f"./{year}/collection.json"} for year in (2021, 2022)]
    write_json(tmp_path / "catalog.json", {"type": "Catalog", "id": "c", "links": links})

    with pytest.raises(CatalogueError, match="another collection here has its id 's2'"):
        search(tmp_path, collection="s2")


@pytest.mark.parametrize(
    ("members", "whole"),
    [
        ({"numberMatched": 3, "links": [{"rel": "next", "href": "https://example.org"}]}, False),
        ({"numberMatched": "3"}, False),
        ({"context": {"matched": 3}}, False),
        ({"search:metadata": {"matched": 3}}, False),
        ({"links": [{"rel": "next", "href": "https://example.org"}]}, False),
        ({"numberMatched": 1, "links": [{"rel": "next", "href": "https://example.org"}]}, True),
        ({"numberMatched": 1, "numberReturned": 1}, True),
        ({}, True),
    ],
)
def test_a_saved_page_has_to_be_all_of_its_search(members: dict[str, Any], whole: bool, tmp_path: Path) -> None:
    """The first of three pages would be a smaller month without a word."""
    page = tmp_path / "july.json"
    write_json(page, {"type": "FeatureCollection", "features": [romanian("a")], **members})

    if whole:
        assert names(search(page)) == ["a"]
    else:
        with pytest.raises(CatalogueError, match=r"one page of several: it holds 1 items.*Save the items of all pages"):
            search(page)


def test_an_empty_collection_has_no_items(tmp_path: Path) -> None:
    """A month without scenes is a decision, not an error."""
    assert search(a_catalogue(tmp_path, [])) == SearchResult(items=(), matched=0, returned=0)


@pytest.mark.parametrize(
    ("bbox", "bounds", "meets"),
    [
        ([22.1, 45.2, 22.2, 45.3], HERE, True),
        ([22.1, 45.2, 0, 22.2, 45.3, 900], HERE, True),
        ([21.0, 45.2, 21.9, 45.3], HERE, False),
        ([22.1, 46.1, 22.2, 46.3], HERE, False),
        ([23.0, 46.0, 24.0, 47.0], HERE, True),
        ([179.0, -20.0, -179.0, -19.0], (-179.5, -20.0, -179.4, -19.0), True),
        ([179.0, -20.0, -179.0, -19.0], (0.0, -20.0, 1.0, -19.0), False),
        ([179.2, -20.0, 179.4, -19.0], (179.0, -20.0, -179.0, -19.0), True),
        ([179.0, -20.0, 181.0, -19.0], (-179.5, -20.0, -179.4, -19.0), True),
        ([179.0, -20.0, 181.0, -19.0], (-178.5, -20.0, -178.4, -19.0), False),
    ],
)
def test_items_are_found_by_place(
    tmp_path: Path, bbox: list[float], bounds: tuple[float, float, float, float], meets: bool
) -> None:
    """Touching counts; boxes may have heights and may cross the antimeridian."""
    a_catalogue(tmp_path, [{**romanian("a"), "bbox": bbox, "geometry": None}])

    assert (names(search(tmp_path, bounds)) == ["a"]) is meets


@pytest.mark.parametrize("bbox", [["west"], [22.0, 45.0], "here", list("west" * 2_000)], ids=["text", "2", "1", "long"])
def test_an_item_whose_box_is_none_costs_itself(tmp_path: Path, bbox: object) -> None:
    """It may lie anywhere, so every search of its month finds it; selection leaves it out and quotes the beginning."""
    lost = {"bbox": bbox, "geometry": None}
    wrong, august = {**romanian("wrong"), **lost}, romanian("of-august", "2018-08-01T09:30:00Z")
    a_catalogue(tmp_path, [wrong, romanian("right"), {**august, **lost}])

    selection = select(search(tmp_path).items, SENTINEL2, "2018-07")

    [excluded] = selection.excluded
    assert (excluded.id, excluded.code) == ("wrong", "item_invalid")
    assert excluded.detail.startswith("its bbox is not west, south, east, north in degrees: ")
    assert len(excluded.detail) < 600
    assert len(selection.observations) == 1


def test_errors_quote_the_beginning_of_what_others_wrote(tmp_path: Path) -> None:
    """A link or a collection's id of a million characters is named and not repeated."""
    a_catalogue(tmp_path / "collection", [], collection="c" * 1_000_000)
    a_catalogue(tmp_path / "link", [])
    long = a_document("Catalog", "root", [("item", "../" + "x" * 1_000_000)])
    write_json(tmp_path / "link" / "catalog.json", long)

    for folder in ("collection", "link"):
        with pytest.raises(CatalogueError) as error:
            search(tmp_path / folder)
        assert len(str(error.value)) < 1_500


def test_without_a_bbox_the_geometry_counts(tmp_path: Path) -> None:
    """And an item without either may lie anywhere: selection leaves it out by name."""
    placed, nowhere = romanian("placed"), {**romanian("nowhere"), "geometry": None}
    a_catalogue(tmp_path, [{k: v for k, v in item.items() if k != "bbox"} for item in (placed, nowhere)])

    assert names(search(tmp_path)) == ["placed", "nowhere"]
    assert names(search(tmp_path, (22.3, 45.0, 23.0, 46.0))) == ["nowhere"]
    [excluded] = select(search(tmp_path).items, SENTINEL2, "2018-07").excluded
    assert (excluded.id, excluded.code) == ("nowhere", "item_invalid")


@pytest.mark.parametrize(
    ("properties", "meets"),
    [
        ({"datetime": "2018-06-30T23:59:59.999999Z"}, False),
        ({"datetime": "2018-07-01T00:00:00Z"}, True),
        ({"datetime": "2018-07-31T23:59:59.999999Z"}, True),
        ({"datetime": "2018-08-01T00:00:00Z"}, True),
        ({"datetime": "2018-08-01T00:00:00.000001Z"}, False),
        ({"datetime": None, "start_datetime": "2018-06-30T00:00:00Z", "end_datetime": "2018-07-02T00:00:00Z"}, True),
        ({"datetime": None, "start_datetime": "2018-08-02T00:00:00Z", "end_datetime": "2018-08-03T00:00:00Z"}, False),
        ({"datetime": "some day"}, True),
        ({}, True),
    ],
    ids=str,
)
def test_items_are_found_by_time(tmp_path: Path, properties: dict[str, Any], meets: bool) -> None:
    """Both ends included, so nothing of a month is missed; an unreadable time is left for selection to refuse."""
    a_catalogue(tmp_path, [{**romanian("a"), "properties": properties}])

    assert (names(search(tmp_path)) == ["a"]) is meets


def test_documents_are_read_once(tmp_path: Path) -> None:
    """A catalogue answers from what it has read; a new one reads again."""
    catalogue = StaticCatalogue.open(a_catalogue(tmp_path, [romanian("a")]))
    catalogue.search("sentinel-2", HERE, *JULY)

    (tmp_path / "items" / "0" / "item.json").unlink()

    assert names(catalogue.search("sentinel-2", HERE, *JULY)) == ["a"]
    with pytest.raises(CatalogueError):
        search(tmp_path)


def test_loops_of_links_end(tmp_path: Path) -> None:
    """A child that names its parent, or a link to itself, is walked once; an item linked twice is one item."""
    a_catalogue(tmp_path, [romanian("a")])
    item = ("item", "./items/0/item.json")
    links = [("child", "./catalog.json"), ("child", "collection.json"), item, item]
    write_json(tmp_path / "collection.json", a_document("Collection", "sentinel-2", links))

    assert names(search(tmp_path)) == ["a"]


@pytest.mark.parametrize("href", ["../outside.json", "/etc/hostname", "https://example.com/item.json", "link.json"])
def test_links_of_the_catalogue_stay_beneath_it(tmp_path: Path, href: str) -> None:
    """A child or item elsewhere, or reached through a symbolic link, is refused by name, with the cure."""
    root = tmp_path / "catalogue"
    write_json(tmp_path / "outside.json", romanian("outside"))
    write_json(root / "catalog.json", a_document("Catalog", "root", [("item", href)]))
    (root / "link.json").symlink_to(tmp_path / "outside.json")

    with pytest.raises(CatalogueError, match=r"catalog\.json.*cannot be followed.*relative link"):
        search(root)


def deep(levels: int) -> Item:
    return {**romanian("a"), "deep": json.loads("[" * levels + "]" * levels)}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("<html>", "not JSON"),
        ("[]", "not a STAC"),
        ('{"type": "FeatureCollection"}', "not a STAC"),
        (json.dumps({**romanian("a"), "x": float("nan")}), "not JSON"),
        (json.dumps(deep(MAX_DEPTH + 1)), "deeper"),
        ("[" * 100_000, "deeper"),
        ('"' + "x" * (16 << 20) + '"', "larger than 16 MB"),
    ],
    ids=["html", "list", "features", "nan", "deep", "bottomless", "huge"],
)
def test_a_document_that_cannot_be_used_is_named(tmp_path: Path, text: str, reason: str) -> None:
    """File, reason and cure in one message; sizes and depths are bounded."""
    a_catalogue(tmp_path, [romanian("a")])
    (tmp_path / "items" / "0" / "item.json").write_text(text)

    with pytest.raises(CatalogueError, match=reason) as error:
        search(tmp_path)

    assert "items/0/item.json" in str(error.value)


def test_depth_within_the_bound_is_fine(tmp_path: Path) -> None:
    """The bound is for hostile documents, not for real ones."""
    a_catalogue(tmp_path, [deep(MAX_DEPTH - 2)])

    assert names(search(tmp_path)) == ["a"]


@pytest.mark.parametrize("missing", ["", "nowhere", "catalog.json"])
def test_where_there_is_no_catalogue_it_says_so(tmp_path: Path, missing: str) -> None:
    """An empty folder, no folder, and a file that is not there."""
    with pytest.raises(CatalogueError, match=r"no catalog\.json or collection\.json"):
        StaticCatalogue.open(tmp_path / missing)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    """A link may lead to anything."""
    a_catalogue(tmp_path, [romanian("a")])
    (tmp_path / "items" / "0" / "item.json").unlink()
    os.mkfifo(tmp_path / "items" / "0" / "item.json")

    with pytest.raises(CatalogueError, match="not a file"):
        search(tmp_path)


def test_the_demo_catalogue_has_five_scenes_in_july_2018() -> None:
    """Every link of theirs is a file beneath the catalogue."""
    catalogue = StaticCatalogue.open(DEMO)

    found = catalogue.search("s2-l2a-romania-north", HERE, *JULY)

    assert found.matched == found.returned == 5
    for item in found.items:
        for asset in item["assets"].values():
            assert Path(catalogue.absolute_href(item["id"], asset["href"])).is_file()
