"""The header gate: a GeoTIFF's own description of its pixels, and the checks that a file must pass."""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from mrv_assets.cog.georeference import grid_of, pixel_side_m
from mrv_assets.cog.item_checks import MAX_QUOTED, check_place, item_findings
from mrv_assets.cog.tiff import (
    GDAL_METADATA,
    IMAGE_DESCRIPTION,
    ROWS_PER_STRIP,
    TABLES,
    TILE_LENGTH,
    TILE_OFFSETS,
    TILE_WIDTH,
    Read,
    TiffHeader,
    read_tiff_header,
    tables_of,
)
from mrv_assets.errors import HeaderRefused
from mrv_assets.missions.mission import Mission, Power, Quality, Radiometry
from mrv_assets.science.grid import Grid, Window

# A Sentinel-2 band has 10980 pixels a side and 240 MB, a Sentinel-1 scene on its grid 30000 pixels and 3 GB.
MAX_SIDE_PX = 1 << 17
MAX_IMAGE_BYTES = 4 << 30
MAX_TILES = 1 << 18
"""Number of COG tiles of the largest image with tiles of 256 pixels. The tables of our copy, 16 bytes a tile, stay
within the largest header."""
MAX_TILE_BYTES = 64 << 20
MAX_WINDOW_PX = 1 << 27
"""Most pixels that are read at once: a whole Sentinel-2 band."""
# Limits of a file's pixel size over the mission's: resampled products differ from it, but thumbnails and pixels of a
# centimetre are not the product.
FINEST, COARSEST = 1 / 4, 16

UNCOMPRESSED, LZW, DEFLATE, DEFLATE_OLD, ZSTD = 1, 5, 8, 32946, 50000
COMPRESSIONS = frozenset({UNCOMPRESSED, LZW, DEFLATE, DEFLATE_OLD, ZSTD})
NO_PREDICTOR, DIFFERENCE, FLOATING_POINT = 1, 2, 3

_SAMPLES = {1: "uint", 2: "int", 3: "float"}
_COG = "Write it again with gdal_translate -of COG"


@dataclass(frozen=True, kw_only=True)
class Header:
    """The full-resolution image of a tiled GeoTIFF with one band, by its header."""

    grid: Grid
    dtype: str
    """numpy's name of the pixel type, in native byte order."""
    nodata: float | None
    """Stated nodata value; None where the file states none."""
    block: tuple[int, int]
    """Height and width of a COG tile, pixels; tiles at the lower and right edge are padded to it, strips are not."""
    tiles_down: int
    tiles_across: int
    offsets: tuple[int, ...]
    """First byte of each COG tile, row by row."""
    counts: tuple[int, ...]
    """Bytes of each COG tile; 0 for a tile that the publisher left empty, which is all nodata."""
    compression: int
    predictor: int
    scale: float | None
    offset: float | None
    """quantity = DN * scale + offset, as GDAL's metadata state for the band; None where they do not."""
    units: tuple[tuple[str, str], ...]
    """Units of the band in GDAL's metadata, each after the name of its entry."""
    texts: tuple[tuple[str, str], ...]
    """Descriptions of the band or the image, each after the name of its entry."""
    tiff: TiffHeader
    """The tags as they are in the file, without ``offsets`` and ``counts``."""

    @property
    def striped(self) -> bool:
        """Whether the image is cut into strips of its whole width, which are treated as COG tiles here."""
        return TILE_WIDTH not in self.tiff.tags


def read_header(read: Read, size: int, *, strips: bool = False) -> Header:
    """Read a file's header; refuse a file that cannot be read in part, georeferenced or decoded.

    Args:
        read: Gives ranges of the file.
        size: The file's size in bytes.
        strips: Whether a file with strips is accepted, each strip as if it were a COG tile.

    Raises:
        HeaderRefused: With one of the codes not_tiff, html_page, jp2, header_malformed, truncated, striped,
            internal_mask, multiple_bands, dtype_unexpected, oversize, compression_unsupported, or those of
            ``grid_of``.
    """
    tiff = read_tiff_header(read, size)
    width, height = tiff.integer(256, 0), tiff.integer(257, 0)
    tiled = TILE_WIDTH in tiff.tags and TILE_OFFSETS in tiff.tags
    if not tiled and not strips:
        raise HeaderRefused("striped", f"it is cut into strips, not tiles. {_COG}")
    if any(kind & 4 for kind in tiff.subfile_types):
        raise HeaderRefused(
            "internal_mask",
            "it has its mask in a separate image. Write it again with nodata instead of a mask",
        )
    if (bands := tiff.integer(277, 1)) != 1:
        raise HeaderRefused("multiple_bands", f"it has {bands} bands. Publish one file a band")
    dtype = _dtype(tiff)
    if tiled:
        block_width, block_height = tiff.integer(TILE_WIDTH, 0), tiff.integer(TILE_LENGTH, 0)
    else:
        # Where the rows per strip are not stated, or are 2^32 - 1, the whole image is one strip.
        block_width, block_height = width, min(tiff.integer(ROWS_PER_STRIP, height), height)
    if min(width, height, block_width, block_height) < 1:
        raise HeaderRefused("header_malformed", f"its image or its tiles have no width or no height. {_COG}")
    down, across = -(-height // block_height), -(-width // block_width)
    tile_bytes = block_height * block_width * int(re.sub(r"\D", "", dtype)) // 8
    if (
        max(width, height) > MAX_SIDE_PX
        or down * across > MAX_TILES
        or tile_bytes > MAX_TILE_BYTES
        or width * height * tile_bytes > MAX_IMAGE_BYTES * block_height * block_width
    ):
        raise HeaderRefused(
            "oversize",
            f"it has {width} x {height} pixels in {down * across} tiles of {tile_bytes} bytes. {_COG} and smaller",
        )
    # Checked before the tables, which may have millions of entries, become numbers.
    tables_at = tables_of(tiff)
    tables = [tiff.tags[code].count if code in tiff.tags else 0 for code in tables_at]
    if tables != [down * across] * 2:
        raise HeaderRefused(
            "header_malformed",
            f"it has {tables[0]} tile offsets and {tables[1]} sizes for {down * across} tiles. {_COG}",
        )
    offsets, counts = (tiff.integers(code) for code in tables_at)
    # In the worst case LZW makes the data half as large again.
    if max(counts) > 2 * tile_bytes + 1024:
        raise HeaderRefused("oversize", f"a tile takes {max(counts)} bytes, more than it decodes to. {_COG}")
    if any(count and offset < 8 for offset, count in zip(offsets, counts)):
        raise HeaderRefused("header_malformed", f"the offset of a tile points into the file's first 8 bytes. {_COG}")
    # No reader uses the strip tags of a tiled file, or the tile tags of a file with strips.
    unneeded = TABLES | ({ROWS_PER_STRIP} if tiled else {TILE_WIDTH, TILE_LENGTH})
    return Header(
        grid=grid_of(tiff, width, height),
        dtype=dtype,
        nodata=_nodata(tiff),
        block=(block_height, block_width),
        tiles_down=down,
        tiles_across=across,
        offsets=offsets,
        counts=counts,
        compression=_compression(tiff),
        predictor=_predictor(tiff, dtype),
        scale=_stated_number(tiff, "scale"),
        offset=_stated_number(tiff, "offset"),
        units=tuple((name, text) for name, text in _metadata(tiff) if re.search("unit", name)),
        texts=(
            *((name, text) for name, text in _metadata(tiff) if re.search("description|long_name|scale_type", name)),
            *((("image description", text),) if (text := tiff.text(IMAGE_DESCRIPTION)[:MAX_QUOTED]) else ()),
        ),
        tiff=replace(tiff, tags={code: tag for code, tag in tiff.tags.items() if code not in unneeded}),
    )


def check_header(
    header: Header, size: int, mission: Mission, name: str, asset: Mapping[str, Any], item: Mapping[str, Any]
) -> tuple[str, ...]:
    """Check a header against the file's size, the mission and the item.

    Where item and file differ on corners or shape, the file counts, because its pixels are read. A file that lies
    elsewhere than its item belongs to another scene.

    Args:
        header: The file's header.
        size: The file's size in bytes.
        mission: The mission that the band should belong to.
        name: The mission's name of the band, measured or quality.
        asset: The item's STAC asset for the band.
        item: The STAC item.

    Returns:
        Findings, ``code: detail``; they do not stop the scene.

    Raises:
        HeaderRefused: With one of the codes truncated, tiles_overlap, dtype_unexpected, nodata_conflict,
            transform_invalid, resolution_unexpected, place_conflict.
    """
    end = max((offset + count for offset, count in zip(header.offsets, header.counts) if count), default=0)
    if end > size:
        raise HeaderRefused(
            "truncated", f"its tiles end at byte {end}, the file at {size}. Fetch the file again from its publisher"
        )
    if (total := sum(header.counts)) > size:
        raise HeaderRefused(
            "tiles_overlap", f"its tiles take {total} bytes in a file of {size}: some tiles share their bytes. {_COG}"
        )
    band: Quality | Radiometry = mission.quality.get(name) or mission.radiometry
    if header.dtype != band.dtype:
        raise HeaderRefused(
            "dtype_unexpected",
            f"its pixels are {header.dtype}, but {mission.title} publishes {name} as {band.dtype}. "
            "Check that the link leads to this band",
        )
    side_m = pixel_side_m(header.grid)
    if side_m is None:
        raise HeaderRefused(
            "transform_invalid", "its middle is not on Earth, by its own CRS. Check its CRS and its corners"
        )
    if not FINEST <= side_m / mission.resolution_m <= COARSEST:
        raise HeaderRefused(
            "resolution_unexpected",
            f"its pixels are {side_m:.3g} m on the ground, but those of {mission.title} are {mission.resolution_m} m. "
            "Check that the link leads to the band, not to a preview, and that the file's CRS and corners are right",
        )
    check_place(header.grid, item)
    return (*_nodata_findings(header, band, name), *item_findings(header.grid, size, asset, item))


def tiles_for(header: Header, window: Window) -> tuple[int, ...]:
    """Indices of the COG tiles that hold any pixel of a window, ascending; empty for a window outside the file.

    Raises:
        HeaderRefused: With code oversize, when the window has more pixels of the file than may be read at once.
    """
    height, width = header.block
    top, left = max(window.row, 0), max(window.col, 0)
    bottom = min(window.row + window.height, header.grid.height)
    right = min(window.col + window.width, header.grid.width)
    if bottom <= top or right <= left:
        return ()
    if (bottom - top) * (right - left) > MAX_WINDOW_PX:
        raise HeaderRefused(
            "oversize",
            f"{bottom - top} x {right - left} of its pixels have to be read at once, too many. {_COG} and coarser",
        )
    return tuple(
        row * header.tiles_across + col
        for row in range(top // height, (bottom - 1) // height + 1)
        for col in range(left // width, (right - 1) // width + 1)
    )


def tile_shape(header: Header, index: int) -> tuple[int, int]:
    """Height and width of a decoded COG tile, with its padding; strips have no padding."""
    height, width = header.block
    return (min(height, header.grid.height - index * height), width) if header.striped else header.block


def tile_window(header: Header, index: int) -> Window:
    """The window of the file that a COG tile holds, without its padding."""
    height, width = header.block
    row, col = (part * step for part, step in zip(divmod(index, header.tiles_across), header.block))
    return Window(row, col, min(height, header.grid.height - row), min(width, header.grid.width - col))


def _dtype(tiff: TiffHeader) -> str:
    bits, sample = tiff.integer(258, 1), tiff.integer(339, 1)
    if sample not in _SAMPLES or bits not in ((32, 64) if sample == 3 else (8, 16, 32, 64)):
        raise HeaderRefused(
            "dtype_unexpected",
            f"its pixels have {bits} bits of sample format {sample}. Write it with pixels of whole bytes",
        )
    return f"{_SAMPLES[sample]}{bits}"


def _compression(tiff: TiffHeader) -> int:
    compression = tiff.integer(259, UNCOMPRESSED)
    if compression not in COMPRESSIONS or tiff.integer(266, 1) != 1:
        raise HeaderRefused(
            "compression_unsupported",
            f"its tiles are compressed by method {compression}. Write it with DEFLATE, LZW, ZSTD or no compression",
        )
    return compression


def _predictor(tiff: TiffHeader, dtype: str) -> int:
    # libtiff ignores the tag in an uncompressed file.
    predictor = tiff.integer(317, NO_PREDICTOR) if tiff.integer(259, 1) != UNCOMPRESSED else NO_PREDICTOR
    if predictor not in (NO_PREDICTOR, DIFFERENCE) and not (predictor == FLOATING_POINT and dtype.startswith("float")):
        raise HeaderRefused(
            "compression_unsupported",
            f"its predictor {predictor} is not supported for {dtype}. Write it again with PREDICTOR=2 or none",
        )
    return predictor


def _stated_number(tiff: TiffHeader, role: str) -> float | None:
    """The scale or offset of the band in GDAL's metadata; None where there is none."""
    for name, text in _metadata(tiff):
        if name == role:
            try:
                number = float(text)
            except ValueError:
                continue
            if math.isfinite(number):
                return number
    return None


def _metadata(tiff: TiffHeader) -> Iterator[tuple[str, str]]:
    """The entries of GDAL's metadata: the role of each, or else its name in lower case, and its text."""
    # Not read as XML, whose entities a hostile file could let grow without bound.
    for attributes, text in re.findall(r"<Item\b([^<>]*)>([^<>]*)</Item>", tiff.text(GDAL_METADATA)):
        named = re.search(r'\brole="([^"]*)"', attributes) or re.search(r'\bname="([^"]*)"', attributes)
        if named:
            yield named[1].lower(), text[:MAX_QUOTED].strip()


def _nodata(tiff: TiffHeader) -> float | None:
    text = tiff.text(42113)
    try:
        # Only Python reads 1_0 as ten.
        return None if "_" in text else float(text)
    except ValueError:
        return None


def _nodata_findings(header: Header, band: Quality | Radiometry, name: str) -> tuple[str, ...]:
    stated = header.nodata
    if isinstance(band, Power):
        # Any value that is not a measurement may stand for a missing pixel.
        expected, fits = "a value that is not a power of ground", not band.floor <= (stated or 0) <= band.bright
    elif band.nodata is None:
        return (
            () if stated is None else (f"nodata_stated: the file states the nodata value {stated:g}, {name} has none",)
        )
    else:
        expected, fits = f"{band.nodata:g}", stated == band.nodata
    if stated is None:
        return (f"nodata_unstated: the file states no nodata value, {name} uses {expected}",)
    if not fits:
        raise HeaderRefused(
            "nodata_conflict",
            f"it states nodata {stated:g}, {name} uses {expected}. "
            "Check the product: missing pixels would be read as values, or values as missing",
        )
    return ()
