"""Pixel grids: where each pixel lies, in a CRS. The analysis grid of a tile follows from its MGRS name."""

import math
import re
from dataclasses import dataclass
from functools import cache

from pyproj import Transformer

from mrv_assets.errors import TileError


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


TILE_SIZE_M = 109_800
"""Side of a Sentinel-2 tile."""

_NAME = re.compile(r"(\d{2})([C-HJ-NP-X])([A-HJ-NP-Z])([A-HJ-NP-V])")
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
        TileError: When the name is no tile's.
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
    to_utm = Transformer.from_crs("EPSG:4326", "EPSG:32631", always_xy=True)
    return sum(to_utm.transform(3.0, latitude)[1] for latitude in (south, north)) / 2
