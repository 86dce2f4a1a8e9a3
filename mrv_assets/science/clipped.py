"""Resampling of bands some of whose pixels are clipped: seen, and darker than their product can say."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mrv_assets.missions.mission import Resample
from mrv_assets.science.grid import Grid, Window
from mrv_assets.science.resample import resample


def resample_clipped(
    pixels: NDArray[Any],
    clipped: NDArray[np.bool_],
    pixels_window: Window,
    source: Grid,
    target: Grid,
    window: Window,
    *,
    method: Resample,
    nodata: float,
) -> NDArray[Any]:
    """The pixels of a window of the target, as ``resample`` gives them; a clipped pixel is not part of any mean.

    Args:
        pixels: Source values, integer, dims (y, x); ``nodata`` where missing.
        clipped: True where the value says only that the ground is darker; at least once. Same dims.
        pixels_window: Their window in the source.
        source: Grid of the pixels.
        target: Grid to resample to.
        window: Window of the target.
        method: As in ``resample``.
        nodata: The value of missing pixels.

    Returns:
        Same dtype, shape of ``window``. The value of clipped pixels stands where the source pixel that holds the centre
        is clipped, and nowhere else.
    """
    known = np.where(clipped, pixels.dtype.type(nodata), pixels)
    out = resample(known, pixels_window, source, target, window, method=method, nodata=nodata)
    there = resample(clipped.astype(np.uint8), pixels_window, source, target, window, method=Resample.NEAREST, nodata=0)
    out[there != 0] = pixels[clipped][0]
    return out
