"""Coverage: areas by exact fractions, observations that saw anything, and the longest gap."""

import numpy as np
import pytest

from mrv_assets.science.coverage import fraction_of, max_gap_days, parcel_coverage

JULY = ("2018-07-01T00:00:00Z", "2018-08-01T00:00:00Z")
DAY_US = 86_400_000_000
FIRST_US = 1_530_403_200_000_000  # 2018-07-01T00:00:00Z


def test_a_pixel_counts_once_however_often_it_was_seen() -> None:
    """Two parcels on three pixels and two observations, by hand."""
    clear = np.array([[[True, False, False]], [[True, True, False]]])
    parcel = np.array([0, 0, 1])
    col = np.array([0, 1, 2])

    part = parcel_coverage(clear, parcel, np.zeros(3, int), col, np.array([1.0, 0.5, 0.25]), 2)

    np.testing.assert_array_equal(part.total, [1.5, 0.25])
    np.testing.assert_array_equal(part.clear, [1.5, 0.0])
    np.testing.assert_array_equal(part.per_observation, [[1.0, 1.5], [0.0, 0.0]])


def test_blocks_add_up() -> None:
    """A parcel across two blocks is their sum."""
    clear = np.ones((1, 1, 2), bool)
    one = parcel_coverage(clear, np.array([0]), np.array([0]), np.array([0]), np.array([0.5]), 1)
    two = parcel_coverage(clear & False, np.array([0]), np.array([0]), np.array([1]), np.array([1.0]), 1)

    whole = one + two

    assert (whole.total[0], whole.clear[0], whole.per_observation.tolist()) == (1.5, 0.5, [[0.5]])


def test_a_month_without_observations_saw_nothing() -> None:
    """No look is zero area, not an error."""
    part = parcel_coverage(np.zeros((0, 1, 1), bool), np.array([0]), np.array([0]), np.array([0]), np.array([1.0]), 1)

    assert part.total[0] == 1.0
    assert part.clear[0] == 0.0
    assert part.per_observation.shape == (1, 0)


@pytest.mark.parametrize(
    ("days", "longest"),
    [([], 31.0), ([0], 31.0), ([15.5], 15.5), ([5, 10, 30], 20.0), ([30.999], 30.999)],
)
def test_the_gap_counts_the_months_own_edges(days: list[float], longest: float) -> None:
    """From the month's first instant to the next month's first."""
    assert max_gap_days([FIRST_US + round(day * DAY_US) for day in days], *JULY) == longest


def test_fractions_are_rounded_where_thresholds_are_compared() -> None:
    """Noise of summation beyond 1e-9 decides nothing, and no fraction exceeds one."""
    assert fraction_of(0.65 - 1e-12, 1.0) == 0.65
    assert fraction_of(1.0 + 1e-12, 1.0) == 1.0
    assert fraction_of(0.0, 0.0) == 0.0
