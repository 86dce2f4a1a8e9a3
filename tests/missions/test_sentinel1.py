"""Sentinel-1 RTC: what its items, masks and numbers mean, in every dialect it is published in."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dialects_of_others import planetary_computer_s1
from scene_builders import Item
from stacks import pixels

from mrv_assets.missions.flags import Flag
from mrv_assets.missions.mission import Power
from mrv_assets.missions.sentinel1 import SENTINEL1
from mrv_assets.scenes.select import Selection, select
from mrv_assets.science.mask import dilate, measured_flags, quality_flags
from mrv_assets.science.radiometry import power_of

MONTH = "2022-07"
RADIOMETRY = SENTINEL1.radiometry
assert isinstance(RADIOMETRY, Power)


def selected(*items: Item, month: str = MONTH, orbit_direction: str = "descending") -> Selection:
    """What counts of some items."""
    return select(items, SENTINEL1, month, orbit_direction=orbit_direction)


def looking(direction: str | None, item_id: str = "a", **properties: Any) -> Item:
    """An item of one orbit direction."""
    item = planetary_computer_s1(item_id)
    stated = {} if direction is None else {"sat:orbit_state": direction}
    return {**item, "properties": {**item["properties"], **stated, **properties}}


@pytest.mark.parametrize(
    ("value", "reasons"),
    [(0, Flag(0)), (1, Flag.SHADOW), (2, Flag.LAYOVER), (3, Flag.SHADOW | Flag.LAYOVER), (255, Flag(0))],
    ids=["valid", "shadow", "layover", "both", "no mask here"],
)
def test_every_value_of_the_mask_means_what_opera_says(value: int, reasons: Flag) -> None:
    """Shadow is bit 2 and layover bit 9; where nobody made a mask, the numbers say whether there are any."""
    found = quality_flags({"mask": pixels([value], "uint8")}, SENTINEL1, cloud_probability=0.15)

    assert int(found.item()) == reasons


def test_a_value_opera_does_not_have_is_unclassified() -> None:
    """What nobody said to be valid is not."""
    found = quality_flags({"mask": pixels([7], "uint8")}, SENTINEL1, cloud_probability=0.15)

    assert int(found.item()) == Flag.UNCLASSIFIED


def test_shadow_of_terrain_does_not_grow() -> None:
    """It is computed from a terrain model, not guessed from colours as a cloud's is."""
    seen = pixels([0, int(Flag.SHADOW), 0])

    assert SENTINEL1.dilated == ()
    np.testing.assert_array_equal(dilate(seen, 1, SENTINEL1.dilated), seen)


@pytest.mark.parametrize(
    ("stated", "published", "kept"),
    [
        (-32768.0, [0.1, -32768.0, 0.0, -0.001], [0.1, np.nan, np.nan, np.nan]),
        (0.0, [0.1, -32768.0, 0.0, 2.0], [0.1, np.nan, np.nan, 2.0]),
        (np.nan, [0.1, np.nan, 0.0], [0.1, np.nan, np.nan]),
        (None, [0.1, -32768.0, 0.0, np.inf], [0.1, np.nan, np.nan, np.nan]),
        (None, [2e-7, 900.0, 9999.0, -9999.0, 3.4e38, 1e-45], [2e-7, 900.0, *[np.nan] * 4]),
        (255.0, [0.1, 255.0, 254.0], [0.1, np.nan, 254.0]),
    ],
    ids=["planetary-computer", "aws", "opera", "unstated", "unstated-others", "stated-positive"],
)
def test_what_a_file_states_for_missing_is_missing(
    stated: float | None, published: list[float], kept: list[float]
) -> None:
    """So is what is not a power that land or a point on it returns: publishers fill with zeros and others beside it."""
    found = power_of(np.array(published, np.float32), stated, RADIOMETRY)

    np.testing.assert_array_equal(found, np.array(kept, np.float32))


def test_a_pixel_is_missing_where_any_band_of_its_look_is() -> None:
    """The bands themselves say where the swath ends; a band that a look does not have says nothing."""
    bands = {
        "vv": np.array([[[0.1, np.nan]], [[0.1, 0.1]]], np.float32),
        "vh": np.full((2, 1, 2), np.nan, np.float32),
    }
    present = {"vv": np.array([True, True]), "vh": np.array([False, True])}

    found = measured_flags(bands.items(), present, RADIOMETRY)

    assert found.tolist() == [[[0, Flag.NODATA]], [[Flag.NODATA, Flag.NODATA]]]


def test_the_bands_are_found_by_every_publisher_s_keys() -> None:
    """Planetary Computer's vv and vh, AWS's gamma0_vv, OPERA's VV with its mask."""
    item = looking("descending")
    names = [("vv", "vh"), ("gamma0_vv", "gamma0_vh"), ("VV", "VH")]
    found = []

    for vv, vh in names:
        assets = {
            vv: item["assets"]["vv"],
            vh: item["assets"]["vh"],
            "mask": {"href": "./mask.tif", "classification:classes": [{"value": 0, "name": "valid"}]},
        }
        [observation] = selected({**item, "assets": assets}).observations
        found.append({name: band.key for name, band in observation.scenes[0].bands.items()})

    assert found == [{"vv": vv, "vh": vh, "mask": "mask"} for vv, vh in names]


@pytest.mark.parametrize("direction", ["ascending", "descending"])
def test_one_direction_counts_and_the_other_is_left_out_by_name(direction: str) -> None:
    """A slope is bright from one side and dark from the other: a series has one of them, the programme's."""
    items = [looking("ascending", "up"), looking("descending", "down", **{"sat:absolute_orbit": 44007})]

    selection = selected(*items, orbit_direction=direction)

    kept, other = ("up", "down") if direction == "ascending" else ("down", "up")
    [observation] = selection.observations
    assert [scene.id for scene in observation.scenes] == [kept]
    [excluded] = selection.excluded
    assert (excluded.id, excluded.code) == (other, "orbit_other")
    assert f"orbit_direction is {direction}" in excluded.detail


def test_an_item_that_does_not_say_from_where_it_looks_is_left_out() -> None:
    """It could be from either side."""
    [excluded] = selected(looking(None)).excluded

    assert (excluded.code, "not stated" in excluded.detail) == ("orbit_other", True)


def test_slices_of_one_pass_are_one_observation() -> None:
    """Sentinel-1 is cut into slices of 25 s: one absolute orbit is one look."""
    items = [looking("descending", name) for name in ("slice-1", "slice-2")]

    [observation] = selected(*items).observations

    assert (observation.rule, len(observation.scenes)) == ("absolute_orbit", 2)


@pytest.mark.skipif("MRV_REAL_DATA" not in os.environ, reason="MRV_REAL_DATA does not name the folder of real data")
def test_real_items_count() -> None:
    """Four slices of one descending pass over Libya, as Planetary Computer publishes them."""
    document = json.loads((Path(os.environ["MRV_REAL_DATA"]) / "stac_json/pc_sentinel-1-rtc_4items.json").read_bytes())
    items = document if isinstance(document, list) else document["features"]

    selection = selected(*items, month="2024-04")

    [observation] = selection.observations
    assert [set(scene.bands) for scene in observation.scenes] == [{"vv", "vh"}] * 4
    assert {one.code for one in selected(*items, month="2024-04", orbit_direction="ascending").excluded} == {
        "orbit_other"
    }
