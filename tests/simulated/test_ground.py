"""One ground, whoever looks at it."""

from datetime import date

import numpy as np
import pytest
import shapely
from pyproj import Transformer

from mrv_assets.science.grid import Grid, Window
from mrv_assets.simulated.cover import SIGNALS, Cover, greenness
from mrv_assets.simulated.ground import ground_of
from mrv_assets.simulated.landscape import Clearing, Landscape

FRAME = "EPSG:32634"
X, Y = 550_005.0, 5_050_005.0
LANDSCAPE = Landscape(seed=1)


def a_grid(side_m: int, pixels: int, crs: str = FRAME, x0: float = X, y0: float = Y) -> Grid:
    return Grid(crs=crs, x0=x0, y0=y0, dx=float(side_m), dy=-float(side_m), width=pixels, height=pixels)


def everything(grid: Grid) -> Window:
    return Window(0, 0, grid.height, grid.width)


@pytest.mark.parametrize("side_m", [20, 30])
@pytest.mark.parametrize("band", ["red", "nir", "nir08", "swir22", "vh"])
def test_a_coarse_pixel_is_the_mean_of_the_fine_ones_in_it(side_m: int, band: str) -> None:
    """30 m of Landsat and 20 m of Sentinel-2 hold what their 10 m pixels hold, on average."""
    fine, coarse = a_grid(10, 180), a_grid(side_m, 1800 // side_m)

    seen = ground_of(LANDSCAPE, FRAME, coarse, everything(coarse), ()).signal(band, 0.7)
    means = ground_of(LANDSCAPE, FRAME, fine, everything(fine), ()).signal(band, 0.7)

    parts = side_m // 10
    expected = means.reshape(coarse.height, parts, coarse.width, parts).mean(axis=(1, 3))
    np.testing.assert_allclose(seen, expected, rtol=0, atol=1e-12)
    assert seen.std() > 1e-3


def test_the_ground_is_the_same_seen_from_the_next_zone() -> None:
    """Pixels of another zone lie aslant on the same ground: covers have the same share of a square kilometre."""
    # Near the edge of zones 34 and 35.
    here = a_grid(30, 200, x0=740_005.0, y0=5_050_005.0)
    there = a_grid(30, 400, crs="EPSG:32635", x0=268_000.0, y0=5_052_000.0)

    ours = ground_of(LANDSCAPE, FRAME, here, everything(here), ())
    theirs = ground_of(LANDSCAPE, FRAME, there, everything(there), ())

    to_there = Transformer.from_crs(FRAME, there.crs, always_xy=True)
    cols, rows = np.meshgrid(here.x, here.y)
    xs, ys = to_there.transform(cols, rows)
    i, j = ((ys - there.y0) / there.dy).astype(int), ((xs - there.x0) / there.dx).astype(int)
    assert (i.min() >= 0) & (j.min() >= 0) & (i.max() < there.height) & (j.max() < there.width)
    nearest = theirs.signal("nir", 1.0)[i, j]
    expected = ours.signal("nir", 1.0)
    # Half a pixel beside it shows only at edges.
    assert abs(nearest.mean() - expected.mean()) < 1e-3
    assert np.corrcoef(nearest.ravel(), expected.ravel())[0, 1] > 0.97


def test_forest_is_felled_on_its_day_and_stays_away() -> None:
    """Before it all of a clearing is forest, from that day on all of it is bare; nothing else moves."""
    grid = a_grid(10, 100)
    west, south, east, north = grid.bounds()
    outline = shapely.box(west + 200, south + 300, east - 400, north - 100)
    landscape = Landscape(seed=1, clearings=(Clearing(name="a", outline=outline, day=date(2023, 7, 10)),))

    before, after = (
        ground_of(landscape, FRAME, grid, everything(grid), landscape.cleared(date(2023, 7, day))) for day in (9, 10)
    )

    felled = np.zeros((100, 100), bool)
    felled[10:70, 20:60] = True
    assert (before.shares[Cover.FOREST][felled] == 1).all()
    assert (after.shares[Cover.BARE][felled] == 1).all()
    np.testing.assert_array_equal(before.shares[:, ~felled], after.shares[:, ~felled])
    natural = ground_of(LANDSCAPE, FRAME, grid, everything(grid), ())
    np.testing.assert_array_equal(natural.shares[:, ~felled], after.shares[:, ~felled])


def test_every_cover_occurs_and_forest_most() -> None:
    """A landscape has lakes, bare ground, crops and forest, as rough shares say."""
    grid = a_grid(100, 300)

    ground = ground_of(LANDSCAPE, FRAME, grid, Window(0, 0, 100, 300), ())

    shares = ground.shares.mean(axis=(1, 2))
    assert abs(shares.sum() - 1) < 1e-12
    assert shares.min() > 0.01
    assert 0.4 < shares[Cover.FOREST] < 0.8


def test_forest_is_not_all_alike() -> None:
    """Where texture makes near infrared brighter it makes red darker, so that NDVI varies a little within a forest."""
    grid = a_grid(10, 180)

    ground = ground_of(LANDSCAPE, FRAME, grid, everything(grid), ())

    forest = ground.shares[Cover.FOREST] == 1
    red, nir = (ground.signal(band, 1.0)[forest] for band in ("red", "nir"))
    assert np.corrcoef(red, nir)[0, 1] < -0.99
    assert 0.005 < ((nir - red) / (nir + red)).std() < 0.02


def test_seasons_come_half_a_year_later_in_the_south_and_forest_changes_least() -> None:
    """July is green in the north and January in the south; what a month has it has on all its days."""
    north = [greenness(month, southern=False) for month in range(1, 13)]
    south = [greenness(month, southern=True) for month in range(1, 13)]

    assert (north.index(max(north)) + 1, south.index(max(south)) + 1) == (7, 1)
    assert south == north[6:] + north[:6]
    swing = {cover: _ndvi(cover, 1.0) - _ndvi(cover, 0.0) for cover in (Cover.CROP, Cover.FOREST)}
    assert 0 < swing[Cover.FOREST] < 0.08 < swing[Cover.CROP]


def _ndvi(cover: Cover, green: float) -> float:
    nir, red = (SIGNALS[cover][band].level(green) for band in ("nir", "red"))
    return (nir - red) / (nir + red)
