"""Builders of small simulated archives, and readers of what they publish that share no code with the package."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import shapely
from numpy.typing import NDArray
from pyproj import Transformer
from shapely.geometry import shape

from mrv_assets.science.grid import Window
from mrv_assets.simulated.archive import Archive, Landsat, Sentinel1, Sentinel2
from mrv_assets.simulated.parcels import outlines_of, parcels_of
from mrv_assets.simulated.publish import Simulated

Json = dict[str, Any]

TILE, MONTH = "34TER", "2023-07"
PATCH = Window(5000, 5000, 256, 256)
"""2.56 km a side, in the middle of the tile."""
ALL = (Sentinel2(every_days=10), Landsat(every_days=16, rows=2), Sentinel1())
COLLECTIONS = {
    "sentinel2": "simulated-sentinel-2-c1-l2a",
    "landsat": "simulated-landsat-c2-l2",
    "sentinel1": "simulated-sentinel-1-rtc",
}
"""By mission."""
SCALE = {"sentinel2": (1e-4, -0.1), "landsat": (2.75e-5, -0.2)}
UNCLEAR = {
    "sentinel2": ("scl", (3, 8, 9)),
    # Cloud; shadow, in which the bit for clear stays set.
    "landsat": ("qa_pixel", (22280, 23888)),
}
"""By mission: the band that tells of clouds, and its values that mean cloud or shadow."""


def a_patch(**changed: Any) -> Archive:
    """A small archive of all missions with a clear sky."""
    given: dict[str, Any] = {"tile": TILE, "months": (MONTH,), "window": PATCH, "observers": ALL, **changed}
    return Archive(**given)


def asking(archive: Archive, count: int = 4) -> tuple[Archive, Json]:
    """The archive whose clouds are over some parcels of forest, and the parcels."""
    parcels = parcels_of(archive, count)
    return replace(archive, asked=tuple(outlines_of(parcels, archive.frame).values())), parcels


def bands_of(published: Simulated, item: Json) -> dict[str, NDArray[Any]]:
    """Every file's values, by key."""
    values = {}
    for key in item["assets"]:
        with rasterio.open(published.folder_of(item) / f"{key}.tif") as file:
            values[key] = file.read(1)
    return values


def reflectance(mission: str, numbers: NDArray[Any]) -> NDArray[np.float64]:
    """Reflectance of digital numbers, by the scale the product's publisher states."""
    scale, offset = SCALE[mission]
    return numbers.astype(np.float64) * scale + offset


def weights(path: Path, outline: shapely.Geometry) -> NDArray[np.float64]:
    """How much of each pixel of a file lies in an outline given in degrees, [0, 1]; by 100 points a pixel."""
    with rasterio.open(path) as file:
        to_file = Transformer.from_crs("EPSG:4326", file.crs, always_xy=True)
        own = shapely.transform(outline, lambda xy: np.column_stack(to_file.transform(xy[:, 0], xy[:, 1])))
        (left, right), (bottom, top) = ((own.bounds[at], own.bounds[at + 2]) for at in (0, 1))
        side, (west, north) = file.transform.a, (file.transform.c, file.transform.f)
        # Whole pixels that hold the outline; all others have none of it.
        cols = np.arange(max(int((left - west) // side), 0), min(int((right - west) // side) + 1, file.width))
        rows = np.arange(max(int((north - top) // side), 0), min(int((north - bottom) // side) + 1, file.height))
        share = np.zeros((file.height, file.width))
    if not (rows.size and cols.size):
        return share
    part = (np.arange(10) + 0.5) / 10
    x, y = (west + (cols[:, np.newaxis] + part) * side).ravel(), (north - (rows[:, np.newaxis] + part) * side).ravel()
    shapely.prepare(own)
    inside = shapely.contains_xy(own, *np.meshgrid(x, y)).reshape(rows.size, 10, cols.size, 10)
    share[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1] = inside.mean(axis=(1, 3))
    return share


def polygons(parcels: Json) -> Mapping[str, shapely.Geometry]:
    """Parcels in degrees, by id."""
    return {feature["properties"]["parcel_id"]: shape(feature["geometry"]) for feature in parcels["features"]}


def files_under(folder: Path) -> dict[str, bytes]:
    """Every file's bytes, by its path."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }


def read_json(path: Path) -> Json:
    """A JSON document."""
    document: Json = json.loads(path.read_bytes())
    return document
