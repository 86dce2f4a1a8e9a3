"""Preview pictures: small images of a tile-month around its parcels, for a first look before the numbers."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from mrv_assets.science.grid import Grid, Window

MARGIN_PX = 24
"""Margin around the parcels, pixels of the analysis grid."""
SIDE_PX = 360
"""Longest side of a picture, pixels."""

_OUTSIDE = (228, 228, 228)
_UNSEEN = (196, 104, 76)
_SEEN = (92, 150, 104)
_OUTLINE = (24, 24, 24)
# Colours of NDVI from bare to dense, at six equal steps from 0 to 1.
_RAMP = np.array(
    [(166, 97, 26), (223, 194, 125), (240, 234, 190), (166, 217, 106), (60, 150, 70), (0, 88, 40)], np.float64
)


Piece = tuple[int, int, NDArray[Any]]
"""A block's part of a picture: its row and column on the canvas, and its values."""


@dataclass(frozen=True, kw_only=True)
class Canvas:
    """The part of the analysis grid that a picture shows: the parcels with a margin, every ``stride``-th pixel."""

    grid: Grid
    window: Window
    stride: int
    outline: NDArray[np.bool_]
    """True on the parcels' edges; dims (y, x) of the picture."""

    @classmethod
    def over(cls, grid: Grid, parcels: NDArray[np.object_]) -> "Canvas":
        """The canvas that shows all parcels, given in the grid's CRS."""
        west, south, east, north = shapely.total_bounds(parcels)
        row0 = max(0, int((north - grid.y0) // grid.dy) - MARGIN_PX)
        row1 = min(grid.height, int((south - grid.y0) // grid.dy) + 1 + MARGIN_PX)
        col0 = max(0, int((west - grid.x0) // grid.dx) - MARGIN_PX)
        col1 = min(grid.width, int((east - grid.x0) // grid.dx) + 1 + MARGIN_PX)
        window = Window(row0, col0, row1 - row0, col1 - col0)
        stride = -(-max(window.height, window.width) // SIDE_PX)
        return cls(grid=grid, window=window, stride=stride, outline=_outline(grid, window, stride, parcels))

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the picture before it is enlarged."""
        return -(-self.window.height // self.stride), -(-self.window.width // self.stride)

    def piece(self, values: NDArray[np.generic], window: Window) -> Piece:
        """A block's part of the picture: its row and column on the canvas, and every ``stride``-th value."""
        row, col = self._first(window.row, self.window.row), self._first(window.col, self.window.col)
        top = self.window.row + row * self.stride - window.row
        left = self.window.col + col * self.stride - window.col
        end_row = min(window.row + window.height, self.window.row + self.window.height) - window.row
        end_col = min(window.col + window.width, self.window.col + self.window.width) - window.col
        return (
            row,
            col,
            np.ascontiguousarray(
                values[top : max(top, end_row) : self.stride, left : max(left, end_col) : self.stride]
            ),
        )

    def _first(self, block: int, canvas: int) -> int:
        return max(0, -(-(block - canvas) // self.stride))

    def paste(self, pieces: Iterable[Piece], fill: float = 0) -> NDArray[np.float32]:
        """The picture's values, put together from the pieces of its blocks; ``fill`` where no block is active."""
        out = np.full(self.shape, fill, np.float32)
        for row, col, values in pieces:
            out[row : row + values.shape[0], col : col + values.shape[1]] = values
        return out


def _outline(grid: Grid, window: Window, stride: int, parcels: NDArray[np.object_]) -> NDArray[np.bool_]:
    shape = -(-window.height // stride), -(-window.width // stride)
    marked = np.zeros(shape, bool)
    step = grid.dx * stride / 2
    for line in shapely.boundary(parcels):
        points = shapely.get_coordinates(shapely.segmentize(line, step))
        row = (((points[:, 1] - grid.y0) / grid.dy - window.row) // stride).astype(int)
        col = (((points[:, 0] - grid.x0) / grid.dx - window.col) // stride).astype(int)
        inside = (row >= 0) & (col >= 0) & (row < shape[0]) & (col < shape[1])
        marked[row[inside], col[inside]] = True
    return marked


def coverage_picture(values: NDArray[np.float32], canvas: Canvas) -> NDArray[np.uint8]:
    """Picture of the coverage, RGB, dims (y, x, 3): green where the ground was seen at least once, brown where not."""
    palette = np.array([_OUTSIDE, _UNSEEN, _SEEN], np.uint8)
    return _finished(palette[values.astype(np.int64)], canvas)


def index_picture(values: NDArray[np.float32], canvas: Canvas) -> NDArray[np.uint8]:
    """Picture of an index, RGB, dims (y, x, 3): brown at 0 to dark green at 1, grey where missing."""
    position = np.clip(np.nan_to_num(values, nan=0.0), 0, 1).astype(np.float64) * (len(_RAMP) - 1)
    low = np.minimum(position.astype(np.int64), len(_RAMP) - 2)
    share = (position - low)[..., np.newaxis]
    colours = np.floor(_RAMP[low] * (1 - share) + _RAMP[low + 1] * share + 0.5).astype(np.uint8)
    colours[np.isnan(values)] = _OUTSIDE
    return _finished(colours, canvas)


def _finished(colours: NDArray[np.uint8], canvas: Canvas) -> NDArray[np.uint8]:
    """The picture with the parcels' outlines, enlarged by whole pixels where it is small."""
    colours = np.where(canvas.outline[..., np.newaxis], np.array(_OUTLINE, np.uint8), colours)
    zoom = max(1, SIDE_PX // max(canvas.shape))
    return np.ascontiguousarray(colours.repeat(zoom, axis=0).repeat(zoom, axis=1))
