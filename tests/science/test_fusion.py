"""Pixels of several missions as one layer."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from mrv_assets.science.fusion import first_seen, taken

SHAPE = (3, 4)
COUNTS = st.lists(arrays(np.uint16, SHAPE, elements=st.integers(0, 2)), min_size=1, max_size=4)


def test_a_pixel_is_from_the_first_that_saw_it() -> None:
    """One row of pixels, by hand: seen by both, by each alone, by none."""
    first = np.array([[2, 1, 0, 0]], np.uint16)
    second = np.array([[1, 0, 3, 0]], np.uint16)

    source = first_seen([first, second], [2, 5])

    assert source.dtype == np.uint8
    np.testing.assert_array_equal(source, [[2, 2, 5, 0]])
    np.testing.assert_array_equal(taken([first, second], [2, 5], source, 0), [[2, 1, 3, 0]])


def test_a_value_that_its_mission_lacks_is_not_taken_from_another() -> None:
    """A pixel is whole: where the first saw the ground and could not compute, it stays missing."""
    source = np.array([[1, 2]], np.uint8)
    first, second = np.array([[np.nan, 0.1]], np.float32), np.array([[0.7, 0.8]], np.float32)

    np.testing.assert_array_equal(taken([first, second], [1, 2], source, np.nan), np.array([[np.nan, 0.8]], np.float32))
    np.testing.assert_array_equal(taken([second], [2], source, np.nan), np.array([[np.nan, 0.8]], np.float32))


@given(COUNTS)
def test_each_pixel_says_by_whom_it_was_seen(counts: list[NDArray[np.uint16]]) -> None:
    """The mission that a pixel names saw it, none before it did, and 0 means nobody."""
    numbers = list(range(1, len(counts) + 1))

    source = first_seen(counts, numbers)

    for at in np.ndindex(SHAPE):
        seeing = [number for number, count in zip(numbers, counts, strict=True) if count[at]]
        assert source[at] == (seeing[0] if seeing else 0)
