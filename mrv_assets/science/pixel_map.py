"""Where the pixels of one grid lie in another, from absolute pixel indices, so that no window matters.

Within one CRS a target pixel's place in the source is affine arithmetic. Between two it is computed on
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
"""Steps of a source pixel that a control point is rounded to: PROJ's last bits differ between CPUs."""
TIE_PX = 2.0**-15
"""A centre this little before a source pixel's edge is on it and belongs to the next one, in source pixels.

Ties are common (every Landsat origin is 15 mod 30) and must not be decided by rounding noise."""
COARSER = 1.25
"""A target is coarser than the source from this ratio of pixel sizes on: 20 m to 30 m is, 10 m to 10 m in no
pair of CRS."""
CONGRUENT_PX = 2.0**-20
"""Two grids of one CRS are congruent if their pixel corners agree this well everywhere, in source pixels."""


@lru_cache(maxsize=4096)
def is_coarser(source: Grid, target: Grid) -> bool:
    """Whether a target pixel is ``COARSER`` times the size of a source pixel or more, at the target's centre.

    Size is the square root of the area. False where the target's centre has no place in the source's CRS.
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
    """Where target pixel centres lie in the source: every centre of a window, or every 32nd around it."""

    rows: NDArray[np.float64]
    cols: NDArray[np.float64]
    """Source pixels from the source's outer corner, float64, dims (y, x); NaN beyond its projection."""
    step: int
    """Target pixels between nodes. 1 within one CRS: rows and cols are then a column and a row."""
    row: int
    col: int
    """Number of the first node: it is the centre of target pixel (step row, step col)."""
    scale: tuple[float, float] = (0.0, 0.0)
    """Height and width of a target pixel in source pixels, within one CRS; between two it varies."""

    @property
    def lattice(self) -> tuple[int, int, int]:
        """Which target pixels the nodes are, for the kernels."""
        return self.step, self.row, self.col


def nodes_of(source: Grid, target: Grid, window: Window) -> Nodes:
    """Where the pixels of a window of the target lie in the source.

    Args:
        source: The grid that is read.
        target: The grid that is made.
        window: Of the target; may reach beyond its edges.
    """
    if _same_crs(source.crs, target.crs):
        y = target.y0 + (np.arange(window.row, window.row + window.height) + 0.5) * target.dy
        x = target.x0 + (np.arange(window.col, window.col + window.width) + 0.5) * target.dx
        # By the reciprocal, and origin first: GDAL's own arithmetic, so that GDAL gives the same bits.
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
    # Interpolation of rounded nodes is exact in float64: no order of operations can change a bit.
    rows = np.round((y - source.y0) / source.dy * NODE_STEPS) / NODE_STEPS
    cols = np.round((x - source.x0) / source.dx * NODE_STEPS) / NODE_STEPS
    # Outside a projection's reach PROJ gives inf, and inf - inf is a warning.
    unknown = ~(np.isfinite(rows) & np.isfinite(cols))
    rows[unknown] = cols[unknown] = np.nan
    return Nodes(rows=np.asarray(rows, np.float64), cols=np.asarray(cols, np.float64), step=step, row=row, col=col)


def needed_window(nodes: Nodes, source: Grid, target: Grid, window: Window, *, margin: int) -> Window | None:
    """The source pixels that resampling a window reads, with a margin, clipped to the source.

    Args:
        nodes: ``nodes_of(source, target, window)``.
        source: The grid that is read.
        target: The grid that is made.
        window: Of the target.
        margin: Further source pixels on every side.

    Returns:
        None where the source holds no centre of the window's pixels.
    """
    if nodes.step == 1:
        rows, cols = nodes.rows, nodes.cols
    else:
        # What is bilinear in each cell has its extremes at the corners of the part of the cell in the window.
        i, j = _corners(window.row, window.height), _corners(window.col, window.width)
        rows, cols = np.empty((i.size, j.size)), np.empty((i.size, j.size))
        centres(nodes.rows, nodes.cols, nodes.lattice, i, j, rows, cols)
        rows, cols = rows[np.isfinite(rows)], cols[np.isfinite(cols)]
    if not rows.size or not cols.size:
        return None
    if whole_shift(source, target) is not None:
        # Copied: a neighbour more would touch, and decode, the COG tiles all around.
        reach = margin
    else:
        reach = margin + (footprint_px(nodes) // 2 + 1 if is_coarser(source, target) else 1)
    bounds = []
    for place, size in ((rows, source.height), (cols, source.width)):
        first, last = math.floor(place.min() + TIE_PX), math.floor(place.max() + TIE_PX)
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
    """Source pixels that a target pixel meets in a row or a column, at most."""
    extents = list(nodes.scale)
    for place in (nodes.rows, nodes.cols) if nodes.step > 1 else ():
        steps = (np.abs(np.diff(place, axis=axis)) for axis in (0, 1))
        extents.append(sum(float(np.max(s, initial=0.0, where=np.isfinite(s))) for s in steps) / nodes.step)
    return math.ceil(max(extents)) + 2


@lru_cache(maxsize=256)
def _same_crs(a: str, b: str) -> bool:
    # Axis order does not matter: coordinates are always (x, y) here.
    return a == b or CRS.from_user_input(a).equals(CRS.from_user_input(b), ignore_axis_order=True)


# In the kernels: rows, cols and lattice are those of Nodes; y and x are source pixels from the outer corner.


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
    """Where the centres of these target rows and columns lie in the source, into y and x."""
    for p in range(target_rows.size):
        for q in range(target_cols.size):
            y[p, q], x[p, q] = centre(rows, cols, lattice, target_rows[p], target_cols[q])


@kernel
def centre(
    rows: NDArray[np.float64], cols: NDArray[np.float64], lattice: tuple[int, int, int], i: int, j: int
) -> tuple[float, float]:
    """Where the centre of target pixel (i, j) lies in the source."""
    step, row, col = lattice
    if step == 1:
        return rows[i - row, 0], cols[0, j - col]
    # The constant, not step: a division by 32 is a shift.
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
    """How far a coordinate moves from target pixel (i, j) to the one below and to the one on the right."""
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
    """The left and the upper edge of target pixel (i, j) as (y, x) in the source."""
    if lattice[0] == 1:
        return (scale[0], 0.0), (0.0, scale[1])
    y_down, y_right = _slopes(rows, lattice, i, j)
    x_down, x_right = _slopes(cols, lattice, i, j)
    return (y_down, x_down), (y_right, x_right)
