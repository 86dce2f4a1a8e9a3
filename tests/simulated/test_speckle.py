"""Speckle has the distribution that is stated."""

import numpy as np
import pytest

from mrv_assets.simulated.speckle import speckle

ROWS, COLS = np.arange(400)[:, np.newaxis], np.arange(500)[np.newaxis, :]


@pytest.mark.parametrize("looks", [1, 4, 7])
def test_power_keeps_its_mean_and_varies_as_its_looks_say(looks: int) -> None:
    """Gamma distributed: mean 1, variance 1 / looks, third central moment 2 / looks^2."""
    factor = speckle(9, ROWS, COLS, looks)

    assert abs(factor.mean() - 1) < 0.01
    assert abs(factor.var() * looks - 1) < 0.03
    assert abs(((factor - 1) ** 3).mean() * looks**2 / 2 - 1) < 0.15


def test_one_look_is_exponential() -> None:
    """The share of pixels above x is exp(-x)."""
    factor = speckle(9, ROWS, COLS, 1)

    for at in (0.1, 0.5, 1.0, 2.0, 4.0):
        assert abs((factor > at).mean() - np.exp(-at)) < 0.005


def test_another_scene_has_other_speckle_and_a_part_has_the_wholes() -> None:
    """Pixels go by their own number, so a window of a scene is a window of its speckle."""
    whole = speckle(9, ROWS, COLS, 4)

    np.testing.assert_array_equal(speckle(9, ROWS[50:60], COLS[:, 70:90], 4), whole[50:60, 70:90])
    assert abs(np.corrcoef(whole.ravel(), speckle(10, ROWS, COLS, 4).ravel())[0, 1]) < 0.01
