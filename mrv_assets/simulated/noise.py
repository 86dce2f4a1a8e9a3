"""Chance without a generator: whole numbers, mixed, that are the same on every machine and in any order.

Of floating point only what IEEE 754 rounds the same everywhere takes part: no sine, no logarithm, no sum whose order
a processor chooses.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mrv_assets.audit.canonical import digest

Floats = NDArray[np.float64]

# Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014 (splitmix64).
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))


@dataclass(frozen=True, kw_only=True)
class Places:
    """Points of the frame everything is simulated in, metres; ``x`` and ``y`` broadcast to the points' shape.

    Of points in rows and columns ``x`` is (1, width) and ``y`` (height, 1), which is cheaper.
    """

    x: Floats
    y: Floats

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the points."""
        return np.broadcast_shapes(self.x.shape, self.y.shape)


def seed_of(*parts: int | str) -> int:
    """A seed of its own for everything that has another name."""
    # Room above it, for the fields that are counted on from a seed.
    return int(digest(list(parts))[:15], 16)


def bits(seed: int, *keys: NDArray[Any]) -> NDArray[np.uint64]:
    """64 random bits for each tuple of whole numbers.

    Args:
        seed: Which of all the tables of random bits.
        keys: Integers that broadcast, of one dimension or more; negative ones too.
    """
    state = np.full(1, seed, np.uint64)
    for key in keys:
        state = _mixed(state ^ key.astype(np.int64).view(np.uint64))
    return state


def uniform(seed: int, *keys: NDArray[Any]) -> Floats:
    """A random number in [0, 1) for each tuple of whole numbers."""
    return (bits(seed, *keys) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def smooth(seed: int, places: Places, wavelength_m: float) -> Floats:
    """A field in [0, 1) that goes smoothly from node to node of a lattice.

    Args:
        seed: Which field.
        places: Where.
        wavelength_m: Distance of the nodes.

    Returns:
        float64, the places' shape.
    """
    col, u = _cells(places.x, wavelength_m)
    row, v = _cells(places.y, wavelength_m)
    first_row, first_col = row.min(), col.min()
    nodes = uniform(
        seed,
        np.arange(first_row, row.max() + 2)[:, np.newaxis],
        np.arange(first_col, col.max() + 2)[np.newaxis, :],
    )
    row, col = row - first_row, col - first_col
    if places.x.shape[0] == 1 and places.y.shape[1] == 1:
        # Down first, once for each column of nodes: the same sums in the same order as below.
        lines = nodes[row[:, 0]] * (1 - v) + nodes[row[:, 0] + 1] * v
        return np.asarray(lines[:, col[0]] * (1 - u) + lines[:, col[0] + 1] * u)
    left = nodes[row, col] * (1 - v) + nodes[row + 1, col] * v
    right = nodes[row, col + 1] * (1 - v) + nodes[row + 1, col + 1] * v
    return np.asarray(left * (1 - u) + right * u)


def rough(seed: int, places: Places, wavelength_m: float, octaves: int) -> Floats:
    """A field in [0, 1) with detail: each octave half as long and half as strong as the one before."""
    total = np.zeros(places.shape)
    for octave in range(octaves):
        total += smooth(seed + octave, places, wavelength_m / 2**octave) * 2.0**-octave
    return total / (2 - 2.0 ** (1 - octaves))


def _mixed(state: NDArray[np.uint64]) -> NDArray[np.uint64]:
    # Wrapping around is the point; numpy says nothing of it in arrays.
    state = state + _GOLDEN
    for shift, factor in zip((30, 27), _MIX):
        state = (state ^ (state >> np.uint64(shift))) * factor
    return state ^ (state >> np.uint64(31))


def _cells(at: Floats, wavelength_m: float) -> tuple[NDArray[np.int64], Floats]:
    """The node before each point, and how far it is to the next one, eased at both ends."""
    steps = at / wavelength_m
    node = np.floor(steps)
    part = steps - node
    return node.astype(np.int64), part * part * (3 - 2 * part)
