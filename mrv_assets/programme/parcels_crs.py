"""The coordinate system of a parcels file: WGS84 in every spelling, or one whose shift to WGS84 is known."""

import re
import warnings
from collections.abc import Iterator, Sequence

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from pyproj.aoi import AreaOfInterest
from pyproj.transformer import TransformerGroup

from mrv_assets.science.tiles import LONLAT_STEP, WGS84

ACCURACY_M = 10.0
"""Most metres by which a transformation to WGS84 may be off: a pixel."""
EARTH_M = 6.3e6, 6.4e6
"""Range of an ellipsoid's semi-major axis on Earth, metres."""

_CRS84 = re.compile(
    r"(?:urn:(?:ogc|x-ogc):def:crs:OGC:[\d.]*:|https?://(?:www\.)?opengis\.net/def/crs/OGC/[\d.]+/|OGC:(?:1\.3:)?|)CRS84h?/?",
    re.IGNORECASE,
)
_EPSG4326 = re.compile(
    r"(?:urn:(?:ogc|x-ogc):def:crs:EPSG:[\d.]*:|https?://(?:www\.)?opengis\.net/def/crs/EPSG/[\d.]+/|EPSG:)4326/?",
    re.IGNORECASE,
)


class CrsError(ValueError):
    """A CRS that parcels cannot be in; the text says why, and what to do."""

    def __init__(self, reason: str, cure: str) -> None:
        super().__init__(reason, cure)
        self.reason, self.cure = reason, cure


def check_geojson_crs(stated: object) -> None:
    """Check a ``crs`` member of GeoJSON, which RFC 7946 has no more: it has to name WGS84 longitude and latitude.

    Raises:
        CrsError: When it names another CRS, or none that can be read.
    """
    properties = stated.get("properties") if isinstance(stated, dict) else None
    name = properties.get("name") if isinstance(properties, dict) else stated if isinstance(stated, str) else None
    if not (isinstance(name, str) and (_CRS84.fullmatch(name.strip()) or _EPSG4326.fullmatch(name.strip()))):
        raise CrsError(
            f"its CRS is {name or stated}, and GeoJSON is in longitude and latitude",
            "Reproject it to WGS84 longitude and latitude, or write it as GeoParquet, which may be in any CRS",
        )


def lonlat_of(frame: gpd.GeoDataFrame) -> NDArray[np.object_]:
    """Geometries in longitude and latitude: as the file has them, or rounded where they had to be computed.

    Raises:
        CrsError: When the CRS is unknown, is not one of the Earth, or its shift to WGS84 is not known to 10 m here.
    """
    geometry = np.asarray(shapely.force_2d(np.asarray(frame.geometry, dtype=object)), dtype=object)
    crs = frame.crs
    if crs is None:
        raise CrsError(
            "it does not say which CRS its coordinates are in",
            "State the CRS, such as with set_crs of geopandas, and write it again",
        )
    _check_earth(crs)
    if crs.equals(WGS84, ignore_axis_order=True):
        return geometry
    lonlat = geometry.copy()
    for alike, bounds in _alike(crs, geometry):
        transformer = _transformer(crs, bounds)

        def moved(points: NDArray[np.float64], by: Transformer = transformer) -> NDArray[np.float64]:
            return np.column_stack(by.transform(points[:, 0], points[:, 1]))

        lonlat[alike] = shapely.transform(geometry[alike], moved)
    # Rounding would repair invalid polygons, which are reported instead.
    whole = shapely.is_valid(lonlat) & np.isfinite(shapely.bounds(lonlat)).all(axis=1)
    lonlat[whole] = shapely.set_precision(lonlat[whole], LONLAT_STEP)
    return lonlat


def _alike(crs: CRS, geometry: NDArray[np.object_]) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float64] | None]]:
    """Parcels that have their best transformation in common, whichever others are in the file.

    PROJ chooses by the areas for which transformations are made. Parcels in the same of these areas, and at the edge of
    none, have the same; a parcel at an edge is chosen for alone.

    Yields:
        Positions, with west, south, east, north of one of the parcels in degrees; None where that is not known.
    """
    bounds = shapely.bounds(geometry)
    known = np.flatnonzero(np.isfinite(bounds).all(axis=1))
    if not known.size:
        return
    every = _transformers(crs)
    rough = _rough_bounds(every, bounds[known])
    placed = np.isfinite(rough).all(axis=1)
    if not placed.all():
        yield known[~placed], None
    known, rough = known[placed], rough[placed]
    areas = [one.area_of_use.bounds for one in every if one.area_of_use is not None]
    relations = np.column_stack([np.zeros(len(known), int), *(_relation(rough, area) for area in areas)])
    at_an_edge = (relations == _AT_EDGE).any(axis=1)
    for position in np.flatnonzero(at_an_edge):
        yield known[[position]], rough[position]
    inside = np.flatnonzero(~at_an_edge)
    patterns, pattern_of = np.unique(relations[inside], axis=0, return_inverse=True)
    for number in range(len(patterns)):
        alike = inside[pattern_of.reshape(-1) == number]
        yield known[alike], rough[alike[0]]


_WITHIN, _AT_EDGE, _OUTSIDE = 0, 1, 2


def _rough_bounds(transformers: Sequence[Transformer], bounds: NDArray[np.float64]) -> NDArray[np.float64]:
    """West, south, east, north of parcels, degrees, good enough to find their areas; infinite where unknown."""
    if not transformers:
        return np.full(bounds.shape, np.inf)
    west, south, east, north = bounds.T
    xs, ys = np.stack([west, east, west, east]), np.stack([south, north, north, south])
    lon, lat = (np.asarray(part) for part in transformers[0].transform(xs, ys))
    return np.column_stack([lon.min(axis=0), lat.min(axis=0), lon.max(axis=0), lat.max(axis=0)])


def _relation(boxes: NDArray[np.float64], area: tuple[float, float, float, float]) -> NDArray[np.int64]:
    """Whether boxes are within an area of use, at its edge or outside; west may exceed an area's east."""
    west, south, east, north = boxes.T
    spans = [(area[0], area[2])] if area[0] <= area[2] else [(area[0], 180.0), (-180.0, area[2])]
    within, touched = np.zeros(len(boxes), bool), np.zeros(len(boxes), bool)
    for start, end in spans:
        within |= (west > start) & (east < end) & (south > area[1]) & (north < area[3])
        touched |= (west <= end) & (east >= start) & (south <= area[3]) & (north >= area[1])
    return np.where(within, _WITHIN, np.where(touched, _AT_EDGE, _OUTSIDE))


def _check_earth(crs: CRS) -> None:
    cure = "Reproject the parcels to WGS84 longitude and latitude, such as with to_crs of geopandas"
    if crs.is_engineering or crs.ellipsoid is None:
        raise CrsError(f"its CRS {crs.name!r} is a local grid, which has no place on Earth", cure)
    if crs.is_geocentric:
        raise CrsError(f"its CRS {crs.name!r} counts from the Earth's centre, and parcels lie on its surface", cure)
    axis = crs.ellipsoid.semi_major_metre
    if not EARTH_M[0] <= axis <= EARTH_M[1]:
        raise CrsError(f"its CRS {crs.name!r} is not of the Earth: its radius is {axis / 1000:.0f} km", cure)


def _transformer(crs: CRS, bounds: NDArray[np.float64] | None) -> Transformer:
    """The best transformation to WGS84 at a place.

    Args:
        crs: The CRS of the parcels.
        bounds: West, south, east, north of the place, degrees; None where it is not known.

    Raises:
        CrsError: When its accuracy is not known, or too low: PROJ would shift some datums not at all, without a word.
    """
    found = _transformers(crs, None if bounds is None else AreaOfInterest(*(float(edge) for edge in bounds)))
    best = next((one for one in found if 0 <= one.accuracy <= ACCURACY_M and "allpark" not in one.description), None)
    if best is None:
        accuracy = f"{found[0].accuracy:g} m" if found and found[0].accuracy >= 0 else "unknown"
        raise CrsError(
            f"the shift of its CRS {crs.name!r} to WGS84 is not known to {ACCURACY_M:g} m at the parcels' place "
            f"(accuracy {accuracy})",
            "Reproject the parcels to WGS84 with software that has the grids of your country, and check them on a map",
        )
    return best


def _transformers(crs: CRS, area: AreaOfInterest | None = None) -> Sequence[Transformer]:
    """The transformations to WGS84 that are installed, the best first: in some area, or all."""
    with warnings.catch_warnings():
        # It warns of better ones that lack their grids; the accuracy of those that there are decides.
        warnings.simplefilter("ignore", UserWarning)
        return TransformerGroup(crs, WGS84, always_xy=True, area_of_interest=area).transformers  # type: ignore[arg-type]  # two classes of one name
