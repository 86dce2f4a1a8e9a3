"""Grids in longitude and latitude, for exports only: no number of the lake is computed on one."""

import math

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import Geod

from mrv_assets.errors import ExportError
from mrv_assets.export.options import DEGREES
from mrv_assets.science.grid import Grid, Window
from mrv_assets.science.projection import transformed

MOST_PIXELS = 1 << 32
"""Most pixels of one exported raster; beyond that the resolution is taken for a typing error."""
_ALONG_EDGE = 64
"""Straight lines of each edge of a window, which is a curve in the other CRS."""
_DECIMALS = 9
_WGS84 = Geod(ellps="WGS84")


def degrees_grid(grid: Grid, window: Window, step: float) -> Grid:
    """The grid in degrees that covers a window of another grid.

    Its lines lie on multiples of the step, so that neighbouring grids share them. East of the antimeridian longitudes
    continue beyond 180.

    Raises:
        ExportError: When it would have more than ``MOST_PIXELS`` pixels.
    """
    west, south, east, north = lonlat_bounds(grid, window)
    col, end_col = math.floor(west / step), math.ceil(east / step)
    row, end_row = math.ceil(north / step), math.floor(south / step)
    degrees = Grid(
        crs=DEGREES,
        # Rounded, because a product of decimals has an error in its last digits.
        x0=round(col * step, 12),
        y0=round(row * step, 12),
        dx=step,
        dy=-step,
        width=end_col - col,
        height=row - end_row,
    )
    if degrees.width * degrees.height > MOST_PIXELS:
        reason = f"it gives {degrees.width} x {degrees.height} pixels"
        raise ExportError("--resolution", f"{step:g}", reason, "Give larger pixels, or leave --crs out")
    return degrees


def lonlat_bounds(grid: Grid, window: Window) -> tuple[float, float, float, float]:
    """West, south, east, north of a window, WGS84 degrees; east is beyond 180 where it crosses the antimeridian."""
    (west, south), (east, north) = (edge(outline(grid, window), axis=0) for edge in (np.min, np.max))
    return float(west), float(south), float(east), float(north)


def outline(grid: Grid, window: Window, pieces: int = _ALONG_EDGE) -> NDArray[np.float64]:
    """Longitude and latitude along a window's edge, WGS84 degrees, closed, counter-clockwise.

    East of the antimeridian longitudes continue beyond 180.

    Args:
        grid: Any grid.
        window: A window of the grid.
        pieces: Straight lines of each longer edge, which is a curve in degrees.
    """
    west, south, east, north = grid.bounds(window)
    edge = shapely.segmentize(shapely.box(west, south, east, north), max(east - west, north - south) / pieces)
    x, y = shapely.get_coordinates(edge).T
    lon, lat = transformed(grid.crs, DEGREES, x, y)
    # A tile is a degree or two wide, so longitudes more than 180 apart lie on both sides of the antimeridian.
    lon = np.where(lon < lon.max() - 180, lon + 360, lon)
    # The last digits of PROJ differ between its versions.
    return np.asarray(np.round(np.column_stack([lon, lat]), _DECIMALS), np.float64)


def pixel_area_m2(grid: Grid) -> tuple[float, float]:
    """Latitude of the middle of a grid in degrees, and the geodesic area of a pixel there in square metres."""
    middle = grid.y0 + grid.dy * (grid.height // 2)
    ring_lon, ring_lat = [0, grid.dx, grid.dx, 0], [middle, middle, middle - grid.dy, middle - grid.dy]
    area, _ = _WGS84.polygon_area_perimeter(ring_lon, ring_lat)
    return middle, abs(float(area))
