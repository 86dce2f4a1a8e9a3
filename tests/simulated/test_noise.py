"""Chance that is the same everywhere."""

import numpy as np

from mrv_assets.simulated.noise import Places, bits, rough, seed_of, smooth, uniform

GOLDEN = 0x9E3779B97F4A7C15


def a_square(first: int, count: int, step: float = 7.0) -> Places:
    at = (first + np.arange(count)) * step
    return Places(x=at[np.newaxis, :], y=at[:, np.newaxis])


def test_bits_are_those_of_splitmix64() -> None:
    """The first outputs of the published generator for seed 0: no version of numpy has a say in them."""
    states = np.array([0, GOLDEN, 2 * GOLDEN % 2**64], np.uint64).view(np.int64)

    found = bits(0, states)

    assert [hex(value) for value in found] == ["0xe220a8397b1dcdaf", "0x6e789e6aa1b965f4", "0x6c45d188009454f"]


def test_numbers_are_uniform_and_do_not_hang_together() -> None:
    """Mean 1/2, variance 1/12, and neighbours on a lattice tell nothing of each other."""
    numbers = uniform(3, np.arange(-300, 300)[:, np.newaxis], np.arange(-300, 300)[np.newaxis, :])

    assert abs(numbers.mean() - 0.5) < 0.002
    assert abs(numbers.var() - 1 / 12) < 0.001
    for one, other in ((numbers[1:], numbers[:-1]), (numbers[:, 1:], numbers[:, :-1])):
        assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 0.01


def test_a_field_is_the_same_however_places_are_given() -> None:
    """Rows and columns, single points, and a part of the places: the same bits."""
    square = a_square(-40, 90)

    whole = rough(5, square, 120.0, 3)

    x, y = np.meshgrid(square.x[0], square.y[:, 0])
    np.testing.assert_array_equal(rough(5, Places(x=x, y=y), 120.0, 3), whole)
    np.testing.assert_array_equal(rough(5, a_square(-10, 20), 120.0, 3), whole[30:50, 30:50])


def test_a_field_is_smooth_and_its_nodes_are_not_alike() -> None:
    """Between points a hundredth of a wavelength apart it hardly moves; over many wavelengths it takes all values."""
    steps = np.abs(np.diff(smooth(5, a_square(0, 500, step=1.0), 100.0), axis=1))
    values = smooth(5, a_square(0, 500, step=100.0), 100.0)

    assert steps.max() < 0.016
    assert values.min() < 0.01
    assert values.max() > 0.99


def test_seeds_differ_by_every_part() -> None:
    """What has another name, seed or day has chance of its own."""
    seeds = {seed_of(1, "a"), seed_of(2, "a"), seed_of(1, "b"), seed_of("1", "a"), seed_of(1, "a", "b")}

    assert len(seeds) == 5
