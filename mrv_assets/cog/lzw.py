"""A check of TIFF's LZW streams before they are decoded: every code must be defined.

imagecodecs does not check the first code after a clear. A code that is not a byte makes it read memory that was never
written, and the same stream then decodes to other pixels, or to an error, each time.
"""

import numpy as np
from numpy.typing import NDArray

from mrv_assets.science.jit import kernel

_CLEAR, _END = 256, 257
_LITERALS = 256
_FIRST = 258
"""Number of the first table entry that a stream itself defines."""
_MOST = 4096
"""Number of table entries that codes of 12 bits can name."""
_NARROWEST, _WIDEST = 9, 12


def lzw_is_sound(stream: bytes, size: int) -> bool:
    """True when a stream begins with a clear, as TIFF 6.0 requires, and each code names an entry defined by then.

    Args:
        stream: An LZW stream, codes from the most significant bit on.
        size: Number of bytes that it should decode to; codes after them are not checked.
    """
    codes = np.frombuffer(stream, np.uint8)
    # An array of bytes is read-only, that of a bytearray is not, and numba would compile the kernel for each.
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
            # A code may name the entry that it completes.
            if code > entries or entries >= _MOST:
                return False
            lengths[entries] = lengths[before] + 1
            decoded += lengths[code]
            entries += 1
            before = code
            # TIFF widens the codes one entry early.
            if width < _WIDEST and entries == (1 << width) - 1:
                width += 1
    return not first
