"""Chunks: what was compressed reads back, and a header that says anything else is refused before it is decompressed."""

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numcodecs.blosc import Blosc

from mrv_assets.formats.blosc import HEADER_BYTES, decoded, encoded

VALUES = np.arange(4096, dtype=np.uint16) % 911


@given(st.sampled_from(["uint8", "uint16", "float32", ">u2"]).flatmap(lambda dtype: arrays(dtype, st.integers(1, 600))))
def test_values_read_back(values: np.ndarray) -> None:
    """Bit for bit, NaN and its payload included, whatever byte order they had."""
    found = decoded(encoded(values), values.dtype.newbyteorder("=").name, values.size)

    assert found.tobytes() == values.astype(found.dtype, copy=False).tobytes()


def test_another_library_reads_the_same() -> None:
    """Chunks are what Zarr's own codec writes and reads."""
    assert np.frombuffer(Blosc().decode(encoded(VALUES)), "<u2").tolist() == VALUES.tolist()


@pytest.mark.parametrize(
    ("at", "layout", "value"),
    [(0, "B", 3), (2, "B", 0), (3, "B", 4), (4, "<I", 1 << 31), (4, "<I", 8190), (12, "<I", 15), (12, "<I", 1 << 31)],
    ids=["version", "compressor", "bytes a value", "claims 2 GB", "two bytes fewer", "too short", "compressed size"],
)
def test_a_header_that_says_something_else_is_refused(at: int, layout: str, value: int) -> None:
    """Sizes come from the record: a chunk cannot claim more than it may have."""
    chunk = bytearray(encoded(VALUES))
    struct.pack_into(layout, chunk, at, value)

    with pytest.raises(ValueError, match="its header says"):
        decoded(bytes(chunk), "uint16", VALUES.size)


@pytest.mark.parametrize("length", [0, HEADER_BYTES - 1])
def test_a_chunk_without_a_header_is_refused(length: int) -> None:
    """Cut short, or empty."""
    with pytest.raises(ValueError, match="no header"):
        decoded(encoded(VALUES)[:length], "uint16", VALUES.size)


def test_other_compressors_are_refused() -> None:
    """A chunk of LZ4 may hold the same values, and nobody here wrote it."""
    with pytest.raises(ValueError, match="compressor 1"):
        decoded(Blosc(cname="lz4").encode(VALUES), "uint16", VALUES.size)
