"""Fusion: one layer from the pixels of several missions. Each pixel comes from the first mission that saw it."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Value = TypeVar("Value", bound=np.generic)

NONE = 0
"""Number in a source layer for a pixel that no mission saw."""


def first_seen(counts: Sequence[NDArray[np.uint16]], numbers: Sequence[int]) -> NDArray[np.uint8]:
    """The source layer: the number of the first mission that saw each pixel.

    Args:
        counts: Number of observations that saw each pixel, one array per mission, first choice first; dims (y, x).
        numbers: Number of each mission in the layer, 1 to 255.

    Returns:
        Numbers of missions, uint8, dims (y, x); 0 where no mission saw the pixel.
    """
    source = np.full(counts[0].shape, NONE, np.uint8)
    for count, number in zip(counts, numbers, strict=True):
        source[(source == NONE) & (count > 0)] = number
    return source


def taken(
    layers: Sequence[NDArray[Value]], numbers: Sequence[int], source: NDArray[np.uint8], missing: float
) -> NDArray[Value]:
    """A layer in which each pixel has the value that its source mission gives it.

    Args:
        layers: One layer per mission, dims (y, x).
        numbers: Number of each mission in ``source``.
        source: The mission of each pixel, as :func:`first_seen` gives it.
        missing: The value of pixels that do not come from any of these missions.
    """
    values = np.full(source.shape, missing, layers[0].dtype)
    for layer, number in zip(layers, numbers, strict=True):
        np.copyto(values, layer, where=source == number)
    return values
