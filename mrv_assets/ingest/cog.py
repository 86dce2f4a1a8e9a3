"""The header gate: what a GeoTIFF says of its own pixels, and whether they can be trusted."""

import math
import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from mrv_assets.errors import HeaderRefused
from mrv_assets.ingest.tiff import SHORT, Read, Tag, TiffHeader, read_tiff_header, write_tiff
from mrv_assets.missions.mission import Mission
from mrv_assets.science.grid import Grid, Window

MAX_SIDE_PX = 1 << 17
MAX_TILES = 1_000_000
MAX_TILE_BYTES = 64 << 20

UNCOMPRESSED, LZW, DEFLATE, DEFLATE_OLD, ZSTD = 1, 5, 8, 32946, 50000
COMPRESSIONS = frozenset({UNCOMPRESSED, LZW, DEFLATE, DEFLATE_OLD, ZSTD})
NO_PREDICTOR, DIFFERENCE, FLOATING_POINT = 1, 2, 3

_SAMPLES = {1: "uint", 2: "int", 3: "float"}
_COG = "Write it again with gdal_translate -of COG"

# GeoKeys: (projected or geographic model, pixel is area or point, and the EPSG codes).
_MODEL_TYPE, _RASTER_TYPE, _GEOGRAPHIC, _PROJECTED = 1024, 1025, 2048, 3072


@dataclass(frozen=True, kw_only=True)
class Header:
    """What a tiled GeoTIFF of one band says of its full-resolution image."""

    grid: Grid
    dtype: str
    """numpy's name, in native byte order."""
    nodata: float | None
    """None where the file states none."""
    block: tuple[int, int]
    """Height and width of a COG tile, pixels; tiles at the lower and right edge are padded to it."""
    tiles_down: int
    tiles_across: int
    offsets: tuple[int, ...]
    """First byte of each COG tile, row by row."""
    counts: tuple[int, ...]
    """Bytes of each COG tile; 0 is a tile the publisher left empty: all nodata."""
    compression: int
    predictor: int
    tiff: TiffHeader
    """The tags as they stand in the file."""


def read_header(read: Read, size: int) -> Header:
    """Read a file's header and refuse what cannot be read in part, placed, or decoded.

    Args:
        read: Gives ranges of the file.
        size: The file's size in bytes.

    Raises:
        HeaderRefused: With one of the codes not_tiff, jp2, header_malformed, truncated, striped,
            internal_mask, multiple_bands, dtype_unexpected, oversize, compression_unsupported, crs_missing,
            transform_missing, rotated.
    """
    tiff = read_tiff_header(read, size)
    width, height = tiff.integer(256, 0), tiff.integer(257, 0)
    if 322 not in tiff.tags or 324 not in tiff.tags:
        raise HeaderRefused("striped", f"it is cut into strips, not tiles. {_COG}")
    if any(kind & 4 for kind in tiff.subfile_types):
        raise HeaderRefused(
            "internal_mask",
            "it keeps its mask in an image of its own. Write it again with nodata instead of a mask",
        )
    if (bands := tiff.integer(277, 1)) != 1:
        raise HeaderRefused("multiple_bands", f"it has {bands} bands. Publish one file a band")
    dtype = _dtype(tiff)
    block_width, block_height = tiff.integer(322, 0), tiff.integer(323, 0)
    if min(width, height, block_width, block_height) < 1:
        raise HeaderRefused("header_malformed", f"an image or tile without width or height. {_COG}")
    down, across = -(-height // block_height), -(-width // block_width)
    tile_bytes = block_height * block_width * int(re.sub(r"\D", "", dtype)) // 8
    if max(width, height) > MAX_SIDE_PX or down * across > MAX_TILES or tile_bytes > MAX_TILE_BYTES:
        raise HeaderRefused(
            "oversize",
            f"{width} x {height} pixels in {down * across} tiles of {tile_bytes} bytes. {_COG} and smaller",
        )
    offsets, counts = tiff.integers(324), tiff.integers(325)
    if len(offsets) != down * across or len(counts) != down * across:
        raise HeaderRefused("header_malformed", f"{len(offsets)} tile offsets for {down * across} tiles. {_COG}")
    if max(counts) > 2 * tile_bytes + (1 << 20):
        raise HeaderRefused("oversize", f"a tile takes {max(counts)} bytes, more than it decodes to. {_COG}")
    return Header(
        grid=_grid(tiff, width, height),
        dtype=dtype,
        nodata=_nodata(tiff),
        block=(block_height, block_width),
        tiles_down=down,
        tiles_across=across,
        offsets=offsets,
        counts=counts,
        compression=_compression(tiff),
        predictor=_predictor(tiff, dtype),
        tiff=tiff,
    )


def check_header(
    header: Header, size: int, mission: Mission, name: str, asset: Mapping[str, Any], item: Mapping[str, Any]
) -> tuple[str, ...]:
    """Hold a header against the file's size, the mission and the item.

    Where item and file differ on place or shape the file is believed: it is what is read.

    Args:
        header: The file's header.
        size: The file's size in bytes.
        mission: What the band should be.
        name: The mission's name of the band, reflectance or quality.
        asset: The item's STAC asset for the band.
        item: The STAC item.

    Returns:
        Findings that stop nothing, ``code: detail``.

    Raises:
        HeaderRefused: With one of the codes truncated, dtype_unexpected, nodata_conflict.
    """
    end = max((offset + count for offset, count in zip(header.offsets, header.counts) if count), default=0)
    if end > size:
        raise HeaderRefused(
            "truncated", f"its tiles reach to byte {end} of {size}. Fetch the file again from its publisher"
        )
    band = mission.quality.get(name) or mission.radiometry
    if header.dtype != band.dtype:
        raise HeaderRefused(
            "dtype_unexpected",
            f"its pixels are {header.dtype}, {mission.title} publishes {name} as {band.dtype}. "
            "Check that the link leads to this band",
        )
    return (*_nodata_findings(header, band.nodata, name), *_item_findings(header, size, asset, item))


def tiles_for(header: Header, window: Window) -> tuple[int, ...]:
    """Indices of the COG tiles that hold any pixel of a window, ascending; none outside the file."""
    height, width = header.block
    top, left = max(window.row, 0), max(window.col, 0)
    bottom = min(window.row + window.height, header.grid.height)
    right = min(window.col + window.width, header.grid.width)
    if bottom <= top or right <= left:
        return ()
    return tuple(
        row * header.tiles_across + col
        for row in range(top // height, (bottom - 1) // height + 1)
        for col in range(left // width, (right - 1) // width + 1)
    )


def tile_window(header: Header, index: int) -> Window:
    """The pixels of the file that a COG tile holds, its padding left out."""
    height, width = header.block
    row, col = (part * step for part, step in zip(divmod(index, header.tiles_across), header.block))
    return Window(row, col, min(height, header.grid.height - row), min(width, header.grid.width - col))


def _dtype(tiff: TiffHeader) -> str:
    bits, sample = tiff.integer(258, 1), tiff.integer(339, 1)
    if sample not in _SAMPLES or bits not in ((32, 64) if sample == 3 else (8, 16, 32, 64)):
        raise HeaderRefused(
            "dtype_unexpected",
            f"its pixels are {bits} bits of sample format {sample}. Write it as whole bytes",
        )
    return f"{_SAMPLES[sample]}{bits}"


def _compression(tiff: TiffHeader) -> int:
    compression = tiff.integer(259, UNCOMPRESSED)
    if compression not in COMPRESSIONS or tiff.integer(266, 1) != 1:
        raise HeaderRefused(
            "compression_unsupported",
            f"its tiles are compressed by method {compression}. Write it with DEFLATE, LZW, ZSTD or none",
        )
    return compression


def _predictor(tiff: TiffHeader, dtype: str) -> int:
    # libtiff leaves the tag of an uncompressed file unread.
    predictor = tiff.integer(317, NO_PREDICTOR) if tiff.integer(259, 1) != UNCOMPRESSED else NO_PREDICTOR
    if predictor not in (NO_PREDICTOR, DIFFERENCE) and not (predictor == FLOATING_POINT and dtype.startswith("float")):
        raise HeaderRefused(
            "compression_unsupported",
            f"predictor {predictor} on {dtype}. Write it again with PREDICTOR=2 or none",
        )
    return predictor


def _nodata(tiff: TiffHeader) -> float | None:
    try:
        return float(tiff.text(42113))
    except ValueError:
        return None


def _nodata_findings(header: Header, expected: int | None, name: str) -> tuple[str, ...]:
    stated = header.nodata
    if stated is None:
        return () if expected is None else (f"nodata_unstated: the file states none, {name} uses {expected}",)
    if expected is None:
        return (f"nodata_stated: the file states {stated:g}, {name} has none",)
    if stated != expected:
        raise HeaderRefused(
            "nodata_conflict",
            f"it states nodata {stated:g}, {name} uses {expected}. "
            "Check the product; pixels of one would be read as the other",
        )
    return ()


def _item_findings(header: Header, size: int, asset: Mapping[str, Any], item: Mapping[str, Any]) -> tuple[str, ...]:
    properties = item.get("properties")
    levels = [asset, properties if isinstance(properties, Mapping) else {}]

    def stated(key: str) -> Any:
        return next((level[key] for level in levels if level.get(key) is not None), None)

    findings = []
    grid = header.grid
    code = stated("proj:code") or (f"EPSG:{stated('proj:epsg')}" if stated("proj:epsg") else None)
    if code is not None and code != grid.crs:
        findings.append(f"crs_conflict: the item states {code}, the file {_short(grid.crs)}; the file is believed")
    transform = stated("proj:transform")
    own = (grid.dx, 0.0, grid.x0, 0.0, grid.dy, grid.y0)
    if transform is not None and not _near(transform, own, abs(grid.dx) * 1e-6):
        findings.append(f"transform_conflict: the item states {transform}, the file {list(own)}; the file is believed")
    shape = stated("proj:shape")
    if shape is not None and shape != [grid.height, grid.width]:
        own_shape = [grid.height, grid.width]
        findings.append(f"shape_conflict: the item states {shape}, the file {own_shape}; the file is believed")
    stated_size = asset.get("file:size")
    if stated_size is not None and stated_size != size:
        findings.append(f"size_conflict: the item states {stated_size} bytes, the file has {size}")
    return tuple(findings)


def _short(crs: str) -> str:
    return crs if len(crs) <= 40 else f"{crs[:40]}..."


def _near(stated: object, own: Sequence[float], tolerance: float) -> bool:
    # STAC allows six numbers, or nine with the last row of the matrix.
    if not isinstance(stated, list) or len(stated) not in (6, 9):
        return False
    return all(
        isinstance(number, int | float) and math.isclose(number, expected, rel_tol=0, abs_tol=tolerance)
        for number, expected in zip(stated, own)
    )


def _grid(tiff: TiffHeader, width: int, height: int) -> Grid:
    keys = _geokeys(tiff)
    x0, y0, dx, dy = _transform(tiff)
    if keys.get(_RASTER_TYPE) == 2:
        # "Pixel is point": the tie point is a pixel's centre.
        x0, y0 = x0 - dx / 2, y0 - dy / 2
    codes = (34735, 34736, 34737)
    crs = _crs(tiff.order, tuple((code, tiff.tags[code]) for code in codes if code in tiff.tags))
    if crs is None:
        raise HeaderRefused("crs_missing", "it does not say where on Earth it lies. Write its CRS with gdal_edit")
    return Grid(crs=crs, x0=x0, y0=y0, dx=dx, dy=dy, width=width, height=height)


def _transform(tiff: TiffHeader) -> tuple[float, float, float, float]:
    """Outer corner and pixel size of a north-up image, by its tags."""
    matrix, scale, tie = tiff.numbers(34264), tiff.numbers(33550), tiff.numbers(33922)
    if len(scale) >= 2 and len(tie) >= 6:
        col, row, _, x, y, _ = tie[:6]
        place = x - col * scale[0], y + row * scale[1], scale[0], -scale[1]
    elif len(matrix) == 16:
        if matrix[1] or matrix[4]:
            raise HeaderRefused("rotated", "its rows do not run west to east. Warp it to a north-up grid")
        place = matrix[3], matrix[7], matrix[0], matrix[5]
    else:
        raise HeaderRefused("transform_missing", "it does not say where its pixels lie. Write it as a GeoTIFF")
    if not all(map(math.isfinite, place)) or not (place[2] > 0 > place[3]):
        raise HeaderRefused("rotated", f"pixels of {place[2]:g} by {place[3]:g}. Warp it to a north-up grid")
    return place


def _geokeys(tiff: TiffHeader) -> dict[int, int]:
    """GeoKeys that are numbers stored in the directory itself."""
    values = tiff.integers(34735)
    entries = (values[at : at + 4] for at in range(4, len(values) - 3, 4))
    return {key: value for key, location, _, value in entries if location == 0}


@lru_cache(maxsize=256)
def _crs(order: str, geokeys: tuple[tuple[int, Tag], ...]) -> str | None:
    """The CRS that GeoKeys mean, as GDAL reads them from a file of one empty tile; None for none."""
    import rasterio

    if not geokeys:
        return None
    shorts = {256: 16, 257: 16, 258: 8, 259: 1, 262: 1, 277: 1, 322: 16, 323: 16}
    tags = {code: Tag(type=SHORT, count=1, data=struct.pack(f"{order}H", value)) for code, value in shorts.items()}
    # Without a place GDAL would warn that there is none.
    tags[33550] = Tag(type=12, count=3, data=struct.pack(f"{order}3d", 10, 10, 0))
    tags[33922] = Tag(type=12, count=6, data=struct.pack(f"{order}6d", 0, 0, 0, 500000, 5000000, 0))
    tiff = TiffHeader(order=order, big=False, tags={**tags, **dict(geokeys)}, subfile_types=())
    try:
        with rasterio.MemoryFile(write_tiff(tiff, {}, 1)) as file, file.open(driver="GTiff") as dataset:
            crs = dataset.crs
            if crs is None or not (crs.is_projected or crs.is_geographic):
                return None
            keys = _geokeys(tiff)
            code = keys.get({1: _PROJECTED, 2: _GEOGRAPHIC}.get(keys.get(_MODEL_TYPE, 0), 0))
            # GDAL also guesses codes for definitions that come near one; only a stated one counts.
            return f"EPSG:{code}" if code is not None and crs.to_epsg() == code else str(crs.to_wkt())
    except (rasterio.errors.RasterioError, UnicodeDecodeError):
        # rasterio decodes names in the GeoKeys as UTF-8, whatever they hold.
        return None
