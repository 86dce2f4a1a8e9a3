"""Spectral indices, as scaled integers where they mean something and as missing where they do not."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from mrv_assets.missions.mission import Reflectance
from mrv_assets.science.jit import kernel

SCALE = 1e-4
"""index = stored integer * SCALE, unitless."""
FILL = -32768
"""The stored integer that means missing."""

Counts = dict[str, int]


@dataclass(frozen=True, kw_only=True)
class SpectralIndex:
    """One index: a normalised difference of two bands, or EVI of three."""

    name: str
    long_name: str
    bands: tuple[str, ...]
    """Bands in the order of the formula."""
    limit: float
    """Beyond this in size a value is noise, not vegetation: invalid, counted, never clipped."""
    source: str


INDICES: dict[str, SpectralIndex] = {
    index.name: index
    for index in (
        SpectralIndex(
            name="ndvi",
            long_name="normalized difference vegetation index",
            bands=("nir", "red"),
            limit=1.0,
            source="Rouse et al. 1974: (N - R) / (N + R)",
        ),
        SpectralIndex(
            name="evi",
            long_name="enhanced vegetation index",
            bands=("nir", "red", "blue"),
            limit=2.0,
            source="Huete et al. 2002: 2.5 (N - R) / (N + 6 R - 7.5 B + 1)",
        ),
        SpectralIndex(
            name="nbr",
            long_name="normalized burn ratio",
            bands=("nir08", "swir22"),
            limit=1.0,
            source="Key and Benson 2006: (N2 - S2) / (N2 + S2)",
        ),
        SpectralIndex(
            name="ndmi",
            long_name="normalized difference moisture index",
            bands=("nir08", "swir16"),
            limit=1.0,
            source="Gao 1996: (N2 - S1) / (N2 + S1)",
        ),
    )
}


def available(bands: Collection[str]) -> dict[str, tuple[str, ...]]:
    """Per index the bands it lacks; an index that lacks none can be computed."""
    return {name: tuple(band for band in index.bands if band not in bands) for name, index in INDICES.items()}


def index_block(
    name: str,
    bands: Mapping[str, NDArray[np.generic]],
    unclear_flags: NDArray[np.uint16],
    radiometry: Reflectance,
) -> tuple[NDArray[np.int16], Counts]:
    """One index of a block.

    Args:
        name: One of :data:`INDICES`.
        bands: Stored digital numbers by band, uint16, dims (time, y, x).
        unclear_flags: Reasons a pixel is unclear, same dims; 0 = clear.
        radiometry: The mission's stored convention.

    Returns:
        The index as int16 (times :data:`SCALE`, :data:`FILL` where missing), rounded half up, and how many
        clear pixels are invalid because the ``denominator`` is not positive or the value is ``out_of_range``.
    """
    index = INDICES[name]
    out = np.empty(unclear_flags.shape, np.int16)
    counts = np.zeros(2, np.int64)
    limit = np.float32(index.limit)
    scale, offset = np.float32(radiometry.scale), np.float32(radiometry.offset)
    nodata = np.uint16(radiometry.nodata)
    values = [bands[band] for band in index.bands]
    if len(values) == 3:
        _evi(values[0], values[1], values[2], unclear_flags, scale, offset, nodata, limit, out, counts)
    else:
        _normalized_difference(values[0], values[1], unclear_flags, scale, offset, nodata, limit, out, counts)
    return out, {"denominator": int(counts[0]), "out_of_range": int(counts[1])}


@kernel
def _normalized_difference(a, b, flags, scale, offset, nodata, limit, out, counts):  # type: ignore[no-untyped-def]
    for t in range(out.shape[0]):
        for i in range(out.shape[1]):
            for j in range(out.shape[2]):
                out[t, i, j] = FILL
                if flags[t, i, j] != 0 or a[t, i, j] == nodata or b[t, i, j] == nodata:
                    continue
                x = np.float32(a[t, i, j]) * scale + offset
                y = np.float32(b[t, i, j]) * scale + offset
                below = x + y
                if below <= np.float32(0):
                    counts[0] += 1
                    continue
                value = (x - y) / below
                if not (abs(value) <= limit):
                    counts[1] += 1
                    continue
                out[t, i, j] = np.int16(np.floor(value * np.float32(10000) + np.float32(0.5)))


@kernel
def _evi(nir, red, blue, flags, scale, offset, nodata, limit, out, counts):  # type: ignore[no-untyped-def]
    for t in range(out.shape[0]):
        for i in range(out.shape[1]):
            for j in range(out.shape[2]):
                out[t, i, j] = FILL
                if flags[t, i, j] != 0 or nir[t, i, j] == nodata or red[t, i, j] == nodata or blue[t, i, j] == nodata:
                    continue
                n = np.float32(nir[t, i, j]) * scale + offset
                r = np.float32(red[t, i, j]) * scale + offset
                b = np.float32(blue[t, i, j]) * scale + offset
                below = n + np.float32(6) * r - np.float32(7.5) * b + np.float32(1)
                if below <= np.float32(0):
                    counts[0] += 1
                    continue
                value = np.float32(2.5) * (n - r) / below
                if not (abs(value) <= limit):
                    counts[1] += 1
                    continue
                out[t, i, j] = np.int16(np.floor(value * np.float32(10000) + np.float32(0.5)))


def spectral_indices(
    stack: xr.Dataset, unclear_flags: xr.DataArray, names: Sequence[str], radiometry: Reflectance
) -> xr.Dataset:
    """Indices of a stack, lazy where the stack is.

    Args:
        stack: Stored digital numbers, uint16, dims ``(time, y, x)``, one variable a band.
        unclear_flags: Reasons a pixel is unclear, uint16 bit field, same dims; 0 = clear.
        names: Indices to compute; the stack has their bands.
        radiometry: The mission's stored convention.

    Returns:
        int16, times :data:`SCALE`, :data:`FILL` where missing; one variable an index.
    """
    found = {}
    for name in names:
        wanted = INDICES[name].bands

        def compute(flags: NDArray[np.uint16], *values: NDArray[np.generic], _name: str = name) -> NDArray[np.int16]:
            return index_block(_name, dict(zip(INDICES[_name].bands, values, strict=True)), flags, radiometry)[0]

        found[name] = xr.apply_ufunc(
            compute,
            unclear_flags,
            *(stack[band] for band in wanted),
            dask="parallelized",
            output_dtypes=[np.int16],
        ).assign_attrs(long_name=INDICES[name].long_name, units="1")
    return xr.Dataset(found)


def decode_index(stored: xr.DataArray) -> xr.DataArray:
    """An index as float32, unitless, NaN where missing; lazy."""
    return stored.where(stored != FILL).astype(np.float32) * np.float32(SCALE)
