"""The place of an item on Earth, by the bbox and the geometry that it states, which may be written in many ways."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from mrv_assets.scenes.item import quoted
from mrv_assets.science.grid import Bounds

BELT_DEG = 350.0
"""Degrees of longitude from which an outline is not a scene's own: it crosses the antimeridian, and was written as the
whole belt of the world between its latitudes."""
SCENE_KM = 500.0
"""Greatest width of a scene: one that is written as a belt lies within it of the antimeridian."""
ALIKE = 0.9
"""Least share of the larger of two places that copies of one scene have in common."""
_KM_PER_DEG = 111.32
MAX_QUOTED = 200


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where an item lies."""

    boxes: tuple[Bounds, ...]
    """West, south, east, north, degrees, longitudes within [-180, 180], none across the antimeridian; empty where the
    item states no position, or none that can be on Earth."""
    finding: str = ""
    """What is wrong with the statement that was settled by another, ``code: detail``."""
    invalid: str = ""
    """Why the item states a position that cannot be on Earth; empty where it is sound, or none is stated."""


def place_of(item: Mapping[str, Any]) -> Place:
    """The place of an item: its bbox, where its geometry does not contradict it.

    Longitudes may be written beyond 180 degrees either way, and a box whose west exceeds its east crosses the
    antimeridian. Where the bbox cannot be on Earth, the geometry is believed. Where both can, and lie apart, both are
    believed until the files tell.
    """
    stated, geometry = item.get("bbox"), item.get("geometry")
    if stated is None and geometry is None:
        return Place(boxes=(), invalid="it states no place, neither a bbox nor a geometry")
    box = None if stated is None else _box(stated)
    outline = None if geometry is None else _outline(geometry)
    if stated is not None and box is None and not outline:
        return Place(boxes=(), invalid=f"its bbox is not west, south, east, north in degrees: {_quoted(stated)}")
    if stated is None and geometry is not None and outline is None:
        return Place(boxes=(), invalid="its geometry has no positions of longitude and latitude in degrees")
    if not box:
        boxes = tuple(_unbelted(outline or []))
        if stated is None:
            return Place(boxes=boxes)
        finding = f"bbox_invalid: its bbox {_quoted(stated)} is not in degrees, its geometry was believed"
        return Place(boxes=boxes, finding=finding)
    if not outline:
        return Place(boxes=tuple(_unbelted(box)))
    if not _touch(box, outline):
        finding = f"bbox_conflict: its bbox {_quoted(stated)} and its geometry lie apart, its files have to tell"
        return Place(boxes=(*box, *outline), finding=finding)
    # The bbox of an outline on both sides of the antimeridian is often written as the belt between.
    return Place(boxes=tuple(_unbelted(box if _width(box) <= _width(outline) else outline)))


def touches_bbox(item: Mapping[str, Any], bounds: Bounds) -> bool:
    """Whether the place of an item touches the given bounds, degrees.

    An item without a position, or with one that cannot be on Earth, may lie anywhere, so the answer is True: the
    selection then leaves it out, with the reason.
    """
    place = place_of(item)
    asked = _spanned(bounds)
    # The antimeridian has two names.
    seam = [(-box[edge], box[1], -box[edge], box[3]) for box in asked for edge in (0, 2) if abs(box[edge]) == 180]
    return bool(place.invalid) or _touch(place.boxes, [*asked, *seam])


def alike(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two items lie nearly at the same place, so that one can be a copy of the other; True without a place."""
    return covers(one, other) and covers(other, one)


def covers(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether an item lies nearly everywhere that the other lies, so that no ground is lost; True without a place."""
    first, second = place_of(one).boxes, place_of(other).boxes
    if not first or not second:
        return True
    shared = sum(
        max(min(a[2], b[2]) - max(a[0], b[0]), 0.0) * max(min(a[3], b[3]) - max(a[1], b[1]), 0.0)
        for a in first
        for b in second
    )
    return shared >= ALIKE * sum((east - west) * (north - south) for west, south, east, north in second)


def spans(west: float, east: float) -> list[tuple[float, float]]:
    """Ranges of longitude from west to east within [-180, 180], degrees: two where they cross the antimeridian."""
    width = (east - west) % 360 if west > east else east - west
    if width >= 360:
        return [(-180.0, 180.0)]
    start = west if -180 <= west < 180 else (west + 180) % 360 - 180
    end = start + width if start != west or west > east else east
    if end <= 180:
        return [(start, end)]
    return [(start, 180.0), (-180.0, end - 360)]


def _box(stated: object) -> list[Bounds] | None:
    """The boxes of a stated bbox; None where it cannot be on Earth."""
    if not (isinstance(stated, list) and len(stated) in (4, 6) and all(map(_is_number, stated))):
        return None
    half = len(stated) // 2
    west, south, east, north = stated[0], stated[1], stated[half], stated[half + 1]
    if not (-90 <= south <= north <= 90 and max(abs(west), abs(east)) <= 720 and east - west <= 360):
        return None
    return _spanned((west, south, east, north))


def _outline(geometry: object) -> list[Bounds] | None:
    """The boxes of a geometry's parts; None where it has no position, or one that cannot be on Earth."""
    boxes: list[Bounds] = []
    for path in _paths(geometry):
        if not all(_is_number(value) for position in path for value in position[:2]):
            return None
        lats = [position[1] for position in path]
        if max(map(abs, lats)) > 90 or max(abs(position[0]) for position in path) > 720:
            return None
        lons, turned = [path[0][0]], 0
        for before, position in pairwise(path):
            step = position[0] - before[0]
            # A step over half of the world is one over the antimeridian; one around all of it is a belt's edge.
            turned -= 0 if abs(step) >= 360 else 360 * round(step / 360)
            lons.append(position[0] + turned)
        boxes += _spanned((min(lons), min(lats), max(lons), max(lats)))
    return boxes or None


def _paths(geometry: object) -> Iterator[list[Sequence[Any]]]:
    """Each ring, line or point of a GeoJSON geometry, as its positions."""
    pending: list[Any] = [geometry]
    while pending:
        part = pending.pop()
        if isinstance(part, dict):
            pending.extend((part.get("coordinates"), part.get("geometries")))
        elif isinstance(part, list) and part:
            if _is_position(part):
                yield [part]
            elif all(_is_position(inner) for inner in part):
                yield part
            else:
                pending.extend(part)


def _is_position(part: object) -> bool:
    return isinstance(part, list) and len(part) >= 2 and not any(isinstance(value, list | dict) for value in part)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < math.inf


def _spanned(bounds: Bounds) -> list[Bounds]:
    return [(west, bounds[1], east, bounds[3]) for west, east in spans(bounds[0], bounds[2])]


def _width(boxes: Sequence[Bounds]) -> float:
    return sum(east - west for west, _, east, _ in boxes)


def _unbelted(boxes: Sequence[Bounds]) -> Iterator[Bounds]:
    """The boxes; a belt around the world as the neighbourhood of the antimeridian that a scene in it can reach."""
    for west, south, east, north in boxes:
        if east - west < BELT_DEG:
            yield west, south, east, north
            continue
        nearest_pole = max(abs(south), abs(north))
        reach = min(SCENE_KM / (_KM_PER_DEG * max(math.cos(math.radians(nearest_pole)), 1e-3)), 180.0)
        yield 180.0 - reach, south, 180.0, north
        yield -180.0, south, reach - 180.0, north


def _quoted(stated: object) -> str:
    """The beginning of a statement, as a record can hold it."""
    return quoted(json.dumps(stated, default=str)[:MAX_QUOTED])


def _touch(boxes: Sequence[Bounds], others: Sequence[Bounds]) -> bool:
    return any(a[0] <= b[2] and b[0] <= a[2] and a[1] <= b[3] and b[1] <= a[3] for a in boxes for b in others)
