"""Parcels of a simulated ground: outlines where there is most of a cover, as GeoJSON or metres."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import shapely
from shapely.geometry import mapping, shape

from mrv_assets.errors import ArchiveError
from mrv_assets.science.projection import transformed
from mrv_assets.simulated.archive import Archive, Json
from mrv_assets.simulated.cover import Cover
from mrv_assets.simulated.landscape import cover_at
from mrv_assets.simulated.noise import Floats, Places, seed_of, uniform

EDGE_M = 200
"""No parcel comes nearer to the edge of the ground, where scenes end."""
_SAMPLES = 8
"""Points a side by which a place's cover is judged."""
# An octagon, outermost points 1 from its middle.
_OCTAGON = np.array(
    [(1.0, 0.4), (0.4, 1.0), (-0.4, 1.0), (-1.0, 0.4), (-1.0, -0.4), (-0.4, -1.0), (0.4, -1.0), (1.0, -0.4)]
)
_UNEVEN = 0.2
"""Distance by which a corner may lie inside."""
_DECIMALS = 8
"""Decimals of degrees: a millimetre."""


def parcels_of(archive: Archive, count: int, *, side_m: float = 400, cover: Cover = Cover.FOREST) -> Json:
    """Parcels where there is most of a cover, as a GeoJSON feature collection; clearings count as what they are first.

    Args:
        archive: Whose ground; its clearings and missions decide nothing but the cover.
        count: How many.
        side_m: Their width and height at most, metres.
        cover: Wanted.

    Returns:
        Features with a ``parcel_id``, best first, in WGS84.

    Raises:
        ArchiveError: When the ground has no room for so many.
    """
    west, south, east, north = archive.grid.bounds()
    cells = Places(
        x=np.arange(west + EDGE_M + side_m / 2, east - EDGE_M - side_m / 2 + 1, side_m)[np.newaxis, :],
        y=np.arange(south + EDGE_M + side_m / 2, north - EDGE_M - side_m / 2 + 1, side_m)[:, np.newaxis],
    )
    if cells.x.size * cells.y.size < count:
        raise ArchiveError("parcels", count, f"The ground has room for {cells.x.size * cells.y.size} of this size")
    share = _share(archive, cells, side_m, cover)
    best = np.argsort(-share, axis=None, kind="stable")[:count]
    rows, cols = np.unravel_index(best, share.shape)
    return feature_collection(
        {
            f"{cover.name.lower()}-{number:03d}": _outline(archive, cells.x[0, col], cells.y[row, 0], side_m, number)
            for number, (row, col) in enumerate(zip(rows, cols, strict=True), start=1)
        },
        archive.frame,
    )


def feature_collection(outlines: Mapping[str, shapely.Polygon], frame: str) -> Json:
    """Outlines in metres as GeoJSON, with a ``parcel_id`` each."""
    return {
        "type": "FeatureCollection",
        "features": [
            {"type": "Feature", "properties": {"parcel_id": name}, "geometry": mapping(lonlat(outline, frame))}
            for name, outline in outlines.items()
        ],
    }


def outlines_of(parcels: Json, frame: str) -> dict[str, shapely.Polygon]:
    """Outlines in metres of a GeoJSON feature collection, by ``parcel_id``."""
    return {
        feature["properties"]["parcel_id"]: _projected(shape(feature["geometry"]), "EPSG:4326", frame)
        for feature in parcels["features"]
    }


def lonlat(outline: shapely.Polygon, frame: str) -> shapely.Polygon:
    """An outline in degrees, to a millimetre."""
    degrees = _projected(outline, frame, "EPSG:4326")
    return shapely.transform(degrees, lambda xy: np.round(xy, _DECIMALS))


def _share(archive: Archive, cells: Places, side_m: float, cover: Cover) -> Floats:
    """The cover's share in the square around each place."""
    landscape = archive.landscape
    never = (False,) * len(landscape.clearings)
    total = np.zeros(cells.shape)
    steps = (np.arange(_SAMPLES) + 0.5) / _SAMPLES - 0.5
    for down in steps:
        for right in steps:
            places = Places(x=cells.x + right * side_m, y=cells.y + down * side_m)
            total += cover_at(landscape, places, never) == cover
    return total / _SAMPLES**2


def _outline(archive: Archive, x: float, y: float, side_m: float, number: int) -> shapely.Polygon:
    inside = uniform(seed_of(archive.seed, "parcel"), np.array([number]), np.arange(len(_OCTAGON)))
    corners = _OCTAGON * (1 - _UNEVEN * inside[:, np.newaxis]) * (side_m / 2)
    return shapely.Polygon(corners + np.array([x, y]))


def _projected(outline: Any, source: str, target: str) -> shapely.Polygon:
    projected = shapely.transform(outline, lambda xy: np.column_stack(transformed(source, target, xy[:, 0], xy[:, 1])))
    assert isinstance(projected, shapely.Polygon)
    return projected
