"""Fusion: pixels of several missions as one layer. A pixel is taken whole, from the first mission that saw it."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Value = TypeVar("Value", bound=np.generic)

NONE = 0
"""In a source layer: no mission saw the pixel."""


def first_seen(counts: Sequence[NDArray[np.uint16]], numbers: Sequence[int]) -> NDArray[np.uint8]:
    """From which mission each pixel is: the first that saw it.

    Args:
        counts: Of each mission, first choice first, how many observations of it saw the pixel; dims (y, x).
        numbers: What each mission is called in the layer, 1 to 255.

    Returns:
        Numbers of missions, uint8, dims (y, x); 0 where none saw the pixel.
    """
    source = np.full(counts[0].shape, NONE, np.uint8)
    for count, number in zip(counts, numbers, strict=True):
        source[(source == NONE) & (count > 0)] = number
    return source


def taken(
    layers: Sequence[NDArray[Value]], numbers: Sequence[int], source: NDArray[np.uint8], missing: float
) -> NDArray[Value]:
    """Each pixel's value from the mission it is from.

    Args:
        layers: One of each mission, dims (y, x).
        numbers: What each mission is called in ``source``.
        source: Where each pixel is from, as :func:`first_seen` gives it.
        missing: The value of pixels that are from none of these missions.
    """
    values = np.full(source.shape, missing, layers[0].dtype)
    for layer, number in zip(layers, numbers, strict=True):
        np.copyto(values, layer, where=source == number)
    return values
