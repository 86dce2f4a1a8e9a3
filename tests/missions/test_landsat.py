"""Landsat 8/9 C2 L2: what its items and quality bits mean, in every dialect it is published in."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from dialects_of_others import earth_search_landsat, landsatlook, old_landsatlook, planetary_computer_landsat
from scene_builders import Item
from stacks import pixels

from mrv_assets.missions.flags import Flag
from mrv_assets.missions.landsat import LANDSAT
from mrv_assets.scenes.select import Selection, select
from mrv_assets.science.mask import quality_flags

MONTH = "2022-07"


def flagged(qa: int, radsat: int = 0, *, snow_is_clear: bool = False) -> int:
    """Why one pixel is unclear."""
    quality = {"qa_pixel": pixels([qa]), "qa_radsat": pixels([radsat])}
    return int(quality_flags(quality, LANDSAT, cloud_probability=0.15, snow_is_clear=snow_is_clear).item())


def selected(*items: Item, month: str = MONTH) -> Selection:
    """What counts of some items."""
    return select(items, LANDSAT, month)


def stating(item: Item, **properties: Any) -> Item:
    """An item with other properties; ``__`` stands for the colon, None takes one away."""
    changed = {**item["properties"], **{name.replace("__", ":"): value for name, value in properties.items()}}
    return {**item, "properties": {name: value for name, value in changed.items() if value is not None}}


@pytest.mark.parametrize(
    ("qa", "reasons"),
    [
        (21824, Flag(0)),
        (21952, Flag(0)),
        (22280, Flag.CLOUD),
        (23888, Flag.SHADOW),
        (54596, Flag.CIRRUS),
        (1, Flag.NODATA),
        (21826, Flag.DILATION),
        (30048, Flag.SNOW),
    ],
    ids=["clear", "clear water", "cloud", "shadow", "cirrus", "fill", "dilated cloud", "snow"],
)
def test_every_published_value_means_what_usgs_says(qa: int, reasons: Flag) -> None:
    """Worked values of USGS: shadow and cirrus keep the bit that says clear, and are not."""
    assert flagged(qa) == reasons


@pytest.mark.parametrize("bit", range(16))
def test_only_bits_0_to_5_make_a_pixel_unclear(bit: int) -> None:
    """Clear, water and how sure each is are no reasons; each of the others is one, alone."""
    assert (flagged(1 << bit) != 0) == (bit <= 5)


def test_a_pixel_that_is_not_called_clear_is_not_unclear_for_that() -> None:
    """Water may lack bit 6; nothing is concluded from it, set or not."""
    assert flagged(1 << 7) == flagged(1 << 6 | 1 << 7) == 0


@pytest.mark.parametrize("bit", range(16))
def test_any_bit_of_radsat_makes_a_pixel_unclear(bit: int) -> None:
    """Saturated in any band, or hidden behind terrain (bit 11): none of its indices can be trusted."""
    assert flagged(21824, 1 << bit) == (Flag.NODATA if bit == 11 else Flag.SATURATED)


def test_snow_is_clear_where_the_programme_says_so() -> None:
    """And only snow: cloud over snow stays cloud."""
    assert flagged(30048, snow_is_clear=True) == 0
    assert flagged(30048 | 1 << 3, snow_is_clear=True) == Flag.CLOUD


@pytest.mark.parametrize(
    "item",
    [landsatlook(), planetary_computer_landsat(), earth_search_landsat()],
    ids=["landsatlook", "planetary-computer", "earth-search"],
)
def test_every_dialect_gives_every_band(item: Item) -> None:
    """By common name, quality by key; nothing has to be shifted, stated or not."""
    [observation] = selected(item).observations

    [scene] = observation.scenes
    assert {name: band.key for name, band in scene.bands.items()} == {
        name: name for name in ("blue", "red", "nir08", "swir16", "swir22", "qa_pixel", "qa_radsat")
    }
    assert scene.offset is not None
    assert scene.offset.offset == -0.2
    assert observation.rule == "pass"


def test_bands_without_common_names_are_found_by_their_files_keys() -> None:
    """USGS's catalogue in STAC 0.7 numbers its bands; the keys are the files' names."""
    item = stating(old_landsatlook(), landsat__collection_category="T1")
    newer = landsatlook()["assets"]
    item["assets"] |= {f"QA_{name}.TIF": newer[f"qa_{name.lower()}"] for name in ("PIXEL", "RADSAT")}

    [observation] = selected(item).observations

    bands = observation.scenes[0].bands
    assert (bands["nir08"].key, bands["qa_pixel"].key) == ("SR_B5.TIF", "QA_PIXEL.TIF")


@pytest.mark.parametrize(
    ("properties", "code", "said"),
    [
        ({"landsat__collection_category": "T2"}, "tier_other", "is T2"),
        ({"landsat__collection_category": "RT"}, "tier_other", "is RT"),
        ({"landsat__collection_category": None}, "tier_other", "states no landsat:collection_category"),
        ({"landsat__correction": "L1TP"}, "correction_other", "is L1TP"),
        ({"platform": "landsat-7"}, "platform_other", "landsat-7"),
    ],
    ids=["tier-2", "real-time", "no-tier", "level-1", "landsat-7"],
)
def test_only_tier_1_surface_reflectance_of_8_and_9_counts(properties: dict[str, Any], code: str, said: str) -> None:
    """The others are left out by name: places off by pixels, numbers of another scale, other bands."""
    selection = selected(stating(planetary_computer_landsat(), **properties))

    [excluded] = selection.excluded
    assert selection.observations == ()
    assert excluded.code == code
    assert said in excluded.detail


def test_two_rows_of_one_pass_are_one_observation() -> None:
    """They follow each other by 24 seconds, and overlap; the next pass of the same satellite is another look."""
    items = [
        stating(planetary_computer_landsat(name), **{"datetime": when, "landsat:wrs_row": row})
        for name, row, when in (
            ("row-29", "029", "2022-07-10T09:10:00.5Z"),
            ("row-30", "030", "2022-07-10T09:10:24.4Z"),
            ("later", "029", "2022-07-10T10:49:00Z"),
        )
    ]

    observations = selected(*items).observations

    assert [[scene.id for scene in one.scenes] for one in observations] == [["row-29", "row-30"], ["later"]]


def test_two_satellites_minutes_apart_are_two_observations() -> None:
    """Landsat 8 and 9 are two looks, however near in time."""
    items = [stating(planetary_computer_landsat(name), platform=name) for name in ("landsat-8", "landsat-9")]

    assert len(selected(*items).observations) == 2


def test_a_scale_that_is_not_the_product_s_is_refused() -> None:
    """Collection 1 had 0.0001: read as Collection 2 it would be another forest."""
    item = planetary_computer_landsat()
    for asset in item["assets"].values():
        asset["raster:bands"] = [{"scale": 0.0001}]

    assert selected(item).excluded[0].code == "scale_unexpected"


def test_sentinel_2_s_forest_and_landsat_s_are_the_same_index() -> None:
    """NDVI of Landsat takes its one near infrared, NBR the same and swir22."""
    assert LANDSAT.stand_ins == {"nir": "nir08"}
    assert set(LANDSAT.indices) == {"ndvi", "evi", "nbr", "ndmi"}


@pytest.mark.skipif("MRV_REAL_DATA" not in os.environ, reason="MRV_REAL_DATA does not name the folder of real data")
@pytest.mark.parametrize(
    ("name", "month", "used", "left_out"),
    [
        ("pc_landsat-c2-l2_4items_LC09_089.json", "2024-04", 2, {"tier_other"}),
        ("landsatlook_landsat-c2l2-sr_LC08_028030_20200114.json", "2020-01", 1, set()),
        ("stactools_landsat-c2-l2_LC08_047027_20201204.json", "2020-12", 1, set()),
    ],
)
def test_real_items_count(name: str, month: str, used: int, left_out: set[str]) -> None:
    """Items as three catalogues publish them: Tier 1 with all seven bands, Tier 2 left out; two rows, one look."""
    document = json.loads((Path(os.environ["MRV_REAL_DATA"]) / "stac_json" / name).read_bytes())
    items = document if isinstance(document, list) else document.get("features", [document])

    selection = selected(*items, month=month)

    assert {item.code for item in selection.excluded} == left_out
    [observation] = selection.observations
    assert len(observation.scenes) == used
    assert all(len(scene.bands) == 7 for scene in observation.scenes)
