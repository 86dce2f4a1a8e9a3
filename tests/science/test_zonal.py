"""Zonal statistics: parcels weigh pixels by the exact share inside, whatever blocks the pixels came in."""

from functools import reduce

import geopandas as gpd
import numpy as np
import pytest
import shapely
from exactextract import exact_extract
from exactextract.raster import NumPyRasterSource
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pyproj import Transformer
from resample_builders import a_grid, whole

from mrv_assets.science.grid import Window
from mrv_assets.science.zonal import Fractions, Moments, coverage_fractions, geodesic_area_ha, moments, overlaps

GRID = a_grid(width=64, height=48)
BLOCKS = [Window(row, col, 16, 16) for row in range(0, 48, 16) for col in range(0, 64, 16)]


def polygons(*shapes: shapely.Geometry) -> NDArray[np.object_]:
    """Geometries as the array parcels come in."""
    return np.array(shapes, dtype=object)


def pixel_box(row: float, col: float, height: float, width: float) -> shapely.Polygon:
    """A rectangle in pixels of ``GRID`` from its upper left corner, in the grid's CRS."""
    west, north = GRID.x0 + col * 10, GRID.y0 - row * 10
    return shapely.box(west, north - height * 10, west + width * 10, north)


def a_field(seed: int = 0, corners: int = 9) -> shapely.Polygon:
    """A star-shaped parcel of irregular outline, some pixels across, within ``GRID``."""
    random = np.random.default_rng(seed)
    angle = np.sort(random.uniform(0, 2 * np.pi, corners))
    reach = random.uniform(30, 180, corners)
    x, y = GRID.x0 + random.uniform(200, 440), GRID.y0 - random.uniform(200, 280)
    return shapely.Polygon(np.column_stack([x + reach * np.cos(angle), y + reach * np.sin(angle)])).buffer(0)


def shares_of(shares: Fractions) -> dict[tuple[int, int, int], float]:
    """Fraction by (parcel, row, col)."""
    keys = zip(shares.parcel.tolist(), shares.row.tolist(), shares.col.tolist(), strict=True)
    return dict(zip(keys, shares.fraction.tolist(), strict=True))


def test_a_parcel_takes_the_share_of_each_pixel_inside_it() -> None:
    """One and a half pixels across, half a pixel high, its corner at pixel (3, 5)."""
    shares = coverage_fractions(GRID, whole(GRID), polygons(pixel_box(3, 5, 0.5, 1.5)))

    assert shares_of(shares) == pytest.approx({(0, 3, 5): 0.5, (0, 3, 6): 0.25})


def test_pixels_are_numbered_on_the_grid_not_on_the_window() -> None:
    """A block far from the origin says where its pixels are, so blocks can be put together."""
    shares = coverage_fractions(GRID, Window(32, 48, 16, 16), polygons(pixel_box(40, 50, 1, 1)))

    assert shares_of(shares) == {(0, 40, 50): 1.0}


@pytest.mark.parametrize(
    "elsewhere",
    [pixel_box(20, 0, 2, 2), pixel_box(16, 0, 2, 2), pixel_box(-9, -9, 2, 2)],
    ids=["other block", "touching the edge", "outside the grid"],
)
def test_a_parcel_beyond_the_window_has_no_pixels_in_it(elsewhere: shapely.Polygon) -> None:
    """Also not where it shares an edge: a border has no area."""
    shares = coverage_fractions(GRID, Window(0, 0, 16, 16), polygons(elsewhere))

    assert shares_of(shares) == {}
    assert [array.dtype.kind for array in (shares.parcel, shares.row, shares.col, shares.fraction)] == list("iiif")


def test_parcels_keep_their_place_when_some_are_elsewhere() -> None:
    """The parcel's index is that of the list given, not of those that touch the window."""
    far, here = pixel_box(40, 40, 1, 1), pixel_box(2, 2, 1, 1)

    shares = coverage_fractions(GRID, Window(0, 0, 16, 16), polygons(far, here))

    assert shares_of(shares) == {(1, 2, 2): 1.0}


def test_a_hole_and_the_parts_of_a_parcel_count_as_drawn() -> None:
    """A clearing inside the forest is not the forest's; an outlying piece is."""
    forest = pixel_box(0, 0, 3, 3).difference(pixel_box(1, 1, 1, 1)).union(pixel_box(10, 10, 1, 1))

    shares = shares_of(coverage_fractions(GRID, whole(GRID), polygons(forest)))

    assert (0, 1, 1) not in shares
    assert shares[(0, 10, 10)] == 1.0
    assert sum(shares.values()) == pytest.approx(9)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10_000), st.integers(3, 15))
def test_shares_add_up_to_the_parcels_area_in_one_window_or_many(seed: int, corners: int) -> None:
    """Block by block the same pixels with the same fractions, and their sum is the polygon's planar area."""
    parcel = polygons(a_field(seed, corners))

    at_once = shares_of(coverage_fractions(GRID, whole(GRID), parcel))
    in_blocks = {}
    for block in BLOCKS:
        in_blocks |= shares_of(coverage_fractions(GRID, block, parcel))

    assert in_blocks == pytest.approx(at_once, rel=0, abs=1e-6)
    assert all(0 < share <= 1 for share in in_blocks.values())
    assert sum(at_once.values()) * 100 == pytest.approx(parcel[0].area, rel=1e-5, abs=1e-3)


def test_an_overlap_counts_once_in_the_union_and_twice_in_the_parcels() -> None:
    """The tile gate looks at the union; each parcel's own gate at the whole parcel."""
    one, other = pixel_box(0, 0, 4, 4), pixel_box(2, 2, 4, 4)

    shares = coverage_fractions(GRID, whole(GRID), polygons(one, other, shapely.union_all([one, other])))

    areas = np.bincount(shares.parcel, shares.fraction)
    np.testing.assert_allclose(areas, [16, 16, 28])


def test_shares_come_sorted_by_parcel_row_and_column() -> None:
    """Sums over them run in one order, on every machine."""
    shares = coverage_fractions(GRID, whole(GRID), polygons(a_field(1), a_field(2)))

    keys = list(zip(shares.parcel.tolist(), shares.row.tolist(), shares.col.tolist(), strict=True))
    assert keys == sorted(keys)
    assert {parcel for parcel, _, _ in keys} == {0, 1}


def test_mean_and_std_by_hand() -> None:
    """A whole pixel of 0.2 and half a pixel of 0.8: mean 0.4, variance (0.04 + 0.5 x 0.16) / 1.5."""
    shares = coverage_fractions(GRID, whole(GRID), polygons(pixel_box(0, 0, 1, 1.5)))

    mean, std, valid = moments(np.array([0.2, 0.8], np.float32), shares, 1).statistics()

    assert mean[0] == pytest.approx(0.4)
    assert std[0] == pytest.approx(np.sqrt(0.08))
    assert valid.tolist() == [1.0]


def test_a_missing_pixel_takes_no_part_and_lowers_the_valid_share() -> None:
    """The mean of what was seen, beside how much of the parcel that is."""
    shares = coverage_fractions(GRID, whole(GRID), polygons(pixel_box(0, 0, 1, 2)))

    mean, std, valid = moments(np.array([0.2, np.nan], np.float32), shares, 1).statistics()

    assert mean[0] == pytest.approx(0.2)
    assert std[0] == 0
    assert valid.tolist() == [0.5]


def test_a_parcel_never_seen_has_no_mean() -> None:
    """Missing, never zero; a parcel without any pixel has not even a share."""
    shares = coverage_fractions(GRID, whole(GRID), polygons(pixel_box(0, 0, 1, 1), pixel_box(-9, 0, 1, 1)))

    mean, std, valid = moments(np.array([np.nan], np.float32), shares, 2).statistics()

    assert np.isnan(mean).all()
    assert np.isnan(std).all()
    assert valid[0] == 0
    assert np.isnan(valid[1])


def test_statistics_agree_with_exactextract() -> None:
    """Its own mean and standard deviation of the same raster and parcels, holes in the raster included."""
    random = np.random.default_rng(4)
    raster = random.uniform(-1, 1, (48, 64)).astype(np.float32)
    raster[random.random(raster.shape) < 0.2] = np.nan
    parcels = polygons(*(a_field(seed) for seed in range(12)))
    shares = coverage_fractions(GRID, whole(GRID), parcels)

    mean, std, _ = moments(raster[shares.row, shares.col], shares, len(parcels)).statistics()

    frame = gpd.GeoDataFrame(geometry=list(parcels), crs=GRID.crs)
    source = NumPyRasterSource(
        raster.astype(np.float64), GRID.x0, GRID.y0 - 480, GRID.x0 + 640, GRID.y0, srs_wkt=frame.crs.to_wkt()
    )
    expected = exact_extract(source, frame, ["mean", "stdev"], output="pandas")
    np.testing.assert_allclose(mean, expected["mean"], rtol=0, atol=1e-9)
    np.testing.assert_allclose(std, expected["stdev"], rtol=0, atol=1e-9)


def test_blocks_merge_to_what_one_window_gives() -> None:
    """Mean, spread and valid share of parcels cut by blocks, holes and parcels in one block only included."""
    random = np.random.default_rng(6)
    raster = random.uniform(-1, 1, (48, 64)).astype(np.float32)
    raster[random.random(raster.shape) < 0.2] = np.nan
    parcels = polygons(*(a_field(seed) for seed in range(6)))

    def moments_in(window: Window) -> Moments:
        shares = coverage_fractions(GRID, window, parcels)
        return moments(raster[shares.row, shares.col], shares, 6)

    merged = reduce(Moments.merge, (moments_in(block) for block in BLOCKS)).statistics()

    for found, expected in zip(merged, moments_in(whole(GRID)).statistics(), strict=True):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-13)


def test_merging_what_saw_nothing_changes_no_bit() -> None:
    """A block that a parcel does not touch leaves its numbers as they are, to the last bit."""
    raster = np.random.default_rng(7).uniform(-1, 1, (48, 64)).astype(np.float32)
    shares = coverage_fractions(GRID, whole(GRID), polygons(a_field(1)))
    seen = moments(raster[shares.row, shares.col], shares, 1)
    nothing = moments(
        np.empty(0, np.float32), coverage_fractions(GRID, whole(GRID), polygons(pixel_box(-9, 0, 1, 1))), 1
    )

    before, after = nothing.merge(seen).statistics(), seen.merge(nothing).statistics()

    assert [part.tobytes() for part in before] == [part.tobytes() for part in seen.statistics()]
    assert [part.tobytes() for part in after] == [part.tobytes() for part in seen.statistics()]


@pytest.mark.parametrize(("latitude", "square_metres"), [(0, 123.1), (30, 107.0), (60, 62.2)])
def test_geodesic_area_of_a_pixel_in_degrees(latitude: float, square_metres: float) -> None:
    """1e-4 degrees a side, at three latitudes: the same pixel is half as large in the north."""
    pixel = shapely.box(10, latitude, 10.0001, latitude + 0.0001)

    area_ha = geodesic_area_ha(polygons(pixel))

    assert area_ha[0] * 1e4 == pytest.approx(square_metres, abs=0.06)


def test_a_hectare_is_a_hectare() -> None:
    """100 m x 100 m of UTM on its central meridian, where the map shrinks the ground by 0.9996 a side."""
    to_lonlat = Transformer.from_crs("EPSG:32634", "EPSG:4326", always_xy=True).transform
    square = shapely.box(499_950, 5_099_950, 500_050, 5_100_050)

    area_ha = geodesic_area_ha(shapely.transform(polygons(square), to_lonlat, interleaved=False))

    assert area_ha[0] == pytest.approx(1 / 0.9996**2, abs=1e-5)


def test_area_takes_out_holes_and_adds_parts_however_rings_run() -> None:
    """GeoJSON writers do not agree on ring direction; an area is never negative."""
    outer, inner, island = (
        shapely.box(20, 45, 20.1, 45.1),
        shapely.box(20.04, 45.04, 20.06, 45.06),
        shapely.box(21, 45, 21.1, 45.1),
    )
    holed = shapely.difference(outer, inner)
    turned = shapely.Polygon(holed.exterior.coords[::-1], [ring.coords for ring in holed.interiors])
    one, other, both, hole, backwards = geodesic_area_ha(
        polygons(outer, island, shapely.MultiPolygon([holed, island]), inner, turned)
    )

    assert hole > 0
    assert both == pytest.approx(one - hole + other, abs=1e-5)
    assert backwards == pytest.approx(one - hole, abs=1e-5)


def test_area_has_no_bits_that_depend_on_the_processor() -> None:
    """It is hashed: what is finer than 0.01 m2 is left out."""
    area_ha = geodesic_area_ha(polygons(shapely.box(20, 45, 20.0123456789, 45.0123456789)))

    assert area_ha[0] == round(float(area_ha[0]), 6)


def test_parcels_that_share_ground_are_reported_and_neighbours_are_not() -> None:
    """Two share a quarter of a square of 0.01 degrees at the equator; the third only touches the first."""
    square = shapely.box(0, 0, 0.01, 0.01)
    polygons = np.array([square, shapely.box(0.005, 0.005, 0.02, 0.02), shapely.box(-0.01, 0, 0, 0.01)], dtype=object)

    [(first, second, area)] = overlaps(polygons)

    assert (first, second) == (0, 1)
    assert area == pytest.approx(geodesic_area_ha(np.array([square], dtype=object))[0] / 4, rel=1e-4)
