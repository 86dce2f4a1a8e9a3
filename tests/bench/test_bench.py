"""The benchmark's own honesty: its month is what it says, and its comparison sees a difference."""

import hashlib
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
import tifffile

from bench.cost import cost_of
from bench.difference import differences
from bench.month import (
    BANDS,
    DAYS,
    FIVE_BANDS,
    MONTH,
    TILE,
    Month,
    band_pixels,
    make_month,
    scene_grid,
    scl_pixels,
)
from bench.network import OURS, PEER, bars_of
from bench.ours import a_deployment, monthly_rasters, stages
from mrv_assets.cog.header import DEFLATE, DIFFERENCE, read_header
from mrv_assets.lake.view import open_raw_band
from mrv_assets.science.blocks import Block
from mrv_assets.science.grid import tile_grid

# A little more than a block, so that there are four, three of them narrow.
PIXELS = 1100
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def month(tmp_path_factory: pytest.TempPathFactory) -> Month:
    return make_month(tmp_path_factory.mktemp("month") / "month", PIXELS)


def test_the_month_is_the_same_bytes_every_time(tmp_path: Path) -> None:
    """Two people who make the month measure on the same files."""
    first, second = (make_month(tmp_path / name, 64) for name in ("first", "second"))

    made = [path.relative_to(first.folder) for path in sorted(first.folder.rglob("*")) if path.is_file()]
    assert len([path for path in made if path.suffix == ".tif"]) == len(DAYS) * len(FIVE_BANDS)
    for path in made:
        assert (first.folder / path).read_bytes() == (second.folder / path).read_bytes()


def test_pixels_are_the_same_on_every_machine() -> None:
    """Numbers measured here and elsewhere, now and later, are about these pixels."""
    pixels = [band_pixels(band, scene_grid(64, BANDS[band].resolution_m), 3) for band in BANDS]

    found = hashlib.sha256(b"".join(values.astype("<u2").tobytes() for values in pixels)).hexdigest()

    assert found == "3872ec89aa4499f2e985d01f48836094077f5bfef3359aa5e4f1369724d5fdf1"


def test_a_larger_month_shows_the_same_ground() -> None:
    """A quarter tile and a whole one are the same landscape under the same clouds."""
    small, large = (scl_pixels(scene_grid(pixels, 20), 1) for pixels in (600, 3000))

    np.testing.assert_array_equal(small, large[:300, :300])


def test_a_scene_is_a_cog_on_the_tiles_own_grid(month: Month) -> None:
    """Deflate, predictor 2, blocks of 1024, nodata 0, from the tile's corner: what Sentinel-2 COGs look like."""
    tile = tile_grid(TILE)
    for path in month.files:
        data = path.read_bytes()

        header = read_header(reader(data), len(data))

        assert b"LAYOUT=IFDS_BEFORE_DATA" in data[:200]
        assert (header.block, header.compression, header.nodata) == ((1024, 1024), DEFLATE, 0)
        assert (header.grid.crs, header.grid.x0, header.grid.y0) == (tile.crs, tile.x0, tile.y0)
        if path.stem == "scl":
            assert (header.dtype, header.grid.dx, header.grid.width) == ("uint8", 20, PIXELS / 2)
        else:
            assert (header.dtype, header.predictor) == ("uint16", DIFFERENCE)
            assert header.grid.dx == BANDS[path.stem].resolution_m


def test_files_are_about_half_as_large_as_their_pixels(month: Month) -> None:
    """Decoding costs what it costs on real scenes; noise that does not compress would flatter whoever decodes less."""
    assert 1.7 < month.compression < 2.3


def test_the_bytes_that_have_to_be_read_are_told_by_the_files(month: Month) -> None:
    """All COG tiles, as another reader of TIFF finds them; nobody who is measured says what was needed."""
    counted = 0
    for path in month.files:
        with tifffile.TiffFile(path) as file:
            counted += sum(file.pages.first.databytecounts)

    assert month.cog_tile_bytes == counted
    assert 0.9 < counted / sum(path.stat().st_size for path in month.files) < 1


@pytest.mark.parametrize(
    ("wall_s", "sent", "lag_ms", "met"),
    [
        (0.29, 1_010_000, 49.0, (True, True, True)),
        (0.31, 1_010_000, 49.0, (False, True, True)),
        (0.29, 1_030_000, 49.0, (True, False, True)),
        (0.29, 1_010_000, 51.0, (True, True, False)),
    ],
)
def test_a_bar_is_missed_by_what_was_measured(wall_s: float, sent: int, lag_ms: float, met: tuple[bool, ...]) -> None:
    """Medians of the rounds, but of the event loop the latest; bytes that nobody needed count."""
    ours = [
        {"wall_s": wall, "bytes": size, "lag_ms": lag}
        for wall, size, lag in ((wall_s, sent, 1.0), (9.0, 9_000_000, lag_ms), (0.01, 1_000_001, 1.0))
    ]
    peer = [{"wall_s": 1.0, "bytes": 1, "lag_ms": 0.0}]

    bars = bars_of({PEER: peer, OURS: ours}, 1_000_000)

    assert tuple(bar.met for bar in bars) == met
    assert [str(bar).endswith("(missed)") for bar in bars] == [not one for one in met]


def test_a_missed_bar_is_an_exit_code(tmp_path: Path) -> None:
    """Of a month so small that headers are most of it: whoever runs this in a script learns that a bar was missed."""
    pytest.importorskip("odc.stac", reason="peers are an optional dependency group")
    command = [sys.executable, "-m", "bench.network", "--pixels", "64", "--rounds", "1", "--delay-ms", "0"]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)

    assert re.search(r"bytes over the COG tiles needed, at most 1.02: [0-9.]+ \(missed\)", done.stdout), done.stderr
    assert done.returncode == 1


def test_a_month_made_before_is_found_and_another_is_not(tmp_path: Path) -> None:
    """A kept folder saves the making, but never passes one month off as another."""
    kept = make_month(tmp_path / "month", 64)
    before = {path: path.stat().st_mtime_ns for path in kept.files}

    again = make_month(tmp_path / "month", 64)
    assert {path: path.stat().st_mtime_ns for path in again.files} == before
    assert Month.at(tmp_path / "month") == kept

    other = make_month(tmp_path / "month", 32)
    with rasterio.open(other.files[0]) as file:
        assert file.width == 32


def test_every_block_the_scenes_touch_is_active(month: Month, tmp_path: Path) -> None:
    """Both sides work on the whole square: no block is left out for want of a parcel."""
    plan = a_deployment(month, tmp_path / "lake", 1).plan(TILE, MONTH)

    assert plan.at.active == (Block(0, 0), Block(0, 1), Block(1, 0), Block(1, 1))


# rioxarray's affair.
@pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")
def test_raw_tiles_takes_every_scene_and_band_as_it_is(month: Month, tmp_path: Path) -> None:
    """Nothing about the month is odd to the header gate: a refused scene would make us faster than we are."""
    deployment = a_deployment(month, tmp_path / "lake", 1)

    done = deployment.materialize("raw_tiles", deployment.plan(TILE, MONTH, deployment.missions[0]))

    complete = done.record.output["completeness"]
    assert complete == {"matched": 6, "returned": 6, "kept": 6, "excluded": 0, "refused": 0}
    for path in month.files:
        opened = open_raw_band(deployment.lake, "sentinel2", TILE, MONTH, path.parent.name, path.stem)
        with rasterio.open(path) as file:
            np.testing.assert_array_equal(opened.values, file.read(1))


# The first two are odc-geo's affair. rasterio silences the third around its warp, which holds for one thread only.
@pytest.mark.filterwarnings("ignore:.*shapely.ops.transform:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")
@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_both_sides_find_the_same_month(month: Month, tmp_path: Path) -> None:
    """What is compared in speed is the same work: equal to 1e-3, and missing in the same pixels."""
    pytest.importorskip("odc.stac", reason="peers are an optional dependency group")
    from bench.peer import odc_stac

    stages(month, tmp_path / "lake", 2)
    ours = monthly_rasters(month, tmp_path / "lake")
    theirs = odc_stac(month, 2, every_band=False)

    for one in differences(ours, theirs):
        assert one.same
        assert one.valid > 0.9 * PIXELS**2
    assert set(ours) == {"ndvi", "evi"}


def test_equal_rasters_are_the_same() -> None:
    """Pixels missing on both sides are no difference, nor is less than the tolerance."""
    here = a_raster()

    [one] = differences({"ndvi": here}, {"ndvi": here + np.float32(9e-4)})

    assert one.same
    assert one.valid == np.isfinite(here).sum()
    assert one.largest == pytest.approx(9e-4, rel=1e-3)


def test_one_planted_pixel_is_found() -> None:
    """One pixel of two million that is off by more than the tolerance fails the comparison."""
    here = a_raster()
    there = here.copy()
    there[1500, 7] += np.float32(2e-3)

    [one] = differences({"ndvi": here}, {"ndvi": there})

    assert not one.same
    assert (one.beyond, one.only_here, one.only_there) == (1, 0, 0)
    assert one.largest == pytest.approx(2e-3, rel=1e-3)


def test_one_planted_hole_is_found_on_either_side() -> None:
    """A value that only one side has fails the comparison, though no two values differ."""
    here = a_raster()
    there = here.copy()
    there[1500, 7] = np.nan

    [missing_there] = differences({"ndvi": here}, {"ndvi": there})
    [missing_here] = differences({"ndvi": there}, {"ndvi": here})

    assert (missing_there.same, missing_there.only_here, missing_there.only_there) == (False, 1, 0)
    assert (missing_here.same, missing_here.only_here, missing_here.only_there) == (False, 0, 1)


def test_nothing_is_not_the_same_as_nothing() -> None:
    """Two sides without a single value agree on nothing, and a missing index is no agreement."""
    nothing = np.full((4, 4), np.nan, np.float32)

    [one] = differences({"ndvi": nothing}, {"ndvi": nothing})

    assert not one.same
    with pytest.raises(ValueError, match="one side has"):
        differences({"ndvi": nothing}, {"evi": nothing})


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="only Linux forgets a peak")
def test_the_peak_is_of_the_work_alone() -> None:
    """Memory that a warm-up took and gave back is not charged to what is timed after it."""
    megabytes = 400
    large = cost_of(lambda: np.ones(megabytes * 10**6, np.uint8).sum())

    small = cost_of(lambda: None)

    assert large.peak_mb - small.peak_mb > 0.9 * megabytes
    assert large.cpu_s > small.cpu_s


def reader(data: bytes) -> Callable[[int, int], bytes]:
    return lambda offset, length: data[offset : offset + length]


def a_raster() -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """Two thousand rows of a smooth index, a tenth of it missing."""
    row, col = np.mgrid[:2000, :1000]
    values = np.asarray((row + col) / 4000, np.float32)
    values[:, ::10] = np.nan
    return values
