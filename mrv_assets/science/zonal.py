"""Zonal statistics: parcels over pixels, by the exact fraction of each pixel that lies inside."""

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
    place = parcel * (window.height * window.width) + cell
    if np.all(place[1:] > place[:-1]):
        # Its usual order; sorting a block of ten million pixels would cost more than all the rest.
        return Fractions(parcel=parcel, row=row, col=col, fraction=fraction)
    order = np.argsort(place, kind="stable")
    return Fractions(parcel=parcel[order], row=row[order], col=col[order], fraction=fraction[order])


@dataclass(frozen=True, kw_only=True)
class Moments:
    """What one block says of each parcel's values; merged in the order of the blocks, they give the whole.

    float64, (parcel,). Weights are pixel fractions: the pixels of one grid have one area.
    """

    total: NDArray[np.float64]
    """Weight of the parcel's pixels."""
    seen: NDArray[np.float64]
    """Weight of those with a value."""
    mean: NDArray[np.float64]
    """Weighted mean of the values; 0 where nothing is seen."""
    spread: NDArray[np.float64]
    """Weighted sum of squared differences from the mean."""

    def merge(self, other: "Moments") -> "Moments":
        """The moments of both, without cancellation (Chan, Golub and LeVeque 1979)."""
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
        """Mean and population standard deviation, NaN where nothing is seen; share of the weight that is seen."""
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
    # bincount adds one by one, in the order of its input, which is parcel, row and column.
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
