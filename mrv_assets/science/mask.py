"""Masking: which pixels are unclear and why, by the product's own quality bands; nothing is guessed from colours."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from mrv_assets.missions.flags import Flag
from mrv_assets.missions.mission import (
    BitQuality,
    ClassQuality,
    Mission,
    ProbabilityQuality,
    Quality,
    Radiometry,
    Reflectance,
)
from mrv_assets.science.jit import kernel
from mrv_assets.science.radiometry import missing

FLAG_ATTRS: dict[str, object] = {
    "long_name": "why a pixel is unclear; 0 means the ground was seen",
    "flag_masks": [int(flag) for flag in Flag],
    "flag_meanings": " ".join(str(flag.name).lower() for flag in Flag),
}
"""CF attributes of ``unclear_flags``."""


def quality_flags(
    quality: Mapping[str, NDArray[np.generic]],
    mission: Mission,
    *,
    cloud_probability: float,
    snow_is_clear: bool = False,
) -> NDArray[np.uint16]:
    """Decode the quality bands of an observation into reasons.

    Args:
        quality: Quality bands by their name in the mission, source integers, one shape; at least one.
        mission: The mission, which defines the meaning of their values.
        cloud_probability: At or above this probability, [0, 1], a pixel is unclear; ``inf`` switches the test off.
        snow_is_clear: Whether snow counts as clear ground.

    Returns:
        Bits of :class:`Flag`, uint16, the same shape; 0 = clear. The reasons of several bands are combined.
    """
    shape = next(iter(quality.values())).shape
    flags = np.zeros(shape, np.uint16)
    for name, values in quality.items():
        flags |= _lookup(mission.quality[name], cloud_probability, values.dtype)[values]
    return flags & ~np.uint16(Flag.SNOW) if snow_is_clear else flags


def _lookup(quality: Quality, cloud_probability: float, dtype: np.dtype[Any]) -> NDArray[np.uint16]:
    """The reasons for every possible value of a quality band of unsigned integers, uint16, indexed by the value."""
    values = np.arange(np.iinfo(dtype).max + 1)
    flags = np.zeros(values.size, np.uint16)
    match quality:
        case ClassQuality(clear=clear, flags=reasons):
            flags[:] = int(Flag.UNCLASSIFIED)
            flags[sorted(clear)] = 0
            for code, reason in reasons.items():
                flags[code] = int(reason)
        case BitQuality(bits=bits):
            for bit, reason in bits.items():
                flags[(values >> bit) & 1 == 1] |= np.uint16(reason)
        case ProbabilityQuality(scale=scale, flag=reason, nodata=nodata):
            if math.isfinite(cloud_probability):
                # Compared in whole numbers, so that 0.15 and 15 x 0.01 are the same threshold.
                flags[values >= math.ceil(round(cloud_probability / scale, 6))] = int(reason)
            if nodata is not None:
                # No probability is known, for instance in an observation without this band: the other bands decide.
                flags[nodata] = 0
    return flags


def measured_flags(
    bands: Iterable[tuple[str, NDArray[np.generic]]],
    present: Mapping[str, NDArray[np.bool_]],
    radiometry: Radiometry,
) -> NDArray[np.uint16]:
    """Reasons that follow from the measured numbers.

    A pixel is nodata where a band that all scenes of its observation have is missing, or where every band is: alignment
    writes nodata into every band where the chosen scene lacks a number in any band that it has. It is saturated where
    any band is.

    Args:
        bands: Name and stored numbers of each band, dims (time, y, x); taken one after the other.
        present: By band, True for the observations all of whose scenes have it; (time,).
        radiometry: The mission's convention, which defines the numbers for nodata and saturation.

    Returns:
        Bits of :class:`Flag`, uint16, dims (time, y, x); 0 = nothing found.
    """
    flags = np.zeros((0, 1, 1), np.uint16)
    nowhere: NDArray[np.bool_] | None = None
    for name, values in bands:
        if nowhere is None:
            flags, nowhere = np.zeros(values.shape, np.uint16), np.ones(values.shape, np.bool_)
        for step in range(values.shape[0]):
            gone = missing(values[step], radiometry)
            nowhere[step] &= gone
            if present[name][step]:
                flags[step][gone] |= np.uint16(Flag.NODATA)
            if isinstance(radiometry, Reflectance):
                flags[step][values[step] == radiometry.saturated] |= np.uint16(Flag.SATURATED)
    if nowhere is not None:
        flags[nowhere] |= np.uint16(Flag.NODATA)
    return flags


def dilate(
    flags: NDArray[np.uint16], radius_px: int, reasons: Sequence[Flag] = (Flag.CLOUD, Flag.SHADOW)
) -> NDArray[np.uint16]:
    """Flag the pixels that lie within a radius of reasons such as cloud and shadow.

    Args:
        flags: Reasons, dims (time, y, x), padded by the radius wherever the grid reaches so far.
        radius_px: Euclidean radius between pixel centres; 0 changes nothing.
        reasons: The reasons whose edges the product's masks miss.

    Returns:
        The flags with ``DILATION`` set around the reasons, not on them; correct where the padding is complete.
    """
    dilated = np.uint16(sum(reasons))
    if radius_px == 0 or flags.size == 0 or not dilated:
        return flags
    # Half widths of the disc by row, so that the kernel needs no square root.
    widths = np.array([math.isqrt(radius_px**2 - d**2) for d in range(radius_px + 1)], np.int64)
    out = flags.copy()
    for step in range(flags.shape[0]):
        near = (flags[step] & dilated) != 0
        if near.any():
            _paint(near, out[step], radius_px, widths, np.uint16(Flag.DILATION))
    return out


@kernel
def _paint(
    near: NDArray[np.bool_], out: NDArray[np.uint16], radius: int, widths: NDArray[np.int64], bit: np.uint16
) -> None:
    height, width = near.shape
    for i in range(height):
        for j in range(width):
            if not near[i, j]:
                continue
            # A flagged pixel between four flagged neighbours reaches no pixel that they do not reach.
            if (
                0 < i < height - 1
                and 0 < j < width - 1
                and near[i - 1, j]
                and near[i + 1, j]
                and near[i, j - 1]
                and near[i, j + 1]
            ):
                continue
            for di in range(-radius, radius + 1):
                row = i + di
                if row < 0 or row >= height:
                    continue
                reach = widths[abs(di)]
                for col in range(max(0, j - reach), min(width, j + reach + 1)):
                    if not near[row, col]:
                        out[row, col] |= bit


def mask_unclear(stack: xr.Dataset, unclear_flags: xr.DataArray) -> xr.Dataset:
    """Blank every unclear pixel. Lazy.

    Args:
        stack: Surface reflectance, unitless, float32, dims ``(time, y, x)``.
        unclear_flags: Reasons a pixel is unclear, uint16 bit field, same dims; 0 = clear.

    Returns:
        The same variables and attributes; unclear pixels are NaN.
    """
    return stack.where(unclear_flags == 0)
