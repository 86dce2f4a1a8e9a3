"""Speckle: the noise of radar images, filtered where a pixel differs from its neighbours by no more than speckle."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mrv_assets.science.jit import kernel

RADIUS_PX = 3
"""Radius of the filter's window, which is 7 x 7 pixels of the analysis grid."""


def manifest(name: str, looks: float) -> dict[str, Any]:
    """Description of a filter for the parameter manifest."""
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
    """Filter speckle (Lee 1980): uniform ground becomes its mean, edges and bright points stay.

    Args:
        power: Backscatter, linear power, float32, dims (time, y, x), NaN where missing; padded by ``RADIUS_PX``
            wherever the grid reaches so far. Each observation is filtered alone.
        looks: Equivalent number of looks: the variance of speckle is the square of the mean divided by it.

    Returns:
        Linear power, float32, same dims; correct where the padding is complete. Missing pixels are ignored and stay
        missing; at the array's edge the window is cut off.
    """
    out = np.empty(power.shape, np.float32)
    # C order and writeable, so that the kernel is compiled only once.
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
                # Sums of this window alone, in order: running sums would carry rounding from pixels outside it.
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
