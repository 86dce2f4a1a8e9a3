"""TIFF as a file format: tags and byte order, classic and BigTIFF. The meaning of tags is in ``header``."""

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from mrv_assets.errors import HeaderRefused

Read = Callable[[int, int], bytes]
"""``read(offset, length)`` returns that many bytes of a file."""

FIRST_READ = 16 << 10
MAX_HEADER_BYTES = 8 << 20
MAX_CLASSIC_BYTES = (1 << 32) - 1
# Real headers are far below these limits; a damaged or hostile header may state anything.
MAX_TAGS = 1000
MAX_DIRECTORIES = 64
MAX_TAG_BYTES = 64 << 10
"""Largest value of a tag, bytes, except for the tables of tiles or strips."""
MAX_READS = 32
MAX_FILE_BYTES = 16 << 30
"""Largest file that is read, bytes. The largest real bands have 500 MB, but a server may state any size."""

NEW_SUBFILE_TYPE = 254
TILE_WIDTH, TILE_LENGTH = 322, 323
TILE_OFFSETS, TILE_BYTE_COUNTS = 324, 325
STRIP_OFFSETS, ROWS_PER_STRIP, STRIP_BYTE_COUNTS = 273, 278, 279
GDAL_METADATA = 42112

TABLES = frozenset({TILE_OFFSETS, TILE_BYTE_COUNTS, STRIP_OFFSETS, STRIP_BYTE_COUNTS})

# All tags on which the decoding or the position of a tile depends. Overviews, SubIFDs, EXIF, software and dates are not
# among them.
KEPT_TAGS = frozenset(
    {254, 256, 257, 258, 259, 262, 266, 273, 277, 278, 279, 284, 317, 320, 322, 323, 324, 325, 338, 339}  # layout
    | {33550, 33922, 34264, 34735, 34736, 34737}  # place
    | {GDAL_METADATA, 42113}  # GDAL metadata and nodata
)

IMAGE_DESCRIPTION = 270
"""Read for what it says of the numbers, and not kept."""

SHORT, LONG, DOUBLE, LONG8 = 3, 4, 12, 16
_SIZES = {
    1: 1,
    2: 1,
    3: 2,
    4: 4,
    5: 8,
    6: 1,
    7: 1,
    8: 2,
    9: 4,
    10: 8,
    11: 4,
    12: 8,
    13: 4,
    16: 8,
    17: 8,
    18: 8,
}
_UNSIGNED = frozenset({1, 3, 4, 13, 16, 18})
_NUMBERS = {
    1: "B",
    3: "H",
    4: "I",
    6: "b",
    8: "h",
    9: "i",
    11: "f",
    12: "d",
    13: "I",
    16: "Q",
    17: "q",
    18: "Q",
}


@dataclass(frozen=True, kw_only=True)
class Tag:
    """The value of a tag, as the bytes of the file."""

    type: int
    count: int
    data: bytes
    """``count`` values of the type, in the file's byte order."""


@dataclass(frozen=True, kw_only=True)
class TiffHeader:
    """The first directory of a TIFF, and the subfile types of the others."""

    order: str
    """``<`` little endian, ``>`` big endian."""
    big: bool
    """BigTIFF: 64-bit offsets."""
    tags: Mapping[int, Tag]
    """The ``KEPT_TAGS`` of the first directory, and its description, by code."""
    subfile_types: tuple[int, ...]
    """NewSubfileType of each further directory."""

    def numbers(self, code: int) -> tuple[float, ...]:
        """The values of a numeric tag; empty where it is absent.

        Raises:
            HeaderRefused: When the tag is not numeric.
        """
        tag = self.tags.get(code)
        if tag is None:
            return ()
        if tag.type not in _NUMBERS:
            raise HeaderRefused("header_malformed", f"tag {code} should be numbers. Write the file again")
        return struct.unpack(f"{self.order}{tag.count}{_NUMBERS[tag.type]}", tag.data)

    def integers(self, code: int) -> tuple[int, ...]:
        """The values of a tag of unsigned integers; empty where it is absent.

        Raises:
            HeaderRefused: When the tag has another type.
        """
        if code in self.tags and self.tags[code].type not in _UNSIGNED:
            raise HeaderRefused("header_malformed", f"tag {code} should be whole numbers. Write the file again")
        return tuple(int(number) for number in self.numbers(code))

    def integer(self, code: int, default: int) -> int:
        """The first value of an integer tag; the default where it is absent."""
        values = self.integers(code)
        return values[0] if values else default

    def text(self, code: int) -> str:
        """The text of an ASCII tag; empty where it is absent."""
        tag = self.tags.get(code)
        return "" if tag is None else tag.data.split(b"\0", 1)[0].decode("ascii", "replace").strip()


def read_tiff_header(read: Read, size: int) -> TiffHeader:
    """Read a TIFF's directories: the first 16 KB, more only where they point to it, and at most 8 MB.

    Args:
        read: Gives ranges of the file.
        size: The file's size in bytes; nothing beyond it is requested.

    Raises:
        HeaderRefused: When the file is not a TIFF, its directories are malformed, or its stated size is too large.
    """
    if size > MAX_FILE_BYTES:
        raise _oversize(f"its stated size is {size} bytes, and no file of more than {MAX_FILE_BYTES >> 30} GB is read")
    source = _HeaderBytes(read, size)
    head = source.get(0, min(_SNIFFED, size))
    if (refusal := other_than_tiff(head)) is not None:
        raise refusal
    order = {b"II": "<", b"MM": ">"}[head[:2]]
    big = struct.unpack(f"{order}H", head[2:4])[0] == 43
    if big and struct.unpack(f"{order}HH", head[4:8]) != (8, 0):
        raise _malformed("it is a BigTIFF whose offsets do not have 8 bytes")
    width = "Q" if big else "I"
    count_bytes, entry_bytes, pointer_bytes = (8, 20, 8) if big else (2, 12, 4)
    (at,) = struct.unpack(f"{order}{width}", head[8:16] if big else head[4:8])

    tags: dict[int, Tag] = {}
    kinds: list[int] = []
    visited: set[int] = set()
    while at:
        if at in visited or len(visited) == MAX_DIRECTORIES:
            raise _malformed(f"its directories form a loop, or are more than {MAX_DIRECTORIES}")
        (count,) = struct.unpack(f"{order}{'Q' if big else 'H'}", source.get(at, count_bytes))
        if not 0 < count <= MAX_TAGS:
            raise _malformed(f"it has a directory of {count} tags")
        body = source.get(at + count_bytes, count * entry_bytes + pointer_bytes)
        # The first directory is the full-resolution image; only the subfile type of the others matters.
        codes = KEPT_TAGS | {IMAGE_DESCRIPTION} if not visited else frozenset({NEW_SUBFILE_TYPE})
        directory_tags: dict[int, Tag] = {}
        for entry in range(0, count * entry_bytes, entry_bytes):
            code, kind = struct.unpack(f"{order}HH", body[entry : entry + 4])
            (values,) = struct.unpack(f"{order}{width}", body[entry + 4 : entry + 4 + pointer_bytes])
            # A tag of an unknown type, or without values, is treated as absent.
            if code not in codes or kind not in _SIZES or not values:
                continue
            inline = body[entry + 4 + pointer_bytes : entry + entry_bytes]
            length = values * _SIZES[kind]
            if code == IMAGE_DESCRIPTION and length > MAX_TAG_BYTES:
                # Text of any length may stand there, and nothing depends on it.
                continue
            if length > (MAX_HEADER_BYTES if code in TABLES else MAX_TAG_BYTES):
                raise _oversize(f"its tag {code} has {values} values")
            if length <= pointer_bytes:
                data = inline[:length]
            else:
                data = source.get(struct.unpack(f"{order}{width}", inline)[0], length)
            if code in directory_tags:
                raise _malformed(f"its tag {code} occurs twice")
            directory_tags[code] = Tag(type=kind, count=values, data=data)
        directory = TiffHeader(order=order, big=big, tags=directory_tags, subfile_types=())
        if visited:
            kinds.append(directory.integer(NEW_SUBFILE_TYPE, 0))
        else:
            tags = directory_tags
        visited.add(at)
        (at,) = struct.unpack(f"{order}{width}", body[-pointer_bytes:])
    if not tags:
        raise _malformed("it has no directory")
    return TiffHeader(order=order, big=big, tags=tags, subfile_types=tuple(kinds))


def write_tiff(header: TiffHeader, tiles: Mapping[int, bytes], tile_count: int) -> bytes:
    """A TIFF of one directory with a header's tags and some of its tiles or strips, as bytes.

    The same arguments give the same bytes: directory, tag values, then the tiles in order of their index, each at a
    multiple of 16. The offset and size of an absent tile are 0. Byte order and flavour are the header's; a classic TIFF
    that would outgrow 4 GB becomes a BigTIFF, in which all its values stay legal.
    """
    order = header.order
    # Alignment and the directory need some bytes beside the tiles.
    big = header.big or sum(map(len, tiles.values())) + 48 * tile_count + (1 << 20) > MAX_CLASSIC_BYTES
    width, kind, pointer = ("Q", LONG8, 8) if big else ("I", LONG, 4)
    counts = [len(tiles.get(index, b"")) for index in range(tile_count)]
    values = {code: tag for code, tag in header.tags.items() if code in KEPT_TAGS}
    offsets_tag, counts_tag = tables_of(header)
    for code, numbers in ((offsets_tag, [0] * tile_count), (counts_tag, counts)):
        values[code] = Tag(type=kind, count=tile_count, data=struct.pack(f"{order}{tile_count}{width}", *numbers))

    codes = sorted(values)
    start = 16 if big else 8
    at = _aligned(start + (8 if big else 2) + len(codes) * (20 if big else 12) + pointer, 2)
    value_offsets: dict[int, int] = {}
    for code in codes:
        if len(values[code].data) > pointer:
            value_offsets[code] = at
            at = _aligned(at + len(values[code].data), 2)
    offsets = []
    for count in counts:
        at = _aligned(at, 16) if count else at
        offsets.append(at if count else 0)
        at += count
    data = struct.pack(f"{order}{tile_count}{width}", *offsets)
    values[offsets_tag] = Tag(type=kind, count=tile_count, data=data)

    out = bytearray(next((offset for offset in offsets if offset), at))
    out[:2] = b"II" if order == "<" else b"MM"
    struct.pack_into(f"{order}HHHQ" if big else f"{order}HI", out, 2, *((43, 8, 0, 16) if big else (42, 8)))
    struct.pack_into(f"{order}{'Q' if big else 'H'}", out, start, len(codes))
    entry = start + (8 if big else 2)
    for code in codes:
        tag = values[code]
        struct.pack_into(f"{order}HH{width}", out, entry, code, tag.type, tag.count)
        entry += 4 + pointer
        if code in value_offsets:
            struct.pack_into(f"{order}{width}", out, entry, value_offsets[code])
            out[value_offsets[code] : value_offsets[code] + len(tag.data)] = tag.data
        else:
            out[entry : entry + len(tag.data)] = tag.data
        entry += pointer
    # Joined in one step: the parts are megabytes, and each copy of them stops all other threads.
    parts: list[bytes | bytearray] = [out]
    end = len(out)
    for index, offset in enumerate(offsets):
        if offset:
            parts += [bytes(offset - end), tiles[index]]
            end = offset + counts[index]
    return b"".join(parts)


def tables_of(header: TiffHeader) -> tuple[int, int]:
    """Codes of the tags for the offsets and sizes of an image's tiles; of its strips where it has no tile width."""
    return (TILE_OFFSETS, TILE_BYTE_COUNTS) if TILE_WIDTH in header.tags else (STRIP_OFFSETS, STRIP_BYTE_COUNTS)


class _HeaderBytes:
    """The bytes of a file that its directories need, fetched in few reads and never more than 8 MB in all."""

    def __init__(self, read: Read, size: int) -> None:
        self._read, self._size = read, size
        self._parts: list[tuple[int, bytes]] = []
        self._fetched = 0

    def get(self, offset: int, length: int) -> bytes:
        """The given number of bytes from an offset on.

        Raises:
            HeaderRefused: When the file ends before, or the reads together become too large or too many.
        """
        if offset + length > self._size:
            raise HeaderRefused(
                "truncated",
                f"its header points to byte {offset + length} of {self._size}. Fetch the file again",
            )
        for start, part in self._parts:
            if start <= offset and offset + length <= start + len(part):
                return part[offset - start : offset - start + length]
        # Each read doubles the bytes fetched, so that a header of any length takes few reads.
        take = min(max(length, FIRST_READ, self._fetched), self._size - offset)
        if self._fetched + length > MAX_HEADER_BYTES:
            raise _oversize(f"its header is larger than {MAX_HEADER_BYTES >> 20} MB")
        if len(self._parts) == MAX_READS:
            raise _oversize(f"its header needs more than {MAX_READS} reads")
        take = max(length, min(take, MAX_HEADER_BYTES - self._fetched))
        part = self._read(offset, take)
        if len(part) != take:
            raise HeaderRefused(
                "truncated", f"a read returned {len(part)} of {take} bytes at byte {offset}. Fetch the file again"
            )
        self._fetched += take
        self._parts.append((offset, part))
        return part[:length]


def _aligned(at: int, step: int) -> int:
    return -(-at // step) * step


def _malformed(what: str) -> HeaderRefused:
    return HeaderRefused("header_malformed", f"{what}. Write the file again, for instance with gdal_translate -of COG")


def _oversize(what: str) -> HeaderRefused:
    return HeaderRefused("oversize", f"{what}. Write the file again, with gdal_translate -of COG")


_SNIFFED = 1024
_OTHER_FILES = {
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"\x89HDF": "HDF5 or NetCDF",
    b"CDF": "NetCDF",
    b"PK\x03\x04": "a ZIP archive",
    b"\x1f\x8b": "compressed by gzip",
    b"{": "JSON, as servers send instead of an error",
}


def other_than_tiff(head: bytes) -> HeaderRefused | None:
    """The refusal of an object that is not a TIFF, by its first bytes; None where it is a TIFF.

    Args:
        head: The first bytes at hand; all bytes of a short object.
    """
    order = {b"II": "<", b"MM": ">"}.get(head[:2])
    if order is not None and len(head) >= 16 and struct.unpack(f"{order}H", head[2:4])[0] in (42, 43):
        return None
    return _refusal_of(head[:_SNIFFED])


def _refusal_of(head: bytes) -> HeaderRefused:
    if head[4:8] == b"jP  " or head[:4] == b"\xff\x4f\xff\x51":
        return HeaderRefused(
            "jp2", "it is JPEG 2000, which cannot be read in part. Use a catalogue that publishes COGs"
        )
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text[:1] == b"<":
        return HeaderRefused(
            "html_page",
            "it is a web page or XML, as servers send instead of an error. Check that the link opens, and whether it "
            "needs an account",
        )
    # The kind of the file and never its content: the record must not quote an arbitrary file that a link leads to.
    other = next((name for magic, name in _OTHER_FILES.items() if text.startswith(magic)), None)
    what = "it is empty" if not head else f"it is {other}" if other else "its first bytes are not those of a TIFF"
    return HeaderRefused("not_tiff", f"{what}. Check that the link leads to a GeoTIFF")
