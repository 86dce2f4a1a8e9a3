"""Real catalogues' ways of writing an item: what is found in each, what is refused, and what is noted."""

import json
import os
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from dialects import cdse, earth_search_c1, earth_search_l1c, earth_search_l2a, planetary_computer
from dialects_of_others import (
    earth_search_landsat,
    landsatlook,
    old_landsatlook,
    planetary_computer_landsat,
    planetary_computer_s1,
)
from rasterio import Affine
from scene_builders import Item, geotiff_bytes, pixels

from mrv_assets.cog.header import check_header, read_header
from mrv_assets.missions.flags import Flag
from mrv_assets.missions.mission import Band, BitQuality, FoundBy, Mission, Reflectance
from mrv_assets.missions.sentinel2 import SENTINEL2
from mrv_assets.scenes.select import Excluded, Scene, Selection, select

MONTH = "2022-07"
REFLECTANCE = ("blue", "red", "nir", "nir08", "swir16", "swir22")
ES_KEYS = dict(zip(REFLECTANCE, REFLECTANCE, strict=True))


def selected(*items: Item, mission: Mission = SENTINEL2) -> Selection:
    return select(items, mission, MONTH)


def the_scene(item: Item, mission: Mission = SENTINEL2) -> Scene:
    [observation] = selected(item, mission=mission).observations
    [scene] = observation.scenes
    return scene


def the_exclusion(item: Item) -> Excluded:
    selection = selected(item)
    assert not selection.observations
    [excluded] = selection.excluded
    return excluded


@pytest.mark.parametrize(
    ("item", "keys"),
    [
        (earth_search_c1(), ES_KEYS | {"scl": "scl", "cloud_probability": "cloud"}),
        (earth_search_l2a(), ES_KEYS | {"scl": "scl"}),
        (earth_search_l2a(applied=False, baseline="02.14"), ES_KEYS | {"scl": "scl"}),
        (
            planetary_computer(),
            dict(zip(REFLECTANCE, ("B02", "B04", "B08", "B8A", "B11", "B12"), strict=True)) | {"scl": "SCL"},
        ),
        (
            cdse(suffix="tif"),
            dict(zip(REFLECTANCE, ("B02_10m", "B04_10m", "B08_10m", "B8A_20m", "B11_20m", "B12_20m"), strict=True))
            | {"scl": "SCL_20m"},
        ),
    ],
    ids=["es-c1", "es-l2a", "es-l2a-old", "pc", "cdse-as-cog"],
)
def test_every_dialect_gives_the_mission_s_bands(item: Item, keys: dict[str, str]) -> None:
    """All of them and nothing else: each the native COG, whatever previews, copies and quality files lie beside it."""
    scene = the_scene(item)

    assert {name: band.key for name, band in scene.bands.items()} == keys
    assert all(item["assets"][band.key]["href"] == band.href for band in scene.bands.values())


@pytest.mark.parametrize(
    ("item", "offset", "rule", "findings"),
    [
        (earth_search_c1(), -0.1, "stated", ()),
        (earth_search_l2a(), 0.0, "boa_offset_applied", ("band_jp2",)),
        (earth_search_l2a(applied=False, baseline="02.14"), 0.0, "stated", ("band_jp2",)),
        (planetary_computer(), -0.1, "baseline", ()),
        (planetary_computer(baseline="02.12"), 0.0, "baseline", ()),
        (cdse(suffix="tif"), -0.1, "stated", ()),
    ],
    ids=["es-c1", "es-l2a", "es-l2a-old", "pc", "pc-02.12", "cdse"],
)
def test_every_dialect_s_zero_point_is_settled(item: Item, offset: float, rule: str, findings: tuple[str, ...]) -> None:
    """Shifted already, stated, or by the baseline."""
    scene = the_scene(item)

    assert scene.offset is not None
    assert (scene.offset.offset, scene.offset.rule) == (offset, rule)
    assert tuple(finding.partition(":")[0] for finding in scene.findings) == findings


def test_every_dialect_names_one_scene_alike() -> None:
    """Platform and orbit come out the same from Earth Search, Planetary Computer and CDSE, so copies are copies."""
    items = [earth_search_c1("a"), earth_search_l2a("b"), planetary_computer("c"), cdse("d", suffix="tif")]

    selection = selected(*items)

    [observation] = selection.observations
    assert observation.key == "sentinel-2a/orbit-036816"
    assert [scene.id for scene in observation.scenes] == ["a"]
    assert {one.code for one in selection.excluded} == {"superseded_by:a"}


@pytest.mark.parametrize(
    "publish",
    [earth_search_c1, earth_search_l2a, planetary_computer, lambda item_id, **kw: cdse(item_id, suffix="tif", **kw)],
)
def test_reprocessed_copies_are_told_in_every_dialect(publish: Callable[..., Item]) -> None:
    """04.00 and 05.00 of one datatake are one scene, and the newer counts, also where it was listed first."""
    old = publish("old", baseline="04.00", made="20220801T000000")
    new = publish("new", baseline="05.00", made="20220711T000000")

    selection = selected(new, old)

    assert [scene.id for one in selection.observations for scene in one.scenes] == ["new"]
    assert [(one.id, one.code) for one in selection.excluded] == [("old", "superseded_by:new")]


def test_what_is_only_jpeg_2000_is_refused_for_that_reason() -> None:
    """CDSE's items, and Earth Search's L1C: each band is named, and that JPEG 2000 is not read."""
    reasons = [the_exclusion(item) for item in (cdse(), earth_search_l1c())]

    assert [reason.code for reason in reasons] == ["bands_missing", "bands_missing"]
    for reason in reasons:
        assert all(f"{name} is published only as JPEG 2000" in reason.detail for name in REFLECTANCE)


@pytest.mark.parametrize(
    ("item", "platform"),
    [
        (landsatlook(), "landsat-8"),
        (planetary_computer_landsat(), "landsat-9"),
        (earth_search_landsat(), "landsat-8"),
        (planetary_computer_s1(), "sentinel-1a"),
    ],
    ids=["landsatlook", "pc-landsat", "es-landsat", "pc-s1"],
)
def test_items_of_another_mission_are_left_out_by_name(item: Item, platform: str) -> None:
    """Landsat has keys red and nir08 too; its pixels would pass for Sentinel-2's, with another scale."""
    reason = the_exclusion(item)

    assert reason.code == "platform_other"
    assert platform in reason.detail
    assert "Sentinel-2" in reason.detail


def test_an_item_of_another_mission_that_hides_its_platform_is_left_out_too() -> None:
    """STAC 0.7 states it elsewhere, and its bands as numbers: nothing is found, and nothing crashes."""
    anonymous = planetary_computer_landsat("anonymous")
    del anonymous["properties"]["platform"]

    assert the_exclusion(old_landsatlook()).code == "bands_missing"
    assert the_exclusion(anonymous).code == "quality_missing"


LANDSAT = Mission(
    name="landsat",
    title="Landsat Collection 2 Level-2",
    platforms=("landsat-8", "landsat-9"),
    bands={
        name: Band(names=(name,), resolution_m=30, found_by=(FoundBy.COMMON_NAME, FoundBy.KEY))
        for name in ("blue", "red", "nir08", "swir16", "swir22")
    },
    radiometry=Reflectance(scale=2.75e-5, offset=-0.2, nodata=0, saturated=65535),
    quality={"qa_pixel": BitQuality(names=("qa_pixel",), bits={3: Flag.CLOUD}, required=True)},
    resolution_m=30,
)
"""Landsat as data of a test: enough of it to find its bands."""


@pytest.mark.parametrize(
    "item",
    [landsatlook(), planetary_computer_landsat(), earth_search_landsat()],
    ids=["landsatlook", "pc", "es"],
)
def test_a_mission_found_by_common_name_is_data(item: Item) -> None:
    """B4, OLI_B4: what three catalogues call differently has one common name; no code knows of it."""
    scene = the_scene(item, LANDSAT)

    assert {name: band.key for name, band in scene.bands.items()} == {
        name: name for name in ("blue", "red", "nir08", "swir16", "swir22", "qa_pixel")
    }
    assert scene.platform == item["properties"]["platform"].lower().replace("_", "-")
    assert scene.offset is not None
    assert scene.offset.offset == -0.2
    assert all(finding.startswith("checksum") for finding in scene.findings) or not scene.findings


def test_a_common_name_is_also_read_as_stac_1_1_writes_it() -> None:
    """``bands[].eo:common_name``; the key may be anything, and one that says another band is passed over."""
    item = planetary_computer_landsat()
    for number, asset in enumerate(item["assets"].values()):
        for band in asset.pop("eo:bands", []):
            asset["bands"] = [{"name": band["name"], "eo:common_name": band["common_name"]}]
            asset["title"] = str(number)
    item["assets"] = {"red" if key == "coastal" else f"SR_{key}": asset for key, asset in item["assets"].items()}
    item["assets"]["qa_pixel"] = item["assets"].pop("SR_qa_pixel")

    assert {name: band.key for name, band in the_scene(item, LANDSAT).bands.items()} == {
        **{name: f"SR_{name}" for name in ("blue", "red", "nir08", "swir16", "swir22")},
        "qa_pixel": "qa_pixel",
    }


def test_where_the_name_is_found_first_decides() -> None:
    """By name then key, or by key then name: the mission says, and the same item gives another file."""
    item = planetary_computer()
    item["assets"]["red"] = {**item["assets"]["B04"], "href": "https://example.com/mine.tif"}
    del item["assets"]["red"]["eo:bands"]
    by_key = {**SENTINEL2.bands, "red": replace(SENTINEL2.bands["red"], found_by=(FoundBy.KEY, FoundBy.NAME))}

    by_name = the_scene(item).bands["red"].key
    keyed = the_scene(item, replace(SENTINEL2, bands=by_key)).bands["red"].key

    assert (by_name, keyed) == ("B04", "red")


@pytest.mark.parametrize(
    ("publish", "key"),
    [(earth_search_c1, "red"), (planetary_computer, "B04"), (cdse, "B04_10m")],
    ids=["es", "pc", "cdse"],
)
def test_the_file_s_own_header_wins_over_every_dialect(publish: Callable[[], Item], key: str) -> None:
    """However a catalogue states CRS, place and shape: a conflict is a finding, and the file is believed."""
    in_the_zone_beside = Affine(10, 0, 106000, 0, -10, 4980040)
    data = geotiff_bytes(pixels(64, 64), crs="EPSG:32635", transform=in_the_zone_beside)
    header = read_header(lambda offset, length: data[offset : offset + length], len(data))
    item = publish()

    findings = check_header(header, len(data), SENTINEL2, "red", item["assets"][key], item)

    codes = {finding.partition(":")[0] for finding in findings} - {"size_conflict"}
    assert codes == {"crs_conflict", "transform_conflict", "shape_conflict"}
    assert all(finding.endswith("the file is believed") for finding in findings if "size" not in finding)
    assert header.grid.crs == "EPSG:32635"


@pytest.mark.parametrize("stated", ["48" + "4c" * 15, "abc", "1220", 12, {"sha256": "00"}, None])
def test_a_malformed_multihash_is_noted_and_no_crash(stated: Any) -> None:
    """Planetary Computer's Sentinel-1 states a bare MD5: unverifiable is said, and the scene is used."""
    item = earth_search_c1()
    item["assets"]["red"]["file:checksum"] = stated

    scene = the_scene(item)

    assert scene.bands["red"].checksum is None
    noted = [finding for finding in scene.findings if finding.startswith("checksum_unverifiable: red")]
    assert len(noted) == (stated is not None)


def all_dialects() -> list[Item]:
    s2 = [earth_search_c1(), earth_search_l2a(), earth_search_l1c(), planetary_computer(), cdse()]
    others = [landsatlook(), old_landsatlook(), planetary_computer_landsat(), planetary_computer_s1()]
    return [*s2, *others]


@pytest.mark.parametrize("item", all_dialects(), ids=lambda item: str(item["collection"]))
@pytest.mark.parametrize("value", [None, 7, "text", [], [[]], {}, {"name": ["B04"]}, 1e308, "\ud800"], ids=repr)
def test_no_field_of_any_dialect_can_be_anything_but_refused(item: Item, value: object) -> None:
    """Each field of each asset and each property replaced by nonsense: used or excluded, never a crash."""
    places: list[tuple[str, ...]] = [(key,) for key in item]
    places += [("properties", key) for key in item["properties"]]
    places += [("assets", key) for key in item["assets"]]
    first = next(iter(item["assets"]))
    places += [("assets", first, key) for key in item["assets"][first]]

    for place in places:
        broken = deepcopy(item)
        inner = broken
        for step in place[:-1]:
            inner = inner[step]
        inner[place[-1]] = value
        selection = selected(broken)

        in_month = selection.matched
        assert in_month == sum(len(one.scenes) for one in selection.observations) + len(selection.excluded)
        json.dumps([[one.id, one.code, one.detail] for one in selection.excluded], ensure_ascii=False).encode()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"\ud800": 1}, "item_invalid"),
        ({"id": "\ud800"}, "item_invalid"),
        ({"weight": 10**400}, "item_invalid"),
    ],
    ids=["half-a-character-as-key", "half-a-character-as-id", "a-number-of-400-digits"],
)
def test_what_a_record_could_not_hold_is_excluded_in_words_it_can(change: Item, code: str) -> None:
    """JSON may spell half a character or endless digits; the exclusion names the item in plain UTF-8, and briefly."""
    reason = the_exclusion({**earth_search_c1(), **change})

    assert reason.code == code
    assert len(f"{reason.id}{reason.detail}".encode()) < 500


@pytest.mark.parametrize("offset", [1e308, -1e308, 6.5, 7.0])
def test_an_offset_beyond_all_pixels_is_refused(offset: float) -> None:
    """A shift by more than there are digital numbers would leave nothing of the picture."""
    item = earth_search_c1()
    for asset in item["assets"].values():
        for raster in asset.get("raster:bands", []):
            raster["offset"] = offset

    assert the_exclusion(item).code == "offset_unexpected"


def real(name: str) -> list[Item]:
    """Items as downloaded from a real catalogue, unmodified."""
    folder = os.environ.get("MRV_REAL_DATA")
    if not folder:
        pytest.skip("MRV_REAL_DATA does not name the folder of real data")
    document = json.loads((Path(folder) / name).read_bytes())
    if isinstance(document, list):
        return document
    return list(document["features"]) if "features" in document else [document]


def every_month(items: list[Item]) -> list[Selection]:
    return [select(items, SENTINEL2, month) for month in sorted({i["properties"]["datetime"][:7] for i in items})]


@pytest.mark.parametrize(
    ("name", "offset", "rule"),
    [
        ("stac_json/earthsearch_v1_sentinel-2-c1-l2a_10items_T13TDE.json", -0.1, "stated"),
        ("stac_json/pc_sentinel-2-l2a_2items_T13TDE_baseline0511.json", -0.1, "baseline"),
        ("stac_json/pc_sentinel-2-l2a_13items_T35MNM_2020_jun_jul.geojson", 0.0, "baseline"),
        ("s2_cog_29RKH_20200219/S2A_29RKH_20200219_0_L2A.json", 0.0, "stated"),
    ],
)
def test_real_sentinel_2_items_are_used_whole(name: str, offset: float, rule: str) -> None:
    """Every band and its classes are found, the zero point is settled, each copy superseded is said to be."""
    items = real(name)

    selections = every_month(items)

    scenes = [scene for one in selections for observation in one.observations for scene in observation.scenes]
    superseded = [excluded for one in selections for excluded in one.excluded]
    assert len(scenes) + len(superseded) == len(items)
    assert all(excluded.code.startswith("superseded_by:") for excluded in superseded)
    for scene in scenes:
        assert {*REFLECTANCE, "scl"} <= set(scene.bands)
        assert scene.offset is not None
        assert (scene.offset.offset, scene.offset.rule) == (offset, rule)
        assert not [finding for finding in scene.findings if not finding.startswith("band_jp2")]


@pytest.mark.parametrize(
    ("name", "codes"),
    [
        ("stac_json/landsatlook_landsat-c2l2-sr_LC08_028030_20200114.json", {"platform_other"}),
        ("stac_json/pc_landsat-c2-l2_4items_LC09_089.json", {"platform_other"}),
        ("stac_json/stactools_landsat-c2-l2_LC08_047027_20201204.json", {"platform_other"}),
        ("stac_json/pc_sentinel-1-rtc_4items.json", {"platform_other"}),
        ("landsat_c2l2_LC08_008059_20191201/LC08_L2SP_008059_20191201_20200825_02_T1_SR_stac.json", {"bands_missing"}),
    ],
)
def test_real_items_of_other_missions_are_left_out(name: str, codes: set[str]) -> None:
    """Landsat of every catalogue and age, and Sentinel-1: excluded for what they are."""
    selections = every_month(real(name))

    assert not any(one.observations for one in selections)
    assert {excluded.code for one in selections for excluded in one.excluded} == codes


def test_a_real_page_of_everything_gives_only_what_is_meant() -> None:
    """Sentinel-1, L1C and both L2A collections on one page: L2A is used, its copies settled, the rest has reasons."""
    items = real("stac_json/earthsearch_v1_search_page1_mixed_with_next.json")

    [selection] = every_month(items)

    used = {scene.collection for one in selection.observations for scene in one.scenes}
    assert used <= {"sentinel-2-l2a", "sentinel-2-c1-l2a"}
    by_id = {item["id"]: item["collection"] for item in items}
    reasons = {(by_id[one.id], one.code.partition(":")[0]) for one in selection.excluded}
    assert {"platform_other"} == {code for collection, code in reasons if collection == "sentinel-1-grd"}
    assert {"bands_missing"} == {code for collection, code in reasons if collection == "sentinel-2-l1c"}
    assert {"superseded_by"} == {code for collection, code in reasons if collection.endswith("l2a")}
