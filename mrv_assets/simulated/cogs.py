"""Scenes as Cloud Optimized GeoTIFFs, written block by block, whatever their size."""

import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import rasterio
import rasterio.shutil

from mrv_assets.science.grid import Grid, Window
from mrv_assets.simulated.scene import SIMULATED, BandFile, SimulatedScene, finer, finer_window

BLOCK_PX = 256
"""Pixels of a scene's coarsest band that are worked on at once, a side."""
_CACHE_BYTES = 128 << 20
"""GDAL's own is a share of the machine's memory."""
_COG_TILE_PX, _SMALL_TILE_PX = 512, 128
"""Side of a COG tile, and of one of a file that is no larger than four."""


def write_scenes(scenes: Sequence[SimulatedScene], folders: Sequence[Path]) -> None:
    """Write scenes of one grid, each into a folder of its own: one file a band, named after its key.

    All scenes take a block's ground together, so that it is worked out once. The same scenes give the same bytes with
    the same GDAL.

    Args:
        scenes: Of one grid.
        folders: One for each; made where it does not exist.
    """
    grid = scenes[0].grid
    assert all(scene.grid == grid for scene in scenes)
    with (
        rasterio.Env(GDAL_CACHEMAX=_CACHE_BYTES),
        tempfile.TemporaryDirectory(dir=folders[0].parent, prefix=".pixels-") as scratch,
    ):
        # A COG is written from its end, so that its pixels have to lie somewhere first.
        pixels = [Path(scratch) / f"{number}" for number in range(len(scenes))]
        with ExitStack() as stack:
            files = [
                {file.key: stack.enter_context(_opened(path, grid, file)) for file in scene.files}
                for scene, path in zip(scenes, pixels, strict=True)
            ]
            for window in _blocks(grid):
                for scene, opened in zip(scenes, files, strict=True):
                    values = scene.pixels(window)
                    for file in scene.files:
                        opened[file.key].write(values[file.key], 1, window=_gdal_window(window, file.fine))
        for scene, path, folder in zip(scenes, pixels, folders, strict=True):
            folder.mkdir(parents=True, exist_ok=True)
            for file in scene.files:
                _copy_as_cog(path / f"{file.key}.tif", folder / f"{file.key}.tif", finer(grid, file.fine), file)


def _opened(folder: Path, grid: Grid, file: BandFile) -> rasterio.io.DatasetWriter:
    folder.mkdir(exist_ok=True)
    own = finer(grid, file.fine)
    return rasterio.open(
        folder / f"{file.key}.tif",
        "w",
        driver="GTiff",
        dtype=file.dtype,
        nodata=file.nodata,
        count=1,
        width=own.width,
        height=own.height,
        crs=own.crs,
        transform=rasterio.Affine(own.dx, 0, own.x0, 0, own.dy, own.y0),
        tiled=True,
        blockxsize=BLOCK_PX,
        blockysize=BLOCK_PX,
        compress="deflate",
        zlevel=1,
    )


def _blocks(grid: Grid) -> list[Window]:
    return [
        Window(row, col, min(BLOCK_PX, grid.height - row), min(BLOCK_PX, grid.width - col))
        for row in range(0, grid.height, BLOCK_PX)
        for col in range(0, grid.width, BLOCK_PX)
    ]


def _gdal_window(window: Window, fine: int) -> rasterio.windows.Window:
    own = finer_window(window, fine)
    return rasterio.windows.Window(own.col, own.row, own.width, own.height)


def _copy_as_cog(source: Path, target: Path, grid: Grid, file: BandFile) -> None:
    with rasterio.open(source, "r+") as dataset:
        dataset.update_tags(TIFFTAG_IMAGEDESCRIPTION=SIMULATED)
    small = max(grid.width, grid.height) <= 4 * _COG_TILE_PX
    rasterio.shutil.copy(
        source,
        target,
        driver="COG",
        BLOCKSIZE=_SMALL_TILE_PX if small else _COG_TILE_PX,
        COMPRESS="DEFLATE",
        PREDICTOR={"uint8": "NO", "uint16": "STANDARD", "float32": "FLOATING_POINT"}[file.dtype],
        OVERVIEWS="AUTO",
        OVERVIEW_RESAMPLING="NEAREST" if file.quality else "AVERAGE",
    )
