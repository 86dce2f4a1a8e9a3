"""Scene selection: which items of a catalogue count, as what, and why the others do not."""

import json
import os
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scene_builders import (
    CHECKSUM,
    Item,
    cdse,
    earth_search_c1,
    earth_search_l2a,
    planetary_computer,
    romanian,
)

from mrv_assets.missions.sentinel2 import SENTINEL2
from mrv_assets.scenes.select import Scene, Selection, select
from mrv_assets.stac.static import StaticCatalogue

DEMO = Path(__file__).parents[2] / "mrv_assets" / "demo" / "catalogue"


def selected(*items: Item, month: str = "2022-07") -> Selection:
    return select(items, SENTINEL2, month)


def the_scene(item: Item, month: str = "2022-07") -> Scene:
    [observation] = selected(item, month=month).observations
    [scene] = observation.scenes
    return scene


def ids(selection: Selection) -> list[list[str]]:
    return [[scene.id for scene in observation.scenes] for observation in selection.observations]


def used(selection: Selection) -> list[str]:
    return sorted(name for observation in ids(selection) for name in observation)


def exclusions(selection: Selection) -> dict[str, str]:
    return {one.id: one.code for one in selection.excluded}


@pytest.mark.parametrize(
    ("item", "keys"),
    [
        (earth_search_c1(), ("blue", "red", "nir", "nir08", "swir16", "swir22", "scl")),
        (earth_search_l2a(), ("blue", "red", "nir", "nir08", "swir16", "swir22", "scl")),
        (planetary_computer(), ("B02", "B04", "B08", "B8A", "B11", "B12", "SCL")),
        (cdse(suffix="tif"), ("B02_10m", "B04_10m", "B08_10m", "B8A_20m", "B11_20m", "B12_20m", "SCL_20m")),
    ],
    ids=["earth-search-c1", "earth-search-l2a", "planetary-computer", "cdse"],
)
def test_every_dialect_has_the_same_bands(item: Item, keys: tuple[str, ...]) -> None:
    """Whatever a catalogue calls a band, the mission's name finds its native, readable file."""
    scene = the_scene(item)

    found = {name: scene.bands[name].key for name in (*SENTINEL2.bands, "scl")}

    assert found == dict(zip((*SENTINEL2.bands, "scl"), keys, strict=True))


def test_of_files_of_one_band_the_known_key_counts_then_the_native_pixels() -> None:
    """Copies resampled to coarser pixels, or under keys of a catalogue's own, are passed over."""
    keyed, unkeyed = cdse(suffix="tif"), cdse(suffix="tif")
    red = keyed["assets"]["B04_10m"]
    keyed["assets"] = {"A-copy": dict(red), **keyed["assets"]}
    unkeyed["assets"] |= {"a": unkeyed["assets"].pop("B04_60m"), "b": unkeyed["assets"].pop("B04_10m")}

    assert the_scene(keyed).bands["red"].key == "B04_10m"
    assert the_scene(unkeyed).bands["red"].key == "b"


def test_a_band_is_never_found_by_common_name() -> None:
    """Planetary Computer's B8A and B05 are both "rededge"; without B8A there is no nir08, not B05 instead."""
    item = planetary_computer()
    del item["assets"]["B8A"]
    item["assets"]["B05"]["eo:bands"][0]["common_name"] = "nir08"

    scene = the_scene(item)

    assert "nir08" not in scene.bands
    assert "band_absent: nir08" in scene.findings


def test_a_preview_of_three_bands_is_no_band() -> None:
    """A true-colour image names B04 among its bands; it is never read as red."""
    item = earth_search_c1()
    item["assets"] = {"visual": item["assets"].pop("visual"), **item["assets"]}
    del item["assets"]["red"]

    scene = the_scene(item)

    assert "red" not in scene.bands


def test_a_key_does_not_overrule_the_name_an_asset_states() -> None:
    """An asset under the key of one band that says it is another is the other."""
    item = earth_search_c1()
    item["assets"]["nir08"]["eo:bands"][0]["name"] = "B12"
    del item["assets"]["swir22"]

    scene = the_scene(item)

    assert scene.bands["swir22"].key == "nir08"
    assert "nir08" not in scene.bands


def test_an_optional_band_in_jpeg_2000_does_not_cost_the_scene() -> None:
    """Earth Search l2a has its cloud probability only as JPEG 2000: the scene is used without it, and says so."""
    scene = the_scene(earth_search_l2a())

    assert "cloud_probability" not in scene.bands
    assert any(finding.startswith("band_jp2: cloud_probability") for finding in scene.findings)
    assert "cloud_probability" in the_scene(earth_search_c1()).bands


def test_published_checksums_and_sizes_are_kept() -> None:
    """A multihash is kept as published, lower case; a malformed one is a finding and not a crash."""
    item = earth_search_c1()
    item["assets"]["red"]["file:checksum"] = "1220abcd"
    item["assets"]["nir"]["file:checksum"] = 7

    scene = the_scene(item)

    assert (scene.bands["blue"].checksum, scene.bands["blue"].size) == (CHECKSUM, 50135369)
    assert scene.bands["red"].checksum is None
    assert scene.bands["nir"].checksum is None
    assert sum(finding.startswith("checksum_unverifiable") for finding in scene.findings) == 2
    assert the_scene(cdse(suffix="tif")).bands["red"].checksum == "1620" + "cd" * 32


@pytest.mark.parametrize(
    ("item", "month", "offset", "rule"),
    [
        (earth_search_c1(), "2022-07", -0.1, "stated"),
        (earth_search_l2a(), "2022-07", 0.0, "boa_offset_applied"),
        (planetary_computer(), "2022-07", -0.1, "baseline"),
        (planetary_computer(baseline="02.12"), "2022-07", 0.0, "baseline"),
        (cdse(suffix="tif"), "2022-07", -0.1, "stated"),
        (romanian(), "2018-07", 0.0, "stated"),
    ],
    ids=["earth-search-c1", "earth-search-l2a", "planetary-computer", "pc-02.12", "cdse", "romanian"],
)
def test_every_dialect_states_its_offset(item: Item, month: str, offset: float, rule: str) -> None:
    """By the field that the dialect has for it."""
    scene = the_scene(item, month)

    assert scene.offset is not None
    assert (scene.offset.offset, scene.offset.rule) == (offset, rule)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"scale": 0.001}, "scale_unexpected"),
        ({"offset": -0.2}, "offset_unexpected"),
        ({"offset": -0.05003}, "offset_unexpected"),
    ],
)
def test_a_scale_or_offset_that_cannot_be_brought_to_it_excludes(change: dict[str, float], code: str) -> None:
    """Another scale, an offset below the convention's or between its steps would need rounding: left out."""
    item = earth_search_c1()
    for asset in item["assets"].values():
        for raster in asset.get("raster:bands", []):
            raster.update(change)

    selection = selected(item)

    assert exclusions(selection) == {"c1": code}


def test_without_offset_and_baseline_a_scene_is_left_to_its_pixels() -> None:
    """Nothing is guessed from its date."""
    item = planetary_computer()
    for key in [key for key in item["properties"] if key.startswith("s2:")]:
        del item["properties"][key]

    scene = the_scene(item)

    assert scene.offset is not None
    assert (scene.offset.offset, scene.offset.rule) == (None, "unsettled")


def test_a_scene_without_required_quality_or_bands_is_left_out() -> None:
    """Without SCL no pixel could be called clear; without any reflectance there is nothing to see."""
    blind, empty = earth_search_c1("blind"), earth_search_c1("empty")
    del blind["assets"]["scl"]
    empty["assets"] = {"scl": empty["assets"]["scl"]}

    selection = selected(blind, empty, cdse("jp2"))

    assert exclusions(selection) == {"blind": "quality_missing", "empty": "bands_missing", "jp2": "bands_missing"}
    assert "JPEG 2000" in selection.excluded[2].detail


@pytest.mark.parametrize(
    ("when", "belongs"),
    [
        ("2018-06-30T23:59:59.999999Z", False),
        ("2018-07-01T00:00:00Z", True),
        ("2018-07-31T23:59:59.999999Z", True),
        ("2018-08-01T00:00:00Z", False),
        ("2018-08-01T01:30:00+02:00", True),
        ("2018-07-01t00:00:00z", True),
        ("2018-07-31T23:59:60Z", True),
        ("2018-07-31T23:59:60.5Z", True),
        ("2018-06-30t23:59:60z", False),
    ],
)
def test_months_are_utc_and_half_open(when: str, belongs: bool) -> None:
    """The last microsecond belongs to a month, and a leap second; the first instant of the next does not.

    Instants are spelled as RFC 3339 allows.
    """
    selection = selected(romanian(when=when), month="2018-07")

    assert (selection.matched, selection.returned) == (int(belongs), 1)


def test_the_time_is_kept_to_the_microsecond_in_one_spelling() -> None:
    """UTC, six decimals, Z: so that text sorts as time."""
    scene = the_scene(romanian(when="2018-07-31T23:59:59.5+00:00"), "2018-07")

    assert scene.datetime == "2018-07-31T23:59:59.500000Z"


def test_an_interval_counts_by_its_start() -> None:
    """STAC allows a null datetime beside start and end."""
    item = romanian(when=None)
    item["properties"]["start_datetime"] = "2018-07-31T23:59:00Z"
    item["properties"]["end_datetime"] = "2018-08-01T00:01:00Z"

    assert the_scene(item, "2018-07").datetime == "2018-07-31T23:59:00.000000Z"
    assert selected(item, month="2018-08").matched == 0


@pytest.mark.parametrize(
    "damage",
    [
        {"id": None},
        {"properties": None},
        {"properties": {"datetime": "last summer"}},
        {"assets": []},
        {"weight": float("nan")},
        {"count": 1 << 60},
        {"bbox": [22.0, 45.0], "geometry": None},
    ],
    ids=str,
)
def test_a_broken_item_is_excluded_and_never_a_crash(damage: dict[str, Any]) -> None:
    """What others wrote may be anything; the other scenes still count."""
    broken = {**romanian("broken"), **damage}

    selection = selected(broken, romanian(), month="2018-07")

    assert ids(selection) == [["ro"]]
    assert [one.code for one in selection.excluded] == ["item_invalid"]


def test_items_that_cannot_be_used_are_counted_each() -> None:
    """Three without an id are three, however alike the reasons; one that a search returns twice is one."""
    items = [{**romanian(), "id": None, "properties": {**romanian()["properties"], "n": n}} for n in range(3)]

    selection = selected(*items, items[0], month="2018-07")

    assert (selection.matched, selection.returned, len(selection.excluded)) == (3, 4, 3)


def test_the_newest_processing_of_a_datatake_counts() -> None:
    """02.12 and 05.00 of one datatake are one scene, whichever was made last; the record keeps the other's reason."""
    old = planetary_computer("old", baseline="02.12", made="20221201T000000")
    new = earth_search_c1("new", baseline="05.00", made="20220711T000000")

    selection = selected(old, new)

    assert ids(selection) == [["new"]]
    assert exclusions(selection) == {"old": "superseded_by:new"}
    assert "02.12" in selection.excluded[0].detail
    assert "05.00" in selection.excluded[0].detail
    assert (selection.matched, selection.returned) == (2, 2)


def test_of_one_baseline_the_newest_generation_counts() -> None:
    """Numbers are compared, not the order of a page."""
    newer = earth_search_c1("a", made="20220712T000000")
    older = earth_search_c1("b", made="20220711T000000")

    assert exclusions(selected(newer, older)) == {"b": "superseded_by:a"}


def test_a_copy_that_cannot_be_used_supersedes_nothing() -> None:
    """A reprocessed scene without its SCL does not take the older one with it."""
    old, new = earth_search_c1("old", baseline="04.00"), earth_search_c1("new", baseline="05.00")
    del new["assets"]["scl"]

    selection = selected(old, new)

    assert ids(selection) == [["old"]]
    assert exclusions(selection) == {"new": "quality_missing"}


@pytest.mark.parametrize(
    "other",
    [
        {"strip": "20220710T093912"},
        {"start": "20220715T093051", "absolute": 36888},
        {"platform": "B"},
    ],
    ids=["datastrip", "datatake", "platform"],
)
def test_other_scenes_are_no_copies(other: dict[str, Any]) -> None:
    """The halves of a split datatake, another pass, another satellite: all are kept."""
    second = earth_search_c1("second", baseline="05.00", **other)
    if "platform" in other:
        second["properties"]["platform"] = "sentinel-2b"

    selection = selected(earth_search_c1("first"), second)

    assert used(selection) == ["first", "second"]


def test_an_item_that_does_not_say_what_it_is_is_no_copy() -> None:
    """Where the identifying fields are absent the id is the identity."""
    selection = selected(romanian("one"), romanian("two"), month="2018-07")

    assert ids(selection) == [["one"], ["two"]]


def test_without_a_datastrip_only_what_was_processed_again_is_a_copy() -> None:
    """The halves of a split datatake differ in nothing else: rather both than half a scene lost."""
    halves = [earth_search_c1("one"), earth_search_c1("two", made="20220710T180000")]
    again = earth_search_c1("again", baseline="05.00", made="20230101T000000")
    for item in (*halves, again):
        del item["properties"]["s2:datastrip_id"]

    assert used(selected(*halves)) == ["one", "two"]
    assert used(selected(*halves, again)) == ["again"]


def test_a_repeated_page_repeats_nothing() -> None:
    """The same item twice counts once; another content under the same id is reported."""
    other = romanian()
    other["properties"]["gsd"] = 20.0

    selection = selected(romanian(), romanian(), other, month="2018-07")

    assert ids(selection) == [["ro"]]
    assert exclusions(selection) == {"ro": "duplicate_id"}
    assert selection.returned == 3


def test_neighbouring_tiles_of_one_datatake_are_one_observation() -> None:
    """Two tiles of one pass see the overlap once, however far apart their clocks are."""
    here = earth_search_c1("here")
    there = earth_search_c1("there", when="2022-07-10T09:55:40Z", tile="34TFR")
    there["properties"]["grid:code"] = "MGRS-34TFR"

    [observation] = selected(there, here).observations

    assert [scene.id for scene in observation.scenes] == ["here", "there"]
    assert (observation.rule, observation.key) == ("absolute_orbit", "sentinel-2a/orbit-036816")
    assert observation.datetime == "2022-07-10T09:35:25.024000Z"


def test_without_an_orbit_the_datatake_makes_the_observation() -> None:
    """Its sensing start stands in the product's name; the satellite's letter too."""
    items = [earth_search_c1("a"), earth_search_c1("b", tile="34TFR")]
    for item in items:
        item["properties"] = {"s2:product_uri": item["properties"]["s2:product_uri"]}
        item["properties"]["datetime"] = f"2022-07-10T09:{'30' if item['id'] == 'a' else '50'}:00Z"

    [observation] = selected(*items).observations

    assert (observation.rule, observation.key) == ("datatake", "sentinel-2a/datatake-20220710T093051")
    assert [scene.platform for scene in observation.scenes] == ["sentinel-2a", "sentinel-2a"]


def test_without_an_orbit_scenes_of_a_platform_minutes_apart_are_one_observation() -> None:
    """The gap between scenes in a row decides: below ten minutes one pass, at ten another."""
    minutes = {"a": "09:30", "b": "09:39", "c": "09:48", "d": "09:58"}
    items = [romanian(name, f"2018-07-01T{clock}:00Z") for name, clock in minutes.items()]
    for item in items:
        item["properties"]["platform"] = "Sentinel-2A"

    selection = selected(*items, month="2018-07")

    assert ids(selection) == [["a", "b", "c"], ["d"]]
    assert {observation.rule for observation in selection.observations} == {"pass"}


def test_tracks_of_a_constellation_are_told_apart() -> None:
    """With a relative orbit stated, scenes of one track minutes apart are one look, of two tracks two."""
    items = [romanian(name, f"2018-07-01T09:3{n}:00Z") for n, name in enumerate("abc")]
    for item, track in zip(items, (36, 36, 79), strict=True):
        item["properties"]["sat:relative_orbit"] = track

    selection = selected(*items, month="2018-07")

    assert ids(selection) == [["a", "b"], ["c"]]


def test_a_constellation_alone_makes_every_item_an_observation() -> None:
    """Two satellites may pass minutes apart: with nothing but a constellation stated nothing is joined."""
    selection = selected(romanian("a"), romanian("b"), month="2018-07")

    assert [(one.rule, one.key) for one in selection.observations] == [("item", "a"), ("item", "b")]


def test_the_digest_of_an_item_does_not_hear_signatures() -> None:
    """Queries of links change with every search; anything else changes the digest."""
    item = planetary_computer()
    signed, edited = deepcopy(item), deepcopy(item)
    signed["assets"]["B04"]["href"] = signed["assets"]["B04"]["href"].split("?")[0] + "?sig=another"
    edited["properties"]["eo:cloud_cover"] = 3.0

    digests = [the_scene(one).item_sha256 for one in (item, signed, edited)]

    assert digests[0] == digests[1] != digests[2]
    assert the_scene(item).item is item


ITEMS = (
    earth_search_c1("c1"),
    planetary_computer("pc", baseline="05.00"),
    earth_search_l2a("b", platform="B", absolute=27908),
    earth_search_c1("strip", strip="20220710T093912"),
    cdse("jp2"),
    romanian("x", "2022-07-10T09:30:00Z"),
    romanian("y", "2022-07-10T09:31:00Z"),
    romanian("z", "2022-08-10T09:31:00Z"),
)


@settings(deadline=None, max_examples=25)
@given(st.permutations(ITEMS))
def test_the_order_of_items_does_not_matter(items: list[Item]) -> None:
    """A catalogue may page as it likes: the same month comes out."""
    assert select(items, SENTINEL2, "2022-07") == select(ITEMS, SENTINEL2, "2022-07")


@settings(deadline=None, max_examples=25)
@given(st.lists(st.sampled_from(ITEMS), max_size=12))
def test_every_item_of_a_month_is_used_or_excluded_with_a_reason(items: list[Item]) -> None:
    """Nothing gets lost between the catalogue and the record."""
    selection = select(items, SENTINEL2, "2022-07")

    names = [*used(selection), *exclusions(selection)]
    assert sorted(names) == sorted({item["id"] for item in items} - {"z"})
    assert selection.matched == len(names)


def test_july_2018_of_the_demo_is_five_observations() -> None:
    """The shipped scenes carry no orbit: one item is one observation; NBR's band is missing and said to be."""
    found = StaticCatalogue.open(DEMO).search(
        "s2-l2a-romania-north", (22.1, 45.2, 22.2, 45.3), "2018-07-01T00:00:00Z", "2018-08-01T00:00:00Z"
    )

    selection = select(found.items, SENTINEL2, "2018-07")

    assert [one.datetime[:10] for one in selection.observations] == [
        "2018-07-01",
        "2018-07-06",
        "2018-07-21",
        "2018-07-26",
        "2018-07-31",
    ]
    for observation in selection.observations:
        [scene] = observation.scenes
        assert scene.offset is not None
        assert (observation.rule, scene.offset.offset, scene.offset.rule) == ("item", 0.0, "stated")
        assert set(scene.bands) == {"blue", "red", "nir", "nir08", "swir16", "scl"}
        assert scene.findings == ("band_absent: swir22",)


@pytest.mark.parametrize(
    "file", ["earthsearch_v1_sentinel-2-c1-l2a_10items_T13TDE", "pc_sentinel-2-l2a_2items_T13TDE_baseline0511"]
)
def test_real_items_are_all_used(file: str) -> None:
    """Ten items of Earth Search and two of Planetary Computer, as downloaded: none is refused."""
    folder = os.environ.get("MRV_REAL_DATA")
    if not folder:
        pytest.skip("MRV_REAL_DATA does not name the folder of real data")
    items = json.loads((Path(folder) / "stac_json" / f"{file}.json").read_bytes())["features"]
    months = {item["properties"]["datetime"][:7] for item in items}

    selections = [select(items, SENTINEL2, month) for month in sorted(months)]

    assert sum(len(one.observations) for one in selections) == len(items)
    assert not any(one.excluded for one in selections)
    for scene in (s for one in selections for o in one.observations for s in o.scenes):
        assert set(scene.bands) >= {*SENTINEL2.bands, "scl"}
        assert scene.offset is not None
        assert scene.offset.offset == -0.1
