"""Composites: the month as one value a pixel, in which the order of observations has no say."""

from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from strategies import shapes, stored_indices

from mrv_assets.missions.flags import Flag
from mrv_assets.science.composite import clear_observations, composite
from mrv_assets.science.indices import FILL, SCALE

STACKS = shapes(max_time=7).flatmap(stored_indices)
NUMPY = {"mean": np.mean, "median": np.median}


def over_time(*values: int) -> NDArray[np.int16]:
    """One pixel's stored index over time; dims (time, y, x)."""
    return np.array(values, np.int16).reshape(-1, 1, 1)


@pytest.mark.parametrize(("how", "expected"), [("mean", 0.4), ("median", 0.3)])
def test_a_pixels_month_by_hand(how: str, expected: float) -> None:
    """0.2, 0.3 and 0.7; the date under cloud counts neither as zero nor as an observation."""
    value, std, n = composite(over_time(7000, FILL, 2000, 3000), how)

    assert value.item() == pytest.approx(expected, abs=1e-7)
    assert std.item() == pytest.approx(np.std([0.2, 0.3, 0.7]), abs=1e-7)
    assert n.item() == 3
    assert (value.dtype, std.dtype, n.dtype) == (np.float32, np.float32, np.uint16)


def test_the_median_of_an_even_number_is_the_mean_of_the_middle_two() -> None:
    """0.1, 0.2, 0.4, 0.9 have the median 0.3."""
    value, _, _ = composite(over_time(9000, 1000, 4000, 2000), "median")

    assert value.item() == pytest.approx(0.3, abs=1e-7)


@pytest.mark.parametrize("how", NUMPY)
def test_a_pixel_never_seen_is_missing_and_counted_zero(how: str) -> None:
    """Missing is NaN, never zero, also in a month without any observation."""
    for stack in (over_time(FILL, FILL), over_time()):
        value, std, n = composite(stack, how)

        assert np.isnan(value).all()
        assert np.isnan(std).all()
        assert n.tolist() == [[0]]


def test_equal_observations_have_no_spread() -> None:
    """Exactly zero: sums of whole numbers leave no rounding behind."""
    _, std, _ = composite(over_time(*[9999] * 31), "mean")

    assert std.item() == 0.0


@settings(deadline=None)
@given(STACKS, st.sampled_from(sorted(NUMPY)))
def test_composites_agree_with_numpy(stack: NDArray[np.int16], how: str) -> None:
    """The oracle reduces each pixel's valid observations in double precision."""
    value, std, n = composite(stack, how)

    for i, j in np.ndindex(*stack.shape[1:]):
        seen = stack[:, i, j][stack[:, i, j] != FILL].astype(np.float64) * SCALE
        assert n[i, j] == seen.size
        if seen.size == 0:
            assert np.isnan([value[i, j], std[i, j]]).all()
        else:
            np.testing.assert_allclose(value[i, j], NUMPY[how](seen), rtol=1e-6, atol=1e-9)
            np.testing.assert_allclose(std[i, j], np.std(seen), rtol=1e-6, atol=1e-9)


@settings(deadline=None)
@given(STACKS, st.sampled_from(sorted(NUMPY)), st.randoms(use_true_random=False))
def test_the_order_of_observations_changes_no_bit(stack: NDArray[np.int16], how: str, random: object) -> None:
    """A digest of the composite must not depend on how a catalogue happened to list its scenes."""
    order = list(range(len(stack)))
    random.shuffle(order)  # type: ignore[attr-defined]

    shuffled = composite(stack[order], how)

    for one, other in zip(composite(stack, how), shuffled, strict=True):
        assert one.tobytes() == other.tobytes()


def test_a_long_extreme_series_does_not_overflow() -> None:
    """366 observations at the ends of EVI's range: 2 and -2."""
    value, std, n = composite(over_time(*[20_000, -20_000] * 183), "mean")

    assert (value.item(), std.item(), n.item()) == (0.0, 2.0, 366)


def test_how_a_stack_lies_in_memory_does_not_matter() -> None:
    """Read-only views, as zarr and dask hand them out."""
    stack = np.random.default_rng(2).integers(-9000, 9000, (4, 5, 6)).astype(np.int16)
    view = np.asfortranarray(stack)
    view.setflags(write=False)

    found = composite(view, "median")

    for one, other in zip(found, composite(stack, "median"), strict=True):
        np.testing.assert_array_equal(one, other)


def test_an_unknown_reducer_is_refused() -> None:
    """A misspelt composite must not quietly become a mean."""
    with pytest.raises(ValueError, match="write mean or median"):
        composite(over_time(1), "medain")


def test_clear_observations_are_those_without_any_reason() -> None:
    """n_obs counts looks at the ground, whatever index was valid there."""
    reasons = np.array([[[0, 0]], [[int(Flag.CLOUD), 0]], [[int(Flag.DILATION), int(Flag.SNOW)]]], np.uint16)

    n_obs = clear_observations(reasons)

    assert n_obs.tolist() == [[1, 2]]
    assert n_obs.dtype == np.uint16


@settings(deadline=None)
@given(
    shapes(max_time=7).flatmap(
        lambda shape: hnp.arrays(np.float32, shape, elements=st.floats(-4, 4, width=32) | st.just(np.nan))
    ),
    st.sampled_from(sorted(NUMPY)),
    st.randoms(use_true_random=False),
)
def test_floats_are_reduced_as_numpy_does_in_any_order(stack: NDArray[np.float32], how: str, random: Random) -> None:
    """Radar's indices: value, spread and count of what is not missing, whatever the order of observations."""
    order = list(range(stack.shape[0]))
    random.shuffle(order)

    value, std, n = composite(stack, how)

    for found, other in zip((value, std, n), composite(stack[order], how), strict=True):
        np.testing.assert_array_equal(found, other)
    for row, col in np.ndindex(stack.shape[1:]):
        seen = stack[:, row, col][~np.isnan(stack[:, row, col])].astype(np.float64)
        assert n[row, col] == seen.size
        expected = (NUMPY[how](seen), np.std(seen)) if seen.size else (np.nan, np.nan)
        np.testing.assert_allclose((value[row, col], std[row, col]), expected, rtol=1e-6, atol=1e-7)
    assert (value.dtype, std.dtype) == (np.float32, np.float32)
