"""A mask's values mean what its item, its collection or its known publisher says; anything else is refused."""

from typing import Any

import pytest

from mrv_assets.missions.mission import ClassQuality
from mrv_assets.missions.sentinel1 import SENTINEL1
from mrv_assets.missions.sentinel2 import SENTINEL2
from mrv_assets.scenes.conditions import UnusableError
from mrv_assets.scenes.mask_classes import mask_classes, mask_key

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
    "listed",
    [
        [{"value": "0", "name": "no data"}, {"value": "1", "name": "valid"}, {"value": 2.0, "name": "invalid"}],
        [{"value": 0.0, "description": "No data"}, {"value": "1.0", "title": "Valid"}, {"value": 2, "name": "invalid"}],
    ],
)
def test_a_value_is_a_number_however_it_is_spelled(listed: list[dict[str, Any]]) -> None:
    """A value that is passed over would leave the publisher's known numbers to decide, against the statement."""
    item = an_item("OPERA_L2_RTC-S1_V1", **{"classification:classes": listed})

    assert mask_classes(item, KEYS, SENTINEL1, {}) == {"mask": {0: 255, 1: 0, 2: 254}}


@pytest.mark.parametrize(
    "mask",
    [
        {"classification:classes": [{"value": "one", "name": "valid"}]},
        {"classification:classes": [{"value": 1.5, "name": "valid"}]},
        {"classification:classes": [{"name": "valid"}]},
        {"classification:classes": ["valid"]},
        {"classification:classes": "valid"},
        {"classification:classes": [{"value": 1, "name": "valid"}, {"value": 1, "name": "invalid"}]},
        {"classification:classes": [{"value": 1, "name": "valid", "description": "no data"}]},
        {
            "classification:classes": [{"value": 1, "name": "valid"}],
            "bands": [{"classification:classes": [{"value": 1, "name": "shadow"}]}],
        },
        {"classification:bitfields": [{"offset": 0, "length": 1, "classes": classes("valid", "invalid")}]},
    ],
)
def test_a_statement_that_is_not_understood_or_contradicts_itself_is_refused(mask: dict[str, Any]) -> None:
    """Also where the publisher is known: its numbers do not decide against what it states."""
    with pytest.raises(UnusableError) as caught:
        mask_classes(an_item("OPERA_L2_RTC-S1_V1", **mask), KEYS, SENTINEL1, {})

    assert caught.value.code == "mask_unknown"


@pytest.mark.parametrize("collection", ["s1_rtc_mine", "s1_rtc2", "operations", "opera-like"])
def test_a_publisher_is_known_by_its_whole_name(collection: str) -> None:
    """A collection whose name begins like another's is not the other."""
    with pytest.raises(UnusableError, match="is not known"):
        mask_classes(an_item(collection), KEYS, SENTINEL1, {})


def test_an_item_of_two_publishers_is_of_neither() -> None:
    """OPERA's id in Digital Earth Africa's collection."""
    with pytest.raises(UnusableError, match="is not known"):
        mask_classes(an_item("s1_rtc", "OPERA_L2_RTC-S1_T168"), KEYS, SENTINEL1, {})


TIFF = "image/tiff; application=geotiff; profile=cloud-optimized"


@pytest.mark.parametrize(
    ("key", "asset"),
    [
        *((key, {}) for key in ("mask", "MASK", "dataMask", "data_mask", "shadowMask", "layover_shadow", "VALID-MASK")),
        ("quality", {"roles": ["data-mask"]}),
        ("dm", {"roles": ["Data-Mask"], "type": TIFF}),
        ("ls_map", {"title": "Layover and shadow map"}),
        ("q", {"classification:classes": classes("no data", "valid")}),
        ("q", {"raster:bands": [{"classification:bitfields": []}]}),
    ],
)
def test_a_mask_is_found_under_any_name(key: str, asset: dict[str, Any]) -> None:
    """By key, role, title or classes, of the item or of its collection."""
    quality = SENTINEL1.quality["mask"]
    assert isinstance(quality, ClassQuality)
    files = {"vv": {"href": "vv.tif"}, "angle": {"href": "angle.tif"}, key: {"href": "q.tif", **asset}}

    assert mask_key(files, ["vv"], quality, {}) == key
    assert mask_key({**files, key: {"href": "q.tif"}}, ["vv"], quality, {key: asset}) == key


def test_other_files_are_not_masks() -> None:
    """Angles, areas, previews and documents, and the measured bands themselves, whatever their titles say."""
    quality = SENTINEL1.quality["mask"]
    assert isinstance(quality, ClassQuality)
    files = {
        "vv": {"href": "vv.tif", "title": "VV, masked for layover"},
        "angle": {"href": "angle.tif", "title": "Local incidence angle"},
        "area": {"href": "area.tif"},
        "mask_preview": {"href": "mask.png", "type": "image/png"},
        "mask_thumbnail": {"href": "mask.tif", "roles": ["thumbnail"]},
        "mask.json": {"href": "mask.json", "type": "application/json"},
    }

    assert mask_key(files, ["vv"], quality, {}) is None


def test_one_file_under_two_keys_is_one_mask_and_two_files_are_refused() -> None:
    """Of two masks one would be passed over."""
    quality = SENTINEL1.quality["mask"]
    assert isinstance(quality, ClassQuality)
    same = {"dm": {"href": "mask.tif", "roles": ["data-mask"]}, "mask": {"href": "mask.tif"}}

    assert mask_key(same, [], quality, {}) == "mask"
    with pytest.raises(UnusableError, match=r"several masks \(dataMask, shadowMask\)"):
        mask_key({"shadowMask": {"href": "a.tif"}, "dataMask": {"href": "b.tif"}}, [], quality, {})
    with pytest.raises(UnusableError, match="JPEG 2000"):
        mask_key({"mask": {"href": "mask.jp2"}}, [], quality, {})
