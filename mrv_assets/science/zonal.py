"""Zonal statistics: parcels over pixels, by the exact fraction of each pixel that lies inside."""

from collections.abc import Sequence
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import shapely
from exactextract import exact_extract
from exactextract.raster import NumPyRasterSource
from numpy.typing import NDArray
from pyproj import CRS, Geod

from mrv_assets.science.grid import Grid, Window

_WGS84 = Geod(ellps="WGS84")


@dataclass(frozen=True, kw_only=True)
class Fractions:
    """Pixel shares of parcels, ordered by parcel, row and column; the arrays run parallel."""

    parcel: NDArray[np.int64]
    """Index of the parcel among those given."""
    row: NDArray[np.int64]
    col: NDArray[np.int64]
    """The pixel, absolute on the grid."""
    fraction: NDArray[np.float64]
    """Share of the pixel inside the parcel, (0, 1]."""

    @classmethod
    def concatenate(cls, parts: Sequence["Fractions"]) -> "Fractions":
        """The shares of several windows, one after the other."""
        return cls(
            parcel=np.concatenate([part.parcel for part in parts]),
            row=np.concatenate([part.row for part in parts]),
            col=np.concatenate([part.col for part in parts]),
            fraction=np.concatenate([part.fraction for part in parts]),
        )


def coverage_fractions(grid: Grid, window: Window, geometries: NDArray[np.object_]) -> Fractions:
    """The pixels of a window that parcels cover, and by how much.

    Args:
        grid: The analysis grid.
        window: Where to look; a parcel beyond it counts only inside it.
        geometries: Polygons in the grid's CRS. Each is measured by itself, so overlapping ones share pixels;
            of their union, each pixel counts once.

    Returns:
        Shares of the pixels inside the window; those of adjacent windows add up to those of both.
    """
    west, north = grid.x0 + window.col * grid.dx, grid.y0 + window.row * grid.dy
    east, south = west + window.width * grid.dx, north + window.height * grid.dy
    touching = np.flatnonzero(shapely.intersects(geometries, shapely.box(west, south, east, north)))
    if touching.size == 0:
        none = np.empty(0, np.int64)
        return Fractions(parcel=none, row=none, col=none, fraction=np.empty(0))
    # exactextract wants a raster; only its cells matter here, and a broadcast zero costs no memory.
    cells = NumPyRasterSource(
        np.broadcast_to(np.uint8(0), (window.height, window.width)),
        *(west, south, east, north),
        srs_wkt=CRS.from_user_input(grid.crs).to_wkt(),
    )
    frame = gpd.GeoDataFrame({"parcel": touching}, geometry=list(geometries[touching]), crs=grid.crs)
    found = exact_extract(cells, frame, ["cell_id", "coverage"], include_cols=["parcel"], output="pandas")
    sizes = [len(ids) for ids in found["cell_id"]]
    parcel = np.repeat(found["parcel"].to_numpy(np.int64), sizes)
    cell = np.concatenate([np.asarray(ids, np.int64) for ids in found["cell_id"]])
    fraction = np.concatenate([np.asarray(shares, np.float64) for shares in found["coverage"]])
    row, col = cell // window.width + window.row, cell % window.width + window.col
    order = np.lexsort((col, row, parcel))
    return Fractions(parcel=parcel[order], row=row[order], col=col[order], fraction=fraction[order])


def weighted_stats(
    values: NDArray[np.float32], shares: Fractions, parcels: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Mean, population standard deviation and valid share of each parcel.

    Args:
        values: One value for each pixel share; NaN where missing.
        shares: The pixel shares, of any number of windows.
        parcels: Number of parcels.

    Returns:
        Mean and standard deviation weighted by fraction (pixels of one grid have one area), NaN where nothing
        is valid; share of the parcel's pixels that are valid, [0, 1]. float64, (parcel,).
    """
    # Sums in the order of parcel, row and column, whatever blocks the shares came from: bincount adds one by one,
    # in the order of its input.
    order = np.lexsort((shares.col, shares.row, shares.parcel))
    parcel, weight, value = shares.parcel[order], shares.fraction[order], values[order].astype(np.float64)
    valid = ~np.isnan(value)
    total = np.bincount(parcel, weight, parcels)
    parcel, weight, value = parcel[valid], weight[valid], value[valid]
    seen = np.bincount(parcel, weight, parcels)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.bincount(parcel, weight * value, parcels) / seen
        variance = np.bincount(parcel, weight * (value - mean[parcel]) ** 2, parcels) / seen
        valid_share = np.where(total > 0, np.minimum(seen / total, 1.0), np.nan)
    return mean, np.sqrt(variance), valid_share


def geodesic_area_ha(lonlat: NDArray[np.object_]) -> NDArray[np.float64]:
    """Area on the WGS84 ellipsoid of polygons in longitude and latitude, degrees; holes are taken out.

    Returns:
        Hectares, float64, positive whichever way the rings run, rounded to 1e-6 (0.01 m2): the last bits of the
        geodesic depend on the processor's sine and cosine, and this number is part of what gets hashed.
    """
    # Outer rings counter-clockwise and holes clockwise: then holes count negative.
    oriented = shapely.orient_polygons(np.asarray(lonlat, dtype=object))
    return np.array([round(_WGS84.geometry_area_perimeter(polygon)[0] / 1e4, 6) for polygon in oriented], np.float64)


def overlaps(lonlat: NDArray[np.object_]) -> list[tuple[int, int, float]]:
    """Pairs of polygons that share ground, with the shared area in hectares; indices ascending.

    Touching edges are no overlap, nor is less than a square metre: neighbours are rarely drawn more exactly.
    """
    first, second = shapely.STRtree(lonlat).query(lonlat, predicate="intersects")
    pairs = sorted((int(a), int(b)) for a, b in zip(first, second, strict=True) if a < b)
    found = []
    for a, b in pairs:
        shared = shapely.get_parts(shapely.intersection(lonlat[a], lonlat[b]))
        polygons = np.array([part for part in shared if part.geom_type == "Polygon"], dtype=object)
        area = float(geodesic_area_ha(polygons).sum())
        if area >= 1e-4:
            found.append((a, b, round(area, 6)))
    return found
