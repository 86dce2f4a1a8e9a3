"""Chunks compressed by Blosc: their header is compared with what is expected before anything is decompressed."""

import struct

import imagecodecs
import numpy as np
from numpy.typing import NDArray

HEADER_BYTES = 16
"""Bytes of a chunk's header, by which a chunk can be larger than its values."""
_VERSION, _ZSTD = 2, 4


def encoded(values: NDArray[np.generic]) -> bytes:
    """Values as a chunk, little endian: zstd at level 1 after a bit shuffle."""
    little = np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<"))
    # The size of a value is taken from the array; its stubs know of bytes alone.
    chunk = imagecodecs.blosc_encode(little, level=1, compressor="zstd", shuffle="bitshuffle", numthreads=1)  # type: ignore[arg-type]
    return bytes(chunk)


def decoded(chunk: bytes, dtype: str, count: int) -> NDArray[np.generic]:
    """The values of a chunk, native byte order, dims (count,).

    Args:
        chunk: The chunk's bytes.
        dtype: NumPy dtype name.
        count: The number of values that it must hold.

    Raises:
        ValueError: When its header says another size, type or compression, or it does not decompress.
    """
    stored = np.dtype(dtype).newbyteorder("<")
    size = count * stored.itemsize
    if len(chunk) < HEADER_BYTES:
        raise ValueError(f"it has {len(chunk)} bytes and no header")
    version, _, flags, typesize, nbytes, _, cbytes = struct.unpack("<BBBBIII", chunk[:HEADER_BYTES])
    said = (version, flags >> 5, typesize, nbytes, cbytes)
    meant = (_VERSION, _ZSTD, stored.itemsize, size, len(chunk))
    if said != meant:
        raise ValueError(
            f"its header says version {said[0]}, compressor {said[1]}, {said[2]} bytes a value, {said[3]} bytes in all "
            f"and {said[4]} compressed, instead of {', '.join(map(str, meant))}"
        )
    try:
        raw = imagecodecs.blosc_decode(chunk, out=size, numthreads=1)
    except RuntimeError as error:
        raise ValueError(f"it does not decompress ({error})") from None
    if len(raw) != size:
        raise ValueError(f"it has {len(raw)} bytes instead of {size}")
    return np.frombuffer(raw, stored).astype(dtype, copy=False)
