"""Pictures show each block in its place, at any stride."""

import numpy as np
import pytest
import shapely

from mrv_assets.science.grid import Grid, Window
from mrv_assets.science.preview import MARGIN_PX, Canvas, coverage_picture, index_picture

GRID = Grid(crs="EPSG:32634", x0=500_000.0, y0=5_100_000.0, dx=10.0, dy=-10.0, width=10980, height=10980)


def parcels(side_m: float) -> np.ndarray:
    west, north = 500_000 + 9_000, 5_100_000 - 9_000
    return np.array([shapely.box(west, north - side_m, west + side_m, north)], dtype=object)


@pytest.mark.parametrize("side_m", [200.0, 30_000.0])
def test_pieces_of_blocks_make_the_same_picture_as_the_whole(side_m: float) -> None:
    """Four blocks pasted together equal one window, whatever the stride."""
    canvas = Canvas.over(GRID, parcels(side_m))
    whole = np.arange(5000 * 5000, dtype=np.float32).reshape(5000, 5000)
    blocks = [Window(r, c, 1024, 1024) for r in range(0, 4096, 1024) for c in range(0, 4096, 1024)]

    pasted = canvas.paste([canvas.piece(whole[b.rows, b.cols], b) for b in blocks if touches(b, canvas.window)])

    expected = whole[canvas.window.rows, canvas.window.cols][:: canvas.stride, :: canvas.stride]
    np.testing.assert_array_equal(pasted, expected)


def touches(a: Window, b: Window) -> bool:
    return a.row < b.row + b.height and b.row < a.row + a.height and a.col < b.col + b.width and b.col < a.col + a.width


def test_the_picture_shows_the_parcels_and_a_margin() -> None:
    """A parcel of 20 pixels with its margin on each side."""
    canvas = Canvas.over(GRID, parcels(200.0))

    assert canvas.window.row == 900 - MARGIN_PX
    assert canvas.stride == 1
    assert canvas.outline.any()
    assert not canvas.outline[0].any()


def test_colours_tell_seen_from_unseen_and_missing_from_low() -> None:
    """Seen, unseen and outside differ; a missing index is not a low one."""
    canvas = Canvas.over(GRID, parcels(200.0))
    states = np.zeros(canvas.shape, np.float32)
    states[0, 0], states[0, 1] = 1, 2
    values = np.zeros(canvas.shape, np.float32)
    values[0, 0], values[0, 1] = np.nan, 0.9

    zoom = coverage_picture(states, canvas).shape[1] // canvas.shape[1]
    coverage = coverage_picture(states, canvas)[::zoom, ::zoom]
    index = index_picture(values, canvas)[::zoom, ::zoom]

    assert len({tuple(coverage[0, i]) for i in range(3)}) == 3
    assert len({tuple(index[0, i]) for i in range(3)}) == 3
