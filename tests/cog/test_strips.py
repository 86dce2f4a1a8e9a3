"""GeoTIFFs cut into strips: refused unless they are asked for; then each strip is read as if it were a COG tile."""

import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray
from scene_builders import a_geotiff, pixels

from mrv_assets.cog.header import Header, check_header, read_header, tiles_for
from mrv_assets.cog.sparse_tiff import SparseTiff, sparse_tiff
from mrv_assets.errors import HeaderRefused, HoleError
from mrv_assets.missions.landsat import LANDSAT
from mrv_assets.missions.sentinel2 import SENTINEL2
from mrv_assets.science.grid import Window

ITEM: dict[str, Any] = {"properties": {}}


def a_striped(path: Path, values: NDArray[Any], rows: int, **profile: Any) -> bytes:
    """A GeoTIFF in strips of some rows, written by GDAL."""
    place = {"transform": rasterio.Affine(30, 0, 600015, 0, -30, 5000025)}
    options = {"tiled": False, "blockxsize": None, "blockysize": rows, **place, **profile}
    return a_geotiff(path, values, **options).read_bytes()


def header_of(data: bytes, *, strips: bool = True) -> Header:
    return read_header(lambda offset, length: data[offset : offset + length], len(data), strips=strips)


def tiles_of(header: Header, data: bytes) -> dict[int, bytes]:
    ranges = zip(header.offsets, header.counts, strict=True)
    return {i: data[offset : offset + count] for i, (offset, count) in enumerate(ranges)}


@pytest.mark.parametrize("rows", [1, 7, 40, 70, 1000], ids=["one-row", "not-even", "two", "all", "more-than-all"])
@pytest.mark.parametrize(("compression", "predictor"), [(None, 1), ("lzw", 2), ("deflate", 1), ("zstd", 2)])
@pytest.mark.parametrize("endian", ["LITTLE", "BIG"])
def test_a_copy_of_every_strip_reads_back_identical(
    rows: int, compression: str | None, predictor: int, endian: str, tmp_path: Path
) -> None:
    """The last strip is shorter and has no padding; GDAL and our own reader see GDAL's pixels."""
    values = pixels(70, 90)
    options = {"compress": compression, **({"predictor": predictor} if compression else {}), "ENDIANNESS": endian}
    data = a_striped(tmp_path / "a.tif", values, rows, **options)
    header = header_of(data)

    copy = sparse_tiff(header, tiles_of(header, data))

    everything = frozenset(range(len(header.offsets)))
    assert header.striped
    np.testing.assert_array_equal(SparseTiff(copy, everything).read(Window(0, 0, 70, 90)), values, strict=True)
    with rasterio.MemoryFile(copy) as memory, memory.open(driver="GTiff") as file:
        np.testing.assert_array_equal(file.read(1), values)
        assert (file.nodata, file.crs.to_epsg(), file.transform.c) == (0, 32634, 600015)


def test_only_the_strips_of_a_window_are_needed_and_the_others_are_holes(tmp_path: Path) -> None:
    """A strip is as wide as the image: rows decide. What was not fetched raises, and reads as nodata elsewhere."""
    values = pixels(70, 90)
    data = a_striped(tmp_path / "a.tif", values, 8)
    header = header_of(data)
    window = Window(20, 30, 10, 5)

    needed = tiles_for(header, window)
    tiles = tiles_of(header, data)
    copy = sparse_tiff(header, {index: tiles[index] for index in needed})

    assert needed == (2, 3)
    file = SparseTiff(copy, frozenset(needed))
    np.testing.assert_array_equal(file.read(window), values[window.rows, window.cols])
    with pytest.raises(HoleError):
        file.read(Window(0, 0, 1, 1))
    with rasterio.MemoryFile(copy) as memory, memory.open(driver="GTiff") as opened:
        seen = opened.read(1)
    np.testing.assert_array_equal(seen[16:32], values[16:32])
    assert not seen[:16].any()
    assert not seen[32:].any()


def test_they_are_refused_where_nobody_asked_for_them(tmp_path: Path) -> None:
    """Landsat's mission data asks; Sentinel-2's does not."""
    data = a_striped(tmp_path / "a.tif", pixels(70, 90), 8)

    with pytest.raises(HeaderRefused, match="cut into strips") as caught:
        header_of(data, strips=SENTINEL2.strips)

    assert caught.value.code == "striped"
    assert header_of(data, strips=LANDSAT.strips).block == (8, 90)


def test_a_tiled_file_is_read_the_same_whether_strips_are_or_not(tmp_path: Path) -> None:
    """Nothing about tiles changes: header and copy are equal."""
    data = a_geotiff(tmp_path / "a.tif", pixels(70, 90)).read_bytes()

    plain, asked = header_of(data, strips=False), header_of(data)

    assert plain == asked
    assert not asked.striped
    assert sparse_tiff(plain, tiles_of(plain, data)) == sparse_tiff(asked, tiles_of(asked, data))


@pytest.mark.parametrize("what", ["short", "long"])
def test_a_strip_that_is_not_whole_is_refused(what: str, tmp_path: Path) -> None:
    """One row less or more than its place in the image has: the file is damaged."""
    data = a_striped(tmp_path / "a.tif", pixels(70, 90), 8, compress=None)
    header = header_of(data)
    tiles = tiles_of(header, data)
    # The last of nine strips has six rows.
    assert len(tiles[8]) == 6 * 90 * 2
    tiles[8] = tiles[8][: 5 * 180] if what == "short" else tiles[8] + bytes(2 * 180)

    with pytest.raises(HeaderRefused, match="COG tile 8 does not decode") as caught:
        sparse_tiff(header, tiles)

    assert caught.value.code == "undecodable"


def test_a_truncated_or_lying_table_of_strips_is_refused(tmp_path: Path) -> None:
    """The gate holds strips' offsets and sizes against the file, as it does those of tiles."""
    data = a_striped(tmp_path / "a.tif", pixels(70, 90), 8)
    header = header_of(data)

    with pytest.raises(HeaderRefused) as cut:
        check_header(header, len(data) // 2, LANDSAT, "red", {}, ITEM)
    with pytest.raises(HeaderRefused) as fewer:
        # The tag RowsPerStrip, one short number, says 7 where the tables have strips of 8.
        header_of(data.replace(struct.pack("<HHIH", 278, 3, 1, 8), struct.pack("<HHIH", 278, 3, 1, 7)))

    assert (cut.value.code, fewer.value.code) == ("truncated", "header_malformed")


def test_strips_that_would_fill_the_memory_are_refused(tmp_path: Path) -> None:
    """An image that is all one strip is bounded as a tile is."""
    data = a_striped(tmp_path / "a.tif", np.zeros((6000, 6000), np.uint16), 6000, compress="deflate")

    with pytest.raises(HeaderRefused) as caught:
        header_of(data)

    assert caught.value.code == "oversize"


def test_landsat_s_own_header_passes(tmp_path: Path) -> None:
    """Reflectance, QA_PIXEL with nodata 1 and QA_RADSAT with none: no finding, and a wrong one is refused."""
    data = a_striped(tmp_path / "a.tif", pixels(70, 90), 8)
    header = header_of(data)

    found = {
        name: check_header(replace(header, nodata=nodata), len(data), LANDSAT, name, {}, ITEM)
        for name, nodata in (("red", 0.0), ("qa_pixel", 1.0), ("qa_radsat", None))
    }

    assert found == {"red": (), "qa_pixel": (), "qa_radsat": ()}
    with pytest.raises(HeaderRefused, match="it states nodata 0, qa_pixel uses 1"):
        check_header(header, len(data), LANDSAT, "qa_pixel", {}, ITEM)
