"""Blocks in Zarr: what was written reads back, what was not reads as fill, and digests see values only."""

from pathlib import Path

import numpy as np
import xarray as xr

from mrv_assets.formats.arrays import ArraySpec, Group, GroupWriter, Leaves
from mrv_assets.formats.blosc import encoded
from mrv_assets.formats.stored_arrays import StoredArrays
from mrv_assets.science.blocks import Block, block_window
from mrv_assets.science.grid import Grid

GRID = Grid(crs="EPSG:32634", x0=500000.0, y0=5000000.0, dx=10.0, dy=-10.0, width=1500, height=1200)
DN = ArraySpec(name="red", dtype="uint16", fill=0, timed=True, attrs={"scale_factor": 1e-4, "add_offset": -0.1})
MEAN = ArraySpec(name="ndvi", dtype="float32", fill=float("nan"), timed=False)


GROUP = Group(grid=GRID, times_us=(0, 1_000_000), specs=(DN, MEAN), attrs={"mission": "m"})
PLAN = {"crs": GRID.crs, "grid": [500000, 5000000, 1500, 1200], "resolution_m": 10, "block_px": 1024}


def a_group(folder: Path) -> GroupWriter:
    """A group in which nothing is written yet."""
    GROUP.create(folder)
    return GroupWriter(folder)


def finished(folder: Path, **written: Leaves) -> StoredArrays:
    """The group as its record says it."""
    GROUP.finish(folder, written)
    return StoredArrays(folder, GROUP.content(written), PLAN)


def test_a_block_reads_back_as_written_and_the_rest_as_fill(tmp_path: Path) -> None:
    """An absent block is missing, in integers and in floats."""
    arrays = a_group(tmp_path / "g")
    window = block_window(GRID, Block(1, 1))
    values = np.arange(2 * window.height * window.width, dtype=np.uint16).reshape(2, window.height, window.width)

    stored = finished(tmp_path / "g", red=arrays.write("red", window, values))

    np.testing.assert_array_equal(stored.read("red", window), values)
    assert not stored.read("red", block_window(GRID, Block(0, 0))).any()
    assert np.isnan(stored.read("ndvi", block_window(GRID, Block(0, 1)))).all()


def test_a_block_of_nothing_is_not_written(tmp_path: Path) -> None:
    """All fill gives no digest and no chunk, so that a lost chunk can be told from an empty one."""
    arrays = a_group(tmp_path / "g")
    window = block_window(GRID, Block(0, 0))

    nothing = arrays.write("ndvi", window, np.full((1024, 1024), np.nan, np.float32))
    something = arrays.write("red", window, np.ones((2, 1024, 1024), np.uint16))

    assert nothing == {}
    assert sorted(something) == ["0.0", "0.1", "1.0", "1.1"]
    assert not (tmp_path / "g" / "ndvi" / "c").exists()


def test_the_digest_sees_values_and_not_their_memory(tmp_path: Path) -> None:
    """Byte order, strides, NaN payloads and the sign of zero change no digest; one value does."""
    arrays = a_group(tmp_path / "g")
    window = block_window(GRID, Block(0, 0))
    values = np.zeros((1024, 1024), np.float32)
    values[0, 0], values[5, 5] = np.nan, 0.25
    other = np.asfortranarray(values.copy())
    other[other == 0] = -0.0
    other.view(np.uint32)[0, 0] = 0x7FC00001
    changed = values.copy()
    changed[7, 7] = 1e-7

    first, same, different = (arrays.write("ndvi", window, v) for v in (values, other, changed))

    assert first == same
    assert first != different


def test_the_content_names_written_blocks_in_order(tmp_path: Path) -> None:
    """Block 10.2 comes after block 2.10: numbers, not text."""
    content = Group(grid=GRID, times_us=(0,), specs=(DN,)).content({"red": {"10.2": b"b", "2.10": b"a"}})

    assert content["arrays"]["red"]["written_blocks"] == ["2.10", "10.2"]


def test_other_readers_see_a_cf_group(tmp_path: Path) -> None:
    """xarray alone opens it: instants, scaled values, missing where nothing was stored, and the CRS."""
    arrays = a_group(tmp_path / "g")
    arrays.write("red", block_window(GRID, Block(0, 0)), np.full((2, 1024, 1024), 3000, np.uint16))

    opened = xr.open_zarr(tmp_path / "g", consolidated=False, decode_coords="all")

    assert opened.time.values[1] == np.datetime64("1970-01-01T00:00:01")
    np.testing.assert_allclose(opened.red[0, 0, 0], 0.2, atol=1e-6)
    assert bool(opened.red[0, -1, -1].isnull())
    assert "32634" in opened.spatial_ref.attrs["crs_wkt"]


def test_no_reader_sees_bits_that_digests_do_not_tell_apart(tmp_path: Path) -> None:
    """NaN with another payload, and negative zero: a chunk that says them is read as what the lake writes."""
    arrays = a_group(tmp_path / "g")
    window = block_window(GRID, Block(0, 0))
    values = np.linspace(-1, 1, 1024 * 1024, dtype=np.float32).reshape(1024, 1024)
    values[:9], values[9] = np.nan, 0
    written = arrays.write("ndvi", window, values)
    other = values.copy()
    other[:9] = np.array([0x7FC01234], np.uint32).view(np.float32)
    other[9] = -0.0
    (tmp_path / "g" / "ndvi" / "c" / "0" / "0").write_bytes(encoded(other))

    found = finished(tmp_path / "g", ndvi=written).read("ndvi", window)

    assert found.tobytes() == values.tobytes()
    assert other.tobytes() != values.tobytes()
