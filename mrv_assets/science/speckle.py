"""Speckle: the grain of radar images, filtered where neighbours say that a pixel is no more than that."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mrv_assets.science.jit import kernel

RADIUS_PX = 3
"""The window is 7 x 7 pixels of the analysis grid."""


def manifest(name: str, looks: float) -> dict[str, Any]:
    """How a filter works, for the parameter manifest."""
    if name == "none":
        return {"filter": "none"}
    return {
        "filter": name,
        "formula": "m + max(0, 1 - (m^2 / looks) / v) (x - m); Lee 1980, multiplicative noise",
        "window_px": 2 * RADIUS_PX + 1,
        "statistics": "mean m and population variance v of the window's clear pixels, float64",
        "looks": looks,
        "on": "linear power of each observation, before indices",
    }


def lee(power: NDArray[np.float32], looks: float) -> NDArray[np.float32]:
    """Filter speckle (Lee 1980): flat ground becomes its mean, edges and points stay.

    Args:
        power: Backscatter, linear power, float32, dims (time, y, x), NaN where missing; padded by ``RADIUS_PX``
            where there is ground to look at. Each observation is filtered alone.
        looks: Equivalent number of looks: speckle's variance is the mean's square over it.

    Returns:
        Linear power, float32, same dims; right where the padding is right. Missing pixels take no part and stay
        missing; at the array's edge the window is what is left of it.
    """
    out = np.empty(power.shape, np.float32)
    # C order and writeable, so that the kernel is compiled once.
    _lee(np.require(power, np.float32, ["C", "W"]), np.float64(1.0 / looks), RADIUS_PX, out)
    return out


@kernel
def _lee(power: NDArray[np.float32], noise: float, radius: int, out: NDArray[np.float32]) -> None:
    times, height, width = power.shape
    for t in range(times):
        for i in range(height):
            for j in range(width):
                value = np.float64(power[t, i, j])
                if np.isnan(value):
                    out[t, i, j] = np.nan
                    continue
                top, bottom = max(i - radius, 0), min(i + radius + 1, height)
                left, right = max(j - radius, 0), min(j + radius + 1, width)
                # Sums of this window alone, in order: running ones would carry what lies outside it.
                n = 0
                total = 0.0
                for a in range(top, bottom):
                    for b in range(left, right):
                        near = np.float64(power[t, a, b])
                        if near == near:
                            n += 1
                            total += near
                mean = total / n
                squares = 0.0
                for a in range(top, bottom):
                    for b in range(left, right):
                        near = np.float64(power[t, a, b])
                        if near == near:
                            squares += (near - mean) * (near - mean)
                variance = squares / n
                speckle = mean * mean * noise
                share = 1.0 - speckle / variance if variance > speckle else 0.0
                out[t, i, j] = np.float32(mean + share * (value - mean))
