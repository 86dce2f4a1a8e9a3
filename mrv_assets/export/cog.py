"""Cloud Optimized GeoTIFFs of a month's rasters: unchanged on the tile's grid, or resampled to degrees."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import rasterio
import rasterio.shutil
from rasterio import Affine
from rasterio.enums import Resampling as Resampled
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window as Pixels

from mrv_assets.audit.canonical import Json
from mrv_assets.export.attribution import attributions
from mrv_assets.export.content import Content
from mrv_assets.export.degrees import degrees_grid, pixel_area_m2
from mrv_assets.export.months import N_OBS, SOURCE, STD, Month
from mrv_assets.export.options import Options, Resampling
from mrv_assets.formats.stored_arrays import StoredArrays
from mrv_assets.science.blocks import BLOCK
from mrv_assets.science.grid import Grid, Window

COG_TILE = 512
"""Side of a COG tile of the files, pixels."""
TOLERANCE_PX = 0.01
"""Largest error of the source position of a pixel in degrees, in pixels of the source."""

_PLAIN = {"tiled": True, "blockxsize": COG_TILE, "blockysize": COG_TILE, "BIGTIFF": "IF_SAFER", "SPARSE_OK": "TRUE"}
"""Layout of a temporary file: sparse, so that empty blocks take no room."""
_COG = {"COMPRESS": "DEFLATE", "LEVEL": "6", "PREDICTOR": "YES", "BLOCKSIZE": str(COG_TILE), "BIGTIFF": "IF_SAFER"}


@dataclass(frozen=True, kw_only=True)
class Raster:
    """One exported raster."""

    path: Path
    variable: str
    grid: Grid
    """Grid of the file."""
    dtype: str
    nodata: float | None
    unit: str
    description: str


def write(content: Content, folder: Path, step: Callable[[str], None]) -> None:
    """Write a file for each month and variable. Reports one step a month."""
    for month in content.months:
        write_month(month, content, folder, step)


def write_month(month: Month, content: Content, folder: Path, step: Callable[[str], None]) -> list[Raster]:
    """Write the rasters of one month; none where the gate is closed. Reports one step."""
    names = variables(month, content.indices)
    rasters = []
    if names:
        folder.mkdir(parents=True, exist_ok=True)
        # Beside the result, where there is room for it; that of a killed export is removed with the unfinished folder.
        with TemporaryDirectory(dir=folder, prefix=".scratch-") as scratch:
            rasters = list(write_rasters(month, content.options, names, folder, Path(scratch)))
    step(f"{month.tile} {month.month} {len(rasters)} rasters")
    return rasters


def raster_grid(month: Month, options: Options) -> Grid:
    """The grid of a month's exported rasters."""
    if options.in_degrees:
        return degrees_grid(month.grid, month.window, options.step_deg)
    west, _, _, north = month.grid.bounds(month.window)
    return Grid(
        crs=month.grid.crs,
        x0=west,
        y0=north,
        dx=month.grid.dx,
        dy=month.grid.dy,
        width=month.window.width,
        height=month.window.height,
    )


def variables(month: Month, indices: Sequence[str]) -> list[str]:
    """Variables of a month to export: mean and standard deviation of each index, observations, and sources.

    Empty where the gate is closed, or the month has none of the indices.
    """
    names = [name for index in indices for name in (index, f"{index}{STD}") if name in month.arrays]
    return [*names, N_OBS, *([SOURCE] if month.has_source else [])] if names else []


def write_rasters(month: Month, options: Options, names: list[str], folder: Path, scratch: Path) -> Iterator[Raster]:
    """Write a file for each variable; yields each as it is done.

    Args:
        month: The verified month.
        options: Grid and resampling of the files.
        names: The variables.
        folder: Folder of the files.
        scratch: Folder of temporary files.

    Raises:
        GateRefused: When every gate is closed.
    """
    stored, opened, grid = month.pixels(), month.opened(), raster_grid(month, options)
    for name in names:
        attrs = opened[name].attrs
        float_values = opened[name].dtype.kind == "f"
        raster = Raster(
            path=folder / f"{month.name}_{name}.tif",
            variable=name,
            grid=grid,
            dtype=str(opened[name].dtype),
            # Counts and sources are never missing: without an observation both are 0.
            nodata=float("nan") if float_values else None,
            unit=str(attrs.get("units", "1")),
            description=f"{name}: {attrs.get('long_name', name)}",
        )
        _write(raster, month, stored, options, scratch)
        yield raster


def _write(raster: Raster, month: Month, stored: StoredArrays, options: Options, scratch: Path) -> None:
    utm, degrees = scratch / "utm.tif", scratch / "degrees.tif"
    on_tile = raster_grid(month, Options(format=options.format))
    try:
        with rasterio.Env(GDAL_PAM_ENABLED="NO", GDAL_NUM_THREADS="1", GDAL_DISABLE_READDIR_ON_OPEN="EMPTY_DIR"):
            with _created(utm, on_tile, raster, _tags(raster, month, options)) as target:
                for window in stored.stored_windows(raster.variable):
                    target.write(stored.read(raster.variable, window), 1, window=_within(window, month.window))
            if options.in_degrees:
                with _created(degrees, raster.grid, raster, _tags(raster, month, options)) as target:
                    _warp(utm, target, raster, _method(raster, options))
            # Overviews show the mean of valid values; the mean of two counts is not a count.
            overviews = "AVERAGE" if raster.nodata is not None else "NEAREST"
            source = degrees if options.in_degrees else utm
            rasterio.shutil.copy(source, raster.path, driver="COG", OVERVIEW_RESAMPLING=overviews, **_COG)
    finally:
        utm.unlink(missing_ok=True)
        degrees.unlink(missing_ok=True)


@contextmanager
def _created(path: Path, grid: Grid, raster: Raster, tags: Mapping[str, str]) -> Iterator[Any]:
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        width=grid.width,
        height=grid.height,
        count=1,
        dtype=raster.dtype,
        crs=grid.crs,
        transform=Affine.from_gdal(*grid.gdal_transform),
        nodata=raster.nodata,
        **_PLAIN,
    ) as target:
        target.update_tags(**tags)
        target.descriptions = (raster.description,)
        target.units = (raster.unit,)
        yield target


def _warp(utm: Path, target: Any, raster: Raster, method: Resampling) -> None:
    """Fill a file in degrees window by window, because a whole tile would not fit into memory."""
    options = {
        "crs": raster.grid.crs,
        "transform": target.transform,
        "width": raster.grid.width,
        "height": raster.grid.height,
        "resampling": Resampled[method.value],
        # In pixels of the source; positions are interpolated between computed ones, by default up to 1/8 pixel off.
        "tolerance": TOLERANCE_PX,
        **({} if raster.nodata is None else {"src_nodata": raster.nodata, "nodata": raster.nodata}),
    }
    with rasterio.open(utm) as source, WarpedVRT(source, **options) as warped:
        for row in range(0, raster.grid.height, BLOCK):
            for col in range(0, raster.grid.width, BLOCK):
                height, width = min(BLOCK, raster.grid.height - row), min(BLOCK, raster.grid.width - col)
                window = Pixels(col, row, width, height)
                values = warped.read(1, window=window)
                # A window that is not written reads as missing, or as a count of zero.
                if np.any(values if raster.nodata is None else ~np.isnan(values)):
                    target.write(values, 1, window=window)


def _method(raster: Raster, options: Options) -> Resampling:
    # A value between two counts or two sources has no meaning.
    return options.resampling if raster.nodata is not None else Resampling.NEAREST


def _within(window: Window, outer: Window) -> Pixels:
    return Pixels(window.col - outer.col, window.row - outer.row, window.width, window.height)


def _tags(raster: Raster, month: Month, options: Options) -> dict[str, str]:
    """The TIFF tags of a file: its record, source, grid and the meaning of its values."""
    tags: Json = {
        "mrv_audit_hash": month.record.audit_hash,
        "mrv_programme": month.lake.programme,
        "mrv_asset": month.record.partition.asset,
        "mrv_tile": month.tile,
        "mrv_month": month.month,
        "mrv_mission": month.used.mission,
        **({"mrv_sources": month.source_meaning} if month.has_source else {}),
        "mrv_gate_status": month.used.status.value,
        "mrv_substituted": str(month.substituted).lower(),
        "mrv_composite": month.composite,
        "mrv_variable": raster.variable,
        "TIFFTAG_COPYRIGHT": "; ".join(attributions(month.scenes)),
        "AREA_OR_POINT": "Area",
    }
    if options.in_degrees:
        latitude, area = pixel_area_m2(raster.grid)
        tags["mrv_resampling"] = _method(raster, options).value
        tags["mrv_values"] = (
            f"Resampled to {raster.grid.crs} for display and exchange: not the audited numbers, which are on "
            f"{month.grid.crs} and in the table."
        )
        tags["mrv_area"] = (
            f"The area of a pixel changes with latitude: {area:.1f} m2 at {latitude:.4f}, geodesic on WGS84. "
            "Take areas from the table."
        )
    else:
        tags["mrv_resampling"] = "none"
        tags["mrv_values"] = "The audited pixels, bit for bit."
        tags["mrv_area"] = (
            f"{raster.grid.dx:g} m x {raster.grid.dx:g} m on the plane of {raster.grid.crs}. "
            "The areas in the table are geodesic on WGS84."
        )
    return {name: str(value) for name, value in tags.items()}
