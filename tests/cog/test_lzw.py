"""Whether LZW streams are sound: what libtiff writes is, and what is not sound libtiff does not read either."""

import warnings

import imagecodecs
import numpy as np
import pytest
from rasterio.errors import NotGeoreferencedWarning, RasterioIOError
from rasterio.io import MemoryFile
from scene_builders import pixels

from mrv_assets.cog.lzw import lzw_is_sound

SIDE = 64


def packed(codes: list[int], width: int = 9) -> bytes:
    """A stream of a few codes, all of one width."""
    bits = "".join(f"{code:0{width}b}" for code in codes)
    return int(bits.ljust(-(-len(bits) // 8) * 8, "0"), 2).to_bytes(-(-len(bits) // 8), "big")


def one_tile(content: bytes) -> bytes:
    """A TIFF of one 64 x 64 tile of bytes, as libtiff compresses it."""
    options = {"driver": "GTiff", "width": SIDE, "height": SIDE, "count": 1, "dtype": "uint8", "compress": "lzw"}
    with warnings.catch_warnings(), MemoryFile() as memory:
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with memory.open(**options, tiled=True, blockxsize=SIDE, blockysize=SIDE) as file:
            file.write(np.frombuffer(content, np.uint8).reshape(1, SIDE, SIDE))
        return bytes(memory.read())


def libtiff(file: bytes) -> bytes | None:
    """What libtiff reads of such a file; None where it does not."""
    with warnings.catch_warnings(), MemoryFile(file) as memory:
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        try:
            with memory.open(driver="GTiff") as opened:
                return opened.read(1).tobytes()
        except RasterioIOError:
            return None


@pytest.mark.parametrize("content", ["noise", "ground", "one value", "steps"])
def test_what_libtiff_writes_is_sound(content: str) -> None:
    """Of every kind: tables that fill and are cleared, and entries that name themselves."""
    data = {
        "noise": np.random.default_rng(7).bytes(SIDE * SIDE),
        "ground": pixels(SIDE, SIDE // 2).tobytes(),
        "one value": bytes(SIDE * SIDE),
        "steps": bytes(i * i % 251 for i in range(SIDE * SIDE)),
    }[content]

    stream = imagecodecs.lzw_encode(data)
    file = one_tile(data)

    assert lzw_is_sound(stream, len(data))
    assert lzw_is_sound(file[file.index(stream[:32]) :], len(data))


def test_a_code_after_a_clear_is_a_byte() -> None:
    """What an encoder of another kind, or damage, puts there names an entry of the table that was just forgotten."""
    sound = packed([256, 65, 66, 258, 256, 67, 257])
    wrong = packed([256, 65, 66, 258, 256, 258, 257])

    assert imagecodecs.lzw_decode(sound, out=16) == b"ABABC"
    assert lzw_is_sound(sound, 16)
    assert not lzw_is_sound(wrong, 16)
    # Nobody reads what nobody asked for.
    assert lzw_is_sound(wrong, 4)


@pytest.mark.parametrize(
    "stream",
    [
        pytest.param(b"", id="empty"),
        pytest.param(packed([65, 66, 257]), id="no clear"),
        pytest.param(packed([256, 65, 259]), id="an entry that comes later"),
        pytest.param(packed([256, 258]), id="an entry of no table"),
    ],
)
def test_codes_that_name_nothing(stream: bytes) -> None:
    """They are told, and not followed."""
    assert not lzw_is_sound(stream, 16)


def test_it_agrees_with_libtiff_on_damage() -> None:
    """One byte of a stream changed, hundreds of times: what is sound decodes as libtiff reads it, if it does.

    libtiff reads no tile that ends early; that is for the decoder to say.
    """
    data = pixels(SIDE, SIDE // 2).tobytes()
    file = one_tile(data)
    stream = imagecodecs.lzw_encode(data)
    start = file.index(stream[:32])
    rng = np.random.default_rng(3)
    sound = refused = 0

    for _ in range(600):
        at, bit = int(rng.integers(len(stream))), int(rng.integers(8))
        changed = bytearray(file)
        changed[start + at] ^= 1 << bit
        told = lzw_is_sound(bytes(changed[start:][: len(stream)]), len(data))
        read = libtiff(bytes(changed))
        if not told:
            refused += 1
            assert read is None
        elif read is not None:
            sound += 1
            assert bytes(imagecodecs.lzw_decode(bytes(changed[start:][: len(stream)]), out=len(data))) == read

    assert sound > 50
    assert refused > 50
