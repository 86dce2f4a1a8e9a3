"""Sparse GeoTIFFs: the publisher's bytes under our header, and reading them back."""

import os
import pickle
import resource
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache
from math import isqrt
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import rasterio
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scene_builders import a_geotiff, geotiff_bytes, pixels

from mrv_assets.cog import tiff
from mrv_assets.cog.header import MAX_TILES, Header, read_header
from mrv_assets.cog.sparse_tiff import SparseTiff, TileCache, decode_tile, sparse_tiff
from mrv_assets.cog.tiff import Tag, write_tiff
from mrv_assets.errors import DamagedLake, HeaderRefused, HoleError
from mrv_assets.science.grid import Window

DEMO = Path(__file__).parents[2] / "mrv_assets" / "demo" / "catalogue"

# (dtype, compression, predictor): all that the gate lets through.
KINDS = [
    (dtype, compression, predictor)
    for dtype in ("uint8", "uint16", "int16", "uint32", "float32", "float64")
    for compression in ("none", "deflate", "lzw", "zstd")
    for predictor in (1, 2, 3)
    if (compression != "none" or predictor == 1) and (predictor != 3 or dtype.startswith("float"))
]


def published(file: Path | bytes) -> tuple[Header, dict[int, bytes]]:
    """A file's header and all its COG tiles, as fetched."""
    data = file if isinstance(file, bytes) else file.read_bytes()
    header = read_header(lambda offset, length: data[offset : offset + length], len(data))
    ranges = zip(header.offsets, header.counts, strict=True)
    return header, {i: data[offset : offset + count] for i, (offset, count) in enumerate(ranges) if count}


def whole(header: Header) -> Window:
    return Window(0, 0, header.grid.height, header.grid.width)


def all_of(header: Header) -> frozenset[int]:
    return frozenset(range(len(header.offsets)))


def by_gdal(data: bytes) -> NDArray[Any]:
    with rasterio.MemoryFile(data) as memory, memory.open(driver="GTiff") as file:
        return np.asarray(file.read(1))


@pytest.mark.parametrize("big", ["NO", "YES"])
@pytest.mark.parametrize("endian", ["LITTLE", "BIG"])
@pytest.mark.parametrize(("dtype", "compression", "predictor"), KINDS)
def test_a_copy_reads_back_identical(
    tmp_path: Path, dtype: str, compression: str, predictor: int, endian: str, big: str
) -> None:
    """Every type, compression, predictor, byte order and flavour: GDAL and our own reader see GDAL's pixels."""
    values = pixels(70, 90, dtype)
    if dtype.startswith("float"):
        values = values / np.asarray(7, dtype)
    options = {} if compression == "none" else {"predictor": predictor}
    path = a_geotiff(
        tmp_path / "a.tif", values, compress=compression, ENDIANNESS=endian, BIGTIFF=big, **options
    )  # fmt: skip
    header, tiles = published(path)

    copy = sparse_tiff(header, tiles)

    read = SparseTiff(copy, all_of(header)).read(whole(header))
    np.testing.assert_array_equal(read, values, strict=True)
    np.testing.assert_array_equal(by_gdal(copy), values)


@pytest.mark.parametrize("compression", [None, "deflate", "lzw", "zstd"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_files_of_another_writer_read_back_identical(tmp_path: Path, compression: str | None, order: str) -> None:
    """tifffile writes other tags and other streams than GDAL."""
    values = pixels(70, 90)
    geokeys = (1, 1, 0, 3, 1024, 0, 1, 1, 1025, 0, 1, 1, 3072, 0, 1, 32634)
    tags = [(33550, 12, 3, (10.0, 10, 0)), (33922, 12, 6, (0.0, 0, 0, 6e5, 5e6, 0)), (34735, 3, 16, geokeys)]
    predictor = compression is not None
    tifffile.imwrite(
        tmp_path / "a.tif", values.astype(f"{order}u2"), tile=(32, 48), extratags=tags, byteorder=order,
        compression=compression, predictor=predictor, software="other",
    )  # fmt: skip
    header, tiles = published(tmp_path / "a.tif")

    copy = sparse_tiff(header, tiles)

    assert b"other" not in copy
    np.testing.assert_array_equal(SparseTiff(copy, all_of(header)).read(whole(header)), values, strict=True)
    np.testing.assert_array_equal(by_gdal(copy), values)


def test_a_copy_keeps_place_nodata_and_the_publishers_bytes(tmp_path: Path) -> None:
    """Grid, nodata, scale and each tile byte for byte; overviews are left behind."""
    path = a_geotiff(tmp_path / "a.tif", pixels(512, 512), driver="COG", blocksize=128)
    header, tiles = published(path)

    copy = sparse_tiff(header, {3: tiles[3], 7: tiles[7]})

    again = read_header(lambda offset, length: copy[offset : offset + length], len(copy))
    assert again.grid == header.grid
    assert [i for i, count in enumerate(again.counts) if count] == [3, 7]
    for index in (3, 7):
        assert copy[again.offsets[index] :][: again.counts[index]] == tiles[index]
    with rasterio.open(path) as file, rasterio.MemoryFile(copy) as memory, memory.open() as copied:
        assert (copied.crs, copied.transform, copied.nodata) == (file.crs, file.transform, file.nodata)
        assert file.overviews(1)
        assert not copied.overviews(1)


def test_the_same_tiles_give_the_same_bytes(tmp_path: Path) -> None:
    """Whatever order they were fetched in; a copy of a copy is the copy."""
    header, tiles = published(a_geotiff(tmp_path / "a.tif", pixels(100, 150)))

    copy = sparse_tiff(header, tiles)

    assert sparse_tiff(header, dict(reversed(tiles.items()))) == copy
    (tmp_path / "copy.tif").write_bytes(copy)
    assert sparse_tiff(*published(tmp_path / "copy.tif")) == copy


def test_a_tile_the_file_does_not_have_is_refused(tmp_path: Path) -> None:
    """It would silently be left out."""
    header, _ = published(a_geotiff(tmp_path / "a.tif", pixels(64, 64)))

    with pytest.raises(ValueError, match="COG tiles 0 to 1"):
        sparse_tiff(header, {2: b"x"})


def test_a_copy_that_outgrows_a_classic_tiff_is_a_bigtiff(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Offsets of a classic TIFF end at 4 GB, here at 1 MB; the pixels are the same."""
    values = pixels(100, 150)
    header, tiles = published(a_geotiff(tmp_path / "a.tif", values))
    monkeypatch.setattr(tiff, "MAX_CLASSIC_BYTES", 1 << 20)

    copy = sparse_tiff(header, tiles)

    assert (header.tiff.big, copy[2]) == (False, 43)
    np.testing.assert_array_equal(by_gdal(copy), values)
    np.testing.assert_array_equal(SparseTiff(copy, all_of(header)).read(whole(header)), values)


def test_a_hole_is_not_nodata(tmp_path: Path) -> None:
    """A window that needs a tile that was not fetched is refused, naming it; its neighbours are read."""
    values = pixels(64, 128)
    header, tiles = published(a_geotiff(tmp_path / "a.tif", values, blockxsize=64, blockysize=32))
    path = tmp_path / "scene" / "red.tif"
    path.parent.mkdir()
    path.write_bytes(sparse_tiff(header, {0: tiles[0], 3: tiles[3]}))
    file = SparseTiff(path, frozenset({0, 3}))

    np.testing.assert_array_equal(file.read(Window(0, 0, 32, 64)), values[:32, :64])
    np.testing.assert_array_equal(file.read(Window(40, 70, 9, 9)), values[40:49, 70:79])
    with pytest.raises(HoleError, match=r"scene/red\.tif") as hole:
        file.read(Window(31, 63, 2, 2))
    assert hole.value.tiles == (1, 2)


def test_a_tile_that_was_not_listed_is_a_hole_even_where_bytes_are(tmp_path: Path) -> None:
    """The list of tiles fetched decides, not what the file happens to hold."""
    header, tiles = published(a_geotiff(tmp_path / "a.tif", pixels(32, 64)))

    with pytest.raises(HoleError):
        SparseTiff(sparse_tiff(header, tiles), frozenset()).read(Window(0, 0, 1, 1))


@pytest.mark.parametrize(("nodata", "expected"), [(7, 7), (None, 0)])
def test_a_tile_the_publisher_left_empty_is_nodata(tmp_path: Path, nodata: int | None, expected: int) -> None:
    """Fetched with zero bytes: the publisher says there is nothing, as GDAL reads it too."""
    values = pixels(32, 128) + 7
    values[:, 64:] = expected
    path = a_geotiff(tmp_path / "a.tif", values, nodata=nodata, SPARSE_OK=True)
    header, tiles = published(path)
    assert list(tiles) == [0]

    copy = sparse_tiff(header, tiles)

    np.testing.assert_array_equal(SparseTiff(copy, all_of(header)).read(whole(header)), values, strict=True)
    np.testing.assert_array_equal(by_gdal(copy), values)


@pytest.mark.parametrize("window", [Window(-1, 0, 4, 4), Window(0, 0, 33, 4), Window(0, 60, 4, 5), Window(40, 0, 1, 1)])
def test_a_window_that_leaves_the_file_is_refused(tmp_path: Path, window: Window) -> None:
    """What lies outside is the caller's to decide."""
    header, tiles = published(a_geotiff(tmp_path / "a.tif", pixels(32, 64)))

    with pytest.raises(ValueError, match="leaves a file of 32 x 64"):
        SparseTiff(sparse_tiff(header, tiles), all_of(header)).read(window)


VALUES = pixels(70, 90)


@cache
def files() -> tuple[SparseTiff, SparseTiff]:
    """One file read without a cache, and with one of two tiles."""
    header, tiles = published(geotiff_bytes(VALUES, predictor=2))
    copy = sparse_tiff(header, tiles)
    return SparseTiff(copy, all_of(header)), SparseTiff(copy, all_of(header), TileCache(2 * 64 * 32 * 2))


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 69), st.integers(0, 89), st.integers(0, 70), st.integers(0, 90), st.booleans())
def test_any_window_is_that_part_of_the_whole(row: int, col: int, height: int, width: int, cached: bool) -> None:
    """With a cache or without, over tile edges or within one tile."""
    window = Window(row, col, min(height, 70 - row), min(width, 90 - col))

    read = files()[cached].read(window)

    np.testing.assert_array_equal(read, VALUES[window.rows, window.cols], strict=True)
    read[...] = 0  # what is handed out is the caller's own


def test_a_cache_holds_what_it_may_and_drops_the_longest_unused() -> None:
    """Bounded in bytes, over all its files; a tile too large for it is not held."""
    held = TileCache(200)
    one, two, three = (np.zeros(100, "uint8") for _ in range(3))
    held.put("a", 0, one)
    held.put("b", 0, two)
    assert held.get("a", 0) is one

    held.put("c", 0, three)
    held.put("d", 0, np.zeros(201, "uint8"))

    assert held.get("b", 0) is None
    assert held.get("d", 0) is None
    assert held.get("a", 0) is one
    assert held.get("c", 0) is three


def test_a_cached_tile_is_not_read_again(tmp_path: Path) -> None:
    """Neighbouring blocks share it; without a cache each read opens the file."""
    values = pixels(32, 64)
    header, tiles = published(a_geotiff(tmp_path / "a.tif", values))
    path = tmp_path / "copy.tif"
    path.write_bytes(sparse_tiff(header, tiles))
    plain, cached = SparseTiff(path, all_of(header)), SparseTiff(path, all_of(header), TileCache(1 << 20))
    cached.read(Window(0, 0, 1, 1))

    path.unlink()

    np.testing.assert_array_equal(cached.read(whole(header)), values)
    with pytest.raises(DamagedLake):
        plain.read(whole(header))


def test_threads_read_the_same_pixels(tmp_path: Path) -> None:
    """One file, one small cache, many threads."""
    values = pixels(256, 256)
    header, tiles = published(a_geotiff(tmp_path / "a.tif", values, predictor=2))
    path = tmp_path / "copy.tif"
    path.write_bytes(sparse_tiff(header, tiles))
    file = SparseTiff(path, all_of(header), TileCache(3 * 64 * 32 * 2))
    windows = [Window(row, col, 50, 60) for row in range(0, 200, 23) for col in range(0, 190, 29)] * 4

    with ThreadPoolExecutor(8) as pool:
        read = list(pool.map(file.read, windows))

    for window, part in zip(windows, read, strict=True):
        np.testing.assert_array_equal(part, values[window.rows, window.cols])


def test_a_file_can_be_sent_to_another_process(tmp_path: Path) -> None:
    """Without what it had decoded."""
    header, tiles = published(a_geotiff(tmp_path / "a.tif", pixels(32, 64)))
    path = tmp_path / "copy.tif"
    path.write_bytes(sparse_tiff(header, tiles))
    held = TileCache(1 << 20)
    sent = [SparseTiff(path, all_of(header), held), SparseTiff(path, frozenset({0}), held)]
    sent[0].read(whole(header))

    one, two = pickle.loads(pickle.dumps(sent))

    np.testing.assert_array_equal(one.read(whole(header)), sent[0].read(whole(header)))
    assert one.cache is two.cache is not None
    assert two.fetched == {0}


@pytest.mark.parametrize("compression", ["none", "deflate", "lzw", "zstd"])
def test_a_damaged_tile_is_named(tmp_path: Path, compression: str) -> None:
    """Bytes that do not decode to a whole tile are an error with file and tile, never half a tile of pixels."""
    header, tiles = published(a_geotiff(tmp_path / "a.tif", pixels(32, 64), compress=compression))
    half = {0: tiles[0][: len(tiles[0]) // 2]}

    copy = write_tiff(header.tiff, half, len(header.offsets))

    with pytest.raises(DamagedLake, match="COG tile 0 does not decode"):
        SparseTiff(copy, all_of(header)).read(whole(header))
    with pytest.raises(HeaderRefused, match=r"undecodable.* COG tile 0 does not decode"):
        sparse_tiff(header, half)


GIGABYTES = 2


def a_bomb(compression: str) -> bytes:
    """A stream of about a megabyte that decodes to two gigabytes of zeros."""
    if compression == "zstd":
        # RFC 8878: a frame of run-length blocks, each 128 KB of one byte.
        blocks = GIGABYTES << 13
        heads = ((128 << 10) << 3 | 1 << 1 | (block == blocks - 1) for block in range(blocks))
        return b"\x28\xb5\x2f\xfd\x00\x38" + b"".join(head.to_bytes(3, "little") + b"\0" for head in heads)
    # A flushed block stands for itself, and may be repeated.
    stream = zlib.compressobj()
    first = stream.compress(bytes(1 << 20)) + stream.flush(zlib.Z_FULL_FLUSH)
    again = stream.compress(bytes(1 << 20)) + stream.flush(zlib.Z_FULL_FLUSH)
    return first + again * (GIGABYTES << 10) + b"\x03\0"


def peak_rss() -> int:
    """The most memory this process ever held, bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


@pytest.mark.parametrize("compression", ["deflate", "zstd"])
def test_a_stream_never_decodes_to_more_than_its_tile(compression: str) -> None:
    """Bombs are refused, after no more than a tile is decoded: in memory and in time."""
    header, _ = published(geotiff_bytes(pixels(64, 64, "uint8"), compress=compression))
    bomb = a_bomb(compression)
    assert len(bomb) < 4 << 20
    before, began = peak_rss(), time.thread_time()

    with pytest.raises(HeaderRefused, match="undecodable"):
        sparse_tiff(header, {0: bomb})

    assert time.thread_time() - began < 0.1
    assert peak_rss() - before < 64 << 20


def test_lzw_ends_where_its_tile_is_full() -> None:
    """It has no end of its own: as in libtiff, what follows is not looked at."""
    values = pixels(32, 64)
    header, tiles = published(geotiff_bytes(values, compress="lzw"))
    longer = imagecodecs.lzw_encode(values.tobytes() + bytes(1 << 20))

    decoded = decode_tile(header, 0, longer)

    np.testing.assert_array_equal(decoded, values, strict=True)
    np.testing.assert_array_equal(decode_tile(header, 0, tiles[0]), values, strict=True)


def test_lzw_that_names_what_it_never_defined_is_refused() -> None:
    """A decoder would take what lies in memory for it, and give other pixels each time."""
    header, _ = published(geotiff_bytes(pixels(32, 64), compress="lzw"))
    clear_then_an_entry = int(f"{256:09b}{65:09b}{256:09b}{300:09b}".ljust(40, "0"), 2).to_bytes(5, "big")

    with pytest.raises(HeaderRefused, match=r"undecodable.* is not defined"):
        sparse_tiff(header, {0: clear_then_an_entry})


def test_metadata_that_names_other_files_is_left_behind(tmp_path: Path) -> None:
    """GDAL reads a file named there in place of pixels: whoever opens the lake's copy would read it."""
    elsewhere = a_geotiff(tmp_path / "elsewhere.tif", np.full((32, 32), 777, "uint16"))
    path = a_geotiff(tmp_path / "a.tif", pixels(64, 64))
    with rasterio.open(path, "r+") as file:
        file.update_tags(ns="OVERVIEWS", OVERVIEW_FILE=str(elsewhere))
    plain = a_geotiff(tmp_path / "plain.tif", pixels(64, 64))
    with rasterio.open(plain, "r+") as file:
        file.scales, file.offsets = (0.0001,), (-0.1,)
    with rasterio.open(path) as file:
        assert (file.read(1, out_shape=(32, 32)) == 777).all()

    copy, plain_copy = (sparse_tiff(*published(one)) for one in (path, plain))

    with rasterio.MemoryFile(copy) as memory, memory.open() as file:
        assert file.tags(ns="OVERVIEWS") == {}
        assert file.overviews(1) == []
        np.testing.assert_array_equal(file.read(1), pixels(64, 64))
    with rasterio.MemoryFile(plain_copy) as memory, memory.open() as file:
        assert (file.scales, file.offsets) == ((0.0001,), (-0.1,))


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "float32"])
@pytest.mark.parametrize("nodata", ["7", "-9999", "300", "2.5", "-0.5", "nan", "inf", "1e300", "-1e300", "65535"])
def test_an_empty_tile_is_what_gdal_makes_of_its_nodata(dtype: str, nodata: str) -> None:
    """Publishers state values that the type cannot hold: the nearest that it can, or 0 for NaN."""
    header, _ = published(geotiff_bytes(np.zeros((32, 64), dtype), nodata=None))
    text = Tag(type=2, count=len(nodata) + 1, data=nodata.encode() + b"\0")

    copy = write_tiff(replace(header.tiff, tags={**header.tiff.tags, 42113: text}), {}, len(header.offsets))

    read = SparseTiff(copy, all_of(header)).read(whole(header))
    np.testing.assert_array_equal(read, by_gdal(copy), strict=True)


@pytest.mark.parametrize("big", ["NO", "YES"])
def test_a_copy_of_the_largest_table_can_be_read(tmp_path: Path, big: str) -> None:
    """As many COG tiles as the gate lets through: the copy's own header stays within what is read of one."""
    path = tmp_path / "a.tif"
    side = 16 * isqrt(MAX_TILES)
    with rasterio.open(
        path, "w", driver="GTiff", width=side, height=side, count=1, dtype="uint8", crs="EPSG:32634", BIGTIFF=big,
        transform=rasterio.Affine(10, 0, 0, 0, -10, 0), tiled=True, blockxsize=16, blockysize=16, SPARSE_OK=True,
    ):  # fmt: skip
        pass
    header, _ = published(path)
    assert len(header.offsets) == MAX_TILES

    copy = sparse_tiff(header, {MAX_TILES - 1: bytes(256)})

    assert SparseTiff(copy, frozenset({MAX_TILES - 1})).read(Window(side - 1, side - 1, 1, 1)) == 0


@pytest.mark.parametrize("keep", [0, 10, 300, -40])
def test_a_cut_off_file_is_damage(tmp_path: Path, keep: int) -> None:
    """Found when it is opened, not when some pixel is missing."""
    header, tiles = published(a_geotiff(tmp_path / "a.tif", pixels(100, 150)))
    copy = sparse_tiff(header, tiles)

    with pytest.raises(DamagedLake):
        SparseTiff(copy[:keep], all_of(header))
    with pytest.raises(DamagedLake, match=r"gone\.tif"):
        SparseTiff(tmp_path / "gone.tif", frozenset())


def test_the_demo_scenes_read_as_rasterio_reads_them() -> None:
    """All bands of July 2018, copied and read back."""
    paths = sorted((DEMO / "2018" / "07").glob("*/*.tif"))

    assert len(paths) == 35
    for path in paths:
        header, tiles = published(path)
        read = SparseTiff(sparse_tiff(header, tiles), all_of(header)).read(whole(header))
        with rasterio.open(path) as file:
            np.testing.assert_array_equal(read, file.read(1), strict=True)
            assert header.grid.crs == file.crs.to_string() == "EPSG:3035"


def test_a_real_sentinel_2_scene_reads_as_rasterio_reads_it() -> None:
    """Earth Search's COGs as downloaded, overviews and all."""
    folder = os.environ.get("MRV_REAL_DATA")
    if not folder:
        pytest.skip("MRV_REAL_DATA does not name the folder of real data")
    paths = sorted(Path(folder).glob("s2_cog_*/*.tif"))

    assert paths
    for path in paths:
        header, tiles = published(path)
        read = SparseTiff(sparse_tiff(header, tiles), all_of(header)).read(whole(header))
        with rasterio.open(path) as file:
            np.testing.assert_array_equal(read, file.read(1), strict=True)
