"""Searching STAC APIs: real servers that answer right, and what is made of those that do not."""

import gzip
import json
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from dialects import earth_search_c1
from dialects_of_others import landsatlook
from scene_builders import Item, romanian
from searching import HERE, ITEMS, JULY, api, at_search, failing, names, search
from stac_servers import Asked, Json, Reply, Twist, next_link, rustac_server, stac_server

from mrv_assets.errors import CatalogueError, HrefRefused
from mrv_assets.missions.sentinel2 import SENTINEL2
from mrv_assets.scenes.select import select
from mrv_assets.stac.api import ApiCatalogue
from mrv_assets.stac.presets import Preset, preset_of
from mrv_assets.stac.source import SearchResult
from mrv_assets.transport.hosts import HostRules


def test_items_come_as_published_from_every_page() -> None:
    """Whatever stands in them: no default is added, no number changed, no field dropped or moved."""
    odd = {
        **romanian("odd"),
        "Ünusual": {"a": [1, 1.0, -0.0, 1e-7, 12345678901234567890, None, True, "\u0000\ud83c\udf33"]},
        "stac_version": "0.9.0",
        "links": [{"rel": "self", "href": "../x"}],
    }
    with stac_server([*ITEMS, odd]) as server:
        found = search(server.root)

    assert json.dumps(found.items) == json.dumps([*ITEMS, odd])
    assert (found.matched, found.returned) == (26, 26)
    assert [one.number for one in server.asked("/search")] == [1, 2, 3]


def test_a_search_asks_for_place_and_the_whole_month_with_both_ends() -> None:
    """The outline as GeoJSON; the interval ends with the first instant of the next month, for the last is in it."""
    with stac_server(ITEMS) as server:
        search(server.root)

    first = server.asked("/search")[0]
    assert first.method == "POST"
    assert first.body["datetime"] == "/".join(JULY)
    assert first.body["collections"] == ["sentinel-2"]
    assert first.body["intersects"] == {
        "type": "Polygon",
        "coordinates": [[[22.0, 45.0], [23.0, 45.0], [23.0, 46.0], [22.0, 46.0], [22.0, 45.0]]],
    }


def test_across_the_antimeridian_two_outlines_are_asked_for() -> None:
    """A box whose west is east of its east is read in several ways; two polygons in one."""
    fiji = {**romanian("fiji"), "bbox": [179.0, -20.0, -179.0, -19.0], "geometry": None}
    with stac_server([fiji]) as server:
        found = api(server.root).search("sentinel-2", (179.5, -20.0, -179.5, -19.0), *JULY)

    assert names(found) == ["fiji"]
    outline = server.asked("/search")[0].body["intersects"]
    assert outline["type"] == "MultiPolygon"
    assert [[ring[0][0], ring[2][0]] for [ring] in outline["coordinates"]] == [[179.5, 180.0], [-180.0, -179.5]]


def test_an_api_that_is_searched_by_get_is() -> None:
    """Where its landing page offers GET alone: the same search in the address, and its pages by theirs."""

    def only_get(asked: Asked, document: Json) -> Json:
        if asked.path == "/":
            document["links"] = [link for link in document["links"] if link["method"] == "GET"]
        return document

    with stac_server(ITEMS, twist=only_get) as server:
        found = search(server.root)

    assert names(found) == [item["id"] for item in ITEMS]
    asked = server.asked("/search")
    assert {one.method for one in asked} == {"GET"}
    assert asked[0].query["datetime"] == "/".join(JULY)
    assert json.loads(asked[0].query["intersects"])["type"] == "Polygon"


def test_rustac_is_searched_whole(tmp_path: Path) -> None:
    """Another's server: three pages, both ends of the month, one place; it does not count, which is said."""
    elsewhere = {**romanian("elsewhere"), "bbox": [10.0, 45.2, 10.1, 45.3]}
    ring = [[10.0, 45.2], [10.1, 45.2], [10.1, 45.3], [10.0, 45.3], [10.0, 45.2]]
    elsewhere["geometry"] = {"type": "Polygon", "coordinates": [ring]}
    others = [
        romanian("before", "2018-06-30T23:59:59Z"),
        romanian("first", "2018-07-01T00:00:00Z"),
        romanian("last", "2018-07-31T23:59:59.5Z"),
        romanian("next", "2018-08-01T00:00:00Z"),
        romanian("after", "2018-08-01T00:00:01Z"),
        elsewhere,
    ]
    with rustac_server(tmp_path, [*ITEMS, *others]) as root:
        found = search(root)
        with pytest.raises(CatalogueError, match=r"no collection 'sentinel2'.*the nearest are: sentinel-2"):
            search(root, "sentinel2")

    assert sorted(names(found)) == sorted([*(item["id"] for item in ITEMS), "first", "last", "next"])
    assert (found.matched, found.returned) == (None, 28)
    assert {scene.id for one in select(found.items, SENTINEL2, "2018-07").observations for scene in one.scenes} == {
        *(item["id"] for item in ITEMS),
        "first",
        "last",
    }


def test_a_month_without_scenes_is_no_error_and_a_collection_that_is_not_there_is_one() -> None:
    """Most APIs answer both alike; only then is it asked which it is, and the nearest names are shown."""
    items = [*ITEMS, {**romanian("l"), "collection": "landsat-c2-l2"}]

    def nothing(asked: Asked, document: Json) -> Json:
        return {**document, "features": [], "links": [], "numberMatched": 0} if asked.path == "/search" else document

    with stac_server(items, twist=nothing) as server:
        found = search(server.root)
        with pytest.raises(CatalogueError) as error:
            search(server.root, "sentinel-2-l2a")

    assert found == SearchResult(items=(), matched=0, returned=0)
    assert "it has no collection 'sentinel-2-l2a'" in str(error.value)
    assert "It has 2; the nearest are: sentinel-2" in str(error.value)


def test_the_landing_page_is_asked_for_once() -> None:
    """A catalogue is opened once and searched for every month."""
    with stac_server(ITEMS) as server:
        catalogue = api(server.root)
        for _ in range(3):
            catalogue.search("sentinel-2", HERE, *JULY)

    assert len(server.asked("/")) == 1
    assert not server.asked("/collections/sentinel-2")


def test_threads_search_side_by_side_and_get_what_they_asked_for() -> None:
    """One catalogue, sixteen threads, many pages: no answer goes to another."""
    items = [
        {**romanian(f"{collection}-{n}", f"2018-07-{n + 1:02d}T09:30:00Z"), "collection": f"c{collection}"}
        for n in range(25)
        for collection in range(8)
    ]
    with stac_server(items, page_items=5) as server:
        catalogue = api(server.root)
        with ThreadPoolExecutor(16) as threads:
            wanted = [f"c{number % 8}" for number in range(48)]
            found = list(threads.map(lambda collection: catalogue.search(collection, HERE, *JULY), wanted))

    assert [names(one) for one in found] == [[f"{name[1:]}-{n}" for n in range(25)] for name in wanted]


def same_page(asked: Asked, document: Json) -> Json:
    """Another token every time, and the first page."""
    first = list(ITEMS[:10])
    following = next_link(f"http://{asked.headers['Host']}", "POST", {**asked.body, "token": asked.number})
    return {**document, "features": first, "links": [following]}


def to_itself(asked: Asked, document: Json) -> Json:
    return {
        **document,
        "links": [next_link("", "POST", asked.body) | {"href": f"http://{asked.headers['Host']}/search"}],
    }


def empty_with_next(asked: Asked, document: Json) -> Json:
    return {**document, "features": []}


@pytest.mark.parametrize(
    ("twist", "reason"),
    [
        (at_search(2, to_itself), "go round in a circle"),
        (at_search(None, same_page), "gives one page twice"),
        (at_search(2, empty_with_next), "stopped paging after 10 of 25 matched"),
        (at_search(1, empty_with_next), "stopped paging after 0 of 25 matched"),
        (at_search(None, lambda _, page: {**page, "numberMatched": 26}), "says that 26 items match, and gives 25"),
        (at_search(2, lambda _, page: {**page, "links": []}), "says that 25 items match, and gives 20"),
        (at_search(None, lambda _, page: {**page, "features": [], "links": []}), "25 items match, and gives 0"),
        (
            at_search(None, lambda _, page: {**page, "numberMatched": None, "context": {"matched": 99}}),
            "says that 99 items match, and gives 25",
        ),
        (
            at_search(None, lambda _, page: {**page, "numberMatched": None, "search:metadata": {"matched": 99}}),
            "says that 99 items match, and gives 25",
        ),
        (at_search(None, lambda _, page: {**page, "numberMatched": " 99 "}), "says that 99 items match, and gives 25"),
        (at_search(1, lambda _, page: {**page, "numberMatched": 26}), "says that 26 items match, and gives 25"),
    ],
    ids=["circle", "repeat", "empty-2", "empty-1", "more", "short", "none", "context", "metadata", "text", "fell"],
)
def test_an_answer_that_is_not_whole_is_none(twist: Twist, reason: str) -> None:
    """A scene that was lost in paging would be missing from the evidence without a word."""
    error, _ = failing(twist)

    assert reason in str(error)


def test_more_than_was_counted_is_whole() -> None:
    """pgstac keeps its counts for a day: a month that has grown since gives more, and all of them are there."""
    with stac_server(ITEMS, twist=at_search(None, lambda _, page: {**page, "numberMatched": 24})) as server:
        found = search(server.root)

    assert (found.matched, found.returned) == (24, 25)


def test_an_empty_last_page_is_the_end_where_everything_came() -> None:
    """Some APIs link to a next page whenever one is full; with all that match given, nothing is missing."""

    def one_more(asked: Asked, page: Json) -> Json:
        more = next_link(f"http://{asked.headers['Host']}", "POST", {**asked.body, "token": 100 + asked.number})
        return {**page, "links": page["links"] or [more]}

    with stac_server(ITEMS[:20], twist=at_search(None, one_more)) as server:
        assert search(server.root).returned == 20


def test_an_item_that_moves_from_one_page_to_the_next_while_reading_is_counted_once() -> None:
    """Given twice, it is there twice, for selection to settle; what matters is that all that match are there."""

    def shifted(asked: Asked, page: Json) -> Json:
        return {**page, "features": [ITEMS[9], *page["features"]]}

    with stac_server(ITEMS, twist=at_search(2, shifted)) as server:
        found = search(server.root)

    assert (found.matched, found.returned) == (25, 26)
    assert len(select(found.items, SENTINEL2, "2018-07").observations) == 25


def test_a_link_that_adds_to_the_search_is_followed_with_the_search() -> None:
    """``merge``: the body of the next request is that of the first and what the link adds."""

    def adding(asked: Asked, page: Json) -> Json:
        links = [{**link, "merge": True, "body": {"token": link["body"]["token"]}} for link in page["links"]]
        return {**page, "links": links}

    with stac_server(ITEMS, twist=at_search(None, adding)) as server:
        found = search(server.root)

    first, second, _ = server.asked("/search")
    assert second.body == {**first.body, "token": 10}
    assert names(found) == [item["id"] for item in ITEMS]


def test_a_catalogue_that_does_not_count_is_believed() -> None:
    """Planetary Computer states no number: it is recorded as unknown, and an empty page with a link still refused."""
    with stac_server(ITEMS, counts=False) as server:
        found = search(server.root)
    error, _ = failing(at_search(2, empty_with_next), counts=False)

    assert (found.matched, found.returned) == (None, 25)
    assert "stopped paging after 10 of an unknown number matched" in str(error)


@pytest.mark.parametrize(
    ("twist", "reason"),
    [
        (
            at_search(2, lambda _, page: {**page, "features": [{**romanian("l"), "collection": "landsat"}]}),
            "gives an item of 'landsat'",
        ),
        (
            at_search(
                2, lambda _, page: {**page, "features": [{**romanian("x"), "bbox": [0, 0, 1, 1], "geometry": None}]}
            ),
            "no item of the bbox that was asked for",
        ),
        (at_search(1, lambda _, page: {**page, "features": ["item"]}), "an entry that is not an item"),
        (at_search(1, lambda _, page: {**page, "features": {"a": 1}}), "its answer is not a page of items"),
        (at_search(1, lambda _, page: {"links": page["links"]}), "its answer is not a page of items"),
        (at_search(1, lambda _, page: Reply(body=b'["page"]')), "its answer is not a page of items"),
        (at_search(1, lambda _, page: {**page, "links": [{"rel": "next"}]}), "cannot be followed"),
        (
            at_search(1, lambda _, page: {**page, "links": [{"rel": "next", "href": "/", "method": "DELETE"}]}),
            "cannot be followed",
        ),
    ],
    ids=["collection", "place", "item", "features", "no-features", "list", "no-href", "delete"],
)
def test_a_page_of_something_else_is_refused(twist: Twist, reason: str) -> None:
    """Paging that forgets the filter gives other places and collections: that is no answer to what was asked."""
    error, _ = failing(twist)

    assert reason in str(error)


def endless(items_of_a_page: int) -> Twist:
    def page(asked: Asked, document: Json) -> Json:
        start = asked.number * items_of_a_page
        features = [{"id": str(start + number), "bbox": [22, 45, 23, 46]} for number in range(items_of_a_page)]
        root = f"http://{asked.headers['Host']}"
        return {"features": features, "links": [next_link(root, "POST", {"token": asked.number})]}

    return at_search(None, page)


def test_no_number_of_items_is_endless() -> None:
    """A catalogue that ignores the filter has millions."""
    error, server = failing(endless(600))

    assert "more than 5000 items of sentinel-2" in str(error)
    assert len(server.asked("/search")) == 9


def test_no_number_of_pages_is_endless() -> None:
    """One item a page, each with a link to another."""
    error, server = failing(endless(1), deadline_s=60.0)

    assert "more than 1000 pages" in str(error)
    assert len(server.asked("/search")) == 1000


def test_pages_are_not_endless_together() -> None:
    """Each is smaller than a page may be, and they come compressed."""

    def padded(asked: Asked, document: Json) -> Reply:
        document["links"] = [next_link(f"http://{asked.headers['Host']}", "POST", {"token": asked.number})]
        document["features"] = [{"id": str(asked.number), "bbox": [22, 45, 23, 46]}]
        body = json.dumps(document).encode() + b" " * (15 << 20)
        return Reply(headers={"Content-Encoding": "gzip"}, body=gzip.compress(body, 1))

    error, server = failing(at_search(None, padded), deadline_s=60.0)

    assert "larger than 128 MB together" in str(error)
    assert len(server.asked("/search")) == 9


@pytest.mark.parametrize(
    "much",
    [{"x": [[]] * 30_000}, {"x": "x" * (2 << 20)}, {"id": "i" * 5_000}, {"collection": None, "x": [0] * 30_000}],
    ids=["values", "text", "id", "no-collection"],
)
def test_an_item_that_is_too_much_is_not_held(much: Json) -> None:
    """What is given out is enough to leave it out for the reason that all of it would have; the others stay whole."""
    item, other = {**romanian("a"), **much}, romanian("b")
    # The server looks an item's collection up.
    served = {**item, "collection": "sentinel-2"}
    with stac_server(
        [served, other], twist=at_search(1, lambda _, page: {**page, "features": [item, other]})
    ) as server:
        found = search(server.root)

    assert found.items[1] == other
    assert len(json.dumps(found.items[0])) < 2_000
    selection = select(found.items, SENTINEL2, "2018-07")
    assert selection.excluded == select([item, other], SENTINEL2, "2018-07").excluded
    assert [one.code for one in selection.excluded] == ["item_invalid"]
    assert select(found.items, SENTINEL2, "2018-08").matched == 0


@pytest.mark.parametrize("name", ["../../x", "a\u0000b", "x" * 300, "", "\ud800", "a/b?c#d", "."])
def test_odd_ids_are_given_out_as_they_are(name: str) -> None:
    """What may become of an id is decided where it becomes something; a search changes nothing and stops at nothing."""
    item: Item = {**romanian("a"), "id": name}
    with stac_server([item]) as server:
        found = search(server.root)

    assert found.items == (item,)
    selection = select(found.items, SENTINEL2, "2018-07")
    assert len(selection.observations) == (name not in ("", "\ud800"))


@pytest.mark.parametrize("where", ['"id": "a", "id": "a"', '"x": [{"k": 1, "k": 2}], "id": "a"'])
def test_an_item_with_a_key_twice_costs_itself(where: str) -> None:
    """One reader takes the first value, another the last: no record can say what it was."""

    def page(asked: Asked, document: Json) -> Reply:
        twice = json.dumps({key: value for key, value in romanian("a").items() if key != "id"})[:-1] + f", {where}}}"
        body = f'{{"features": [{twice}, {json.dumps(romanian("b"))}]}}'
        return Reply(body=body.encode())

    with stac_server([], twist=at_search(1, page)) as server:
        found = search(server.root)

    selection = select(found.items, SENTINEL2, "2018-07")
    assert [(one.id, one.code) for one in selection.excluded] == [("a", "item_invalid")]
    assert re.search("the key '(id|k)' twice", selection.excluded[0].detail)
    assert len(selection.observations) == 1


def test_an_item_whose_box_is_none_costs_itself() -> None:
    """It may lie anywhere, so a page of it alone is no page of another place; selection leaves it out."""
    with stac_server([{**romanian("a"), "bbox": ["west"], "geometry": None}]) as server:
        found = search(server.root)

    assert [one.code for one in select(found.items, SENTINEL2, "2018-07").excluded] == ["item_invalid"]


def test_an_item_without_an_id_is_given_out_too() -> None:
    """For selection to say why it is left out."""
    item = romanian("a")
    del item["id"]
    with stac_server([item]) as server:
        found = search(server.root)

    assert [one.code for one in select(found.items, SENTINEL2, "2018-07").excluded] == ["item_invalid"]


def test_links_of_an_item_are_read_where_they_lead() -> None:
    """https and s3 as they are; LandsatLook's from the bucket; a relative one from where its item lies."""
    here = {**romanian("a"), "links": [{"rel": "self", "href": "https://stac.example.org/items/a/a.json"}]}
    with stac_server([here]) as server:
        catalogue = api(server.root)
        catalogue.search("sentinel-2", HERE, *JULY)
    usgs = ApiCatalogue(preset_of("usgs"), HostRules())
    red = landsatlook()["assets"]["red"]
    blue = earth_search_c1()["assets"]["blue"]["href"]

    assert catalogue.absolute_href("a", blue) == blue
    assert catalogue.absolute_href("a", "s3://bucket/key.tif") == "s3://bucket/key.tif"
    assert catalogue.absolute_href("a", "./B4.tif") == "https://stac.example.org/items/a/B4.tif"
    assert catalogue.absolute_href("a", "../B4.tif", "sentinel-2") == "https://stac.example.org/items/B4.tif"
    assert usgs.absolute_href("l", red["href"]) == red["alternate"]["s3"]["href"]


def test_an_item_that_lies_nowhere_has_no_relative_links() -> None:
    """Its link to itself is none: there is nothing for the others to start from."""
    with stac_server([{**romanian("a"), "links": [{"rel": "self", "href": "https://[::1/"}]}]) as server:
        catalogue = api(server.root)
        catalogue.search("sentinel-2", HERE, *JULY)

    with pytest.raises(HrefRefused, match="does not state its own address"):
        catalogue.absolute_href("a", "./B4.tif")


@pytest.mark.parametrize(
    ("href", "reason"),
    [
        ("file:///etc/passwd", "may not be file: links"),
        ("/vsicurl/http://example.org/a.tif", "it is relative"),
        ("B4.tif?sig=SECRET", "it is relative"),
        ("data:image/tiff;base64,AAAA", "may not be data: links"),
        ("https://[::1", "not a well-formed link"),
        (f"{'s' * 1_000_000}:x", "may not be s{20}: links$"),
    ],
)
def test_other_links_are_refused(href: str, reason: str) -> None:
    """A file of this machine, a link from nowhere, a library's own notation; without its query."""
    catalogue = ApiCatalogue(Preset(name="x", api="https://x.example.org", hosts=()), HostRules())

    with pytest.raises(HrefRefused) as refused:
        catalogue.absolute_href("a", href)

    assert re.search(reason, refused.value.reason)
    assert "SECRET" not in str(refused.value)
