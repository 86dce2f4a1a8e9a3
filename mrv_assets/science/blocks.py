"""Blocks: the unit of work, 1024 x 1024 pixels cut from the analysis grid's origin."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from mrv_assets.science.grid import Grid, Window

BLOCK = 1024
"""Side of a block, pixels; part of the lake's format."""
HALO_PX = 16
"""Margin around every active block in which quality is aligned, pixels; dilation may reach as far.

Part of the lake's format."""


@dataclass(frozen=True, order=True)
class Block:
    """One block, by its row and column in the grid of blocks."""

    row: int
    col: int


def block_window(grid: Grid, block: Block) -> Window:
    """The pixels of a block; blocks at the far edges are smaller."""
    row, col = block.row * BLOCK, block.col * BLOCK
    return Window(row, col, min(BLOCK, grid.height - row), min(BLOCK, grid.width - col))


def active_blocks(grid: Grid, geometries: NDArray[np.object_]) -> tuple[Block, ...]:
    """The blocks that touch a parcel, sorted.

    Args:
        grid: The analysis grid.
        geometries: Polygons in the grid's CRS.
    """
    blocks = [Block(r, c) for r in range(-(-grid.height // BLOCK)) for c in range(-(-grid.width // BLOCK))]
    tree = shapely.STRtree([shapely.box(*grid.bounds(block_window(grid, block))) for block in blocks])
    touched = np.unique(tree.query(geometries, predicate="intersects")[1])
    return tuple(blocks[index] for index in touched)


def halo_blocks(grid: Grid, active: Sequence[Block], pixels: int) -> dict[Block, tuple[Window, ...]]:
    """The strips of inactive blocks that lie within a given distance of an active block.

    Args:
        grid: The analysis grid.
        active: Active blocks.
        pixels: Distance from the active block, pixels; less than a block.

    Returns:
        The strips by inactive block: absolute windows, sorted.
    """
    known = set(active)
    strips: dict[Block, set[Window]] = {}
    for block in active:
        padded = block_window(grid, block).pad(pixels, grid)
        for row in (block.row - 1, block.row, block.row + 1):
            for col in (block.col - 1, block.col, block.col + 1):
                neighbour = Block(row, col)
                if neighbour in known or row < 0 or col < 0 or row * BLOCK >= grid.height or col * BLOCK >= grid.width:
                    continue
                strip = padded.intersect(block_window(grid, neighbour))
                if strip is not None:
                    strips.setdefault(neighbour, set()).add(strip)
    return {block: tuple(sorted(strips[block])) for block in sorted(strips)}
