"""Items that are too much: each has its reason, little of it is quoted, and the month goes on."""

from collections.abc import Callable
from typing import Any

import pytest
from dialects import earth_search_c1
from fuzzing import within_limit
from scene_builders import Item

from mrv_assets.missions.sentinel2 import SENTINEL2
from mrv_assets.scenes.item import MAX_CHARACTERS, MAX_NAME, MAX_QUOTED, MAX_VALUES
from mrv_assets.scenes.select import Selection, select


def selected(item: Item) -> Selection:
    """The month of an item and of a sound one."""
    return select([earth_search_c1("good", strip="20220710T093600"), item], SENTINEL2, "2022-07")


def with_property(name: str, value: Any) -> Item:
    """An item that says one more thing."""
    item = earth_search_c1("bad")
    item["properties"][name] = value
    return item


def with_vertices(count: int) -> Item:
    """An item of a very detailed outline."""
    item = earth_search_c1("bad")
    item["geometry"] = {"type": "Polygon", "coordinates": [[[21.0, 44.0]] * count]}
    return item


TOO_MUCH: dict[str, tuple[Callable[[], Item], str]] = {
    "vertices": (lambda: with_vertices(MAX_VALUES), f"more than {MAX_VALUES} values"),
    "millions": (lambda: with_property("x", [0] * 8_000_000), f"more than {MAX_VALUES} values"),
    "text": (lambda: with_property("x", "x" * MAX_CHARACTERS), "more than 1 MB of text"),
    "a-name": (lambda: with_property("x" * MAX_CHARACTERS, 1), "more than 1 MB of text"),
    "an-id": (lambda: earth_search_c1("i" * (MAX_NAME + 1)), f"its id has {MAX_NAME + 1} characters"),
    "a-collection": (lambda: {**earth_search_c1("bad"), "collection": "c" * 10**5}, "its collection has 100000"),
    "a-platform": (lambda: with_property("platform", "sentinel-2" + "a" * 1000), "its platform has 1010 characters"),
    "a-constellation": (lambda: with_property("constellation", "x" * 1000), "its constellation has 1000 characters"),
}


@pytest.mark.parametrize("what", TOO_MUCH)
def test_an_item_of_too_much_is_left_out_and_the_month_goes_on(what: str) -> None:
    """Each value takes microseconds to digest, and all of them would stand in the record: seconds, and megabytes."""
    make, detail = TOO_MUCH[what]
    item = make()

    with within_limit():
        selection = selected(item)

    [excluded] = selection.excluded
    assert excluded.code == "item_invalid"
    assert detail in excluded.detail
    assert len(excluded.id) <= MAX_QUOTED + 3
    assert [s.id for observation in selection.observations for s in observation.scenes] == ["good"]


def test_what_is_just_within_bounds_is_used() -> None:
    """Real items have a tenth of it."""
    for item in (
        with_vertices(MAX_VALUES // 3 - 1000),
        earth_search_c1("i" * MAX_NAME),
        with_property("x", "x" * 10**6),
    ):
        item["properties"]["s2:datastrip_id"] = "S2A_OPER_MSI_L2A_DS_2APS_20220710T154200_S20220710T093700_N04.00"

        assert selected(item).excluded == ()


def test_little_is_quoted_of_what_an_item_says() -> None:
    """A reason is read by people: the beginning is enough to find the item by."""
    item = earth_search_c1("bad")
    item["assets"] = {
        "k" * 5000: {"href": "./x.tif", "eo:bands": [{"name": "B04"}], "raster:bands": [{"scale": 5}]},
        "scl": {"href": "./scl.tif"},
    }

    [excluded] = selected(item).excluded

    assert excluded.code == "scale_unexpected"
    assert len(excluded.detail) <= MAX_QUOTED + 3
