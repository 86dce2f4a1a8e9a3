"""Resampling from one pixel grid to another: the same bits however the target is cut into windows."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mrv_assets.missions.mission import Resample
from mrv_assets.science.grid import Grid, Window
from mrv_assets.science.jit import kernel
from mrv_assets.science.pixel_map import (
    COARSER,
    CONTROL_STEP_PX,
    TIE_PX,
    Nodes,
    centre,
    edges,
    footprint_px,
    is_coarser,
    needed_window,
    nodes_of,
    whole_shift,
)

KERNEL: dict[str, Any] = {
    "name": "mrv-resample/1",
    "control_step_px": CONTROL_STEP_PX,
    "node_rounding": "2^-16 px; none within one CRS",
    "tie": "a centre less than 2^-15 px before an edge is on it; the pixel after (higher index) holds it",
    "validity": "valid iff the source pixel that holds the centre is; weights are renormalised",
    "refining": "bilinear",
    "coarsening": "mean weighted by exact overlap with the target pixel",
    "coarser_from": COARSER,
    "rounding": "floor(x + 0.5)",
    "congruent": "copy",
}
"""How the resampler works, for the parameter manifest."""
LATTICE = 2.0**26
"""Steps per source pixel on which interpolated positions lie exactly: nodes have steps of 2^-16, weights of 2^-10."""
CORNERS = ((-0.5, -0.5), (-0.5, 0.5), (0.5, 0.5), (0.5, -0.5))
"""A pixel's corners, in turn, as distances down and to the right of its centre, pixels."""

WorstOf = Sequence[int] | Literal["or", "max"]
"""How a coarse quality cell combines its source pixels: the worst class (classes are given worst first), every bit
that is set in any, or the highest value."""


def source_window(source: Grid, target: Grid, window: Window, *, margin: int = 0) -> Window | None:
    """The window of source pixels that resampling to a window of the target reads.

    Args:
        source: Grid of the pixels.
        target: Grid to resample to.
        window: Window of the target; may reach beyond its edges.
        margin: Further source pixels on every side.

    Returns:
        A window clipped to the source; None where the source holds no centre of the window's pixels. A window inside
        another window needs no pixel that the outer window does not need.
    """
    return needed_window(nodes_of(source, target, window), source, target, window, margin=margin)


def resample(
    pixels: NDArray[Any],
    pixels_window: Window,
    source: Grid,
    target: Grid,
    window: Window,
    *,
    method: Resample,
    nodata: float,
) -> NDArray[Any]:
    """The pixels of a window of the target, bit for bit the same however the target is cut into windows.

    Whatever the method, a target pixel is valid if and only if the source pixel that holds its centre is: nodata does
    not spread, and no data are invented. Where the grids are congruent, pixels are copied.

    Args:
        pixels: Source values, integer or float32, dims (y, x); ``nodata`` or NaN where missing.
        pixels_window: Their window in the source; holds ``source_window(source, target, window)``.
        source: Grid of the pixels.
        target: Grid to resample to.
        window: Window of the target; may reach beyond its edges.
        method: ``NEAREST`` takes the source pixel that holds the centre. ``BILINEAR`` weighs four neighbours;
            where the target is coarser (``is_coarser``) it takes the mean of the source under the pixel.
            Missing pixels are ignored. Integers are rounded half up.
        nodata: The value of missing pixels; may be NaN in float32. It has to lie below or above all valid values,
            or a mean could be equal to it.

    Returns:
        Same dtype as ``pixels``, dims (y, x), shape of ``window``; ``nodata`` where missing.

    Raises:
        ValueError: ``pixels`` are not those of ``pixels_window``, or it lacks pixels that are needed.
    """
    dtype = pixels.dtype.newbyteorder("=")
    missing = dtype.type(nodata)
    out = np.full((window.height, window.width), missing, dtype)
    nodes = nodes_of(source, target, window)
    needed = needed_window(nodes, source, target, window, margin=0)
    _check_pixels(pixels, pixels_window, needed)
    if needed is None:
        return out
    shift = whole_shift(source, target)
    if shift is not None:
        _copy(pixels, pixels_window, source, shift, window, out)
        return out
    geometry = _geometry_of(nodes, pixels_window, source, window)
    # C order and writeable, so that each kernel is compiled only once per dtype.
    pixels = np.require(pixels, dtype, ["C", "W"])
    whole = dtype.kind in "iu"
    if method is Resample.NEAREST:
        _nearest(pixels, nodes.rows, nodes.cols, geometry, missing, out)
    elif is_coarser(source, target):
        _mean(pixels, nodes.rows, nodes.cols, geometry, missing, whole, footprint_px(nodes), nodes.scale, out)
    else:
        _bilinear(pixels, nodes.rows, nodes.cols, geometry, missing, whole, out)
    return out


def coarsen_quality(
    pixels: NDArray[Any],
    pixels_window: Window,
    source: Grid,
    target: Grid,
    window: Window,
    *,
    mode: WorstOf,
    nodata: int,
) -> NDArray[Any]:
    """The worst of the quality pixels under each target pixel: a cell is unclear if any of its source pixels is.

    Missing pixels, and the part of a cell outside the source, count with the value ``nodata``; a source pixel
    of which no more than the share ``TIE_PX`` lies in the cell does not count. A cell whose centre is outside the
    source is ``nodata``. Where the target is not coarser (``is_coarser``), a cell takes the pixel that holds its
    centre.

    Args:
        pixels: Undecoded quality values, unsigned integers of 8 or 16 bits, dims (y, x).
        pixels_window: Their window in the source; holds ``source_window(source, target, window)``.
        source: Grid of the pixels.
        target: Grid to resample to.
        window: Window of the target; may reach beyond its edges.
        mode: Classes from worst to best (a class that is not among them is worse than all of them, because it is
            not known to be clear), ``"or"`` for bit fields, ``"max"`` for probabilities.
        nodata: The value of missing pixels.

    Returns:
        Same dtype as ``pixels``, dims (y, x), shape of ``window``.

    Raises:
        ValueError: ``pixels`` are not those of ``pixels_window``, or it lacks pixels that are needed.
    """
    if not is_coarser(source, target):
        return resample(pixels, pixels_window, source, target, window, method=Resample.NEAREST, nodata=nodata)
    dtype = pixels.dtype.newbyteorder("=")
    missing = dtype.type(nodata)
    out = np.full((window.height, window.width), missing, dtype)
    nodes = nodes_of(source, target, window)
    needed = needed_window(nodes, source, target, window, margin=0)
    _check_pixels(pixels, pixels_window, needed)
    if needed is None:
        return out
    geometry = _geometry_of(nodes, pixels_window, source, window)
    size = footprint_px(nodes)
    if isinstance(mode, str):
        pixels = np.require(pixels, dtype, ["C", "W"])
        _worst(pixels, nodes.rows, nodes.cols, geometry, missing, mode == "or", size, nodes.scale, out)
        return out
    best_first = _best_first(mode, dtype)
    badness = np.empty_like(best_first)
    badness[best_first] = np.arange(best_first.size, dtype=dtype)
    worst = np.full(out.shape, badness[missing], dtype)
    ranks = badness[np.ascontiguousarray(pixels)]
    _worst(ranks, nodes.rows, nodes.cols, geometry, badness[missing], False, size, nodes.scale, worst)
    return best_first[worst]


def _geometry_of(nodes: Nodes, pixels: Window, source: Grid, window: Window) -> tuple[int, ...]:
    """The lattice of the nodes, the origin of the pixels, the source's shape and the target window's origin."""
    return (*nodes.lattice, pixels.row, pixels.col, source.height, source.width, window.row, window.col)


def _check_pixels(pixels: NDArray[Any], has: Window, needed: Window | None) -> None:
    if pixels.shape != (has.height, has.width):
        raise ValueError(f"pixels of shape {pixels.shape} do not fill {has}")
    if needed is not None and not (
        has.row <= needed.row
        and has.col <= needed.col
        and needed.row + needed.height <= has.row + has.height
        and needed.col + needed.width <= has.col + has.width
    ):
        raise ValueError(
            f"{needed} of the source is needed, but only {has} was given: read the window that source_window() gives"
        )


def _copy(
    pixels: NDArray[Any], has: Window, source: Grid, shift: tuple[int, int], window: Window, out: NDArray[Any]
) -> None:
    """Copy congruent pixels into ``out``, filled with nodata."""
    row, col = window.row + shift[0], window.col + shift[1]
    top, bottom = max(row, 0), min(row + window.height, source.height)
    left, right = max(col, 0), min(col + window.width, source.width)
    here = pixels[top - has.row : bottom - has.row, left - has.col : right - has.col]
    part = out[top - row : bottom - row, left - col : right - col]
    # NaN is missing in any float band, and missing pixels are written with one value only.
    np.copyto(part, here, where=here == here)


def _best_first(worst_first: Sequence[int], dtype: np.dtype[Any]) -> NDArray[Any]:
    """All values of an unsigned dtype, best class first; values that are not classes are last, the worst."""
    classes = np.asarray(worst_first, dtype)[::-1]
    values = np.arange(np.iinfo(dtype).max + 1).astype(dtype)
    return np.concatenate([classes, np.setdiff1d(values, classes)])


# In the kernels, rows, cols and scale are the fields of Nodes, and geometry is the result of _geometry_of; y and x are
# in source pixels from the source's outer corner.


@kernel
def _holds(y: float, x: float, height: int, width: int) -> bool:
    """Whether a pixel of the source holds this position; False for NaN."""
    return 0 <= y + TIE_PX < height and 0 <= x + TIE_PX < width


@kernel
def _nearest(
    pixels: NDArray[Any],
    rows: NDArray[np.float64],
    cols: NDArray[np.float64],
    geometry: tuple[int, ...],
    missing: Any,
    out: NDArray[Any],
) -> None:
    """Write the source pixel that holds each target pixel's centre into ``out``, filled with nodata."""
    step, node_row, node_col, top, left, height, width, row, col = geometry
    lattice = (step, node_row, node_col)
    for p in range(out.shape[0]):
        for q in range(out.shape[1]):
            y, x = centre(rows, cols, lattice, row + p, col + q)
            if _holds(y, x, height, width):
                value = pixels[int(y + TIE_PX) - top, int(x + TIE_PX) - left]
                # NaN is missing whatever nodata is; the comparison is never true for an integer.
                out[p, q] = missing if value != value else value


@kernel
def _bilinear(
    pixels: NDArray[Any],
    rows: NDArray[np.float64],
    cols: NDArray[np.float64],
    geometry: tuple[int, ...],
    missing: Any,
    whole: bool,
    out: NDArray[Any],
) -> None:
    """Write the weighted mean of the four source pixels around each centre into ``out``, filled with nodata."""
    step, node_row, node_col, top, left, height, width, row, col = geometry
    lattice = (step, node_row, node_col)
    for p in range(out.shape[0]):
        for q in range(out.shape[1]):
            y, x = centre(rows, cols, lattice, row + p, col + q)
            if not _holds(y, x, height, width):
                continue
            value = pixels[int(y + TIE_PX) - top, int(x + TIE_PX) - left]
            if value == missing or value != value:
                continue
            i, j = int(np.floor(y - 0.5)), int(np.floor(x - 0.5))
            u, v = y - 0.5 - i, x - 0.5 - j
            total = weights = 0.0
            for a in range(2):
                if not 0 <= i + a < height:
                    continue
                for b in range(2):
                    if not 0 <= j + b < width:
                        continue
                    value = pixels[i + a - top, j + b - left]
                    if value == missing or value != value:
                        continue
                    weight = (u if a else 1.0 - u) * (v if b else 1.0 - v)
                    total += weight * value
                    weights += weight
            mean = total / weights
            out[p, q] = np.floor(mean + 0.5) if whole else mean


@kernel
def _overlap(
    y: float,
    x: float,
    down: tuple[float, float],
    right: tuple[float, float],
    weights: NDArray[np.float64],
) -> tuple[int, int, int, int]:
    """Compute how much of each source pixel lies under a target pixel, a parallelogram around (y, x).

    Args:
        y: Row of its centre.
        x: Column of its centre.
        down: Its left edge as a vector, from its upper end.
        right: Its upper edge as a vector, from its left end.
        weights: Filled with the overlaps, in [0, 1]; an overlap of ``TIE_PX`` or less becomes 0.

    Returns:
        Source row and column of ``weights[0, 0]``, and the number of rows and of columns that are used.
    """
    # Affine positions carry rounding noise: a whole pixel has to weigh 1 and not 1 - 1e-11.
    y, x = np.round(y * LATTICE) / LATTICE, np.round(x * LATTICE) / LATTICE
    half_y, half_x = (abs(down[0]) + abs(right[0])) / 2, (abs(down[1]) + abs(right[1])) / 2
    top, left = int(np.floor(y - half_y)), int(np.floor(x - half_x))
    height, width = int(np.ceil(y + half_y)) - top, int(np.ceil(x + half_x)) - left
    weights[:height, :width] = 0.0
    # The area under the target pixel is the area on the right of the edges that lead up minus the area on the right of
    # the edges that lead down. Grids are north-up, so that the corners turn the same way in both.
    for edge in range(4):
        d, r = CORNERS[edge]
        y0, x0 = y + d * down[0] + r * right[0] - top, x + d * down[1] + r * right[1] - left
        d, r = CORNERS[(edge + 1) % 4]
        y1, x1 = y + d * down[0] + r * right[0] - top, x + d * down[1] + r * right[1] - left
        if y0 == y1:
            continue
        sign = -1.0
        if y0 > y1:
            y0, x0, y1, x1, sign = y1, x1, y0, x0, 1.0
        lean = (x1 - x0) / (y1 - y0)
        for p in range(max(int(np.floor(y0)), 0), min(int(np.ceil(y1)), height)):
            # The part of the edge in this row of pixels, and the area between it and the end of each column.
            above, below = max(y0, float(p)), min(y1, p + 1.0)
            a, b = x0 + (above - y0) * lean, x0 + (below - y0) * lean
            near, far, span = min(a, b), max(a, b), below - above
            before = 0.0
            for q in range(width):
                if q + 1.0 <= near:
                    area = 0.0
                elif q + 1.0 >= far:
                    area = span * (q + 1.0 - (near + far) / 2)
                else:
                    area = span * (q + 1.0 - near) ** 2 / (2 * (far - near))
                weights[p, q] += sign * (area - before)
                before = area
    for p in range(height):
        for q in range(width):
            if weights[p, q] <= TIE_PX:
                weights[p, q] = 0.0
    return top, left, height, width


@kernel
def _mean(
    pixels: NDArray[Any],
    rows: NDArray[np.float64],
    cols: NDArray[np.float64],
    geometry: tuple[int, ...],
    missing: Any,
    whole: bool,
    footprint: int,
    scale: tuple[float, float],
    out: NDArray[Any],
) -> None:
    """Write the mean of the source under each target pixel into ``out``, filled with nodata."""
    step, node_row, node_col, top, left, height, width, row, col = geometry
    lattice = (step, node_row, node_col)
    weights = np.empty((footprint, footprint))
    for p in range(out.shape[0]):
        for q in range(out.shape[1]):
            i, j = row + p, col + q
            y, x = centre(rows, cols, lattice, i, j)
            if not _holds(y, x, height, width):
                continue
            value = pixels[int(y + TIE_PX) - top, int(x + TIE_PX) - left]
            if value == missing or value != value:
                continue
            down, right = edges(rows, cols, lattice, scale, i, j)
            first_row, first_col, n_rows, n_cols = _overlap(y, x, down, right, weights)
            total = weight = 0.0
            for a in range(max(-first_row, 0), min(height - first_row, n_rows)):
                for b in range(max(-first_col, 0), min(width - first_col, n_cols)):
                    value = pixels[first_row + a - top, first_col + b - left]
                    if weights[a, b] > 0 and value != missing and value == value:
                        total += weights[a, b] * value
                        weight += weights[a, b]
            mean = total / weight
            out[p, q] = np.floor(mean + 0.5) if whole else mean


@kernel
def _worst(
    pixels: NDArray[Any],
    rows: NDArray[np.float64],
    cols: NDArray[np.float64],
    geometry: tuple[int, ...],
    missing: Any,
    any_bit: bool,
    footprint: int,
    scale: tuple[float, float],
    out: NDArray[Any],
) -> None:
    """Write all bits, or the highest value, of the source under each target pixel into ``out``, filled with nodata."""
    step, node_row, node_col, top, left, height, width, row, col = geometry
    lattice = (step, node_row, node_col)
    weights = np.empty((footprint, footprint))
    for p in range(out.shape[0]):
        for q in range(out.shape[1]):
            i, j = row + p, col + q
            y, x = centre(rows, cols, lattice, i, j)
            if not _holds(y, x, height, width):
                continue
            down, right = edges(rows, cols, lattice, scale, i, j)
            first_row, first_col, n_rows, n_cols = _overlap(y, x, down, right, weights)
            worst = pixels[int(y + TIE_PX) - top, int(x + TIE_PX) - left]
            for a in range(n_rows):
                for b in range(n_cols):
                    if weights[a, b] == 0:
                        continue
                    inside = 0 <= first_row + a < height and 0 <= first_col + b < width
                    value = pixels[first_row + a - top, first_col + b - left] if inside else missing
                    worst = worst | value if any_bit else max(worst, value)
            out[p, q] = worst
