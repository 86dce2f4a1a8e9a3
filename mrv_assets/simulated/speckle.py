"""Speckle: what a radar's waves do to each other, the same bits on every machine."""

import math
from functools import cache

import numpy as np
from numpy.typing import NDArray

from mrv_assets.simulated.noise import Floats, bits

_STEPS = 1 << 16
_DIGITS = 6
"""Logarithms are rounded to so many, far above what differs between machines."""


def speckle(seed: int, rows: NDArray[np.int64], cols: NDArray[np.int64], looks: int) -> Floats:
    """A factor for each pixel's power: gamma distributed, mean 1, variance 1 / looks; pixels are independent.

    The mean of so many looks, each exponentially distributed (Ulaby, Moore, Fung: Microwave Remote Sensing II, 7-2).
    A real product's pixels lie closer than its resolution, so that neighbours resemble each other; these do not.

    Args:
        seed: Of a scene's band.
        rows: Of the pixels, (height, 1).
        cols: Of the pixels, (1, width).
        looks: Equivalent number of looks, 1 or more.
    """
    table = _exponential()
    total = np.zeros(np.broadcast_shapes(rows.shape, cols.shape))
    for look in range(looks):
        # Four looks from each 64 bits.
        word, part = divmod(look, 4)
        if part == 0:
            drawn = bits(seed + word, rows, cols)
        total += table[(drawn >> np.uint64(16 * part)).astype(np.uint16)]
    return total / looks


@cache
def _exponential() -> Floats:
    """Quantiles of the exponential distribution, in steps of equal probability, with mean 1."""
    values = [round(-math.log((step + 0.5) / _STEPS), _DIGITS) for step in range(_STEPS)]
    return np.array(values) / (math.fsum(values) / _STEPS)
