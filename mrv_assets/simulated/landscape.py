"""The ground itself: what covers each point of it on each day. Every mission sees the same.

A pure function of a seed, metres in one UTM zone, and a day.
"""

from dataclasses import dataclass
from datetime import date

import numpy as np
import shapely
from numpy.typing import NDArray

from mrv_assets.simulated.cover import Cover
from mrv_assets.simulated.noise import Floats, Places, rough, seed_of, smooth, uniform

LAKES_M, LAKES_BELOW = 2600.0, 0.24
FOREST_M, FOREST_FROM = 1500.0, 0.44
FIELD_M = (180.0, 140.0)
"""Width and height of a field."""
CROP_SHARE = 0.75
"""The other fields lie bare."""
TEXTURE_M = 90.0
FIELD_TEXTURE = 0.5
"""Share of a field's texture that is the same all over the field."""


@dataclass(frozen=True, kw_only=True)
class Clearing:
    """Forest that is felled: all of it forest before its day, all of it bare from that day on."""

    name: str
    outline: shapely.Polygon
    """In the frame's CRS, metres."""
    day: date
    """The first day without forest, UTC."""


@dataclass(frozen=True, kw_only=True)
class Landscape:
    """Lakes, forests and fields, drawn by a seed, and the clearings in them."""

    seed: int
    clearings: tuple[Clearing, ...] = ()

    def cleared(self, day: date) -> tuple[bool, ...]:
        """For each clearing, whether it has happened by the end of a day. Nothing else changes the cover."""
        return tuple(clearing.day <= day for clearing in self.clearings)


def cover_at(landscape: Landscape, places: Places, cleared: tuple[bool, ...]) -> NDArray[np.uint8]:
    """Cover of each place: values of :class:`Cover`, uint8, the places' shape.

    Args:
        landscape: The ground.
        places: Where.
        cleared: Which clearings have happened, as :meth:`Landscape.cleared` says.
    """
    seed = landscape.seed
    lakes = rough(seed_of(seed, "lakes"), places, LAKES_M, 2)
    woods = rough(seed_of(seed, "forest"), places, FOREST_M, 4)
    fields = np.where(_field(seed, "crop", places) < CROP_SHARE, np.uint8(Cover.CROP), np.uint8(Cover.BARE))
    cover = np.where(woods >= FOREST_FROM, np.uint8(Cover.FOREST), fields)
    cover[lakes < LAKES_BELOW] = Cover.WATER
    for clearing, done in zip(landscape.clearings, cleared, strict=True):
        cover[_inside(clearing.outline, places)] = Cover.BARE if done else Cover.FOREST
    return cover


def texture_at(landscape: Landscape, places: Places) -> Floats:
    """Density of the ground's cover relative to the mean of its kind: [-1, 1], float64, the places' shape."""
    own = 2 * smooth(seed_of(landscape.seed, "texture"), places, TEXTURE_M) - 1
    field = 2 * _field(landscape.seed, "vigour", places) - 1
    return (1 - FIELD_TEXTURE) * own + FIELD_TEXTURE * field


def _field(seed: int, what: str, places: Places) -> Floats:
    """A number in [0, 1) that is the same all over a field."""
    width, height = FIELD_M
    col, row = (np.floor(at / size).astype(np.int64) for at, size in ((places.x, width), (places.y, height)))
    return uniform(seed_of(seed, what), row, col)


def _inside(outline: shapely.Polygon, places: Places) -> NDArray[np.bool_]:
    west, south, east, north = outline.bounds
    near = (places.x >= west) & (places.x <= east) & (places.y >= south) & (places.y <= north)
    if near.any():
        x, y = (np.broadcast_to(at, near.shape)[near] for at in (places.x, places.y))
        shapely.prepare(outline)
        near[near] = shapely.contains_xy(outline, x, y)
    return near
