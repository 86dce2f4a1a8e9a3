"""The header gate: what is read of a GeoTIFF, what is refused and why."""

import struct
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from scene_builders import a_geotiff, geotiff_bytes, pixels, romanian

from mrv_assets.cog.header import Header, check_header, read_header, tile_window, tiles_for
from mrv_assets.cog.tiff import FIRST_READ, MAX_HEADER_BYTES
from mrv_assets.errors import HeaderRefused
from mrv_assets.missions.sentinel2 import SENTINEL2
from mrv_assets.science.grid import Window


def header_of(data: bytes | Path) -> Header:
    content = data if isinstance(data, bytes) else data.read_bytes()
    return read_header(lambda offset, length: content[offset : offset + length], len(content))


def refused(data: bytes | Path) -> HeaderRefused:
    with pytest.raises(HeaderRefused) as refusal:
        header_of(data)
    return refusal.value


def checked(path: Path, name: str = "red", size: int | None = None, **asset: Any) -> tuple[str, ...]:
    """Findings against the mission and an item in EPSG:32634 that states this of its asset."""
    header = header_of(path)
    return check_header(header, size or path.stat().st_size, SENTINEL2, name, asset, romanian())


@pytest.mark.parametrize("big", ["NO", "YES"])
@pytest.mark.parametrize("endian", ["LITTLE", "BIG"])
def test_a_header_says_what_rasterio_says(tmp_path: Path, big: str, endian: str) -> None:
    """Classic and BigTIFF, either byte order: grid, type, nodata and tiling."""
    path = a_geotiff(tmp_path / "a.tif", pixels(100, 150), BIGTIFF=big, ENDIANNESS=endian, predictor=2)

    header = header_of(path)

    with rasterio.open(path) as file:
        grid = header.grid
        assert (grid.height, grid.width) == file.shape
        assert (grid.dx, 0, grid.x0, 0, grid.dy, grid.y0) == file.transform[:6]
        assert grid.crs == file.crs.to_string() == "EPSG:32634"
        assert (header.dtype, header.nodata) == (file.dtypes[0], file.nodata)
        assert [header.block] == file.block_shapes
    assert (header.tiles_down, header.tiles_across) == (4, 3)
    assert (header.compression, header.predictor) == (8, 2)
    assert (header.tiff.big, header.tiff.order) == (big == "YES", "<" if endian == "LITTLE" else ">")
    assert len(header.offsets) == len(header.counts) == 12


@pytest.mark.parametrize("crs", ["EPSG:3035", "EPSG:32734", "EPSG:4326", "EPSG:5514"])
def test_a_crs_with_a_code_is_its_code(tmp_path: Path, crs: str) -> None:
    """Projected or geographic; the axis order of its definition is nobody's concern here."""
    assert header_of(a_geotiff(tmp_path / "a.tif", pixels(8, 8), crs=crs)).grid.crs == crs


def test_a_crs_without_a_code_is_its_definition(tmp_path: Path) -> None:
    """A projection of one's own is kept as WKT that means the same."""
    own = rasterio.CRS.from_proj4("+proj=laea +lat_0=45 +lon_0=22 +datum=WGS84 +units=m")

    crs = header_of(a_geotiff(tmp_path / "a.tif", pixels(8, 8), crs=own)).grid.crs

    assert not crs.startswith("EPSG")
    assert rasterio.CRS.from_wkt(crs) == own


def test_a_crs_whose_name_is_not_text_is_none(tmp_path: Path) -> None:
    """GeoKeys may hold any bytes: a refusal, not a crash."""
    own = rasterio.CRS.from_proj4("+proj=laea +lat_0=45 +lon_0=22 +datum=WGS84 +units=m")
    data = a_geotiff(tmp_path / "a.tif", pixels(8, 8), crs=own).read_bytes()
    assert b"unknown" in data

    assert refused(data.replace(b"unknown", b"\xff\xfe known"[:7])).code == "crs_missing"


def test_pixel_is_point_means_its_centre(tmp_path: Path) -> None:
    """A tie point at a pixel's centre is half a pixel from its corner, as GDAL has it."""
    path = a_geotiff(tmp_path / "a.tif", pixels(8, 8))
    with rasterio.open(path, "r+") as file:
        file.update_tags(AREA_OR_POINT="Point")

    grid = header_of(path).grid

    with rasterio.open(path) as file:
        assert (grid.x0, grid.y0) == (file.transform.c, file.transform.f)
        assert file.tags()["AREA_OR_POINT"] == "Point"


def test_a_transformation_matrix_is_as_good(tmp_path: Path) -> None:
    """ModelTransformation instead of scale and tie point."""
    geokeys = (1, 1, 0, 3, 1024, 0, 1, 1, 1025, 0, 1, 1, 3072, 0, 1, 32634)
    matrix = (10.0, 0, 0, 600000, 0, -10, 0, 5000040, 0, 0, 0, 0, 0, 0, 0, 1)
    tags = [(34264, 12, 16, matrix), (34735, 3, 16, geokeys)]
    tifffile.imwrite(tmp_path / "a.tif", pixels(32, 32), tile=(16, 16), extratags=tags)

    grid = header_of(tmp_path / "a.tif").grid

    with rasterio.open(tmp_path / "a.tif") as file:
        assert (grid.dx, 0, grid.x0, 0, grid.dy, grid.y0) == file.transform[:6]


def test_nodata_may_be_absent_or_no_number(tmp_path: Path) -> None:
    """None where the file states none; NaN is one."""
    absent = a_geotiff(tmp_path / "a.tif", pixels(8, 8), nodata=None)
    nan = a_geotiff(tmp_path / "b.tif", pixels(8, 8, "float32"), nodata=float("nan"))

    assert header_of(absent).nodata is None
    stated = header_of(nan).nodata
    assert stated is not None
    assert np.isnan(stated)


def test_a_small_header_takes_one_read(tmp_path: Path) -> None:
    """16 KB, and not a byte of the pixels behind it that is not asked for."""
    data = a_geotiff(tmp_path / "a.tif", pixels(512, 512), driver="COG", blocksize=128).read_bytes()
    reads: list[tuple[int, int]] = []

    def read(offset: int, length: int) -> bytes:
        reads.append((offset, length))
        return data[offset : offset + length]

    read_header(read, len(data))

    assert reads == [(0, FIRST_READ)]


def test_a_large_header_takes_few_reads(tmp_path: Path) -> None:
    """Tens of thousands of tiles: reads double, nothing beyond the file is asked for."""
    path = tmp_path / "a.tif"
    a_geotiff(path, np.zeros((16, 16), "uint8"))
    with rasterio.open(
        path, "w", driver="GTiff", width=4096, height=4096, count=1, dtype="uint8", crs="EPSG:32634",
        transform=rasterio.Affine(10, 0, 0, 0, -10, 0), tiled=True, blockxsize=16, blockysize=16, SPARSE_OK=True,
    ):  # fmt: skip
        pass
    data = path.read_bytes()
    reads: list[tuple[int, int]] = []

    def read(offset: int, length: int) -> bytes:
        reads.append((offset, length))
        return data[offset : offset + length]

    header = read_header(read, len(data))

    assert len(header.offsets) == 65536
    assert len(reads) <= 8
    assert all(offset + length <= len(data) for offset, length in reads)


def test_a_header_beyond_the_bound_is_refused() -> None:
    """A claim of tags of gigabytes is answered by at most 8 MB of reads."""
    size = 1 << 40
    entry = struct.pack("<HHQQ", 34735, 3, 1 << 34, 4096)
    head = struct.pack("<2sHHHQ", b"II", 43, 8, 0, 16) + struct.pack("<Q", 1) + entry + bytes(8)
    asked = 0

    def read(offset: int, length: int) -> bytes:
        nonlocal asked
        asked += length
        return (head + bytes(length))[offset : offset + length] if offset == 0 else bytes(length)

    with pytest.raises(HeaderRefused) as refusal:
        read_header(read, size)

    assert refusal.value.code == "oversize"
    assert asked <= MAX_HEADER_BYTES


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "not_tiff"),
        (b"II", "not_tiff"),
        (b"II*\0" + bytes(12), "header_malformed"),
        (b"\n <!DOCTYPE html><html><body>Not found</body></html>", "html_page"),
        (b"\xef\xbb\xbf<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", "html_page"),
        (b" " * 500 + b"<html>", "html_page"),
        (b'{"message": "Not found"}', "not_tiff"),
        (b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(100), "jp2"),
        (b"\xff\x4f\xff\x51" + bytes(100), "jp2"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "not_tiff"),
        (b"II*\0\x08\0\0\0" + struct.pack("<H", 5000) + bytes(100), "header_malformed"),
        (b"II*\0\xff\xff\0\0" + bytes(100), "truncated"),
        (b"II*\0\x08\0\0\0" + struct.pack("<HHHIII", 1, 256, 4, 1, 9, 8) + bytes(8), "header_malformed"),
        (b"II*\0\x08\0\0\0" + struct.pack("<HHHIII", 1, 256, 2, 1, 9, 0) + bytes(8), "header_malformed"),
    ],
    ids=[
        "empty",
        "short",
        "no-ifd",
        "html",
        "xml",
        "indented",
        "json",
        "jp2",
        "j2k",
        "png",
        "tags",
        "beyond",
        "loop",
        "text",
    ],
)
def test_what_is_no_geotiff_is_refused_by_name(data: bytes, code: str) -> None:
    """A code for the record, and what to do for the reader."""
    refusal = refused(data)

    assert refusal.code == code
    assert refusal.detail.count(". ") >= 1


def masked(path: Path) -> Path:
    a_geotiff(path, pixels(64, 64))
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(path, "r+") as file:
        file.write_mask(np.eye(64, dtype=bool))
    return path


def patched(path: Path, code: int, value: int) -> bytes:
    """The same file with one tag of a single number set to another."""
    data = bytearray(a_geotiff(path, pixels(64, 64)).read_bytes())
    (at,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, at)
    for entry in range(at + 2, at + 2 + 12 * count, 12):
        if struct.unpack_from("<H", data, entry)[0] == code:
            struct.pack_into("<HII", data, entry + 2, 4, 1, value)
            return bytes(data)
    raise AssertionError(f"no tag {code}")


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda path: a_geotiff(path, pixels(64, 64), tiled=False, blockxsize=None, blockysize=None), "striped"),
        (masked, "internal_mask"),
        (lambda path: a_geotiff(path, pixels(64, 64), count=2), "multiple_bands"),
        (lambda path: a_geotiff(path, pixels(64, 64, "complex64")), "dtype_unexpected"),
        (lambda path: a_geotiff(path, pixels(64, 64, "uint8"), compress="jpeg"), "compression_unsupported"),
        (lambda path: a_geotiff(path, pixels(64, 64), compress="packbits"), "compression_unsupported"),
        (lambda path: patched(path, 256, 1 << 18), "oversize"),
        (lambda path: patched(path, 322, 0), "header_malformed"),
        (lambda path: patched(path, 257, 0), "header_malformed"),
        (lambda path: patched(path, 323, 1 << 20), "oversize"),
        (lambda path: a_geotiff(path, pixels(64, 64), crs=None), "crs_missing"),
        (lambda path: a_geotiff(path, pixels(64, 64), transform=rasterio.Affine(10, 1, 0, 1, -10, 0)), "rotated"),
        (lambda path: a_geotiff(path, pixels(64, 64), transform=rasterio.Affine(10, 0, 0, 0, 10, 0)), "rotated"),
    ],
    ids=[
        "striped",
        "mask",
        "bands",
        "complex",
        "jpeg",
        "packbits",
        "wide",
        "block",
        "flat",
        "tall",
        "crs",
        "rotated",
        "south-up",
    ],
)
def test_what_cannot_be_read_in_part_is_refused(
    tmp_path: Path, make: Callable[[Path], Path | bytes], code: str
) -> None:
    """Each with a code of its own and the cure."""
    refusal = refused(make(tmp_path / "a.tif"))

    assert refusal.code == code
    assert refusal.detail.count(". ") >= 1


def test_a_file_without_a_place_is_refused(tmp_path: Path) -> None:
    """A plain TIFF says neither CRS nor where its pixels lie."""
    tifffile.imwrite(tmp_path / "a.tif", pixels(32, 32), tile=(16, 16))

    assert refused(tmp_path / "a.tif").code == "transform_missing"


def test_a_tile_that_claims_more_than_it_decodes_to_is_refused(tmp_path: Path) -> None:
    """Bytes of a tile are bounded before they are fetched."""
    data = bytearray(a_geotiff(tmp_path / "a.tif", pixels(64, 64), blockxsize=64, blockysize=64).read_bytes())
    (at,) = struct.unpack_from("<I", data, 4)
    for entry in range(at + 2, at + 400, 12):
        if struct.unpack_from("<H", data, entry)[0] == 325:
            struct.pack_into("<HII", data, entry + 2, 4, 1, 1 << 30)
            break

    assert refused(bytes(data)).code == "oversize"


def test_a_truncated_file_is_found_from_its_header(tmp_path: Path) -> None:
    """The last tile ends beyond the file: no checksum is needed to see that."""
    path = a_geotiff(tmp_path / "a.tif", pixels(100, 150))
    end = max(sum(pair) for pair in zip(header_of(path).offsets, header_of(path).counts, strict=True))

    with pytest.raises(HeaderRefused, match="truncated"):
        checked(path, size=end - 1)

    assert checked(path, size=end) == ()


def test_tiles_the_publisher_left_empty_are_not_truncation(tmp_path: Path) -> None:
    """A sparse file's absent tiles have no bytes to miss."""
    path = a_geotiff(tmp_path / "a.tif", np.zeros((100, 150), "uint16"), SPARSE_OK=True)

    assert set(header_of(path).counts) == {0}
    assert checked(path) == ()


@pytest.mark.parametrize(("dtype", "name"), [("int16", "red"), ("float32", "red"), ("uint16", "scl")])
def test_another_type_than_the_missions_is_refused(tmp_path: Path, dtype: str, name: str) -> None:
    """A scene of floats is another product, whatever its band is called."""
    path = a_geotiff(tmp_path / "a.tif", pixels(64, 64, dtype))

    with pytest.raises(HeaderRefused, match="dtype_unexpected"):
        checked(path, name)


def test_another_nodata_than_the_missions_is_refused(tmp_path: Path) -> None:
    """Stated otherwise is refused; not stated, or stated where the mission has none, is a finding."""
    other = a_geotiff(tmp_path / "a.tif", pixels(64, 64), nodata=65535)
    absent = a_geotiff(tmp_path / "b.tif", pixels(64, 64), nodata=None)
    probability = a_geotiff(tmp_path / "c.tif", pixels(64, 64, "uint8"), nodata=0)

    with pytest.raises(HeaderRefused, match="nodata_conflict"):
        checked(other)

    assert [finding.split(":")[0] for finding in checked(absent)] == ["nodata_unstated"]
    assert [finding.split(":")[0] for finding in checked(probability, "cloud_probability")] == ["nodata_stated"]


@pytest.mark.parametrize(
    ("stated", "codes"),
    [
        ({"proj:code": "EPSG:32634", "proj:shape": [64, 96]}, []),
        ({"proj:transform": [10, 0, 600000, 0, -10, 5000040]}, []),
        ({"proj:transform": [10.0, 0, 600000, 0, -10, 5000040, 0, 0, 1]}, []),
        ({"proj:code": None, "proj:epsg": 32634}, []),
        ({"proj:code": "EPSG:32635"}, ["crs_conflict"]),
        ({"proj:transform": [10, 0, 600005, 0, -10, 5000040]}, ["transform_conflict"]),
        ({"proj:transform": [600000, 10, 0, 5000040, 0, -10]}, ["transform_conflict"]),
        ({"proj:transform": "west"}, ["transform_conflict"]),
        ({"proj:shape": [96, 64]}, ["shape_conflict"]),
        ({"file:size": 1}, ["size_conflict"]),
    ],
    ids=str,
)
def test_where_item_and_file_differ_the_file_is_believed(
    tmp_path: Path, stated: dict[str, Any], codes: list[str]
) -> None:
    """A third of one catalogue's items state a wrong CRS: a finding, and the file's header counts."""
    path = a_geotiff(tmp_path / "a.tif", pixels(64, 96))

    findings = checked(path, **stated)

    assert [finding.split(":")[0] for finding in findings] == codes


@cache
def sample() -> bytes:
    """The header of a small GeoTIFF, whole, and the start of its pixels."""
    return geotiff_bytes(pixels(40, 40), blockxsize=16, blockysize=16)[:1200]


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_a_damaged_header_is_refused_or_read_but_never_a_crash(data: st.DataObject) -> None:
    """Any bytes changed, any length cut: the only error is a refusal."""
    content = bytearray(sample())
    assert header_of(bytes(content)).tiles_across == 3
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, 700))] = data.draw(st.integers(0, 255))
    cut = bytes(content[: data.draw(st.sampled_from([1200, 1200, 600, 300, 100, 20]))])

    with suppress(HeaderRefused):
        header = header_of(cut)
        assert len(header.offsets) == len(header.counts) == header.tiles_down * header.tiles_across


HEADER_BLOCKS = st.tuples(st.sampled_from([16, 32, 64]), st.sampled_from([16, 48, 128]))


@settings(deadline=None, max_examples=60)
@given(HEADER_BLOCKS, st.integers(1, 150), st.integers(1, 150), st.data())
def test_the_tiles_of_a_window_are_those_that_hold_its_pixels(
    block: tuple[int, int], height: int, width: int, data: st.DataObject
) -> None:
    """No tile too many and none too few, each pixel in one tile; windows may hang over the edge."""
    with rasterio.MemoryFile() as memory:
        with memory.open(
            driver="GTiff", height=height, width=width, count=1, dtype="uint8", crs="EPSG:32634", tiled=True,
            transform=rasterio.Affine(10, 0, 0, 0, -10, 0), blockysize=block[0], blockxsize=block[1],
        ):  # fmt: skip
            pass
        header = header_of(bytes(memory.getbuffer()))
    index = np.full((height, width), -1)
    for tile in range(len(header.offsets)):
        deployment = tile_window(header, tile)
        assert (index[deployment.rows, deployment.cols] == -1).all()
        index[deployment.rows, deployment.cols] = tile
    window = Window(
        *(data.draw(st.integers(-40, 160)) for _ in range(2)), *(data.draw(st.integers(0, 90)) for _ in range(2))
    )

    tiles = tiles_for(header, window)

    rows = slice(max(window.row, 0), max(window.row + window.height, 0))
    cols = slice(max(window.col, 0), max(window.col + window.width, 0))
    assert (index >= 0).all()
    assert tiles == tuple(np.unique(index[rows, cols]))


@pytest.mark.parametrize("corner", [(600000, 1000000), (600000, -5000040), (9e5, 5000040)])
def test_a_file_elsewhere_on_earth_is_another_scenes(tmp_path: Path, corner: tuple[float, float]) -> None:
    """Sound in itself, of the right band, and of no pixel its item speaks of: the month would not see the ground."""
    path = a_geotiff(tmp_path / "a.tif", pixels(64, 64), transform=rasterio.Affine(10, 0, corner[0], 0, -10, corner[1]))

    with pytest.raises(HeaderRefused, match="Check that the link leads to this scene") as refusal:
        checked(path)

    assert refusal.value.code == "place_conflict"


@pytest.mark.parametrize(
    "stated",
    [
        {"bbox": [22.2, 45.1, 22.3, 45.2]},
        {"bbox": [22.2, 45.1, 0, 22.3, 45.2, 900]},
        {"bbox": [22.35, 45.2, 22.4, 45.3]},  # rounded outwards of nothing, or a little off
        {"bbox": [-180, -90, 180, 90]},
        {"bbox": ["22", "45", "23", "46"]},  # no box
        {"geometry": {"type": "Point", "coordinates": [22.27, 45.14]}},
        {},
    ],
)
def test_a_file_is_held_against_the_place_its_item_states(tmp_path: Path, stated: dict[str, Any]) -> None:
    """A box, with heights or without, else the outline; where neither is stated there is nothing to hold against."""
    path = a_geotiff(tmp_path / "a.tif", pixels(64, 64))

    findings = check_header(header_of(path), path.stat().st_size, SENTINEL2, "red", {}, {"properties": {}, **stated})

    assert findings == ()
