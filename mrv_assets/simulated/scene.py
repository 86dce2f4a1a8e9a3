"""A simulated scene before it is written: what it is called, what it says of itself, and its pixels on demand."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mrv_assets.science.grid import Grid, Window
from mrv_assets.simulated.archive import Json
from mrv_assets.simulated.noise import Floats, uniform

NOISE = 0.002
"""A sensor's noise in reflectance: uniform, so much to either side at most."""

SIMULATED = "Simulated: no satellite saw this ground, which does not exist."


@dataclass(frozen=True, kw_only=True)
class BandFile:
    """One file of a scene."""

    key: str
    """STAC asset key, and the file's name."""
    dtype: str
    nodata: int | None
    quality: bool
    """Whether its values are classes, bits or percent, of which no mean may be taken for an overview."""
    fields: Json
    """Fields of its STAC asset besides those of every file."""
    fine: int = 1
    """Its pixels along the side of one of the scene's pixels."""


@dataclass(frozen=True, kw_only=True)
class SimulatedScene:
    """One scene, to be published as one STAC item."""

    id: str
    collection: str
    title: str
    when: datetime
    grid: Grid
    """Grid of its coarsest band."""
    files: tuple[BandFile, ...]
    extensions: tuple[str, ...]
    """STAC extensions its mission's fields come from."""
    properties: Json
    pixels: Callable[[Window], Mapping[str, NDArray[Any]]]
    """The values of a window of the grid, by key; files that are finer have more of them."""


def finer(grid: Grid, times: int) -> Grid:
    """A grid with so many pixels along the side of each."""
    return Grid(
        crs=grid.crs,
        x0=grid.x0,
        y0=grid.y0,
        dx=grid.dx / times,
        dy=grid.dy / times,
        width=grid.width * times,
        height=grid.height * times,
    )


def finer_window(window: Window, times: int) -> Window:
    """A window on a finer grid, at the place of one on a coarser grid."""
    return Window(*(edge * times for edge in (window.row, window.col, window.height, window.width)))


def lattice(grid: Grid, window: Window) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Numbers of a window's rows and columns, (height, 1) and (1, width), that do not depend on the grid's corner."""
    first_row, first_col = math.floor(grid.y0 / grid.dy) + window.row, math.floor(grid.x0 / grid.dx) + window.col
    rows = np.arange(first_row, first_row + window.height)
    cols = np.arange(first_col, first_col + window.width)
    return rows[:, np.newaxis], cols[np.newaxis, :]


def digital_numbers(
    reflectance: Floats, seed: int, grid: Grid, window: Window, *, scale: float, offset: float
) -> NDArray[np.uint16]:
    """Reflectance and a sensor's noise as a product stores it: reflectance = DN * scale + offset; never nodata.

    Args:
        reflectance: Unitless, dims (y, x).
        seed: Of the scene's band.
        grid: Of the band.
        window: Which of its pixels these are.
        scale: Of the product.
        offset: Of the product.
    """
    seen = reflectance + (2 * uniform(seed, *lattice(grid, window)) - 1) * NOISE
    return np.clip(np.floor((seen - offset) / scale + 0.5), 1, 65534).astype(np.uint16)


def outside_pass(whole: Grid, window: Window, slant_px: int) -> NDArray[np.bool_]:
    """True for pixels beyond the slanting edges of a pass; dims (y, x)."""
    row = np.arange(window.row, window.row + window.height)[:, np.newaxis]
    col = np.arange(window.col, window.col + window.width)[np.newaxis, :]
    left = col * whole.height < slant_px * row
    right = (whole.width - 1 - col) * whole.height < slant_px * (whole.height - 1 - row)
    return np.asarray(left | right)
