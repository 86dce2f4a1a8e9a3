"""The resampler: against rasterio, against the footprint on the ground, against itself in other windows."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pyproj import CRS
from rasterio.warp import Resampling
from resample_builders import (
    a_grid,
    a_grid_around,
    by_footprint,
    by_rasterio,
    exact_centres,
    read,
    some_ground,
    whole,
)

from mrv_assets.missions.mission import Resample
from mrv_assets.science.grid import Grid, Window
from mrv_assets.science.resample import KERNEL, coarsen_quality, is_coarser, resample, source_window

TEN = a_grid(width=120, height=110)
THIRTY = a_grid(pixel=30, width=50, height=40)

REFINING = {
    "another projection": (a_grid_around(TEN, "EPSG:3035", pixel=10, width=140, height=140), TEN),
    "the next zone, and past its edge": (
        a_grid_around(TEN, "EPSG:32633", pixel=10, width=110, height=100),
        TEN,
    ),
    "Landsat": (a_grid(x0=600_000 - 615, y0=5_100_000 + 15, pixel=30, width=60, height=30), TEN),
    "Landsat of the next zone": (
        a_grid_around(TEN, "EPSG:32633", pixel=30, width=50, height=50, offset=15),
        TEN,
    ),
    "20 m": (a_grid(pixel=20, width=70, height=50), TEN),
    "same size, shifted by a part of a pixel": (a_grid(x0=599_993, y0=5_100_004, width=120, height=120), TEN),
}
SAME_CRS = ("Landsat", "20 m", "same size, shifted by a part of a pixel")

COARSENING = {
    "another projection": (a_grid_around(THIRTY, "EPSG:3035", pixel=10, width=220, height=200), THIRTY),
    "the next zone": (a_grid_around(THIRTY, "EPSG:32635", pixel=20, width=100, height=90), THIRTY),
    "the other hemisphere": (a_grid("EPSG:32734", y0=15_100_000, width=150, height=120), THIRTY),
    "3 x 3 pixels": (a_grid(width=150, height=120), THIRTY),
    "3 x 3 pixels and parts of others": (a_grid(x0=599_993, y0=5_100_004, width=152, height=122), THIRTY),
}

ALL = {
    **{f"refining {name}": grids for name, grids in REFINING.items()},
    **{f"coarsening {name}": grids for name, grids in COARSENING.items()},
    "congruent": (a_grid(x0=600_300, y0=5_099_900, width=70, height=200), TEN),
}


def resampled(
    pixels: NDArray[Any],
    source: Grid,
    target: Grid,
    method: Resample,
    nodata: float = 0,
    window: Window | None = None,
) -> NDArray[Any]:
    """A window of the target, by default all of it, from the pixels it needs and no others."""
    window = window or whole(target)
    return resample(*read(pixels, source, target, window), source, target, window, method=method, nodata=nodata)


def coarsened(pixels: NDArray[Any], source: Grid, target: Grid, mode: Any, nodata: int = 0) -> NDArray[Any]:
    """All of the target, from the pixels it needs and no others."""
    needed = read(pixels, source, target, whole(target))
    return coarsen_quality(*needed, source, target, whole(target), mode=mode, nodata=nodata)


# Against rasterio


@pytest.mark.parametrize("holes", [0.0, 0.05])
@pytest.mark.parametrize("case", REFINING)
def test_bilinear_is_within_one_of_rasterio(case: str, holes: float) -> None:
    """Interpolated coordinates move a value by one digital number at most, in 2 of 100 pixels at most."""
    source, target = REFINING[case]
    pixels = some_ground(source, holes=holes)

    ours = resampled(pixels, source, target, Resample.BILINEAR)
    theirs = by_rasterio(pixels, source, target, Resampling.bilinear)

    off_tie = ~near_tie(source, target)
    np.testing.assert_array_equal((ours > 0)[off_tie], (theirs > 0)[off_tie])
    both = (ours > 0) & (theirs > 0)
    assert both.mean() > 0.5
    difference = np.abs(ours.astype(int) - theirs)[both]
    assert difference.max() <= 1
    assert (difference == 0).mean() >= 0.98


@pytest.mark.parametrize("holes", [0.0, 0.05])
@pytest.mark.parametrize("case", SAME_CRS)
def test_within_one_crs_bilinear_is_rasterio_bit_for_bit(case: str, holes: float) -> None:
    """Affine arithmetic is not interpolated: even values exactly between two integers round as GDAL's do."""
    source, target = REFINING[case]
    pixels = some_ground(source, holes=holes)

    ours = resampled(pixels, source, target, Resample.BILINEAR)

    np.testing.assert_array_equal(ours, by_rasterio(pixels, source, target, Resampling.bilinear))


@pytest.mark.parametrize("holes", [0.0, 0.05])
@pytest.mark.parametrize("case", REFINING)
def test_nearest_is_rasterio_but_at_ties(case: str, holes: float) -> None:
    """The pixel that holds the centre; another one only within 1e-4 pixels of an edge, between two CRS."""
    source, target = REFINING[case]
    pixels = some_ground(source, holes=holes)

    ours = resampled(pixels, source, target, Resample.NEAREST)
    theirs = by_rasterio(pixels, source, target, Resampling.nearest)

    # Within one CRS a tie is one exactly, and ours are decided as GDAL's are.
    compared = ... if case in SAME_CRS else ~near_tie(source, target)
    np.testing.assert_array_equal(ours[compared], theirs[compared])


def near_tie(source: Grid, target: Grid) -> NDArray[np.bool_]:
    """Where a target centre lies within 1e-4 pixels of an edge of a source pixel."""
    rows, cols = exact_centres(source, target)
    return (np.abs(rows - np.round(rows)) < 1e-4) | (np.abs(cols - np.round(cols)) < 1e-4)


@pytest.mark.parametrize("crs", ["EPSG:3035", "EPSG:32633", "EPSG:4326"])
def test_a_pixel_that_tells_its_position_is_found_at_it(crs: str) -> None:
    """Interpolated between control points, a place is wrong by less than 1e-3 source pixels."""
    pixel = 1e-4 if crs == "EPSG:4326" else 10
    source = a_grid_around(TEN, crs, pixel=pixel, width=240, height=240)
    down, across = np.mgrid[0.5:240, 0.5:240].astype("float32")

    rows = resampled(down, source, TEN, Resample.BILINEAR, nodata=-1)
    cols = resampled(across, source, TEN, Resample.BILINEAR, nodata=-1)

    exact_rows, exact_cols = exact_centres(source, TEN)
    np.testing.assert_allclose(rows, exact_rows, rtol=0, atol=1e-3)
    np.testing.assert_allclose(cols, exact_cols, rtol=0, atol=1e-3)


@pytest.mark.parametrize("holes", [0.0, 0.05])
@pytest.mark.parametrize("case", ["3 x 3 pixels", "3 x 3 pixels and parts of others"])
def test_coarsening_along_the_axes_is_rasterio_average(case: str, holes: float) -> None:
    """The mean of the pixels under the cell, by the part of them that is under it."""
    source, target = COARSENING[case]
    pixels = some_ground(source, holes=holes)

    ours = resampled(pixels, source, target, Resample.BILINEAR)
    theirs = by_rasterio(pixels, source, target, Resampling.average)

    both = (ours > 0) & (theirs > 0)
    assert both.mean() > 0.7
    assert np.abs(ours.astype(int) - theirs)[both].max() <= 1


# Against the ground


@pytest.mark.parametrize("holes", [0.0, 0.05])
@pytest.mark.parametrize("case", ["another projection", "the next zone"])
def test_coarsening_across_is_the_mean_of_the_footprint(case: str, holes: float) -> None:
    """1600 places looked at in each cell agree, as well as 1600 places can."""
    source, target = COARSENING[case]
    pixels = some_ground(source, holes=holes)

    ours = resampled(pixels, source, target, Resample.BILINEAR)
    mean, _ = by_footprint(pixels, source, target)

    difference = (ours - mean)[ours > 0]
    assert difference.size > 0.7 * ours.size
    assert np.sqrt((difference**2).mean()) < 1.5
    assert np.abs(difference).max() < 8


def test_a_cell_weighs_pixels_by_their_overlap() -> None:
    """Worked by hand: a 20 m cell 2.5 m off holds three quarters of a 10 m pixel, a whole and a quarter."""
    source, target = a_grid(width=8, height=2), a_grid(x0=600_002.5, pixel=20, width=2, height=1)
    pixels = np.array([[100, 200, 400, 0, 800, 0, 0, 0]] * 2, "float32")

    cells = resampled(pixels, source, target, Resample.BILINEAR, nodata=-1)

    np.testing.assert_array_equal(cells, [[(75 + 200 + 100) / 2, (300 + 0 + 200) / 2]])


def test_the_same_cell_in_the_other_hemispheres_zone_is_the_same() -> None:
    """Northings of 327xx are those of 326xx and 10,000 km; over the equator they are negative in 326xx."""
    target = a_grid("EPSG:32734", y0=9_000_000, width=90, height=90)
    north = a_grid("EPSG:32634", x0=599_985, y0=-1_000_000 + 15, pixel=30, width=32, height=32)
    south = a_grid("EPSG:32734", x0=599_985, y0=9_000_000 + 15, pixel=30, width=32, height=32)
    pixels = some_ground(north)

    for method, tolerance in ((Resample.NEAREST, 0), (Resample.BILINEAR, 1)):
        from_north = resampled(pixels, north, target, method).astype(int)
        from_south = resampled(pixels, south, target, method).astype(int)

        assert from_south.all()
        np.testing.assert_allclose(from_north, from_south, rtol=0, atol=tolerance)


# Against itself


AROUND_PX = 40


@cache
def all_at_once(case: str, method: Resample | str) -> tuple[NDArray[Any], NDArray[Any]]:
    """The pixels of a case, and the target with ``AROUND_PX`` around it, in one window."""
    source, target = ALL[case]
    pixels = some_ground(source, holes=0.03)
    window = Window(-AROUND_PX, -AROUND_PX, target.height + 2 * AROUND_PX, target.width + 2 * AROUND_PX)
    return pixels, a_part(pixels, source, target, window, method, margin=0)


def a_part(
    pixels: NDArray[Any], source: Grid, target: Grid, window: Window, method: Resample | str, margin: int
) -> NDArray[Any]:
    """A window of the target, from the pixels it needs and a margin of others."""
    has = source_window(source, target, window, margin=margin) or Window(0, 0, source.height, source.width)
    args = (pixels[has.rows, has.cols], has, source, target, window)
    if isinstance(method, Resample):
        return resample(*args, method=method, nodata=0)
    return coarsen_quality(*args, mode=method, nodata=0)


@pytest.mark.parametrize("case", ALL)
@settings(deadline=None, max_examples=25)
@given(data=st.data())
def test_no_cutting_into_windows_changes_a_bit(case: str, data: st.DataObject) -> None:
    """Any window, from any pixels that hold those it needs, is the same part of the whole."""
    source, target = ALL[case]
    method = data.draw(st.sampled_from([*Resample, "max", "or"]))
    row = data.draw(st.integers(-AROUND_PX, target.height + AROUND_PX - 1))
    col = data.draw(st.integers(-AROUND_PX, target.width + AROUND_PX - 1))
    height = data.draw(st.integers(1, target.height + AROUND_PX - row))
    width = data.draw(st.integers(1, target.width + AROUND_PX - col))
    window = Window(row, col, height, width)
    pixels, expected = all_at_once(case, method)

    part = a_part(pixels, source, target, window, method, margin=data.draw(st.integers(0, 50)))

    same_part = expected[row + AROUND_PX :, col + AROUND_PX :][:height, :width]
    assert part.dtype == expected.dtype
    np.testing.assert_array_equal(part, same_part)


@settings(deadline=None, max_examples=50)
@given(data=st.data())
def test_a_smaller_window_needs_no_other_pixels(data: st.DataObject) -> None:
    """What was fetched for a block and its halo is enough for the block."""
    source, target = ALL[data.draw(st.sampled_from(sorted(ALL)))]
    row, col = data.draw(st.integers(-9, target.height)), data.draw(st.integers(-9, target.width))
    height, width = data.draw(st.integers(1, 80)), data.draw(st.integers(1, 80))
    pads = [data.draw(st.integers(0, 40)) for _ in range(4)]

    small = source_window(source, target, Window(row, col, height, width))
    large = source_window(
        source,
        target,
        Window(row - pads[0], col - pads[1], height + pads[0] + pads[2], width + pads[1] + pads[3]),
    )

    if small is not None:
        assert large is not None
        assert large.row <= small.row
        assert large.col <= small.col
        assert large.row + large.height >= small.row + small.height
        assert large.col + large.width >= small.col + small.width


@pytest.mark.parametrize("case", ALL)
@pytest.mark.parametrize("method", Resample)
def test_a_constant_stays_constant(case: str, method: Resample) -> None:
    """Weights are renormalised: flat ground is as flat at a hole and at the edge of the scene."""
    source, target = ALL[case]
    pixels = np.where(some_ground(source, holes=0.05) > 0, 65_535, 0).astype("uint16")

    values = resampled(pixels, source, target, method)

    assert set(np.unique(values)) == {0, 65_535}


@pytest.mark.parametrize("case", ALL)
def test_no_data_never_bleeds(case: str) -> None:
    """What number stands for missing changes no valid value."""
    source, target = ALL[case]
    pixels = some_ground(source, holes=0.05)
    others = np.where(pixels == 0, 65_535, pixels).astype("uint16")

    with_zero = resampled(pixels, source, target, Resample.BILINEAR)
    with_largest = resampled(others, source, target, Resample.BILINEAR, nodata=65_535)

    assert (with_zero == 0).any()
    np.testing.assert_array_equal(np.where(with_zero == 0, 65_535, with_zero), with_largest)


@pytest.mark.parametrize("case", ALL)
def test_a_pixel_is_valid_where_the_nearest_one_is(case: str) -> None:
    """One rule for all methods: none of them loses or invents ground."""
    source, target = ALL[case]
    pixels = some_ground(source, holes=0.05)

    bilinear = resampled(pixels, source, target, Resample.BILINEAR)
    nearest = resampled(pixels, source, target, Resample.NEAREST)

    np.testing.assert_array_equal(bilinear > 0, nearest > 0)


@pytest.mark.parametrize("case", ALL)
@pytest.mark.parametrize("method", Resample)
@pytest.mark.parametrize("nodata", [np.nan, -32_768.0])
def test_float_bands_are_resampled_as_integers_are(case: str, method: Resample, nodata: float) -> None:
    """Radar backscatter is float32; NaN is missing in it, whatever else is."""
    source, target = ALL[case]
    pixels = some_ground(source, holes=0.05)
    linear = np.where(pixels == 0, nodata, pixels).astype("float32")
    linear[(pixels == 0) & (np.arange(source.width) % 2 == 0)] = np.nan

    values = resampled(linear, source, target, method, nodata)

    assert values.dtype == np.float32
    missing = np.isnan(values) if np.isnan(nodata) else values == nodata
    rounded = np.floor(np.where(missing, 0, values).astype(float) + 0.5)
    # float32 has 24 bits: what lies within one of its steps of a half may round the other way.
    np.testing.assert_allclose(rounded, resampled(pixels, source, target, method), rtol=0, atol=1)
    np.testing.assert_array_equal(missing, resampled(pixels, source, target, method) == 0)


def test_threads_share_the_resampler() -> None:
    """Blocks are resampled in threads, a CRS is first met in one of them, and the bits are the same."""
    sources = [a_grid_around(TEN, f"EPSG:326{zone}", pixel=10, width=120, height=110) for zone in (33, 35)]
    work = [(source, Window(row, 0, 10, 120)) for row in range(0, 110, 10) for source in sources]

    def strip(task: tuple[Grid, Window]) -> bytes:
        return resampled(some_ground(task[0]), task[0], TEN, Resample.BILINEAR, window=task[1]).tobytes()

    with ThreadPoolExecutor(8) as pool:
        in_threads = list(pool.map(strip, work))

    assert in_threads == [strip(task) for task in work]


# By hand


def test_a_centre_on_an_edge_belongs_to_the_pixel_after() -> None:
    """A third of the 10 m centres lie on an edge of a Landsat pixel: the southern, eastern one takes them."""
    source = a_grid(x0=599_985, y0=5_100_015, pixel=30, width=3, height=3)
    target = a_grid(width=3, height=3)
    pixels = np.arange(1, 10, dtype="uint8").reshape(3, 3)

    values = resampled(pixels, source, target, Resample.NEAREST)

    # Centres at 20, 30 and 40 m from the corner, that is 2/3, 1 and 4/3 pixels.
    np.testing.assert_array_equal(values, [[1, 2, 2], [4, 5, 5], [4, 5, 5]])


def test_noise_does_not_decide_a_tie() -> None:
    """A centre 1e-5 pixels before an edge is on it; at 1e-4 pixels it is not."""
    pixels = np.array([[1, 2, 3]], "uint8")
    source = a_grid(pixel=10, width=3, height=1)

    values = [
        resampled(pixels, source, a_grid(x0=600_005 - before, width=1, height=1), Resample.NEAREST).item()
        for before in (-1e-3, 0, 1e-4, 1e-3)
    ]

    assert values == [2, 2, 2, 1]


def test_halves_are_rounded_up() -> None:
    """Half way between 1 and 2 is 2, and between 2 and 3 is 3: never to the even one."""
    source, target = a_grid(width=3, height=1), a_grid(x0=600_005, width=2, height=1)

    values = resampled(np.array([[1, 2, 3]], "uint16"), source, target, Resample.BILINEAR)

    np.testing.assert_array_equal(values, [[2, 3]])


def test_the_mean_of_four_is_rounded_as_a_sum_of_integers_is() -> None:
    """The mean of 1, 1, 2 and 2 is one and a half: degrees are no binary numbers, but noise does not decide."""
    source = a_grid("EPSG:4326", x0=20, y0=50, pixel=1e-4, width=200, height=200)
    target = a_grid("EPSG:4326", x0=20, y0=50, pixel=2e-4)
    pixels = some_ground(source)

    cells = resampled(pixels, source, target, Resample.BILINEAR)

    sums = pixels.reshape(100, 2, 100, 2).sum((1, 3), dtype=int)
    np.testing.assert_array_equal(cells, (sums + 2) // 4)


def test_20_m_on_10_m_is_worked_by_hand() -> None:
    """Three quarters of the pixel that holds the centre, a quarter of the next; at the edge there is none."""
    source, target = a_grid(pixel=20, width=3, height=1), a_grid(width=6, height=2)

    values = resampled(np.array([[100, 200, 0]], "uint16"), source, target, Resample.BILINEAR)

    # The last pixel is missing, so its neighbour has no next one either.
    np.testing.assert_array_equal(values, [[100, 125, 175, 200, 0, 0]] * 2)


def test_congruent_grids_are_copied() -> None:
    """A scene of the tile's own grid goes in as it is, and is missing where there is none."""
    source = a_grid(x0=600_020, y0=5_099_990, width=3, height=2)
    pixels = np.array([[1.5, np.nan, 3], [4, 5, 6]], "float32")

    for method in Resample:
        values = resampled(pixels, source, a_grid(width=6, height=4), method, nodata=-1)

        expected = [[-1] * 6, [-1, -1, 1.5, -1, 3, -1], [-1, -1, 4, 5, 6, -1], [-1] * 6]
        np.testing.assert_array_equal(values, expected)


def test_a_crs_in_other_words_is_the_same_crs() -> None:
    """A GeoTIFF states its CRS in WKT; that alone must not change a bit."""
    source, target = REFINING["Landsat"]
    in_words = Grid(**{**vars(source), "crs": CRS.from_epsg(32634).to_wkt()})
    pixels = some_ground(source)

    values = resampled(pixels, in_words, target, Resample.BILINEAR)

    np.testing.assert_array_equal(values, resampled(pixels, source, target, Resample.BILINEAR))


@pytest.mark.parametrize(("pixel", "expected"), [(10, False), (12, False), (15, True), (30, True)])
@pytest.mark.parametrize("crs", ["EPSG:32634", "EPSG:32633", "EPSG:3035"])
def test_a_target_is_coarser_from_a_quarter_on(crs: str, pixel: float, expected: bool) -> None:
    """10 m on 10 m is bilinear in every CRS, and 20 m to 30 m is a mean."""
    target = a_grid(pixel=pixel)
    source = a_grid_around(target, crs, pixel=10, width=100, height=100)

    assert is_coarser(source, target) is expected
    assert is_coarser(target, source) is False


# Quality bands

CLASSES = np.array(
    [
        [4, 4, 4, 4, 4, 4],
        [4, 9, 4, 4, 4, 4],
        [4, 4, 4, 4, 4, 5],
        [4, 4, 3, 4, 4, 4],
        [4, 8, 4, 4, 0, 4],
        [4, 4, 4, 4, 4, 4],
    ],
    "uint8",
)
SIX, TWO = a_grid(width=6, height=6), a_grid(pixel=30, width=2, height=2)


def test_a_coarse_cell_takes_its_worst_class() -> None:
    """One cloudy pixel of nine makes the cell cloudy; a missing one counts by its place among the classes."""
    severity = (9, 8, 3, 10, 11, 1, 2, 7, 0, 6, 5, 4)

    np.testing.assert_array_equal(coarsened(CLASSES, SIX, TWO, severity), [[9, 5], [8, 0]])


def test_a_class_nobody_knows_is_the_worst() -> None:
    """It may be a new kind of cloud; the cell keeps it, so that masking can call it unclassified."""
    classes = CLASSES.copy()
    classes[0, 0] = 77

    np.testing.assert_array_equal(coarsened(classes, SIX, TWO, (9, 8, 3, 0, 5, 4)), [[77, 5], [8, 0]])


def test_a_coarse_cell_has_every_bit_of_its_pixels() -> None:
    """Cloud in one pixel and cirrus in another: the cell has both."""
    bits = np.zeros((6, 6), "uint16")
    bits[0, 0], bits[2, 2], bits[5, 5] = 1 << 10, 1 << 11, 1 << 10

    cells = coarsened(bits, SIX, TWO, "or")

    assert cells.dtype == np.uint16
    np.testing.assert_array_equal(cells, [[3 << 10, 0], [0, 1 << 10]])


def test_a_coarse_cell_is_as_probably_cloudy_as_its_worst_pixel() -> None:
    """A cloud does not become less probable by being small."""
    np.testing.assert_array_equal(coarsened(CLASSES * 10, SIX, TWO, "max"), [[90, 50], [80, 40]])


def test_a_cell_past_the_edge_counts_what_is_not_there() -> None:
    """Nobody saw the part of a cell outside the scene, so it counts as missing; without its centre all is."""
    severity = (9, 0, 4)
    target = a_grid(x0=600_040, pixel=30, width=2, height=1)

    cells = coarsened(np.full((6, 6), 4, "uint8"), SIX, target, severity)

    np.testing.assert_array_equal(cells, [[0, 0]])
    np.testing.assert_array_equal(coarsened(np.full((6, 6), 9, "uint8"), SIX, target, severity), [[9, 0]])


@pytest.mark.parametrize("case", COARSENING)
def test_no_unclear_pixel_under_a_cell_is_overlooked(case: str) -> None:
    """Of 1600 places looked at in a cell, none is worse than the cell."""
    source, target = COARSENING[case]
    pixels = some_ground(source)

    cells = coarsened(pixels, source, target, "max")

    _, worst = by_footprint(pixels, source, target)
    assert (cells >= worst).all()
    # More is in a corner that no place fell on, and that is rare.
    assert (cells == worst).mean() > 0.95


@pytest.mark.parametrize("case", REFINING)
def test_quality_that_is_not_coarsened_is_the_nearest(case: str) -> None:
    """One call does for every resolution."""
    source, target = REFINING[case]
    pixels = some_ground(source, holes=0.05)

    np.testing.assert_array_equal(
        coarsened(pixels, source, target, "max"), resampled(pixels, source, target, Resample.NEAREST)
    )


# What is asked for


def test_a_window_beside_the_source_needs_nothing() -> None:
    """A block that a scene does not reach is missing, without a read."""
    beside = Window(0, 0, 50, 30)
    source = a_grid(x0=600_300, width=50, height=50)

    assert source_window(source, TEN, beside) is None
    assert source_window(source, TEN, Window(0, 0, 50, 31)) == Window(0, 0, 50, 1)
    assert source_window(source, TEN, Window(0, 0, 50, 31), margin=3) == Window(0, 0, 50, 4)


def test_a_source_on_the_other_side_of_the_earth_needs_nothing() -> None:
    """Where a projection ends there is no ground, no error and no warning."""
    source = a_grid("EPSG:3035", x0=4_000_000, y0=3_000_000)
    target = Grid(crs="EPSG:4326", x0=-170.5, y0=-51.5, dx=1e-4, dy=-1e-4, width=50, height=50)

    assert source_window(source, target, whole(target)) is None
    assert not resampled(some_ground(source), source, target, Resample.BILINEAR).any()
    assert is_coarser(source, target) in (False, True)


@pytest.mark.parametrize("method", [resample, coarsen_quality])
@pytest.mark.parametrize(
    ("window", "shape", "told"),
    [
        (Window(0, 0, 150, 120), (149, 120), "do not fill"),
        (Window(1, 0, 119, 150), (119, 150), "source_window"),
        (Window(0, 0, 120, 149), (120, 149), "source_window"),
    ],
)
def test_too_few_pixels_are_refused(
    method: Callable[..., NDArray[Any]], window: Window, shape: tuple[int, int], told: str
) -> None:
    """A kernel checks no bounds: what it would read beside the pixels must be seen before."""
    source, target = COARSENING["3 x 3 pixels"]
    how = {"method": Resample.BILINEAR} if method is resample else {"mode": "max"}

    with pytest.raises(ValueError, match=told):
        method(np.ones(shape, "uint16"), window, source, target, whole(target), nodata=0, **how)


def test_pixels_may_come_in_any_memory_layout() -> None:
    """Big-endian, read-only, transposed or every second: what a decoder hands over is taken as it is."""
    source, target = REFINING["Landsat"]
    pixels = some_ground(source)
    expected = resampled(pixels, source, target, Resample.BILINEAR)
    read_only = pixels.copy()
    read_only.flags.writeable = False

    for same in (
        pixels.astype(">u2"),
        read_only,
        np.asfortranarray(pixels),
        np.repeat(pixels, 2, axis=1)[:, ::2],
    ):
        values = resampled(same, source, target, Resample.BILINEAR)

        assert values.dtype == np.dtype("uint16")
        np.testing.assert_array_equal(values, expected)


def test_the_kernel_is_stated_in_json() -> None:
    """It is part of the parameter manifest, and so of every audit hash."""
    assert json.loads(json.dumps(KERNEL)) == KERNEL
    assert KERNEL["control_step_px"] == 32
