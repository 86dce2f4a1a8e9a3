"""Coverage: how much of the parcels was seen, in pixels, observations and days."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """One block's part of the coverage of parcels; the sum over all blocks, in their order, is the whole coverage."""

    total: NDArray[np.float64]
    """Pixels of each parcel, counted by exact fraction; float64, (parcel,)."""
    clear: NDArray[np.float64]
    """Pixels of each parcel with at least one clear observation; float64, (parcel,)."""
    per_observation: NDArray[np.float64]
    """Pixels of each parcel that each observation saw; float64, (parcel, time)."""

    def __add__(self, other: "Coverage") -> "Coverage":
        return Coverage(
            total=self.total + other.total,
            clear=self.clear + other.clear,
            per_observation=self.per_observation + other.per_observation,
        )


def parcel_coverage(
    clear: NDArray[np.bool_],
    parcel: NDArray[np.integer],
    row: NDArray[np.integer],
    col: NDArray[np.integer],
    fraction: NDArray[np.floating],
    parcels: int,
) -> Coverage:
    """Measure the coverage of parcels in one block.

    Args:
        clear: True where the ground was seen; dims (time, y, x) of the block.
        parcel: Parcel of each pixel share, index in [0, parcels).
        row: Row of each pixel share within the block.
        col: Column of each pixel share within the block.
        fraction: Share of the pixel inside the parcel, (0, 1].
        parcels: Number of parcels.
    """
    weight = fraction.astype(np.float64)
    looks = clear[:, row, col]
    return Coverage(
        # bincount adds in the order of its input, which is fixed.
        total=np.bincount(parcel, weight, parcels).astype(np.float64),
        clear=np.bincount(parcel, weight * looks.any(axis=0), parcels).astype(np.float64),
        per_observation=np.stack([np.bincount(parcel, weight * look, parcels) for look in looks], axis=1)
        if len(looks)
        else np.zeros((parcels, 0)),
    )


def fraction_of(part: float, whole: float) -> float:
    """``part / whole`` in [0, 1], rounded to 1e-9: the precision at which thresholds are compared."""
    return round(min(part / whole, 1.0), 9) if whole > 0 else 0.0


def max_gap_days(instants_us: Sequence[int], start: str, end: str) -> float:
    """Longest interval of a month without an observation, days; the month's start and end limit it too.

    Args:
        instants_us: Times of the observations, microseconds since 1970 UTC, ascending.
        start: First instant of the month, ISO 8601.
        end: First instant of the next month, ISO 8601.
    """
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    edges = [
        datetime.fromisoformat(start),
        *(epoch + timedelta(microseconds=instant) for instant in instants_us),
        datetime.fromisoformat(end),
    ]
    longest = max(later - earlier for earlier, later in pairwise(edges))
    return round(longest / timedelta(days=1), 6)
