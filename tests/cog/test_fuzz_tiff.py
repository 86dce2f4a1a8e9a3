"""Hostile GeoTIFFs: whatever the bytes, a header or a refusal with a known code, in bounded time."""

from functools import cache

import numpy as np
import pytest
from fuzzing import share, within_limit
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.crs import CRS
from scene_builders import geotiff_bytes, pixels, romanian
from tiff_builders import Tiff
from tiff_mutations import damaged, tampered

from mrv_assets.cog.header import Header, check_header, read_header, tiles_for
from mrv_assets.cog.sparse_tiff import SparseTiff, decode_tile, sparse_tiff
from mrv_assets.cog.tiff import MAX_HEADER_BYTES
from mrv_assets.errors import HeaderRefused
from mrv_assets.missions.sentinel2 import SENTINEL2
from mrv_assets.science.grid import Window, tile_grid
from mrv_assets.science.resample import source_window

# What strategies draw from are whole files, which Hypothesis prints when an example is rejected.
pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")

CODES = {
    *("not_tiff", "html_page", "jp2", "header_malformed", "truncated", "internal_mask", "multiple_bands"),
    *("dtype_unexpected", "oversize", "compression_unsupported", "transform_missing", "transform_invalid", "rotated"),
    *("crs_missing", "crs_unusable", "tiles_overlap", "nodata_conflict", "resolution_unexpected", "undecodable"),
}
GRID = tile_grid("34TER")
BLOCK = Window(0, 9 * 1024, 1024, 1024)
"""The block of the tile in which the sound files lie."""
LARGEST_READ_PX = 1 << 22


@cache
def sound() -> tuple[Tiff, ...]:
    """Real files: both byte orders and flavours, every compression and predictor, overviews, strips, other CRS."""
    own = CRS.from_proj4("+proj=laea +lat_0=45 +lon_0=22 +datum=WGS84 +units=m")
    red, scl = pixels(64, 64), pixels(40, 40, "uint8")
    files = [
        geotiff_bytes(red, predictor=2, blockxsize=32),
        geotiff_bytes(red, BIGTIFF="YES", ENDIANNESS="BIG", compress="lzw", blockxsize=32),
        geotiff_bytes(pixels(300, 300), driver="COG", blocksize=128, compress="zstd"),
        geotiff_bytes(scl, ENDIANNESS="BIG", compress="none", blockxsize=16, blockysize=16),
        geotiff_bytes(red, crs=own, BIGTIFF="YES", compress="zstd"),
        geotiff_bytes(red.astype("float32"), predictor=3),
        geotiff_bytes(red, tiled=False, blockxsize=64, blockysize=7),
    ]  # fmt: skip
    header = header_of(files[0])
    copy = sparse_tiff(header, {2: files[0][header.offsets[2] :][: header.counts[2]]})
    for file in [*files, copy]:
        # What is compiled or loaded once is not the time of any one file.
        judged(file)
    return tuple(map(Tiff.read, [*files, copy]))


def header_of(data: bytes) -> Header:
    """The header, from reads that stay within their bound."""
    asked = 0

    def read(offset: int, length: int) -> bytes:
        nonlocal asked
        asked += length
        assert 0 <= offset <= len(data)
        assert asked <= MAX_HEADER_BYTES
        return data[offset : offset + length]

    # As for a mission that reads strips: those that do not refuse more.
    return read_header(read, len(data), strips=True)


def copied(data: bytes) -> tuple[Header, bytes, frozenset[int]]:
    """A file past the gate, and the copy that raw_tiles would keep of it: all that one block needs.

    Raises:
        HeaderRefused: As raw_tiles would refuse the file.
    """
    header = header_of(data)
    name = "scl" if header.dtype == "uint8" else "red"
    # Without a place: tampered corners are to be read too.
    item = {key: stated for key, stated in romanian().items() if key not in ("bbox", "geometry")}
    findings = check_header(header, len(data), SENTINEL2, name, {}, item)
    assert all(finding.encode() and len(finding) < 1000 for finding in findings)
    needed = source_window(header.grid, GRID, BLOCK)
    indices = () if needed is None else tiles_for(header, needed)
    tiles = {i: data[header.offsets[i] :][: header.counts[i]] for i in indices if header.counts[i]}
    return header, sparse_tiff(header, tiles), frozenset(indices)


def judged(data: bytes) -> str:
    """Why a file is refused; empty where it passes, and then its copy can be read."""
    refusal = None
    try:
        header, copy, fetched = copied(data)
    except HeaderRefused as found:
        refusal = found
    if refusal is not None:
        assert refusal.code in CODES
        assert refusal.detail.count(". ") >= 1
        assert len(refusal.detail.encode()) < 1000
        return refusal.code
    file = SparseTiff(copy, fetched)
    assert (file.grid, file.header.dtype) == (header.grid, header.dtype)
    needed = source_window(file.grid, GRID, BLOCK)
    if needed is not None and needed.height * needed.width <= LARGEST_READ_PX:
        assert file.read(needed).shape == (needed.height, needed.width)
    return ""


def test_sound_files_pass() -> None:
    """What is tampered with below is good before; only the one of floats is another product."""
    assert [judged(tiff.data) for tiff in sound()] == ["", "", "", "", "", "dtype_unexpected", "", ""]
    assert [judged(tiff.bytes()) for tiff in sound()] == ["", "", "", "", "", "dtype_unexpected", "", ""]


@share("tiff structure")
@given(st.data())
def test_a_tampered_header_is_refused_or_read(data: st.DataObject) -> None:
    """Tags removed, repeated, of other types, counts, values and places; directories in chains and loops."""
    content = tampered(data.draw, sound())

    with within_limit():
        judged(content)


@share("tiff bytes")
@given(st.data())
def test_a_damaged_file_is_refused_or_read(data: st.DataObject) -> None:
    """Bytes changed, cut off and put in."""
    content = damaged(data.draw, sound()[data.draw(st.integers(0, len(sound()) - 1))].data)

    with within_limit():
        judged(content)


@share("no tiff")
@given(
    st.sampled_from([b"", b"II*\0", b"MM\0*", b"II+\0\x08\0\0\0", b"<html", b"\0\0\0\x0cjP  ", b"II*\0\x08\0\0\0"]),
    st.binary(max_size=2000),
)
def test_any_bytes_are_refused(start: bytes, rest: bytes) -> None:
    """No TIFF comes about by chance."""
    sound()

    with within_limit():
        code = judged(start + rest)

    assert code


@cache
def encoded() -> tuple[Header, ...]:
    """Headers of every compression and predictor, in both byte orders."""
    return tuple(
        header_of(geotiff_bytes(pixels(32, 64, dtype), compress=compression, ENDIANNESS=endian, **options))
        for compression in ("none", "deflate", "lzw", "zstd")
        for endian in ("LITTLE", "BIG")
        for dtype, predictors in (("uint8", (1, 2)), ("uint16", (1, 2)), ("float32", (1, 2, 3)), ("float64", (3,)))
        for options in ([{"predictor": p} for p in predictors] if compression != "none" else [{}])
    )


@cache
def streams() -> tuple[tuple[int, bytes], ...]:
    """Streams that decode, by their compression."""
    files = [geotiff_bytes(pixels(32, 64), compress=name) for name in ("none", "deflate", "lzw", "zstd")]
    headers = [header_of(file) for file in files]
    found = [f[h.offsets[0] :][: h.counts[0]] for h, f in zip(headers, files, strict=True)]
    for header, stream in zip(headers, found, strict=True):
        # Compiled once, which is not the time of any one stream.
        decode_tile(header, 0, stream)
    return tuple((header.compression, stream) for header, stream in zip(headers, found, strict=True))


@share("tile bytes")
@given(st.data())
def test_a_tile_decodes_whole_or_is_refused(data: st.DataObject) -> None:
    """Any bytes, and sound streams damaged: never another shape or type, never a crash."""
    header = encoded()[data.draw(st.integers(0, len(encoded()) - 1))]
    [stream] = [stream for compression, stream in streams() if compression == header.compression]
    tile = damaged(data.draw, stream) if data.draw(st.booleans()) else data.draw(st.binary(max_size=5000))

    with within_limit():
        try:
            copy = sparse_tiff(header, {0: tile})
        except HeaderRefused as refusal:
            code = refusal.code
        else:
            code = ""

    if code:
        assert code == "undecodable"
    else:
        decoded = decode_tile(header, 0, tile)
        assert (decoded.shape, decoded.dtype) == (header.block, np.dtype(header.dtype))
        read = SparseTiff(copy, frozenset({0})).read(Window(0, 0, 32, 64))
        np.testing.assert_array_equal(read, decoded)


def test_tampering_finds_its_way_past_the_first_check() -> None:
    """The search is no search if all it ever meets is one refusal."""
    found: set[str] = set()

    @settings(share("tiff structure"), max_examples=500, derandomize=True, database=None)
    @given(st.data())
    def look(data: st.DataObject) -> None:
        found.add(judged(tampered(data.draw, sound())))

    look()

    assert {"", "header_malformed", "truncated", "oversize"} <= found
    assert len(found) >= 10
