"""Blocks: how a grid is cut, which blocks a parcel needs, and what dilation needs around them."""

from itertools import product

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from resample_builders import a_grid

from mrv_assets.science.blocks import BLOCK, Block, active_blocks, block_window, halo_blocks
from mrv_assets.science.grid import Grid, Window, tile_grid

TILE = tile_grid("34TER")
SMALL = a_grid(width=3 * BLOCK + 100, height=2 * BLOCK + 50)
ALL = tuple(Block(row, col) for row, col in product(range(3), range(4)))
"""The blocks of SMALL."""


def some_pixels(grid: Grid, row: float, col: float, height: float = 1, width: float = 1) -> np.ndarray:
    """One parcel, given in pixels of a grid."""
    west, north = grid.x0 + col * grid.dx, grid.y0 + row * grid.dy
    return np.array([shapely.box(west, north + height * grid.dy, west + width * grid.dx, north)], dtype=object)


def cover(grid: Grid, *found: Window) -> np.ndarray:
    """True on the pixels of windows."""
    pixels = np.zeros((grid.height, grid.width), bool)
    for window in found:
        pixels[window.rows, window.cols] = True
    return pixels


def test_the_size_of_a_block_is_part_of_the_format() -> None:
    """Another size would be another lake."""
    assert BLOCK == 1024
    assert block_window(TILE, Block(2, 3)) == Window(2048, 3072, 1024, 1024)


def test_blocks_cover_a_grid_once() -> None:
    """Blocks at the far edges are what is left."""
    counts = np.zeros((SMALL.height, SMALL.width), int)

    for block in ALL:
        window = block_window(SMALL, block)
        counts[window.rows, window.cols] += 1

    assert (counts == 1).all()
    assert block_window(SMALL, Block(2, 3)) == Window(2048, 3072, 50, 100)


def test_a_parcel_inside_a_block_needs_that_one() -> None:
    """Cost grows with the parcels' area, not with the tile's."""
    parcels = some_pixels(TILE, 5000.5, 7000.5, 10, 10)

    assert active_blocks(TILE, parcels) == (Block(4, 6),)


def test_part_of_a_pixel_is_enough() -> None:
    """Statistics weigh a pixel by the fraction inside, however small."""
    parcels = some_pixels(TILE, 1000, 1000, 24.01, 24.01)

    assert active_blocks(TILE, parcels) == (Block(0, 0), Block(0, 1), Block(1, 0), Block(1, 1))


def test_a_parcel_needs_only_blocks_its_outline_meets() -> None:
    """Not all of its bounding box: a long diagonal forest, or one with a hole."""
    x, y = SMALL.x0, SMALL.y0
    step = BLOCK * 10
    diagonal = shapely.LineString([(x + step / 2, y - step / 2), (x + 1.5 * step, y - 1.4 * step)]).buffer(1)
    ring = shapely.box(x + 10, y - 3 * step, x + 3 * step, y - 10)
    ring = ring - shapely.box(x + 0.9 * step, y - 3 * step, x + 2.1 * step, y - 0.9 * step)

    assert len(active_blocks(SMALL, np.array([diagonal], dtype=object))) == 3
    assert Block(1, 1) not in active_blocks(SMALL, np.array([ring], dtype=object))


def test_blocks_come_sorted_and_once() -> None:
    """Whatever the order of the parcels and however many share a block."""
    parcels = np.concatenate([some_pixels(TILE, row, col) for row, col in [(9000, 3), (5, 9000), (5, 9), (6, 7)]])

    found = active_blocks(TILE, parcels)

    assert found == (Block(0, 0), Block(0, 8), Block(8, 0))
    assert active_blocks(TILE, parcels[::-1]) == found


def test_a_parcel_outside_the_grid_needs_none() -> None:
    """Nothing is invented at the edge."""
    assert active_blocks(TILE, some_pixels(TILE, -20, -20, 10, 10)) == ()
    assert active_blocks(TILE, some_pixels(TILE, 10_990, 5)) == ()


@given(active=st.sets(st.sampled_from(ALL), min_size=1), pixels=st.integers(0, 60))
@settings(deadline=None, max_examples=30)
def test_the_halo_is_what_lies_near_active_blocks_and_not_in_them(active: set[Block], pixels: int) -> None:
    """Against growing each active block on the pixels themselves; 60 is more than the smallest block is high."""
    halo = halo_blocks(SMALL, sorted(active), pixels)

    near = cover(SMALL, *(block_window(SMALL, block).pad(pixels, SMALL) for block in active))
    inside = cover(SMALL, *(block_window(SMALL, block) for block in active))
    strips = [strip for found in halo.values() for strip in found]
    np.testing.assert_array_equal(cover(SMALL, *strips), near & ~inside)
    assert list(halo) == sorted(halo)
    assert not active & set(halo)


@given(active=st.sets(st.sampled_from(ALL), min_size=1))
@settings(deadline=None, max_examples=30)
def test_a_strip_lies_in_its_block(active: set[Block]) -> None:
    """Each strip is stored in the chunk of the block it belongs to."""
    halo = halo_blocks(SMALL, sorted(active), 16)

    for block, strips in halo.items():
        own = block_window(SMALL, block)
        assert strips
        assert all(strip.intersect(own) == strip for strip in strips)


def test_the_halo_of_one_block_in_the_middle() -> None:
    """Four sides and four corners, by hand."""
    halo = halo_blocks(SMALL, [Block(1, 1)], 16)

    assert halo == {
        Block(0, 0): (Window(1008, 1008, 16, 16),),
        Block(0, 1): (Window(1008, 1024, 16, 1024),),
        Block(0, 2): (Window(1008, 2048, 16, 16),),
        Block(1, 0): (Window(1024, 1008, 1024, 16),),
        Block(1, 2): (Window(1024, 2048, 1024, 16),),
        Block(2, 0): (Window(2048, 1008, 16, 16),),
        Block(2, 1): (Window(2048, 1024, 16, 1024),),
        Block(2, 2): (Window(2048, 2048, 16, 16),),
    }


@pytest.mark.parametrize("resolution_m", [10, 20, 30, 60])
def test_no_halo_reaches_past_a_neighbour(resolution_m: int) -> None:
    """The last block of a tile is smaller, and at every resolution still wider than the halo of 16 pixels."""
    grid = tile_grid("34TER", resolution_m)

    last = block_window(grid, Block((grid.height - 1) // BLOCK, (grid.width - 1) // BLOCK))

    assert min(last.height, last.width) >= 16
