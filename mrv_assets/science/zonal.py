"""Zonal statistics of parcels, weighted by the exact fraction of each pixel that lies inside the parcel."""

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
    """Pixel shares of parcels, as parallel arrays ordered by parcel, row and column."""

    parcel: NDArray[np.int64]
    """Index of the parcel in the given geometries."""
    row: NDArray[np.int64]
    col: NDArray[np.int64]
    """Row and column of the pixel, absolute on the grid."""
    fraction: NDArray[np.float64]
    """Share of the pixel inside the parcel, (0, 1]."""


def coverage_fractions(grid: Grid, window: Window, geometries: NDArray[np.object_]) -> Fractions:
    """The share of each pixel of a window that lies inside each parcel.

    Args:
        grid: The analysis grid.
        window: Window of the grid; only the part of a parcel inside it counts.
        geometries: Polygons in the grid's CRS. Each is measured by itself, so overlapping polygons share pixels; in
            their union, each pixel counts once.

    Returns:
        Shares of the pixels inside the window; adjacent windows together give the shares of their union.
    """
    west, north = grid.x0 + window.col * grid.dx, grid.y0 + window.row * grid.dy
    east, south = west + window.width * grid.dx, north + window.height * grid.dy
    touching = np.flatnonzero(shapely.intersects(geometries, shapely.box(west, south, east, north)))
    if touching.size == 0:
        none = np.empty(0, np.int64)
        return Fractions(parcel=none, row=none, col=none, fraction=np.empty(0))
    # exactextract needs a raster; only its cells matter here, and a broadcast zero takes no memory.
    cells = NumPyRasterSource(
        np.broadcast_to(np.uint8(0), (window.height, window.width)),
        *(west, south, east, north),
        srs_wkt=CRS.from_user_input(grid.crs).to_wkt(),
    )
    frame = gpd.GeoDataFrame({"parcel": touching}, geometry=list(geometries[touching]), crs=grid.crs)
    shares_table = exact_extract(cells, frame, ["cell_id", "coverage"], include_cols=["parcel"], output="pandas")
    sizes = [len(ids) for ids in shares_table["cell_id"]]
    parcel = np.repeat(shares_table["parcel"].to_numpy(np.int64), sizes)
    cell = np.concatenate([np.asarray(ids, np.int64) for ids in shares_table["cell_id"]])
    fraction = np.concatenate([np.asarray(shares, np.float64) for shares in shares_table["coverage"]])
    row, col = cell // window.width + window.row, cell % window.width + window.col
    rank = parcel * (window.height * window.width) + cell
    if np.all(rank[1:] > rank[:-1]):
        # exactextract's usual order; a sort of a block of ten million pixels would take longer than all the rest.
        return Fractions(parcel=parcel, row=row, col=col, fraction=fraction)
    order = np.argsort(rank, kind="stable")
    return Fractions(parcel=parcel[order], row=row[order], col=col[order], fraction=fraction[order])


@dataclass(frozen=True, kw_only=True)
class Moments:
    """Weighted moments of each parcel's values in one block; merged in the order of the blocks, they give the whole.

    All arrays are float64, (parcel,). Weights are pixel fractions: all pixels of a grid have the same area.
    """

    total: NDArray[np.float64]
    """Weight of the parcel's pixels."""
    seen: NDArray[np.float64]
    """Weight of the parcel's pixels that have a value."""
    mean: NDArray[np.float64]
    """Weighted mean of the values; 0 where nothing is seen."""
    spread: NDArray[np.float64]
    """Weighted sum of squared differences from the mean."""

    def merge(self, other: "Moments") -> "Moments":
        """The moments of both blocks together, without cancellation (Chan, Golub and LeVeque 1979)."""
        seen = self.seen + other.seen
        share = np.divide(other.seen, seen, out=np.zeros_like(seen), where=seen > 0)
        apart = other.mean - self.mean
        return Moments(
            total=self.total + other.total,
            seen=seen,
            mean=self.mean + apart * share,
            spread=self.spread + other.spread + apart * apart * self.seen * share,
        )

    def statistics(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Mean and population standard deviation, NaN where nothing is seen; and the share of the weight that is seen.

        Each is float64, (parcel,); the share is in [0, 1], NaN where a parcel has no pixels.
        """
        nothing = np.full(self.seen.shape, np.nan)
        variance = np.divide(self.spread, self.seen, out=nothing.copy(), where=self.seen > 0)
        share = np.divide(self.seen, self.total, out=nothing.copy(), where=self.total > 0)
        return np.where(self.seen > 0, self.mean, np.nan), np.sqrt(variance), np.minimum(share, 1.0)


def moments(values: NDArray[np.float32], shares: Fractions, parcels: int) -> Moments:
    """The moments of each parcel's values in one block.

    Args:
        values: One value for each pixel share; NaN where missing.
        shares: The block's pixel shares.
        parcels: Number of parcels.
    """
    valid = ~np.isnan(values)
    parcel, weight = shares.parcel[valid], shares.fraction[valid]
    value = values[valid].astype(np.float64)
    # bincount adds its input one by one, in the input's order: by parcel, row and column.
    seen = np.bincount(parcel, weight, parcels).astype(np.float64)
    sums = np.bincount(parcel, weight * value, parcels)
    mean = np.divide(sums, seen, out=np.zeros_like(seen), where=seen > 0)
    return Moments(
        total=np.bincount(shares.parcel, shares.fraction, parcels).astype(np.float64),
        seen=seen,
        mean=mean,
        spread=np.bincount(parcel, weight * (value - mean[parcel]) ** 2, parcels).astype(np.float64),
    )


def geodesic_area_ha(lonlat: NDArray[np.object_]) -> NDArray[np.float64]:
    """Areas of polygons on the WGS84 ellipsoid, without their holes.

    Args:
        lonlat: Polygons in longitude and latitude, WGS84 degrees.

    Returns:
        Hectares, float64, positive whatever the direction of the rings, rounded to 1e-6 (0.01 m2): the last bits of the
        geodesic depend on the CPU's sine and cosine, and this number enters audit hashes.
    """
    # Outer rings run counter-clockwise and holes clockwise, so that holes count as negative areas.
    oriented = shapely.orient_polygons(np.asarray(lonlat, dtype=object))
    return np.array([round(_WGS84.geometry_area_perimeter(polygon)[0] / 1e4, 6) for polygon in oriented], np.float64)


def overlaps(lonlat: NDArray[np.object_]) -> list[tuple[int, int, float]]:
    """Pairs of polygons that overlap, with the shared area in hectares; indices ascending.

    Touching edges are not an overlap, nor is less than a square metre: neighbours are rarely drawn more exactly.
    """
    first, second = shapely.STRtree(lonlat).query(lonlat, predicate="intersects")
    pairs = sorted((int(a), int(b)) for a, b in zip(first, second, strict=True) if a < b)
    overlapping = []
    for a, b in pairs:
        shared = shapely.get_parts(shapely.intersection(lonlat[a], lonlat[b]))
        polygons = np.array([part for part in shared if part.geom_type == "Polygon"], dtype=object)
        area = float(geodesic_area_ha(polygons).sum())
        if area >= 1e-4:
            overlapping.append((a, b, round(area, 6)))
    return overlapping
