"""Radiometry: published numbers brought to the one stored convention of their mission."""

from typing import TypeVar

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from mrv_assets.missions.mission import Power, Radiometry, Reflectance

Bands = TypeVar("Bands", xr.DataArray, xr.Dataset)


def to_convention(dn: NDArray[np.generic], shift: int, radiometry: Reflectance) -> NDArray[np.generic]:
    """Digital numbers of a scene in its mission's stored convention. Applied before resampling.

    Args:
        dn: Digital numbers as published, unsigned integers, any dims; ``radiometry.nodata`` is missing.
        shift: Number added to every valid number; +1000 for a Sentinel-2 scene published with offset 0.
        radiometry: The mission's convention.

    Returns:
        Same dims, ``radiometry.dtype``; missing and clipped numbers stay what they are, and a number too large becomes
        ``radiometry.saturated``.
    """
    stored = np.dtype(radiometry.dtype)
    if shift == 0:
        return dn.astype(stored, copy=False)
    # int32 is wide enough that 65535 + 1000 does not wrap.
    shifted = dn.astype(np.int32) + shift
    # A valid pixel must not become nodata by arithmetic: the smallest valid number stands for anything darker.
    shifted = np.clip(shifted, radiometry.nodata + 1, radiometry.saturated)
    # A saturated pixel stays saturated, even where the shift is negative.
    shifted = np.where(dn == radiometry.saturated, radiometry.saturated, shifted)
    if radiometry.clipped is not None:
        shifted = np.where(dn == radiometry.clipped, radiometry.clipped, shifted)
    return np.where(dn == radiometry.nodata, radiometry.nodata, shifted).astype(stored)


def power_of(pixels: NDArray[np.generic], nodata: float | None, radiometry: Power) -> NDArray[np.float32]:
    """Backscatter of a scene in its mission's stored convention. Applied before resampling.

    Args:
        pixels: Linear power as published, float32, any dims.
        nodata: Nodata value that the scene's file states; None where it states none.
        radiometry: The mission's convention, with the smallest and largest power that is a measurement.

    Returns:
        Same dims, float32, NaN where a pixel is the stated nodata or not a measurement: publishers fill with zeros,
        with -9999 or with the largest float, and where the removal of noise took all of the power, none was measured.
    """
    values = pixels.astype(np.float32)
    measured = (values >= np.float32(radiometry.floor)) & (values <= np.float32(radiometry.ceiling))
    if nodata is not None:
        measured &= values != np.float32(nodata)
    values[~measured] = np.nan
    return values


def missing(stored: NDArray[np.generic], radiometry: Radiometry) -> NDArray[np.bool_]:
    """True where stored numbers, any dims, hold no measurement."""
    match radiometry:
        case Reflectance(nodata=nodata):
            return np.asarray(stored == nodata)
        case Power():
            return np.isnan(stored.astype(np.float32, copy=False))


def reflectance(dn: Bands, radiometry: Reflectance) -> Bands:
    """Surface reflectance of stored digital numbers. Lazy.

    Args:
        dn: Stored digital numbers, ``radiometry.dtype``, any dims; a Dataset holds reflectance bands only.
        radiometry: The mission's convention.

    Returns:
        Unitless, float32, same dims and attributes; NaN at nodata. A saturated number is a value here, the
        brightest possible; ``unclear_flags`` marks it as unclear.
    """
    value = dn.astype(np.float32) * np.float32(radiometry.scale) + np.float32(radiometry.offset)
    valid = value.where(dn != radiometry.nodata)
    return valid.assign_attrs(dn.attrs)
