"""The coordinate system of a parcels file: WGS84 in every spelling, or one whose shift to WGS84 is known."""

import math
import re
from collections.abc import Iterator

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
CELL_DEG = 2.0
"""Side of the cells in which one transformation is chosen, degrees."""
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
    for near in _neighbours(crs, geometry):
        transformer = _transformer(crs, geometry[near])

        def moved(points: NDArray[np.float64], by: Transformer = transformer) -> NDArray[np.float64]:
            return np.column_stack(by.transform(points[:, 0], points[:, 1]))

        lonlat[near] = shapely.transform(geometry[near], moved)
    # Rounding would repair invalid polygons, which are reported instead.
    whole = shapely.is_valid(lonlat) & np.isfinite(shapely.bounds(lonlat)).all(axis=1)
    lonlat[whole] = shapely.set_precision(lonlat[whole], LONLAT_STEP)
    return lonlat


def _neighbours(crs: CRS, geometry: NDArray[np.object_]) -> Iterator[NDArray[np.int64]]:
    """Positions of the parcels of each cell of some degrees: the best transformation differs between regions."""
    bounds = shapely.bounds(geometry)
    known = np.flatnonzero(np.isfinite(bounds).all(axis=1))
    if not known.size:
        return
    x, y = (bounds[known, :2] + bounds[known, 2:]).T / 2
    rough = TransformerGroup(crs, WGS84, always_xy=True).transformers
    lon, lat = rough[0].transform(x, y) if rough else (x, y)
    cells = np.floor(np.nan_to_num(np.column_stack([lon, lat]), posinf=0, neginf=0) / CELL_DEG)
    for cell in np.unique(cells, axis=0):
        yield known[(cells == cell).all(axis=1)]


def _check_earth(crs: CRS) -> None:
    cure = "Reproject the parcels to WGS84 longitude and latitude, such as with to_crs of geopandas"
    if crs.is_engineering or crs.ellipsoid is None:
        raise CrsError(f"its CRS {crs.name!r} is a local grid, which has no place on Earth", cure)
    if crs.is_geocentric:
        raise CrsError(f"its CRS {crs.name!r} counts from the Earth's centre, and parcels lie on its surface", cure)
    axis = crs.ellipsoid.semi_major_metre
    if not EARTH_M[0] <= axis <= EARTH_M[1]:
        raise CrsError(f"its CRS {crs.name!r} is not of the Earth: its radius is {axis / 1000:.0f} km", cure)


def _transformer(crs: CRS, geometry: NDArray[np.object_]) -> Transformer:
    """The best transformation to WGS84 at the parcels' place.

    Raises:
        CrsError: When its accuracy is not known, or too low: PROJ would shift some datums not at all, without a word.
    """
    west, south, east, north = shapely.total_bounds(geometry)
    rough = TransformerGroup(crs, WGS84, always_xy=True).transformers
    corners = rough[0].transform([west, east, west, east], [south, north, north, south]) if rough else ([], [])
    known = all(map(math.isfinite, (*corners[0], *corners[1]))) and len(corners[0]) > 0
    area = AreaOfInterest(min(corners[0]), min(corners[1]), max(corners[0]), max(corners[1])) if known else None
    found = TransformerGroup(crs, WGS84, always_xy=True, area_of_interest=area).transformers  # type: ignore[arg-type]  # two classes of one name
    best = next((one for one in found if 0 <= one.accuracy <= ACCURACY_M and "allpark" not in one.description), None)
    if best is None:
        accuracy = f"{found[0].accuracy:g} m" if found and found[0].accuracy >= 0 else "unknown"
        raise CrsError(
            f"the shift of its CRS {crs.name!r} to WGS84 is not known to {ACCURACY_M:g} m at the parcels' place "
            f"(accuracy {accuracy})",
            "Reproject the parcels to WGS84 with software that has the grids of your country, and check them on a map",
        )
    return best
