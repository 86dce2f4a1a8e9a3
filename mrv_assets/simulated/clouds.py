"""Clouds and their shadows, over a stated share of some ground."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from mrv_assets.simulated.noise import Floats, Places, rough

CLOUD_M, OCTAVES = 900.0, 3
SHADOW_M = (-90.0, 130.0)
"""From a cloud to its shadow, east and north: the sun stands in the south-east. South of the equator north is south."""
MAX_POINTS = 1_000_000
FINEST_M = 10.0

THICK = 0.06
"""Rise of the cloud field from a cloud's edge to where the cloud is thick."""
EDGE_OPACITY = 0.35
"""Opacity of the edge; that of a thick cloud is 1."""
CLOUD_REFLECTANCE = {"blue": 0.58, "red": 0.56, "nir": 0.60, "nir08": 0.60, "swir16": 0.42, "swir22": 0.34}
SHADOW_LIGHT = 0.45
"""Share of the light on the ground that is left in a shadow."""


@dataclass(frozen=True, kw_only=True)
class Sky:
    """The clouds at one moment."""

    seed: int
    level: float
    """Value of the cloud field above which there is cloud; infinite in a clear sky."""
    shadow_m: tuple[float, float]
    """From a cloud to its shadow, east and north."""


@dataclass(frozen=True, kw_only=True)
class Clouds:
    """The cloud and shadow of a sky over some places."""

    opacity: Floats
    """Opacity of the cloud above, (0, 1]; 0 where there is none."""
    shadow: NDArray[np.bool_]
    """True where there is no cloud above, but one between the ground and the sun."""

    def over(self, reflectance: Floats, band: str) -> Floats:
        """The view from above in place of the ground; the same shape."""
        lit = np.where(self.shadow, reflectance * SHADOW_LIGHT, reflectance)
        return lit + (CLOUD_REFLECTANCE[band] - lit) * self.opacity

    def doubled(self) -> "Clouds":
        """The sky over pixels of half the size."""
        return Clouds(opacity=_doubled(self.opacity), shadow=_doubled(self.shadow))


def sky_over(seed: int, share: float, ground: Iterable[shapely.Polygon], *, southern: bool) -> Sky:
    """A sky whose clouds and shadows together cover a share of some ground.

    Args:
        seed: Which sky.
        share: Of the ground's area, in [0, 1]; 0 and 1 hold everywhere, not only on that ground.
        ground: Polygons in the frame's CRS, metres; ground that two share counts once.
        southern: Whether shadows fall to the south.
    """
    east, north = SHADOW_M
    shadow_m = (east, -north if southern else north)
    if share in (0, 1):
        return Sky(seed=seed, level=np.inf if share == 0 else -np.inf, shadow_m=shadow_m)
    unclear = np.maximum(*_fields(seed, shadow_m, _points_in(ground)))
    # The level is the highest of the points that are to stay clear.
    last_clear = min(max(round((1 - share) * unclear.size), 1), unclear.size) - 1
    level = np.partition(unclear.ravel(), last_clear)[last_clear]
    return Sky(seed=seed, level=float(level), shadow_m=shadow_m)


def clouds_at(sky: Sky, places: Places) -> Clouds:
    """The cloud and shadow of a sky over some places."""
    own, between = _fields(sky.seed, sky.shadow_m, places)
    cloud = own > sky.level
    rise = np.ones(own.shape)
    if np.isfinite(sky.level):
        rise = np.minimum((own - sky.level) / THICK, 1.0)
    opacity = np.where(cloud, EDGE_OPACITY + (1 - EDGE_OPACITY) * rise, 0.0)
    return Clouds(opacity=opacity, shadow=~cloud & (between > sky.level))


def _fields(seed: int, shadow_m: tuple[float, float], places: Places) -> tuple[Floats, Floats]:
    """The cloud field above each place, and between it and the sun."""
    east, north = shadow_m
    sunward = Places(x=places.x - east, y=places.y - north)
    return rough(seed, places, CLOUD_M, OCTAVES), rough(seed, sunward, CLOUD_M, OCTAVES)


def _points_in(ground: Iterable[shapely.Polygon]) -> Places:
    """Points in rows and columns, those that lie in any of the polygons; a million at most."""
    whole = shapely.union_all(list(ground))
    parts = [part for part in shapely.get_parts(whole) if part.area > 0]
    boxes = [part.bounds for part in parts]
    area = sum((east - west) * (north - south) for west, south, east, north in boxes)
    step = max(FINEST_M, (area / MAX_POINTS) ** 0.5)
    xs, ys = [], []
    for part, (west, south, east, north) in zip(parts, boxes):
        # From a lattice of all parts, so that neither their order nor their number moves a point.
        cols = np.arange(np.floor(west / step), np.ceil(east / step)) + 0.5
        rows = np.arange(np.floor(south / step), np.ceil(north / step)) + 0.5
        x, y = (at.ravel() for at in np.meshgrid(cols * step, rows * step))
        shapely.prepare(part)
        inside = shapely.contains_xy(part, x, y)
        xs.append(x[inside])
        ys.append(y[inside])
    return Places(x=np.concatenate(xs)[np.newaxis, :], y=np.concatenate(ys)[np.newaxis, :])


def _doubled(coarse: NDArray[Any]) -> NDArray[Any]:
    return coarse.repeat(2, axis=0).repeat(2, axis=1)
