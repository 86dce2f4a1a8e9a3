"""A clipped pixel was seen and has no value: it stays clipped, and no mean of its neighbours holds it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mrv_assets.missions.mission import Resample
from mrv_assets.science.clipped import resample_clipped
from mrv_assets.science.grid import Grid, Window

NODATA, CLIPPED = 0, 1
SIDE = 6


def a_grid(pixel: float, pixels: int) -> Grid:
    """A grid whose corner is that of the others."""
    return Grid(crs="EPSG:32634", x0=500_000.0, y0=5_000_000.0, dx=pixel, dy=-pixel, width=pixels, height=pixels)


def resampled(pixels: NDArray[np.uint16], pixel: float, target: Grid) -> NDArray[np.uint16]:
    """The pixels, whose values are clipped where they are ``CLIPPED``, on another grid."""
    whole = Window(0, 0, *pixels.shape)
    out: NDArray[np.uint16] = resample_clipped(
        pixels, pixels == CLIPPED, whole, a_grid(pixel, pixels.shape[0]), target,
        Window(0, 0, target.height, target.width), method=Resample.BILINEAR, nodata=NODATA,
    )  # fmt: skip
    return out


SOURCES = st.lists(
    st.sampled_from([NODATA, CLIPPED, CLIPPED, 300, 1001, 65_000]), min_size=SIDE**2, max_size=SIDE**2
).map(lambda values: np.array(values, np.uint16).reshape(SIDE, SIDE))


@settings(deadline=None)
@given(SOURCES)
def test_a_mean_is_that_of_the_known_pixels(pixels: NDArray[np.uint16]) -> None:
    """From 10 m to 30 m, worked in numpy: nine pixels each, of which the middle one holds the centre."""
    pixels[0, 0] = CLIPPED
    found = resampled(pixels, 10.0, a_grid(30.0, SIDE // 3))

    for row, col in np.ndindex(SIDE // 3, SIDE // 3):
        nine = pixels[3 * row : 3 * row + 3, 3 * col : 3 * col + 3].astype(int)
        known = nine[nine > CLIPPED]
        centre = nine[1, 1]
        expected = centre if centre in (NODATA, CLIPPED) else int(np.floor(known.sum() / known.size + 0.5))
        assert found[row, col] == expected


@settings(deadline=None)
@given(SOURCES)
def test_a_refined_pixel_weighs_the_known_neighbours(pixels: NDArray[np.uint16]) -> None:
    """From 20 m to 10 m: weights of 9, 3, 3 and 1, of those neighbours that have a value."""
    pixels[0, 0] = CLIPPED
    found = resampled(pixels, 20.0, a_grid(10.0, 2 * SIDE))

    for row, col in np.ndindex(found.shape):
        own = pixels[row // 2, col // 2]
        if own in (NODATA, CLIPPED):
            assert found[row, col] == own
            continue
        rows = [(row // 2, 3), (row // 2 + (1 if row % 2 else -1), 1)]
        cols = [(col // 2, 3), (col // 2 + (1 if col % 2 else -1), 1)]
        near = [
            (int(pixels[r, c]), wr * wc)
            for r, wr in rows
            for c, wc in cols
            if 0 <= r < SIDE and 0 <= c < SIDE and pixels[r, c] > CLIPPED
        ]
        expected = sum(value * weight for value, weight in near) / sum(weight for _, weight in near)
        assert found[row, col] == pytest.approx(expected, abs=0.51)
