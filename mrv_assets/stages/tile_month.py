"""One tile and month of a programme: its grid, its parcels, and the blocks that touch a parcel."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import shapely
from numpy.typing import NDArray

from mrv_assets.audit.canonical import Json
from mrv_assets.audit.record import Partition
from mrv_assets.scenes.bbox import spans
from mrv_assets.science.blocks import BLOCK, Block
from mrv_assets.science.grid import Grid


@dataclass(frozen=True, kw_only=True)
class TileParcels:
    """The parcels a tile owns, in order of their id; arrays run parallel."""

    parcel_id: tuple[str, ...]
    part: tuple[str | None, ...]
    """Tile of the piece, for a parcel too large for one tile; None when the parcel is whole."""
    geom_sha256: tuple[str, ...]
    area_ha: tuple[float, ...]
    """Geodesic area on WGS84, hectares."""
    lonlat: NDArray[np.object_]
    """Polygons in longitude and latitude, WGS84 degrees."""
    projected: NDArray[np.object_]
    """The same polygons in the CRS of the tile's analysis grid."""

    @property
    def identity(self) -> list[list[str | None]]:
        """Id, part and geometry digest of each parcel, as a record states them."""
        return [[i, p, g] for i, p, g in zip(self.parcel_id, self.part, self.geom_sha256, strict=True)]


@dataclass(frozen=True, kw_only=True)
class TileMonth:
    """One tile and month: the part that all plans for it have in common."""

    tile: str
    month: str
    """UTC month, ``YYYY-MM``."""
    grid: Grid
    """The tile's analysis grid."""
    parcels: TileParcels
    active: tuple[Block, ...]
    """Blocks that touch a parcel, sorted."""

    def partition(self, asset: str) -> Partition:
        """The partition of an asset for this tile and month."""
        return Partition(asset, self.tile, self.month)

    def manifest(self, **parameters: object) -> Json:
        """The parameter manifest of a stage: its grid, its blocks, and the stage's own parameters."""
        return {
            "crs": self.grid.crs,
            "resolution_m": self.grid.dx,
            "grid": [self.grid.x0, self.grid.y0, self.grid.width, self.grid.height],
            "block_px": BLOCK,
            "active_blocks": [[block.row, block.col] for block in self.active],
            **parameters,
        }


def active_of(manifest: Json) -> tuple[Block, ...]:
    """The active blocks that a parameter manifest states."""
    return tuple(Block(row, col) for row, col in manifest["active_blocks"])


def month_bounds(month: str) -> tuple[str, str]:
    """First instant of a UTC month and of the next, ISO 8601: the half-open interval of its scenes."""
    year, number = (int(part) for part in month.split("-"))
    following = (year + 1, 1) if number == 12 else (year, number + 1)
    return f"{month}-01T00:00:00Z", f"{following[0]:04d}-{following[1]:02d}-01T00:00:00Z"


def lonlat_bounds(geometries: Sequence[object] | NDArray[np.object_]) -> tuple[float, float, float, float]:
    """West, south, east, north of polygons, degrees; west exceeds east where they lie around the antimeridian.

    It is the smallest box around them: the widest gap between them is not in it.
    """
    parts = shapely.get_parts(np.asarray(geometries, dtype=object))
    bounds = shapely.bounds(parts)
    ranges = sorted(span for west, east in bounds[:, [0, 2]] for span in spans(float(west), float(east)))
    # Gaps between neighbours, and the last one across the antimeridian.
    joined = [ranges[0]]
    for west, east in ranges[1:]:
        if west <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(east, joined[-1][1])
        else:
            joined.append((west, east))
    gaps = [(after[0] - before[1], after[0], before[1]) for before, after in pairwise(joined)]
    outside = (joined[0][0] + 360 - joined[-1][1], joined[0][0], joined[-1][1])
    _, west, east = max([outside, *gaps])
    return west, float(bounds[:, 1].min()), east, float(bounds[:, 3].max())
