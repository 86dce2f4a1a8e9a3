"""TIFF's LZW: whether every code of a stream means something, asked before a decoder follows it.

imagecodecs takes the first code after a clear on trust. One that is no byte sends it to memory that nobody wrote, and
the same stream then decodes to other pixels, or to an error, each time.
"""

import numpy as np
from numpy.typing import NDArray

from mrv_assets.science.jit import kernel

_CLEAR, _END = 256, 257
_LITERALS = 256
_FIRST = 258
"""The first entry that a stream itself defines."""
_MOST = 4096
"""Entries that codes of 12 bits can name."""
_NARROWEST, _WIDEST = 9, 12


def lzw_is_sound(stream: bytes, size: int) -> bool:
    """True when a stream begins with a clear, as TIFF 6.0 wants, and each code names an entry that is there by then.

    Args:
        stream: An LZW stream, codes from the most significant bit on.
        size: Bytes that it is to decode to; what comes after them is not looked at.
    """
    codes = np.frombuffer(stream, np.uint8)
    # Of bytes it is read-only, of a bytearray it is not, and for numba that is another type to compile for.
    codes.flags.writeable = False
    return bool(_walked(codes, size))


@kernel
def _walked(stream: NDArray[np.uint8], size: int) -> bool:
    lengths = np.ones(_MOST, np.int64)
    bits, width, entries = 0, _NARROWEST, _FIRST
    decoded, before = 0, -1
    first = True
    while decoded < size and bits + width <= stream.size * 8:
        code = 0
        for bit in range(bits, bits + width):
            code = code << 1 | (stream[bit >> 3] >> (7 - (bit & 7)) & 1)
        bits += width
        if first and code != _CLEAR:
            return False
        first = False
        if code == _END:
            return True
        if code == _CLEAR:
            width, entries, before = _NARROWEST, _FIRST, -1
        elif before < 0:
            if code >= _LITERALS:
                return False
            decoded += 1
            before = code
        else:
            # The entry that this code completes may be the one it names.
            if code > entries or entries >= _MOST:
                return False
            lengths[entries] = lengths[before] + 1
            decoded += lengths[code]
            entries += 1
            before = code
            # Wider one entry early: TIFF's own way.
            if width < _WIDEST and entries == (1 << width) - 1:
                width += 1
    return not first
