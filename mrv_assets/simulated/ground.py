"""Pixels of the ground: the mean over each pixel's area, on the grid of whichever mission looks."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from mrv_assets.science.grid import Grid, Window
from mrv_assets.science.projection import transformed
from mrv_assets.simulated.cover import Cover, signal
from mrv_assets.simulated.landscape import Landscape, cover_at, texture_at
from mrv_assets.simulated.noise import Floats, Places

SAMPLE_M = 5
"""Distance of the points whose mean a pixel is; the same points for all grids of the frame's zone."""
_ROUNDING = 2.0**10
"""Steps of a metre that places in another zone are rounded to: PROJ's last bits differ between processors."""


@dataclass(frozen=True, kw_only=True)
class Ground:
    """Pixels that hold several covers, before a band looks at them."""

    shares: Floats
    """Share of each cover in a pixel, [0, 1], dims (cover, y, x)."""
    textures: Floats
    """Mean over the pixel of the texture where the cover is, 0 elsewhere; the same dims."""

    def signal(self, band: str, green: float) -> Floats:
        """Mean reflectance, or gamma naught in linear power, of each pixel; float64, dims (y, x)."""
        return signal(self.shares, self.textures, band, green)

    @property
    def majority(self) -> NDArray[np.uint8]:
        """The cover that most of each pixel has, as :class:`Cover`."""
        return np.asarray(np.argmax(self.shares, axis=0), np.uint8)

    def halved(self) -> "Ground":
        """The same ground in pixels of twice the size."""
        return Ground(shares=_mean_of_four(self.shares), textures=_mean_of_four(self.textures))


@lru_cache(maxsize=4)
def ground_of(landscape: Landscape, frame: str, grid: Grid, window: Window, cleared: tuple[bool, ...]) -> Ground:
    """The ground in a window of a grid.

    Args:
        landscape: The ground.
        frame: CRS of the landscape's metres.
        grid: Whose pixels; in any CRS of metres.
        window: Which of them.
        cleared: Which clearings have happened.
    """
    shape = (len(Cover), window.height, window.width)
    shares, textures = np.zeros(shape), np.zeros(shape)
    steps = max(1, round(grid.dx / SAMPLE_M))
    edges = corners(frame, grid, window)
    # Point by point of a pixel, in an order of our own: no library chooses how the sum is rounded.
    for down in range(steps):
        for right in range(steps):
            places = _within(edges, grid, window, (2 * down + 1, 2 * right + 1), 2 * steps)
            cover, texture = cover_at(landscape, places, cleared), texture_at(landscape, places)
            for one in Cover:
                here = cover == one
                shares[one] += here
                textures[one] += np.where(here, texture, 0.0)
    return Ground(shares=shares / steps**2, textures=textures / steps**2)


def centres(frame: str, grid: Grid, window: Window) -> Places:
    """The centres of a window's pixels."""
    return _within(corners(frame, grid, window), grid, window, (1, 1), 2)


def corners(frame: str, grid: Grid, window: Window) -> Places | None:
    """The corners of a window's pixels, (height + 1, width + 1); None where the grid is in the frame's own CRS."""
    if grid.crs == frame:
        return None
    x = _edges(grid.x0, grid.dx, window.col, window.width + 1)
    y = _edges(grid.y0, grid.dy, window.row, window.height + 1)
    xs, ys = transformed(grid.crs, frame, *np.meshgrid(x, y))
    return Places(x=np.round(xs * _ROUNDING) / _ROUNDING, y=np.round(ys * _ROUNDING) / _ROUNDING)


def _within(edges: Places | None, grid: Grid, window: Window, part: tuple[int, int], of: int) -> Places:
    """One point of each pixel: so many parts of the pixel down and to the right."""
    down, right = part
    if edges is None:
        # Whole metres and halves of them, so that nothing is rounded.
        x = _edges(grid.x0, grid.dx, window.col, window.width) + grid.dx * right / of
        y = _edges(grid.y0, grid.dy, window.row, window.height) + grid.dy * down / of
        return Places(x=x[np.newaxis, :], y=y[:, np.newaxis])
    v, u = down / of, right / of
    # A pixel's edges are straight to within a micrometre.
    return Places(x=_between(edges.x, v, u), y=_between(edges.y, v, u))


def _edges(origin: float, step: float, first: int, count: int) -> Floats:
    """Positions at which rows or columns begin."""
    return np.asarray(origin + np.arange(first, first + count) * step, np.float64)


def _between(at: Floats, v: float, u: float) -> Floats:
    """From each pixel's four corners, so far down and to the right."""
    upper = at[:-1, :-1] * (1 - u) + at[:-1, 1:] * u
    lower = at[1:, :-1] * (1 - u) + at[1:, 1:] * u
    return np.asarray(upper * (1 - v) + lower * v)


def _mean_of_four(fine: Floats) -> Floats:
    upper, lower = fine[:, ::2], fine[:, 1::2]
    return (upper[..., ::2] + upper[..., 1::2] + lower[..., ::2] + lower[..., 1::2]) / 4
