"""A mask's values mean what its item, its collection or its known publisher says; anything else is refused."""

from typing import Any

import pytest

from mrv_assets.missions.sentinel1 import SENTINEL1
from mrv_assets.missions.sentinel2 import SENTINEL2
from mrv_assets.scenes.conditions import UnusableError
from mrv_assets.scenes.mask_classes import check_power, mask_classes

KEYS = {"vv": "vv", "mask": "mask"}


def an_item(collection: str = "mine", item_id: str = "a", **mask: Any) -> dict[str, Any]:
    """An item with a mask that states this."""
    return {"id": item_id, "collection": collection, "assets": {"vv": {}, "mask": {"href": "mask.tif", **mask}}}


def classes(*names: object) -> list[dict[str, object]]:
    """Stated classes of the values from 0 on."""
    return [{"value": value, "name": name} for value, name in enumerate(names)]


@pytest.mark.parametrize(
    "mask",
    [
        {"classification:classes": classes("No Data", "valid", "layover_and_shadow")},
        {"raster:bands": [{"classification:classes": classes("nodata", "Valid data", "both")}]},
        {"bands": [{"classification:classes": classes("fill", "clear", "layover-shadow")}]},
    ],
)
def test_stated_classes_decide(mask: dict[str, Any]) -> None:
    """On the asset, or on its only band, in any spelling."""
    assert mask_classes(an_item(**mask), KEYS, SENTINEL1, {}) == {"mask": {0: 255, 1: 0, 2: 3}}


def test_stated_classes_win_over_a_known_publisher() -> None:
    """OPERA's numbers in other hands."""
    stated = {"classification:classes": classes("invalid", "valid")}

    assert mask_classes(an_item("OPERA_L2_RTC-S1_V1", **stated), KEYS, SENTINEL1, {}) == {"mask": {0: 254, 1: 0}}


def test_the_collection_states_them_for_its_items() -> None:
    """In item_assets."""
    described = {"mask": {"classification:classes": classes("no data", "valid", "invalid")}}

    assert mask_classes(an_item(), KEYS, SENTINEL1, described) == {"mask": {0: 255, 1: 0, 2: 254}}


@pytest.mark.parametrize(
    ("item", "clear"),
    [(an_item("OPERA_L2_RTC-S1_V1"), 0), (an_item(item_id="OPERA_L2_RTC-S1_T1"), 0), (an_item("s1_rtc"), 1)],
)
def test_known_publishers_need_not_state_them(item: dict[str, Any], clear: int) -> None:
    """OPERA, by collection or by id, and Digital Earth Africa."""
    assert mask_classes(item, KEYS, SENTINEL1, {})["mask"][clear] == 0


@pytest.mark.parametrize(
    "item", [an_item(), an_item(**{"classification:classes": classes("valid", "rough")}), an_item("sentinel-1-rtc")]
)
def test_an_unknown_meaning_is_refused(item: dict[str, Any]) -> None:
    """Nothing is guessed from numbers."""
    with pytest.raises(UnusableError) as caught:
        mask_classes(item, KEYS, SENTINEL1, {})

    assert caught.value.code == "mask_unknown"


def test_without_a_mask_nothing_is_asked() -> None:
    """Planetary Computer publishes none; Sentinel-2's classes mean the same everywhere."""
    assert mask_classes(an_item(), {"vv": "vv"}, SENTINEL1, {}) == {}
    assert mask_classes({"assets": {"scl": {}}}, {"scl": "scl"}, SENTINEL2, {}) == {}


@pytest.mark.parametrize(
    "asset",
    [
        {"raster:bands": [{"unit": "dB"}]},
        {"bands": [{"unit": "decibel"}]},
        {"unit": "DB"},
        {"title": "VV gamma0 [dB]"},
        {"description": "Backscatter in decibels"},
    ],
)
def test_decibels_are_told_by_unit_or_title(asset: dict[str, Any]) -> None:
    """However they are written."""
    with pytest.raises(UnusableError) as caught:
        check_power({"vv": asset}, ["vv"])

    assert caught.value.code == "decibels"


@pytest.mark.parametrize("asset", [{}, {"unit": "1"}, {"title": "VV of the feedback database"}, None])
def test_other_words_are_not_decibels(asset: object) -> None:
    """Letters within a word."""
    check_power({"vv": asset}, ["vv"])
