"""Positions of one grid's pixels in another grid, from absolute pixel indices, so that windows do not matter.

Within one CRS the position of a target pixel in the source is affine arithmetic. Between two CRS it is computed on
control points every ``CONTROL_STEP_PX`` target pixels and interpolated.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from pyproj import CRS

from mrv_assets.science.grid import Grid, Window
from mrv_assets.science.jit import kernel
from mrv_assets.science.projection import transformed

CONTROL_STEP_PX = 32
"""Target pixels between control points, counted from the target's origin."""
NODE_STEPS = 2.0**16
"""Steps per source pixel to which a control point is rounded: PROJ's last bits differ between CPUs."""
TIE_PX = 2.0**-15
"""Tolerance at an edge, source pixels: a centre this close before a pixel's edge belongs to the next pixel.

Ties are common (every Landsat origin is 15 mod 30), and rounding noise must not decide them."""
COARSER = 1.25
"""Ratio of pixel sizes from which a target is coarser than the source: 30 m is coarser than 20 m; 10 m is not coarser
than 10 m in any pair of CRS."""
CONGRUENT_PX = 2.0**-20
"""Largest distance between the pixel corners of two congruent grids of one CRS, source pixels."""


@lru_cache(maxsize=4096)
def is_coarser(source: Grid, target: Grid) -> bool:
    """Whether a target pixel is ``COARSER`` times the size of a source pixel or more, at the target's centre.

    The size is the square root of the area. False where the target's centre has no position in the source's CRS.
    """
    i, j = target.height // 2, target.width // 2
    nodes = nodes_of(source, target, Window(i, j, 1, 1))
    down, right = edges(nodes.rows, nodes.cols, nodes.lattice, nodes.scale, i, j)
    return bool(abs(down[0] * right[1] - down[1] * right[0]) >= COARSER**2)


def whole_shift(source: Grid, target: Grid) -> tuple[int, int] | None:
    """Source index of target pixel (0, 0) if every target pixel is a source pixel, else None."""
    if not _same_crs(source.crs, target.crs):
        return None
    shifts = []
    for origin, step, size, source_origin, source_step in (
        (target.y0, target.dy, target.height, source.y0, source.dy),
        (target.x0, target.dx, target.width, source.x0, source.dx),
    ):
        first = (origin - source_origin) / source_step
        last = (origin + size * step - source_origin) / source_step - size
        shift = round(first)
        if abs(first - shift) > CONGRUENT_PX or abs(last - shift) > CONGRUENT_PX:
            return None
        shifts.append(shift)
    return shifts[0], shifts[1]


@dataclass(frozen=True, kw_only=True)
class Nodes:
    """Positions of target pixel centres in the source: every centre of a window, or every 32nd around it."""

    rows: NDArray[np.float64]
    cols: NDArray[np.float64]
    """Source pixels from the source's outer corner, float64, dims (y, x); NaN outside its projection's domain."""
    step: int
    """Target pixels between nodes. 1 within one CRS, where ``rows`` is a single column and ``cols`` a single row."""
    row: int
    col: int
    """Number of the first node, which is the centre of target pixel (step * row, step * col)."""
    scale: tuple[float, float] = (0.0, 0.0)
    """Height and width of a target pixel in source pixels, within one CRS; 0 between two, where it varies."""

    @property
    def lattice(self) -> tuple[int, int, int]:
        """Step, row and column of the nodes, for the kernels."""
        return self.step, self.row, self.col


def nodes_of(source: Grid, target: Grid, window: Window) -> Nodes:
    """Positions in the source of the pixels of a window of the target.

    Args:
        source: The grid to read from.
        target: The grid to resample to.
        window: Window of the target; may reach beyond its edges.
    """
    if _same_crs(source.crs, target.crs):
        y = target.y0 + (np.arange(window.row, window.row + window.height) + 0.5) * target.dy
        x = target.x0 + (np.arange(window.col, window.col + window.width) + 0.5) * target.dx
        # With the reciprocal, and the origin first, as GDAL computes it, so that the bits are GDAL's.
        rows = -source.y0 / source.dy + y * (1 / source.dy)
        cols = -source.x0 / source.dx + x * (1 / source.dx)
        return Nodes(
            rows=np.asarray(rows[:, np.newaxis], np.float64),
            cols=np.asarray(cols[np.newaxis], np.float64),
            step=1,
            row=window.row,
            col=window.col,
            scale=(target.dy / source.dy, target.dx / source.dx),
        )
    step = CONTROL_STEP_PX
    row, col = window.row // step, window.col // step
    node_rows = np.arange(row, (window.row + window.height - 1) // step + 2)
    node_cols = np.arange(col, (window.col + window.width - 1) // step + 2)
    x, y = np.meshgrid(
        target.x0 + (node_cols * step + 0.5) * target.dx, target.y0 + (node_rows * step + 0.5) * target.dy
    )
    x, y = transformed(target.crs, source.crs, x, y)
    # The interpolation of rounded nodes is exact in float64, so the order of operations cannot change a bit.
    rows = np.round((y - source.y0) / source.dy * NODE_STEPS) / NODE_STEPS
    cols = np.round((x - source.x0) / source.dx * NODE_STEPS) / NODE_STEPS
    # Outside a projection's domain PROJ gives inf, and inf - inf raises a warning.
    unknown = ~(np.isfinite(rows) & np.isfinite(cols))
    rows[unknown] = cols[unknown] = np.nan
    return Nodes(rows=np.asarray(rows, np.float64), cols=np.asarray(cols, np.float64), step=step, row=row, col=col)


def needed_window(nodes: Nodes, source: Grid, target: Grid, window: Window, *, margin: int) -> Window | None:
    """The window of source pixels that resampling reads, with a margin, clipped to the source.

    Args:
        nodes: ``nodes_of(source, target, window)``.
        source: The grid to read from.
        target: The grid to resample to.
        window: Window of the target.
        margin: Further source pixels on every side.

    Returns:
        A window of the source; None where the source holds no centre of the window's pixels.
    """
    if nodes.step == 1:
        rows, cols = nodes.rows, nodes.cols
    else:
        # A function that is bilinear in each cell has its extremes at the corners of the cell's part of the window.
        i, j = _corners(window.row, window.height), _corners(window.col, window.width)
        rows, cols = np.empty((i.size, j.size)), np.empty((i.size, j.size))
        centres(nodes.rows, nodes.cols, nodes.lattice, i, j, rows, cols)
        rows, cols = rows[np.isfinite(rows)], cols[np.isfinite(cols)]
    if not rows.size or not cols.size:
        return None
    if whole_shift(source, target) is not None:
        # Pixels are copied: one more neighbour would mean that the COG tiles all around are decoded too.
        reach = margin
    else:
        reach = margin + (footprint_px(nodes) // 2 + 1 if is_coarser(source, target) else 1)
    bounds = []
    for positions, size in ((rows, source.height), (cols, source.width)):
        first, last = math.floor(positions.min() + TIE_PX), math.floor(positions.max() + TIE_PX)
        if last < 0 or first >= size:
            return None
        bounds.append((max(first - reach, 0), min(last + reach + 1, size)))
    (top, bottom), (left, right) = bounds
    return Window(top, left, bottom - top, right - left)


def _corners(start: int, size: int) -> NDArray[np.int64]:
    """The first, the last and every 32nd index of a range."""
    stop, step = start + size, CONTROL_STEP_PX
    return np.unique(np.array([start, *range(-(-start // step) * step, stop, step), stop - 1]))


def footprint_px(nodes: Nodes) -> int:
    """Upper bound of the number of source pixels that a target pixel meets in a row or a column."""
    extents = list(nodes.scale)
    for positions in (nodes.rows, nodes.cols) if nodes.step > 1 else ():
        steps = (np.abs(np.diff(positions, axis=axis)) for axis in (0, 1))
        extents.append(sum(float(np.max(s, initial=0.0, where=np.isfinite(s))) for s in steps) / nodes.step)
    return math.ceil(max(extents)) + 2


@lru_cache(maxsize=256)
def _same_crs(a: str, b: str) -> bool:
    # The axis order does not matter: coordinates are always (x, y) here.
    return a == b or CRS.from_user_input(a).equals(CRS.from_user_input(b), ignore_axis_order=True)


# In the kernels, rows, cols and lattice are the fields of Nodes; y and x are in source pixels from the source's outer
# corner.


@kernel
def centres(
    rows: NDArray[np.float64],
    cols: NDArray[np.float64],
    lattice: tuple[int, int, int],
    target_rows: NDArray[np.int64],
    target_cols: NDArray[np.int64],
    y: NDArray[np.float64],
    x: NDArray[np.float64],
) -> None:
    """Write the source positions of the centres of these target rows and columns into ``y`` and ``x``."""
    for p in range(target_rows.size):
        for q in range(target_cols.size):
            y[p, q], x[p, q] = centre(rows, cols, lattice, target_rows[p], target_cols[q])


@kernel
def centre(
    rows: NDArray[np.float64], cols: NDArray[np.float64], lattice: tuple[int, int, int], i: int, j: int
) -> tuple[float, float]:
    """Position (y, x) of the centre of target pixel (i, j) in the source."""
    step, row, col = lattice
    if step == 1:
        return rows[i - row, 0], cols[0, j - col]
    # The constant instead of step: the compiler turns a division by 32 into a shift.
    k, m = i // CONTROL_STEP_PX, j // CONTROL_STEP_PX
    u, v = (i - k * CONTROL_STEP_PX) / CONTROL_STEP_PX, (j - m * CONTROL_STEP_PX) / CONTROL_STEP_PX
    a, b = k - row, m - col
    left = rows[a, b] + (rows[a + 1, b] - rows[a, b]) * u
    right = rows[a, b + 1] + (rows[a + 1, b + 1] - rows[a, b + 1]) * u
    y = left + (right - left) * v
    left = cols[a, b] + (cols[a + 1, b] - cols[a, b]) * u
    right = cols[a, b + 1] + (cols[a + 1, b + 1] - cols[a, b + 1]) * u
    return y, left + (right - left) * v


@kernel
def _slopes(nodes: NDArray[np.float64], lattice: tuple[int, int, int], i: int, j: int) -> tuple[float, float]:
    """Changes of a coordinate from target pixel (i, j) to the pixel below it and to the pixel on its right."""
    _, row, col = lattice
    k, m = i // CONTROL_STEP_PX, j // CONTROL_STEP_PX
    u, v = (i - k * CONTROL_STEP_PX) / CONTROL_STEP_PX, (j - m * CONTROL_STEP_PX) / CONTROL_STEP_PX
    a, b = k - row, m - col
    left, right = nodes[a + 1, b] - nodes[a, b], nodes[a + 1, b + 1] - nodes[a, b + 1]
    top, bottom = nodes[a, b + 1] - nodes[a, b], nodes[a + 1, b + 1] - nodes[a + 1, b]
    return (left + (right - left) * v) / CONTROL_STEP_PX, (top + (bottom - top) * u) / CONTROL_STEP_PX


@kernel
def edges(
    rows: NDArray[np.float64],
    cols: NDArray[np.float64],
    lattice: tuple[int, int, int],
    scale: tuple[float, float],
    i: int,
    j: int,
) -> tuple[tuple[float, float], tuple[float, float]]:
    """The left and the upper edge of target pixel (i, j) as vectors (y, x) in source pixels."""
    if lattice[0] == 1:
        return (scale[0], 0.0), (0.0, scale[1])
    y_down, y_right = _slopes(rows, lattice, i, j)
    x_down, x_right = _slopes(cols, lattice, i, j)
    return (y_down, x_down), (y_right, x_right)
