"""The position of an item on Earth, by the bbox or the geometry that it states."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mrv_assets.scenes.item import is_misplaced
from mrv_assets.science.grid import Bounds


def bbox_of(item: Mapping[str, Any]) -> Bounds | None:
    """West, south, east, north of an item, degrees; None where it states no position, or its bbox is malformed."""
    bbox = item.get("bbox")
    if bbox is not None:
        if is_misplaced(item):
            return None
        half = len(bbox) // 2
        return bbox[0], bbox[1], bbox[half], bbox[half + 1]
    positions = list(_positions(item.get("geometry")))
    if not positions:
        return None
    xs, ys = zip(*positions, strict=True)
    return min(xs), min(ys), max(xs), max(ys)


def touches_bbox(item: Mapping[str, Any], bounds: Bounds) -> bool:
    """Whether the bbox of an item touches the given bounds, degrees.

    By STAC, an item without a geometry has no position. An item with a malformed bbox may lie anywhere, so the answer
    is True: the selection then leaves it out, with the reason.
    """
    if is_misplaced(item):
        return True
    bbox = bbox_of(item)
    if bbox is None or bbox[3] < bounds[1] or bounds[3] < bbox[1]:
        return False
    asked = spans(bounds[0], bounds[2])
    return any(west <= e and w <= east for west, east in spans(bbox[0], bbox[2]) for w, e in asked)


def alike(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two items have nearly the same bbox, so that one can be a copy of the other; True where one has none."""
    first, second = bbox_of(one), bbox_of(other)
    if first is None or second is None:
        return True
    (w1, s1, e1, n1), (w2, s2, e2, n2) = first, second
    e1, e2 = e1 + 360 * (e1 < w1), e2 + 360 * (e2 < w2)
    turn = 360 * round((w1 - w2) / 360)
    w2, e2 = w2 + turn, e2 + turn
    shared = max(min(e1, e2) - max(w1, w2), 0.0) * max(min(n1, n2) - max(s1, s2), 0.0)
    largest = max((e1 - w1) * (n1 - s1), (e2 - w2) * (n2 - s2))
    return shared >= ALIKE * largest


ALIKE = 0.9
"""Least share of the larger of two bboxes that copies of one scene have in common."""


def spans(west: float, east: float) -> list[tuple[float, float]]:
    """Ranges of longitude from west to east, degrees: two where they cross the antimeridian, in either spelling."""
    if west > east:
        return [(west, 180.0), (-180.0, east)]
    # Some catalogues write 170 to 190 where others write 170 to -170.
    return [(west, east), *([(west - 360, east - 360)] if east > 180 else [])]


def _positions(geometry: object) -> Iterator[Sequence[float]]:
    """Longitude and latitude of every vertex of a GeoJSON geometry, degrees."""
    pending: list[Any] = [geometry]
    while pending:
        part = pending.pop()
        if isinstance(part, dict):
            pending.extend((part.get("coordinates"), part.get("geometries")))
        elif isinstance(part, list):
            if len(part) >= 2 and all(isinstance(value, int | float) for value in part):
                yield part[:2]
            else:
                pending.extend(part)
