"""Grids: the tile's grid from its name, windows and the places of their edges."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.transform import Affine, array_bounds, rowcol, xy
from resample_builders import a_grid

from mrv_assets.errors import TileError
from mrv_assets.science.grid import BANDS, ROWS, TILE_SIZE_M, Grid, Window, columns_of, tile_epsg, tile_grid

VECTORS: dict[str, list[int]] = json.loads((Path(__file__).parents[1] / "data" / "mgrs_vectors.json").read_text())
"""EPSG code and upper left corner of tiles, from ESA's published grid."""


def grids() -> st.SearchStrategy[Grid]:
    """Grids of any place and size."""
    return st.builds(
        a_grid,
        x0=st.integers(100_000, 900_000),
        y0=st.integers(0, 9_000_000),
        pixel=st.sampled_from([10, 20, 30, 60]),
        width=st.integers(1, 3000),
        height=st.integers(1, 3000),
    )


@st.composite
def windows(draw: st.DrawFn, grid: Grid) -> Window:
    """Windows of a grid, of at least a pixel."""
    row, col = draw(st.integers(0, grid.height - 1)), draw(st.integers(0, grid.width - 1))
    return Window(row, col, draw(st.integers(1, grid.height - row)), draw(st.integers(1, grid.width - col)))


@pytest.mark.parametrize("tile", sorted(VECTORS))
def test_a_tiles_grid_is_the_published_one(tile: str) -> None:
    """To the metre, in both hemispheres, beside the antimeridian and in Norway's and Svalbard's zones."""
    epsg, west, north = VECTORS[tile]

    grid = tile_grid(tile)

    assert tile_epsg(tile) == epsg
    assert grid == Grid(crs=f"EPSG:{epsg}", x0=west, y0=north, dx=10, dy=-10, width=10_980, height=10_980)


@pytest.mark.parametrize(("resolution_m", "pixels"), [(10, 10_980), (20, 5490), (30, 3660), (60, 1830)])
def test_every_resolution_divides_a_tile(resolution_m: int, pixels: int) -> None:
    """The same ground in coarser pixels."""
    grid = tile_grid("34TER", resolution_m)

    assert (grid.width, grid.height, grid.dx, grid.dy) == (pixels, pixels, resolution_m, -resolution_m)
    assert grid.bounds() == tile_grid("34TER").bounds()


@pytest.mark.parametrize(
    "tile",
    [
        "",
        "34TE",
        "34TERR",
        "4TER",
        "34ter",
        " 34TER",
        "34TER\n",
        "T34TER",
        "00TER",
        "61TER",
        "34IER",
        "34OER",
        "34TIR",
        "34TOR",
        "34TEI",
        "34TEO",
        "34TEW",
        "34AER",
        "34BER",
        "34YER",
        "34ZER",
        "٣٤TER",
        "34TER|x",
        "../34",
    ],
)
def test_a_name_that_is_no_tiles_is_refused(tile: str) -> None:
    """Names become partitions and folders; nothing but zone, band, column and row passes."""
    with pytest.raises(TileError, match="Write it like 34TER"):
        tile_grid(tile)

    with pytest.raises(TileError, match="Write it like 34TER"):
        tile_epsg(tile)


@pytest.mark.parametrize("tile", ["31SJR", "34TSR", "33TER", "32TZR"])
def test_a_column_letter_of_another_zone_is_refused(tile: str) -> None:
    """Columns repeat every three zones; the message says which a zone has."""
    with pytest.raises(TileError, match="has the columns"):
        tile_grid(tile)


@given(zone=st.integers(1, 60), band=st.sampled_from(BANDS), column=st.integers(0, 7), row=st.sampled_from(ROWS))
@settings(deadline=None, max_examples=200)
def test_every_grid_begins_outside_its_square_by_less_than_60_m(zone: int, band: str, column: int, row: str) -> None:
    """Origins lie on multiples of 60 m from the equator, so that 10, 20 and 60 m pixels fit; squares on 100 km."""
    grid = tile_grid(f"{zone:02d}{band}{columns_of(zone)[column]}{row}")

    top = grid.y0 - (10_000_000 if band < "N" else 0)
    assert (grid.x0 % 60, top % 60) == (0, 0)
    assert 0 <= (column + 1) * 100_000 - grid.x0 < 60
    assert 0 <= top % 100_000 < 60
    assert grid.bounds()[2] - grid.x0 == TILE_SIZE_M


@given(st.data())
@settings(deadline=None)
def test_bounds_and_windows_are_each_others_inverse(data: st.DataObject) -> None:
    """The bounds of whole pixels hold exactly these pixels."""
    grid = data.draw(grids())
    window = data.draw(windows(grid))

    assert grid.window_of(grid.bounds(window)) == window


def test_places_are_rasterios() -> None:
    """Transform, centres and bounds against the field's own conventions."""
    grid = a_grid(x0=600_000, y0=5_100_000, pixel=20, width=7, height=5)

    affine = Affine.from_gdal(*grid.gdal_transform)

    assert grid.bounds() == array_bounds(grid.height, grid.width, affine)
    xs, _ = xy(affine, [0] * 7, range(7))
    _, ys = xy(affine, range(5), [0] * 5)
    np.testing.assert_array_equal(grid.x, xs)
    np.testing.assert_array_equal(grid.y, ys)
    assert rowcol(affine, grid.x[3], grid.y[2]) == (2, 3)


def test_a_window_of_bounds_holds_every_pixel_they_reach() -> None:
    """A metre of a pixel is the pixel; an edge is not the next one; what is outside the grid is not there."""
    grid = a_grid(x0=1000, y0=2000, pixel=10, width=10, height=10)

    assert grid.window_of((1019.9, 1960, 1040, 1980.1)) == Window(1, 1, 3, 3)
    assert grid.window_of((1020, 1960, 1040, 1980)) == Window(2, 2, 2, 2)
    assert grid.window_of((0, 0, 1005, 1915)) == Window(8, 0, 2, 1)
    assert grid.window_of((0, 0, 5000, 5000)) == Window(0, 0, 10, 10)
    assert grid.window_of((1100, 1900, 1200, 2000)) is None
    assert grid.window_of((5000, 5000, 5001, 5001)) is None


def test_padding_stops_at_the_grids_edge() -> None:
    """Each side for itself."""
    grid = a_grid(width=100, height=50)

    assert Window(20, 30, 5, 6).pad(3, grid) == Window(17, 27, 11, 12)
    assert Window(1, 30, 5, 6).pad(3, grid) == Window(0, 27, 9, 12)
    assert Window(44, 93, 5, 6).pad(3, grid) == Window(41, 90, 9, 10)
    assert Window(20, 30, 5, 6).pad(0, grid) == Window(20, 30, 5, 6)


@given(st.data())
@settings(deadline=None)
def test_the_pixels_in_both_windows(data: st.DataObject) -> None:
    """Against counting them."""
    grid = a_grid(width=30, height=30)
    one, other = data.draw(windows(grid)), data.draw(windows(grid))

    shared = one.intersect(other)

    pixels = np.zeros((30, 30), int)
    pixels[one.rows, one.cols] += 1
    pixels[other.rows, other.cols] += 1
    both = np.zeros((30, 30), bool)
    if shared is not None:
        both[shared.rows, shared.cols] = True
    np.testing.assert_array_equal(both, pixels == 2)
    assert other.intersect(one) == shared
