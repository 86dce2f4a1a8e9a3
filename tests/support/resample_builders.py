"""Grids and pixels for the resampler's tests, and rasterio made exact enough to be its oracle."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyproj import Transformer
from rasterio.transform import Affine
from rasterio.warp import Resampling, reproject

from mrv_assets.science.grid import Grid, Window
from mrv_assets.science.resample import source_window

STRIP_PX = 5
"""GDAL interpolates coordinates along a row; in rows of five pixels or less it transforms each one."""


def a_grid(
    crs: str = "EPSG:32634",
    *,
    x0: float = 600_000,
    y0: float = 5_100_000,
    pixel: float = 10,
    width: int = 100,
    height: int = 100,
) -> Grid:
    """A grid of square pixels."""
    return Grid(crs=crs, x0=x0, y0=y0, dx=pixel, dy=-pixel, width=width, height=height)


def a_grid_around(
    other: Grid,
    crs: str,
    *,
    pixel: float,
    width: int,
    height: int,
    offset: float = 0,
) -> Grid:
    """A grid in another CRS around the same centre; its origin is ``offset`` mod ``pixel``."""
    x, y = Transformer.from_crs(other.crs, crs, always_xy=True).transform(
        other.x0 + other.dx * other.width / 2, other.y0 + other.dy * other.height / 2
    )
    x0 = round((x - pixel * width / 2) / pixel) * pixel + offset
    y0 = round((y + pixel * height / 2) / pixel) * pixel + offset
    return a_grid(crs, x0=x0, y0=y0, pixel=pixel, width=width, height=height)


def whole(grid: Grid) -> Window:
    """All of a grid."""
    return Window(0, 0, grid.height, grid.width)


def some_ground(grid: Grid, seed: int = 0, *, holes: float = 0.0, dtype: str = "uint16") -> NDArray[Any]:
    """Digital numbers of 1500 to 3000 without any smoothness, rougher than land; 0 in holes of 1 to 8 px."""
    random = np.random.default_rng(seed)
    pixels = random.integers(1500, 3000, (grid.height, grid.width)).astype(dtype)
    for _ in range(int(holes * grid.height * grid.width / 20)):
        row, col = random.integers(0, grid.height), random.integers(0, grid.width)
        pixels[row : row + random.integers(1, 9), col : col + random.integers(1, 9)] = 0
    return pixels


def read(pixels: NDArray[Any], source: Grid, target: Grid, window: Window) -> tuple[NDArray[Any], Window]:
    """The pixels that are needed and no others, so that a test sees it when they are not enough."""
    needed = source_window(source, target, window) or Window(0, 0, 0, 0)
    return pixels[needed.rows, needed.cols], needed


def exact_centres(source: Grid, target: Grid) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Where each target pixel's centre lies in the source by PROJ: rows and columns from the outer corner."""
    x, y = np.meshgrid(
        target.x0 + (np.arange(target.width) + 0.5) * target.dx,
        target.y0 + (np.arange(target.height) + 0.5) * target.dy,
    )
    if source.crs != target.crs:
        x, y = Transformer.from_crs(target.crs, source.crs, always_xy=True).transform(x, y)
    return (y - source.y0) / source.dy, (x - source.x0) / source.dx


def by_rasterio(
    pixels: NDArray[Any], source: Grid, target: Grid, resampling: Resampling, nodata: float = 0
) -> NDArray[Any]:
    """The whole target by GDAL's warper, with exact coordinates."""
    out = np.empty((target.height, target.width), pixels.dtype)
    for col in range(0, target.width, STRIP_PX):
        strip = np.empty((target.height, min(STRIP_PX, target.width - col)), pixels.dtype)
        reproject(
            pixels,
            strip,
            src_transform=_affine(source, 0),
            src_crs=source.crs,
            dst_transform=_affine(target, col),
            dst_crs=target.crs,
            src_nodata=nodata,
            dst_nodata=nodata,
            resampling=resampling,
            # GDAL widens bilinear's reach where it believes that the target is coarser.
            **({} if resampling is Resampling.average else {"XSCALE": 1, "YSCALE": 1}),
        )
        out[:, col : col + strip.shape[1]] = strip
    return out


def by_footprint(
    pixels: NDArray[Any], source: Grid, target: Grid, samples: int = 40
) -> tuple[NDArray[np.float64], NDArray[Any]]:
    """Mean and maximum of the source at samples x samples places in each target pixel; 0 is missing."""
    fine = Grid(
        crs=target.crs,
        x0=target.x0,
        y0=target.y0,
        dx=target.dx / samples,
        dy=target.dy / samples,
        width=target.width * samples,
        height=target.height * samples,
    )
    rows, cols = exact_centres(source, fine)
    values = pixels[np.floor(rows).astype(int), np.floor(cols).astype(int)]
    cells = values.reshape(target.height, samples, target.width, samples)
    valid = cells > 0
    with np.errstate(invalid="ignore"):
        mean = cells.sum((1, 3), dtype=float) / valid.sum((1, 3))
    return mean, cells.max((1, 3))


def _affine(grid: Grid, col: int) -> Affine:
    return Affine(grid.dx, 0, grid.x0 + col * grid.dx, 0, grid.dy, grid.y0)
