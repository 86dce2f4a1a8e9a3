"""Pixel grids: the position of each pixel in a CRS. The analysis grid of a tile follows from its MGRS name."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mrv_assets.errors import TileError
from mrv_assets.science.projection import transformed

Bounds = tuple[float, float, float, float]
"""West, south, east, north."""


@dataclass(frozen=True, kw_only=True)
class Grid:
    """A north-up pixel grid; pixel (i, j) has its centre at (x0 + (j + 0.5) dx, y0 + (i + 0.5) dy)."""

    crs: str
    """``EPSG:nnnnn``, or WKT where no code exists."""
    x0: float
    y0: float
    """Outer corner of pixel (0, 0), CRS units."""
    dx: float
    dy: float
    """Pixel size, CRS units; dy is negative."""
    width: int
    height: int

    @classmethod
    def stated(cls, manifest: Mapping[str, Any]) -> "Grid":
        """The analysis grid that a parameter manifest states."""
        # Canonical JSON writes 600000.0 as 600000.
        x0, y0, step = (float(value) for value in (*manifest["grid"][:2], manifest["resolution_m"]))
        width, height = manifest["grid"][2:]
        return cls(crs=manifest["crs"], x0=x0, y0=y0, dx=step, dy=-step, width=width, height=height)

    @property
    def gdal_transform(self) -> tuple[float, float, float, float, float, float]:
        """GDAL's six numbers: x0, dx, 0, y0, 0, dy."""
        return self.x0, self.dx, 0.0, self.y0, 0.0, self.dy

    @property
    def x(self) -> NDArray[np.float64]:
        """Centres of the columns, CRS units."""
        return self.x0 + (np.arange(self.width, dtype=np.float64) + 0.5) * self.dx

    @property
    def y(self) -> NDArray[np.float64]:
        """Centres of the rows, CRS units, north first."""
        return self.y0 + (np.arange(self.height, dtype=np.float64) + 0.5) * self.dy

    def bounds(self, window: "Window | None" = None) -> Bounds:
        """Outer edges of a window, of the whole grid by default; CRS units."""
        window = Window(0, 0, self.height, self.width) if window is None else window
        west, north = self.x0 + window.col * self.dx, self.y0 + window.row * self.dy
        return west, north + window.height * self.dy, west + window.width * self.dx, north

    def window_of(self, bounds: Bounds) -> "Window | None":
        """The smallest window that holds the part of the grid inside the given bounds, CRS units.

        None where bounds and grid share no area; bounds that end on a pixel's edge do not include the next pixel.
        """
        west, south, east, north = bounds
        col, row = math.floor((west - self.x0) / self.dx), math.floor((north - self.y0) / self.dy)
        end_col, end_row = math.ceil((east - self.x0) / self.dx), math.ceil((south - self.y0) / self.dy)
        return Window(row, col, end_row - row, end_col - col).intersect(Window(0, 0, self.height, self.width))


@dataclass(frozen=True, order=True)
class Window:
    """A rectangle of whole pixels of a grid, by absolute index."""

    row: int
    col: int
    height: int
    width: int

    @property
    def rows(self) -> slice:
        """Row indices as a slice."""
        return slice(self.row, self.row + self.height)

    @property
    def cols(self) -> slice:
        """Column indices as a slice."""
        return slice(self.col, self.col + self.width)

    def pad(self, pixels: int, grid: Grid) -> "Window":
        """The window with a margin, clipped to the grid."""
        row, col = max(0, self.row - pixels), max(0, self.col - pixels)
        end_row = min(grid.height, self.row + self.height + pixels)
        end_col = min(grid.width, self.col + self.width + pixels)
        return Window(row, col, end_row - row, end_col - col)

    def intersect(self, other: "Window") -> "Window | None":
        """The window of the pixels that are in both windows; None where there are none."""
        row, col = max(self.row, other.row), max(self.col, other.col)
        height = min(self.row + self.height, other.row + other.height) - row
        width = min(self.col + self.width, other.col + other.width) - col
        return Window(row, col, height, width) if height > 0 and width > 0 else None


TILE_SIZE_M = 109_800
"""Side of a Sentinel-2 tile, metres."""

_NAME = re.compile(r"([0-9]{2})([C-HJ-NP-X])([A-HJ-NP-Z])([A-HJ-NP-V])")
_COLUMNS = ("STUVWXYZ", "ABCDEFGH", "JKLMNPQR")
ROWS = "ABCDEFGHJKLMNPQRSTUV"
BANDS = "CDEFGHJKLMNPQRSTUVWX"


def columns_of(zone: int) -> str:
    """Column letters of a zone, west to east."""
    return _COLUMNS[zone % 3]


def tile_epsg(tile: str) -> int:
    """EPSG code of a tile's UTM zone."""
    zone, band, _, _ = _parsed(tile)
    return (32600 if band >= "N" else 32700) + zone


def tile_grid(tile: str, resolution_m: int = 10) -> Grid:
    """The pixel grid of a Sentinel-2 MGRS tile.

    Args:
        tile: Name such as ``34TER``.
        resolution_m: Pixel size, metres; divides 109800.

    Raises:
        TileError: When the name is not that of a tile.
    """
    zone, band, column, row = _parsed(tile)
    columns = columns_of(zone)
    if column not in columns:
        raise TileError(tile, f"zone {zone} has the columns {columns}, not {column}")
    easting = (columns.index(column) + 1) * 100_000
    counted = ROWS.index(row) - (5 if zone % 2 == 0 else 0)
    # Row letters repeat every 2000 km; the latitude band says which repetition it is.
    turns = round((_band_middle(band) - 50_000 - counted * 100_000) / 2e6)
    northing = (counted + 20 * turns) * 100_000
    top = math.ceil((northing + 100_000) / 60) * 60 + (10_000_000 if band < "N" else 0)
    size = TILE_SIZE_M // resolution_m
    return Grid(
        crs=f"EPSG:{tile_epsg(tile)}",
        x0=float(easting // 60 * 60),
        y0=float(top),
        dx=float(resolution_m),
        dy=-float(resolution_m),
        width=size,
        height=size,
    )


def _parsed(tile: str) -> tuple[int, str, str, str]:
    match = _NAME.fullmatch(tile)
    if match is None or not 1 <= int(match[1]) <= 60:
        raise TileError(tile, "not a name of the Sentinel-2 MGRS grid")
    return int(match[1]), match[2], match[3], match[4]


@cache
def _band_middle(band: str) -> float:
    """Mean northing of a latitude band's two edges on a zone's central meridian, metres from the equator."""
    south = -80 + 8 * BANDS.index(band)
    north = 84 if band == "X" else south + 8
    _, northings = transformed("EPSG:4326", "EPSG:32631", [3.0, 3.0], [south, north])
    return float(northings.sum()) / 2
