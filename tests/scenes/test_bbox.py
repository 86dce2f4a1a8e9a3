"""The place of an item, in whatever spelling its bbox and geometry have."""

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mrv_assets.scenes.bbox import alike, place_of, spans, touches_bbox

Item = dict[str, Any]


def ring(west: float, south: float, east: float, north: float) -> list[list[float]]:
    """A rectangle's ring, counter-clockwise."""
    return [[west, south], [east, south], [east, north], [west, north], [west, south]]


def outlined(*rings: list[list[float]], bbox: object = None) -> Item:
    """An item with these polygons, and a bbox where one is given."""
    geometry = {"type": "MultiPolygon", "coordinates": [[each] for each in rings]}
    return {"geometry": geometry, **({} if bbox is None else {"bbox": bbox})}


@pytest.mark.parametrize(
    "item",
    [
        {"bbox": [179.0, -18.0, -178.0, -16.0]},
        {"bbox": [-181.0, -18.0, -178.0, -16.0]},
        {"bbox": [179.0, -18.0, 182.0, -16.0]},
        {"bbox": [179.0, -18.0, 0.0, -178.0, -16.0, 900.0]},
        outlined(ring(179, -18, 180, -16), ring(-180, -18, -178, -16)),
        outlined(ring(179, -18, -178, -16)),
        outlined(ring(179, -18, 180, -16), ring(-180, -18, -178, -16), bbox=[-180.0, -18.0, 180.0, -16.0]),
        outlined(ring(179, -18, 182, -16), bbox=[-181.0, -18.0, -178.0, -16.0]),
    ],
)
def test_one_place_in_every_spelling(item: Item) -> None:
    """Three degrees around the antimeridian: two boxes, and nothing between."""
    assert sorted(place_of(item).boxes) == [(-180.0, -18.0, -178.0, -16.0), (179.0, -18.0, 180.0, -16.0)]
    assert (place_of(item).finding, place_of(item).invalid) == ("", "")


def test_degrees_from_0_to_360_are_the_same_places() -> None:
    """Some catalogues count eastwards all the way."""
    assert place_of({"bbox": [338.0, 60.0, 340.0, 61.0]}).boxes == ((-22.0, 60.0, -20.0, 61.0),)


@pytest.mark.parametrize(
    "bbox",
    [
        [549980.0, 5048720.0, 551260.0, 5050000.0],
        [21.0, 46.0, 22.0, 45.0],
        [21.0, 45.0, 22.0],
        ["21", "45", "22", "46"],
        [float("nan"), 45.0, 22.0, 46.0],
        [True, 45.0, 22.0, 46.0],
        "here",
    ],
    ids=str,
)
def test_an_impossible_bbox_is_settled_by_a_sound_geometry(bbox: object) -> None:
    """Metres, south above north, and what is not four numbers: with a finding; without a geometry it is invalid."""
    item = outlined(ring(21, 45, 22, 46), bbox=bbox)

    assert place_of(item).boxes == ((21, 45, 22, 46),)
    assert place_of(item).finding.startswith("bbox_invalid: ")
    alone = place_of({"bbox": bbox})
    assert (alone.boxes, bool(alone.invalid)) == ((), True)


def test_exchanged_axes_are_left_to_the_files() -> None:
    """Both places are possible: neither is passed over before a file has told."""
    item = outlined(ring(21, 45, 22, 46), bbox=[45.0, 21.0, 46.0, 22.0])

    assert place_of(item).finding.startswith("bbox_conflict: ")
    assert touches_bbox(item, (21.5, 45.5, 21.6, 45.6))
    assert touches_bbox(item, (45.5, 21.5, 45.6, 21.6))


@pytest.mark.parametrize("item", [{"bbox": [-180.0, 66.0, 180.0, 69.0]}, outlined(ring(-180, 66, 180, 69))])
def test_a_scene_written_as_the_world_s_belt_lies_at_the_antimeridian(item: Item) -> None:
    """It is no scene of any other place of its latitude."""
    assert not touches_bbox(item, (25.8, 67.1, 25.9, 67.2))
    assert touches_bbox(item, (178.0, 67.1, 178.1, 67.2))
    assert touches_bbox(item, (-178.1, 67.1, -178.0, 67.2))


def test_an_item_without_a_position_is_left_out_by_name() -> None:
    """STAC allows it; nobody can tell whether it is here."""
    assert place_of({"geometry": None}).invalid == "it states no place, neither a bbox nor a geometry"
    assert touches_bbox({}, (21.0, 45.0, 22.0, 46.0))


def test_what_cannot_be_on_earth_may_lie_anywhere() -> None:
    """So that selection sees it and says why it is left out."""
    assert touches_bbox({"bbox": [0, 95, 1, 96]}, (21.0, 45.0, 22.0, 46.0))


@pytest.mark.parametrize(("other", "same"), [([-181, -18, -178, -16], True), ([170, -18, 173, -16], False)])
def test_copies_lie_at_one_place(other: list[float], same: bool) -> None:
    """However the place is written."""
    assert alike({"bbox": [179, -18, -178, -16]}, {"bbox": other}) is same


def inside(lon: float, west: float, width: float) -> bool:
    """Whether a meridian lies in a range that begins at west, on the circle."""
    return (lon - west) % 360 <= width or math.isclose((lon - west) % 360, 360)


@settings(deadline=None, max_examples=300)
@given(
    west=st.integers(-180, 179),
    width=st.integers(0, 40),
    turn=st.sampled_from([-360, 0, 360]),
    spelling=st.sampled_from(["bbox", "west>east", "ring", "jump", "split"]),
    lon=st.integers(-180, 180),
)
def test_a_scene_touches_a_place_as_on_a_globe(west: int, width: int, turn: int, spelling: str, lon: int) -> None:
    """Every spelling of a box against a point, by the arithmetic of the circle."""
    east = west + width
    wrapped = (east + 180) % 360 - 180
    item = {
        "bbox": {"bbox": [west + turn, 0, east + turn, 1]},
        "west>east": {"bbox": [west, 0, wrapped if wrapped < west else east, 1]},
        "ring": outlined(ring(west + turn, 0, east + turn, 1)),
        "jump": outlined(ring(west, 0, wrapped, 1)),
        "split": outlined(*(ring(w, 0, e, 1) for w, e in spans(west, east)), bbox=[west + turn, 0, east + turn, 1]),
    }[spelling]

    assert touches_bbox(item, (float(lon), 0.2, float(lon), 0.8)) == inside(lon, west, width)
