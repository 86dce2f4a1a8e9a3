"""Hypothesis strategies for stacks: digital numbers, reasons and stored indices, edge values included."""

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from mrv_assets.missions.flags import Flag

Shape = tuple[int, ...]


def shapes(max_time: int = 4, max_side: int = 6) -> st.SearchStrategy[Shape]:
    """Shapes of small stacks, (time, y, x)."""
    return st.tuples(st.integers(1, max_time), st.integers(1, max_side), st.integers(1, max_side))


def numbers(shape: Shape) -> st.SearchStrategy[NDArray[np.uint16]]:
    """Stored digital numbers of a band: any, and often nodata, reflectance 0 and 1, and saturated."""
    edges = st.sampled_from([0, 1, 999, 1000, 1001, 11000, 65534, 65535])
    return hnp.arrays(np.uint16, shape, elements=edges | st.integers(0, 65535))


def flag_fields(shape: Shape) -> st.SearchStrategy[NDArray[np.uint16]]:
    """Reasons a pixel is unclear; half the pixels are clear."""
    every = sum(int(flag) for flag in Flag)
    return hnp.arrays(np.uint16, shape, elements=st.just(0) | st.integers(0, every))


def stored_indices(shape: Shape) -> st.SearchStrategy[NDArray[np.int16]]:
    """Stored values of an index, fill among them."""
    return hnp.arrays(np.int16, shape, elements=st.just(-32768) | st.integers(-20000, 20000))


@st.composite
def bands_and_flags(draw: st.DrawFn, *names: str) -> tuple[dict[str, NDArray[np.uint16]], NDArray[Any]]:
    """Bands of one stack by name, and its ``unclear_flags``."""
    shape = draw(shapes())
    return {name: draw(numbers(shape)) for name in names}, draw(flag_fields(shape))
