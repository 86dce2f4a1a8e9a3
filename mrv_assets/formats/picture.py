"""Pictures as they are stored: a PNG of one frame and nothing else, whose pixels are those that the record says."""

import io
import struct
import zlib
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from mrv_assets.audit.content import values_sha256
from mrv_assets.audit.record import Record
from mrv_assets.formats.artifacts import PREVIEW
from mrv_assets.formats.files import damaged, file_bytes

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_RGB, _EIGHT_BITS = 2, 8


def stored_picture(record: Record) -> NDArray[np.uint8]:
    """The picture of a record, RGB, dims (y, x, 3).

    Raises:
        DamagedLake: When it is not a PNG of one frame with the record's pixels: other chunks of a PNG may hold more
            frames, or change its colours.
    """
    from PIL import Image

    said = record.output[PREVIEW]
    height, width, _ = said["shape"]
    data, _ = file_bytes(record.data, PREVIEW, 2 * height * width * 3 + 65_536)
    if reason := _not_as_written(data, height, width):
        raise damaged(record.data, PREVIEW, reason)
    try:
        with Image.open(io.BytesIO(data), formats=("PNG",)) as opened:
            pixels = np.asarray(opened)
    except (OSError, ValueError, SyntaxError) as error:
        raise damaged(record.data, PREVIEW, f"it cannot be read ({type(error).__name__})") from None
    if list(pixels.shape) != said["shape"] or values_sha256(pixels) != said["pixels_sha256"]:
        raise damaged(record.data, PREVIEW, "its pixels are not those of the record")
    return pixels


def _not_as_written(data: bytes, height: int, width: int) -> str:
    """The reason why bytes are not a PNG as the lake writes them; empty where they are. Nothing is decompressed."""
    try:
        chunks = list(_chunks(data))
    except (ValueError, struct.error) as error:
        return f"it is not a PNG ({error})"
    kinds = [kind for kind, _ in chunks]
    body = kinds[1:-1]
    if kinds[:1] != [b"IHDR"] or kinds[-1:] != [b"IEND"] or not body or set(body) != {b"IDAT"}:
        return "it has other chunks than the header, the pixels and the end"
    header = struct.pack(">IIBBBBB", width, height, _EIGHT_BITS, _RGB, 0, 0, 0)
    if chunks[0][1] != header:
        return f"its header is not that of {height} x {width} pixels in RGB"
    return ""


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    if not data.startswith(_SIGNATURE):
        raise ValueError("its first bytes are others")
    at = len(_SIGNATURE)
    while at < len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        body = data[at + 8 : at + 8 + length]
        [crc] = struct.unpack_from(">I", data, at + 8 + length)
        if crc != zlib.crc32(kind + body):
            raise ValueError("a checksum in it is wrong")
        yield kind, body
        at += 12 + length
