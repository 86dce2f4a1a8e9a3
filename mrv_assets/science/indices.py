"""Indices of reflectance, as scaled integers, and of radar backscatter, as floats; missing where not defined."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from mrv_assets.missions.bandpass import UNCHANGED, Linear
from mrv_assets.missions.indices import INDICES, RadarIndex, SpectralIndex
from mrv_assets.missions.mission import Mission, Power, Radiometry, Reflectance
from mrv_assets.science.jit import kernel

SCALE = 1e-4
"""index = stored integer * SCALE, unitless."""
FILL = -32768
"""The stored integer of a missing value."""

Counts = dict[str, int]


def available(bands: Collection[str], stand_ins: Mapping[str, str] | None = None) -> dict[str, tuple[str, ...]]:
    """The missing bands of each index, by its name; an index without any can be computed.

    Args:
        bands: The bands that are present.
        stand_ins: The band that is used in place of a band that a formula names.
    """
    taken = {name: [(stand_ins or {}).get(band, band) for band in index.bands] for name, index in INDICES.items()}
    return {name: tuple(band for band in named if band not in bands) for name, named in taken.items()}


def index_block(
    name: str,
    bands: Mapping[str, NDArray[np.generic]],
    unclear_flags: NDArray[np.uint16],
    radiometry: Radiometry,
    adjusted: Mapping[str, Linear] | None = None,
) -> tuple[NDArray[np.generic], Counts]:
    """One index of a block, and its number of invalid pixels by reason.

    Args:
        name: One of :data:`mrv_assets.missions.indices.INDICES`.
        bands: Stored numbers by the band that the formula names, uint16 digital numbers or float32 power, dims
            (time, y, x).
        unclear_flags: Reasons a pixel is unclear, same dims; 0 = clear.
        radiometry: The mission's stored convention.
        adjusted: Adjustments of reflectance before the formula is applied, by the band that the formula names.

    Returns:
        The index: from reflectance, int16 (times :data:`SCALE`, :data:`FILL` where missing), rounded half up; from
        power, float32, NaN where missing. And the number of clear pixels that are invalid because a band is
        ``clipped``, the ``denominator`` is not positive or the value is ``out_of_range``.

    Raises:
        ValueError: When the mission's measurement does not have this index: an optical index of a radar, or the
            reverse.
    """
    match INDICES[name], radiometry:
        case SpectralIndex() as index, Reflectance():
            return _spectral(index, bands, unclear_flags, radiometry, adjusted or {})
        case RadarIndex() as radar, Power():
            return _radar(radar, bands, unclear_flags)
        case _:
            raise ValueError(f"{name} is not an index of a mission that measures {type(radiometry).__name__}")


def _spectral(
    index: SpectralIndex,
    bands: Mapping[str, NDArray[np.generic]],
    unclear_flags: NDArray[np.uint16],
    radiometry: Reflectance,
    adjusted: Mapping[str, Linear],
) -> tuple[NDArray[np.int16], Counts]:
    # The formula is divided by the scale, so that it works on digital numbers: with reflectance = scale (DN - zero),
    # the zero cancels out of the difference and is one constant of the denominator. In float32, differences and
    # weighted sums of whole numbers are exact, whereas the rounding of reflectances near zero is as large as they are.
    # An adjusted band is slope x scale (DN - zero) + offset: its slope goes to its weight, the rest to the constants.
    zero = -radiometry.offset / radiometry.scale
    lines = [adjusted.get(band, UNCHANGED) for band in index.bands]
    shifts = [line.offset / radiometry.scale - line.slope * zero for line in lines]
    constant = index.constant / radiometry.scale + sum(w * shift for w, shift in zip(index.weights, shifts))
    bands_used = [_flat(bands[band], np.uint16) for band in index.bands]
    weights = [np.float32(weight * line.slope) for weight, line in zip(index.weights, lines)]
    if len(bands_used) == 2:
        # One kernel serves all indices: the third band gets the weight 0.
        bands_used, weights = [*bands_used, bands_used[0]], [*weights, np.float32(0)]
    out = np.empty(unclear_flags.size, np.int16)
    clipped, denominator, out_of_range = _index(
        *bands_used,
        _flat(unclear_flags, np.uint16),
        np.uint16(radiometry.nodata),
        np.uint16(radiometry.nodata if radiometry.clipped is None else radiometry.clipped),
        (
            np.float32(lines[0].slope),
            np.float32(lines[1].slope),
            np.float32(shifts[0] - shifts[1]),
            *weights,
            np.float32(constant),
            np.float32(index.gain),
            np.float32(index.limit),
        ),
        out,
    )
    counts = {"clipped": clipped, "denominator": denominator, "out_of_range": out_of_range}
    return out.reshape(unclear_flags.shape), counts


def _radar(
    index: RadarIndex, bands: Mapping[str, NDArray[np.generic]], unclear_flags: NDArray[np.uint16]
) -> tuple[NDArray[np.float32], Counts]:
    vh, vv = (_flat(bands[band], np.float32) for band in index.bands)
    out = np.empty(unclear_flags.size, np.float32)
    numbers = (np.float32(index.gain), np.float32(index.weight))
    denominator, out_of_range = _ratio(vh, vv, _flat(unclear_flags, np.uint16), numbers, out)
    return out.reshape(unclear_flags.shape), {"denominator": denominator, "out_of_range": out_of_range}


def _flat(values: NDArray[Any], dtype: type[np.generic]) -> NDArray[Any]:
    """The values as one dimension, in C order and writeable, so that the kernel is compiled only once."""
    return np.require(values, dtype, ["C", "W"]).reshape(-1)


@kernel
def _index(
    first: NDArray[np.uint16],
    second: NDArray[np.uint16],
    third: NDArray[np.uint16],
    flags: NDArray[np.uint16],
    nodata: np.uint16,
    clipped: np.uint16,
    numbers: tuple[np.float32, ...],
    out: NDArray[np.int16],
) -> tuple[int, int, int]:
    """Write one index of every pixel into ``out``; return the numbers of clipped pixels, denominators, invalid values.

    The loop has no branches, so that the compiler can process several pixels at once.
    """
    slope1, slope2, shift, weight1, weight2, weight3, constant, gain, limit = numbers
    cut = denominators = values = 0
    for k in range(out.size):
        a, b, c = np.float32(first[k]), np.float32(second[k]), np.float32(third[k])
        seen = (flags[k] == 0) & (first[k] != nodata) & (second[k] != nodata) & (third[k] != nodata)
        known = (first[k] != clipped) & (second[k] != clipped) & (third[k] != clipped)
        cut += seen & (not known)
        seen &= known
        below = weight1 * a + weight2 * b + weight3 * c + constant
        positive = below > np.float32(0)
        value = gain * (slope1 * a - slope2 * b + shift) / below
        within = abs(value) <= limit
        denominators += seen & (not positive)
        values += seen & positive & (not within)
        rounded = np.floor(value * np.float32(10000) + np.float32(0.5))
        out[k] = np.int16(rounded) if seen & positive & within else np.int16(FILL)
    return cut, denominators, values


@kernel
def _ratio(
    vh: NDArray[np.float32],
    vv: NDArray[np.float32],
    flags: NDArray[np.uint16],
    numbers: tuple[np.float32, ...],
    out: NDArray[np.float32],
) -> tuple[int, int]:
    """Write one radar index of every pixel into ``out``; return the numbers of invalid denominators and values."""
    gain, weight = numbers
    denominators = values = 0
    for k in range(out.size):
        out[k] = np.nan
        if flags[k] != 0 or np.isnan(vh[k]) or np.isnan(vv[k]):
            continue
        # The removal of noise leaves powers at or below zero, which have no meaningful ratio.
        if vv[k] <= 0 or vv[k] + vh[k] <= 0:
            denominators += 1
            continue
        value = gain * vh[k] / (weight * vh[k] + vv[k])
        if np.isinf(value):
            values += 1
        else:
            out[k] = value
    return denominators, values


def spectral_indices(reflectance: xr.Dataset, mission: Mission, names: Sequence[str] | None = None) -> xr.Dataset:
    """Indices of a stack of reflectance, as ``lake.open`` gives it for ``masked_tiles``. Lazy where the stack is.

    The stored digital numbers are recovered from the reflectance, so that the values equal those of ``indices`` in the
    lake, unless its programme adjusts reflectance by a band-pass.

    Args:
        reflectance: Surface reflectance, unitless, float32, dims ``(time, y, x)``, one variable a band; NaN where the
            ground was not seen.
        mission: The optical mission that measured the reflectance.
        names: Indices to compute; by default all of the mission's whose bands the stack has.

    Returns:
        One variable an index, unitless, float32, same dims; NaN where missing or invalid.

    Raises:
        ValueError: For a radar mission, whose indices come from filtered power; and, when it is computed, for numbers
            that are no reflectance, such as digital numbers.
        KeyError: When there is no index of a name, or the stack lacks a band of an index in ``names``.
    """
    radiometry = mission.radiometry
    if not isinstance(radiometry, Reflectance):
        raise ValueError(f"{mission.name} measures power, not reflectance; open its indices in the lake")
    for name in names or ():
        if name not in INDICES:
            raise KeyError(f"{name} is no index; there are {', '.join(INDICES)}")
    bands = {
        name: [mission.stand_ins.get(band, band) for band in INDICES[name].bands]
        for name in (mission.indices if names is None else names)
    }
    return xr.Dataset(
        {
            name: xr.apply_ufunc(
                _index_values,
                *(reflectance[band] for band in of_index),
                kwargs={"name": name, "radiometry": radiometry},
                dask="parallelized",
                output_dtypes=[np.float32],
                # An index is not the reflectance of its first band.
                keep_attrs=False,
            ).assign_attrs(long_name=INDICES[name].long_name, units="1", references=INDICES[name].source)
            for name, of_index in bands.items()
            if names is not None or all(band in reflectance for band in of_index)
        }
    )


def _index_values(*reflectances: NDArray[np.float32], name: str, radiometry: Reflectance) -> NDArray[np.float32]:
    """One index of decoded reflectance, float32, unitless, NaN where missing."""
    # Clipped pixels are NaN too.
    unseen = np.any([np.isnan(values) for values in reflectances], axis=0)
    numbers = [np.rint((values - radiometry.offset) / radiometry.scale) for values in reflectances]
    if any(((dn < 0) | (dn > np.iinfo(np.uint16).max)).any() for dn in numbers):
        raise ValueError("a band holds numbers that are no reflectance; give what lake.open gives for masked_tiles")
    bands = [np.where(unseen, radiometry.fill, dn).astype(np.uint16) for dn in numbers]
    stored, _ = index_block(
        name, dict(zip(INDICES[name].bands, bands, strict=True)), unseen.astype(np.uint16), radiometry
    )
    return np.where(stored == FILL, np.float32(np.nan), stored.astype(np.float32) * np.float32(SCALE))
