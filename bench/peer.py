"""The peer: the month's indices by odc-stac, xarray and dask, as its users write them. Nothing is stored."""

from collections.abc import Callable

import numpy as np
import odc.stac
import pystac
import rasterio
import xarray as xr
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from bench.month import Month

CLEAR = (4, 5, 6)
"""SCL classes in which the ground was seen, as the missions' data have them."""
CHUNK_PX = 1024
"""Side of a chunk: one COG tile. Compared with 2048, all dates in a chunk, and no dask, it takes the least memory, and
CPU 10 % above the least."""

Reflectance = Callable[[str], xr.DataArray]


def odc_stac(month: Month, threads: int, *, every_band: bool) -> dict[str, NDArray[np.float32]]:
    """The month's mean of each index over clear observations, in memory.

    Args:
        month: The month that is read.
        threads: Threads of dask's scheduler.
        every_band: Whether every reflectance band is brought onto the grid, as aligned_tiles does, and not only the
            bands of an index; the other bands become their masked mean.

    Returns:
        By index, float32, dims (y, x), NaN where no observation is valid.
    """
    bands = [name for name in month.bands if every_band or name in _needed(month)]
    items = list(pystac.Catalog.from_file(str(month.catalogue)).get_items(recursive=True))
    grid = month.grid
    stack: xr.Dataset = odc.stac.load(
        items,
        bands=bands,
        geobox=GeoBox((grid.height, grid.width), rasterio.Affine(grid.dx, 0, grid.x0, 0, grid.dy, grid.y0), grid.crs),
        resampling={"*": "bilinear", "scl": "nearest"},
        chunks={"x": CHUNK_PX, "y": CHUNK_PX},
    )
    clear = stack["scl"].isin(CLEAR)

    def reflectance(band: str) -> xr.DataArray:
        numbers = stack[band].where(clear & (stack[band] != 0)).astype(np.float32)
        return numbers * np.float32(1e-4) - np.float32(0.1)

    monthly = xr.Dataset({name: index(reflectance).mean("time") for name, index in _indices(month).items()})
    for band in bands:
        if band not in _needed(month):
            monthly[band] = reflectance(band).mean("time")
    monthly = monthly.compute(scheduler="threads", num_workers=threads)
    return {name: monthly[name].values for name in _indices(month)}


def _needed(month: Month) -> tuple[str, ...]:
    return ("scl", "blue", "red", "nir", *(("nir08", "swir22") if "nir08" in month.bands else ()))


def _indices(month: Month) -> dict[str, Callable[[Reflectance], xr.DataArray]]:
    return {"ndvi": _ndvi, "evi": _evi, **({"nbr": _nbr} if "nir08" in month.bands else {})}


def _ndvi(band: Reflectance) -> xr.DataArray:
    return _ratio(band("nir") - band("red"), band("nir") + band("red"), 1.0)


def _evi(band: Reflectance) -> xr.DataArray:
    nir, red, blue = band("nir"), band("red"), band("blue")
    # Python numbers do not widen float32.
    return _ratio(2.5 * (nir - red), nir + 6 * red - 7.5 * blue + 1, 2.0)


def _nbr(band: Reflectance) -> xr.DataArray:
    return _ratio(band("nir08") - band("swir22"), band("nir08") + band("swir22"), 1.0)


def _ratio(above: xr.DataArray, below: xr.DataArray, limit: float) -> xr.DataArray:
    """``above / below``, missing where it has no meaning, by the same rule as in our indices."""
    value = above / below
    return value.where((below > 0) & (abs(value) <= limit))
