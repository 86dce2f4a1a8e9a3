"""Differences between the results of two sides: values within a tolerance, and missing in the same pixels."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

TOLERANCE = 1e-3
"""Largest difference between two indices that counts as the same. Ours are stored in steps of 1e-4."""

_ROWS = 1024


@dataclass(frozen=True, kw_only=True)
class Difference:
    """The difference of one index between two sides."""

    index: str
    valid: int
    """Pixels in which both have a value."""
    largest: float
    """Largest difference where both have a value."""
    beyond: int
    """Pixels that differ by more than the tolerance."""
    only_here: int
    """Pixels in which only the first has a value."""
    only_there: int
    """Pixels in which only the second has a value."""

    @property
    def same(self) -> bool:
        """True when the two sides agree in every pixel, and some pixel has a value."""
        return self.valid > 0 and not (self.beyond or self.only_here or self.only_there)


def differences(
    here: Mapping[str, NDArray[np.float32]],
    there: Mapping[str, NDArray[np.float32]],
    tolerance: float = TOLERANCE,
) -> list[Difference]:
    """Compare the rasters of two sides.

    Args:
        here: By index, dims (y, x), NaN where missing.
        there: The rasters of the other side, likewise.
        tolerance: Largest difference of values that count as the same.

    Raises:
        ValueError: When the sides do not hold the same indices in the same shape: nothing can be compared.
    """
    shapes = [{name: values.shape for name, values in side.items()} for side in (here, there)]
    if shapes[0] != shapes[1] or not here:
        raise ValueError(f"one side has {shapes[0]}, the other {shapes[1]}")
    return [_difference(name, here[name], there[name], tolerance) for name in here]


def _difference(index: str, here: NDArray[np.float32], there: NDArray[np.float32], tolerance: float) -> Difference:
    valid = beyond = only_here = only_there = 0
    largest = 0.0
    # By strips: rasters of a whole tile are read from disk, and need not be in memory at once.
    for first in range(0, here.shape[0], _ROWS):
        a, b = here[first : first + _ROWS], there[first : first + _ROWS]
        has_a, has_b = ~np.isnan(a), ~np.isnan(b)
        both = has_a & has_b
        apart = np.abs(a[both].astype(np.float64) - b[both])
        valid += int(both.sum())
        beyond += int((apart > tolerance).sum())
        only_here += int((has_a & ~has_b).sum())
        only_there += int((has_b & ~has_a).sum())
        largest = max(largest, float(apart.max(initial=0.0)))
    return Difference(
        index=index, valid=valid, largest=largest, beyond=beyond, only_here=only_here, only_there=only_there
    )
