"""The truth about parcels on a simulated ground: the numbers that a mission should come near.

Worked out from the ground and never from a scene. Each index is the mean over a parcel of what pixels of 10 m without
noise, cloud or speckle have, weighted by how much of each lies in the parcel, over all days of the month.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd
import shapely

from mrv_assets.science.grid import Grid, Window
from mrv_assets.science.zonal import geodesic_area_ha
from mrv_assets.simulated.archive import Archive, Json, days_of
from mrv_assets.simulated.cover import Cover, greenness
from mrv_assets.simulated.ground import Ground, ground_of
from mrv_assets.simulated.noise import Floats
from mrv_assets.simulated.parcels import lonlat, outlines_of

PIXEL_M = 10
_PARTS = 8
"""Points along a pixel's side by which it is told how much of the pixel a parcel has."""
_BLOCK_PX = 512


def truth(archive: Archive, parcels: Json, months: Iterable[str] | None = None) -> pd.DataFrame:
    """The truth about parcels, one row for each parcel and month.

    Args:
        archive: Whose ground.
        parcels: GeoJSON feature collection in WGS84, each with a ``parcel_id``.
        months: Such as 2023-07; those of the archive by default.

    Returns:
        ``parcel_id``, ``month``; ``area_ha`` on the ellipsoid; ``water``, ``bare``, ``crop``, ``forest``: shares of
        the area on the month's last day; ``cleared_ha``: forest felled in the month, on the ellipsoid; means of
        ``ndvi``, ``evi``, ``nbr``, ``ndmi``; ``vv``, ``vh``: mean gamma naught in linear power; ``vh_vv``, ``rvi``:
        of these means, as speckle leaves them alone.
    """
    outlines = outlines_of(parcels, archive.frame)
    return pd.DataFrame(
        [
            {"parcel_id": name, "month": month, **_row(archive, outline, month)}
            for name, outline in outlines.items()
            for month in (archive.months if months is None else months)
        ]
    )


def clearings(archive: Archive) -> pd.DataFrame:
    """The clearings, one row each: ``name``, ``day``, ``area_ha`` on the ellipsoid."""
    return pd.DataFrame(
        [
            {"name": one.name, "day": one.day.isoformat(), "area_ha": _area_ha(one.outline, archive.frame)}
            for one in archive.clearings
        ],
        columns=["name", "day", "area_ha"],
    )


def indices(band: Mapping[str, Floats]) -> dict[str, Floats]:
    """Vegetation indices of reflectance, as spyndex has their formulas."""
    blue, red, nir, swir16, swir22 = (band[name] for name in ("blue", "red", "nir", "swir16", "swir22"))
    return {
        "ndvi": (nir - red) / (nir + red),
        "evi": 2.5 * (nir - red) / (nir + 6 * red - 7.5 * blue + 1),
        "nbr": (nir - swir22) / (nir + swir22),
        "ndmi": (nir - swir16) / (nir + swir16),
    }


def _row(archive: Archive, outline: shapely.Polygon, month: str) -> dict[str, float]:
    days = days_of(month)
    green = greenness(days[0].month, southern=archive.southern)
    landscape = archive.landscape
    totals: defaultdict[str, float] = defaultdict(float)
    weight = 0.0
    for window, share in _pixels_in(archive.grid, outline):
        weight += float(share.sum())
        for cleared, count in Counter(landscape.cleared(day) for day in days).items():
            ground = ground_of(landscape, archive.frame, archive.grid, window, cleared)
            for name, value in _values(ground, green).items():
                totals[name] += float((value * share).sum()) * count / len(days)
        last = ground_of(landscape, archive.frame, archive.grid, window, landscape.cleared(days[-1]))
        for cover in Cover:
            totals[cover.name.lower()] += float((last.shares[cover] * share).sum())
    means = {name: total / weight for name, total in totals.items()}
    felled = [one.outline for one in archive.clearings if days[0] <= one.day <= days[-1]]
    return {
        "area_ha": _area_ha(outline, archive.frame),
        "cleared_ha": _area_ha(shapely.intersection(outline, shapely.union_all(felled)), archive.frame),
        **means,
        "vh_vv": means["vh"] / means["vv"],
        "rvi": 4 * means["vh"] / (means["vv"] + means["vh"]),
    }


def _values(ground: Ground, green: float) -> dict[str, Floats]:
    band = {name: ground.signal(name, green) for name in ("blue", "red", "nir", "swir16", "swir22", "vv", "vh")}
    return {**indices(band), "vv": band["vv"], "vh": band["vh"]}


def _pixels_in(grid: Grid, outline: shapely.Polygon) -> Iterable[tuple[Window, Floats]]:
    """Windows that hold a parcel, and how much of each of their pixels it has, [0, 1]."""
    whole = grid.window_of(outline.bounds)
    if whole is None:
        return
    shapely.prepare(outline)
    for row in range(whole.row, whole.row + whole.height, _BLOCK_PX):
        for col in range(whole.col, whole.col + whole.width, _BLOCK_PX):
            window = Window(row, col, _BLOCK_PX, _BLOCK_PX).intersect(whole)
            assert window is not None
            west, _, _, north = grid.bounds(window)
            x = west + (np.arange(window.width * _PARTS) + 0.5) * PIXEL_M / _PARTS
            y = north - (np.arange(window.height * _PARTS) + 0.5) * PIXEL_M / _PARTS
            inside = shapely.contains_xy(outline, *np.meshgrid(x, y))
            parts = inside.reshape(window.height, _PARTS, window.width, _PARTS)
            yield window, parts.mean(axis=(1, 3))


def _area_ha(outline: shapely.Geometry, frame: str) -> float:
    parts = [lonlat(part, frame) for part in shapely.get_parts(outline) if isinstance(part, shapely.Polygon)]
    return float(geodesic_area_ha(np.array(parts, dtype=object)).sum()) if parts else 0.0
