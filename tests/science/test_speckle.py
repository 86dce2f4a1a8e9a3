"""Lee's filter: flat ground becomes its mean, edges stay, and what is missing takes no part."""

import json
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mrv_assets.missions.mission import Power
from mrv_assets.missions.sentinel1 import SENTINEL1
from mrv_assets.science.speckle import RADIUS_PX, lee, manifest

assert isinstance(SENTINEL1.radiometry, Power)
LOOKS = SENTINEL1.radiometry.looks
SIDE = 2 * RADIUS_PX + 1


def speckled(shape: tuple[int, ...], seed: int = 0, holes: float = 0.0) -> NDArray[np.float32]:
    """Backscatter of two fields under speckle of 4.4 looks, with missing pixels; dims (time, y, x)."""
    random = np.random.default_rng(seed)
    field = np.where(np.arange(shape[-1]) < shape[-1] // 2, 0.02, 0.2)
    power = (field * random.gamma(LOOKS, 1 / LOOKS, shape)).astype(np.float32)
    power[random.random(shape) < holes] = np.nan
    return power


def by_numpy(power: NDArray[np.float32], looks: float) -> NDArray[np.float64]:
    """Lee 1980 by numpy's own mean and variance of every window; beyond the edge is missing too."""
    padded = np.pad(power.astype(np.float64), ((0, 0), (RADIUS_PX,) * 2, (RADIUS_PX,) * 2), constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (SIDE, SIDE), axis=(1, 2))
    # Windows without a single pixel have no mean, and nobody asks for it.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        mean, variance = np.nanmean(windows, axis=(3, 4)), np.nanvar(windows, axis=(3, 4))
        weight = np.maximum(0, 1 - mean**2 / looks / np.maximum(variance, 1e-30))
    return np.asarray(mean + weight * (power - mean))


@pytest.mark.parametrize("holes", [0.0, 0.3], ids=["whole", "with holes"])
def test_it_is_what_numpy_gives_window_by_window(holes: float) -> None:
    """At every pixel, edges and corners too, and however many of its neighbours are missing."""
    power = speckled((3, 40, 37), holes=holes)

    np.testing.assert_allclose(lee(power, LOOKS), by_numpy(power, LOOKS), rtol=1e-5)


def test_a_pixel_is_worked_by_hand() -> None:
    """One bright pixel of 1.0 among 48 of 0.1: mean 0.118367, variance 0.0161933, weight 0.803356."""
    power = np.full((1, 7, 7), 0.1, np.float32)
    power[0, 3, 3] = 1.0
    mean = (48 * 0.1 + 1.0) / 49
    variance = (48 * (0.1 - mean) ** 2 + (1.0 - mean) ** 2) / 49
    weight = 1 - mean**2 / 4.4 / variance

    found = lee(power, 4.4)[0, 3, 3]

    assert found == pytest.approx(mean + weight * (1.0 - mean), rel=1e-6)
    assert weight == pytest.approx(0.803356, abs=1e-5)


def test_flat_ground_becomes_its_mean_and_an_edge_stays() -> None:
    """Speckle is as strong as the mean says, and goes; what is stronger is the ground's, and stays."""
    power = speckled((1, 80, 80))

    found = lee(power, LOOKS)

    inside = (0, slice(10, 70), slice(50, 70))
    assert found[inside].std() < power[inside].std() / 3
    assert found[inside].mean() == pytest.approx(0.2, rel=0.03)
    assert found[0, :, :30].mean() == pytest.approx(0.02, rel=0.03)


def test_a_constant_stays_and_the_missing_stays_missing() -> None:
    """No variance at all is no division by zero; a pixel alone is its own mean."""
    power = np.full((1, 9, 9), 0.25, np.float32)
    power[0, 4, 4] = np.nan
    alone = np.full((1, 20, 20), np.nan, np.float32)
    alone[0, 10, 10] = 0.5

    found, of_one = lee(power, LOOKS), lee(alone, LOOKS)

    np.testing.assert_array_equal(found, power)
    np.testing.assert_array_equal(of_one, alone)


def test_each_observation_is_filtered_alone() -> None:
    """What another look saw is no neighbour."""
    power = speckled((2, 20, 20))

    np.testing.assert_array_equal(lee(power, LOOKS)[1:], lee(power[1:], LOOKS))


@settings(deadline=None)
@given(st.integers(0, 30), st.integers(0, 30), st.integers(1, 12), st.integers(1, 12), st.booleans())
def test_no_cutting_into_windows_changes_a_bit(top: int, left: int, height: int, width: int, strided: bool) -> None:
    """A window padded by three pixels, where there are any, is the same part of the whole, bit for bit."""
    power = speckled((2, 40, 40), holes=0.1)
    whole = lee(power, LOOKS)
    bottom, right = min(top + height, 40), min(left + width, 40)
    rows, cols = slice(max(top - RADIUS_PX, 0), bottom + RADIUS_PX), slice(max(left - RADIUS_PX, 0), right + RADIUS_PX)
    part = power[:, rows, cols] if strided else power[:, rows, cols].copy()

    found = lee(part, LOOKS)[:, top - rows.start :, left - cols.start :][:, : bottom - top, : right - left]

    np.testing.assert_array_equal(found, whole[:, top:bottom, left:right])


def test_the_filter_is_stated_in_json_and_none_says_so() -> None:
    """A record says which filter, of which size, for how many looks."""
    assert json.loads(json.dumps(manifest("lee7", LOOKS)))["window_px"] == SIDE
    assert manifest("none", LOOKS) == {"filter": "none"}
