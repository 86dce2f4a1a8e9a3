"""Composites: one value a pixel for a month of observations, with its spread over time and their number."""

import numpy as np
from numpy.typing import NDArray

from mrv_assets.science.indices import FILL
from mrv_assets.science.jit import kernel

Composite = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.uint16]]


def composite(stack: NDArray[np.generic], how: str) -> Composite:
    """Reduce a stack of one index over time.

    Args:
        stack: The index as stored, dims (time, y, x): int16 (times 1e-4, fill -32768), or float32 with NaN where
            missing.
        how: ``mean`` or ``median``.

    Returns:
        Value and population standard deviation over time, float32, NaN where no observation is valid, and
        the number of valid observations, uint16; dims (y, x).

    Raises:
        ValueError: When ``how`` is neither ``mean`` nor ``median``.
    """
    if how not in ("mean", "median"):
        raise ValueError(f"composite {how!r}: write mean or median")
    value = np.empty(stack.shape[1:], np.float32)
    std = np.empty(stack.shape[1:], np.float32)
    count = np.empty(stack.shape[1:], np.uint16)
    # C order and writeable, so that each kernel is compiled only once.
    if stack.dtype.kind == "f":
        _reduce_floats(np.require(stack, np.float32, ["C", "W"]), how == "median", value, std, count)
    else:
        _reduce(np.require(stack, np.int16, ["C", "W"]), how == "median", value, std, count)
    return value, std, count


@kernel
def _reduce(
    stack: NDArray[np.int16],
    median: bool,
    value: NDArray[np.float32],
    std: NDArray[np.float32],
    count: NDArray[np.uint16],
) -> None:
    times, height, width = stack.shape
    row = np.empty(times, np.int64)
    for i in range(height):
        for j in range(width):
            n = 0
            total = np.int64(0)
            squares = np.int64(0)
            for t in range(times):
                v = np.int64(stack[t, i, j])
                if v != FILL:
                    row[n] = v
                    n += 1
                    # Sums of whole numbers are exact, so the order of the observations does not matter.
                    total += v
                    squares += v * v
            count[i, j] = n
            if n == 0:
                value[i, j] = np.nan
                std[i, j] = np.nan
                continue
            spread = np.float64(squares * n - total * total) / np.float64(n * n)
            std[i, j] = np.float32(np.sqrt(spread) * 1e-4)
            if median:
                for a in range(1, n):
                    moving = row[a]
                    b = a - 1
                    while b >= 0 and row[b] > moving:
                        row[b + 1] = row[b]
                        b -= 1
                    row[b + 1] = moving
                middle = row[(n - 1) // 2] + row[n // 2]
                value[i, j] = np.float32(np.float64(middle) * 0.5 * 1e-4)
            else:
                value[i, j] = np.float32(np.float64(total) / np.float64(n) * 1e-4)


@kernel
def _reduce_floats(
    stack: NDArray[np.float32],
    median: bool,
    value: NDArray[np.float32],
    std: NDArray[np.float32],
    count: NDArray[np.uint16],
) -> None:
    times, height, width = stack.shape
    row = np.empty(times, np.float64)
    for i in range(height):
        for j in range(width):
            n = 0
            for t in range(times):
                v = np.float64(stack[t, i, j])
                if not np.isnan(v):
                    # Values are sorted as they are read: a sum of floats depends on its order, and the order of values
                    # does not depend on that of the observations.
                    b = n - 1
                    while b >= 0 and row[b] > v:
                        row[b + 1] = row[b]
                        b -= 1
                    row[b + 1] = v
                    n += 1
            count[i, j] = n
            if n == 0:
                value[i, j] = np.nan
                std[i, j] = np.nan
                continue
            total = 0.0
            for t in range(n):
                total += row[t]
            mean = total / n
            squares = 0.0
            for t in range(n):
                squares += (row[t] - mean) * (row[t] - mean)
            std[i, j] = np.float32(np.sqrt(squares / n))
            if median:
                value[i, j] = np.float32((row[(n - 1) // 2] + row[n // 2]) * 0.5)
            else:
                value[i, j] = np.float32(mean)


def clear_observations(unclear_flags: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """Number of observations that saw the ground, uint16, dims (y, x).

    Args:
        unclear_flags: Reasons a pixel is unclear, dims (time, y, x); 0 = clear.
    """
    seen: NDArray[np.uint16] = (unclear_flags == 0).sum(axis=0, dtype=np.uint16)
    return seen
