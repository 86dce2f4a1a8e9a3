"""The parcels file: GeoJSON or GeoParquet polygons, each with an id of its own. All problems are reported at once."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import shape

from mrv_assets.errors import Problem, ProgramError
from mrv_assets.science.tiles import LONLAT_STEP, WGS84

SOUTH, NORTH = -80.0, 84.0
"""Latitudes where UTM, and with it the tile grid, ends."""

# RFC 7946 allows longitude and latitude only; files by its predecessor may still name that CRS.
_GEOJSON_CRS = {
    "urn:ogc:def:crs:OGC:1.3:CRS84",
    "urn:ogc:def:crs:OGC::CRS84",
    "EPSG:4326",
    "urn:ogc:def:crs:EPSG::4326",
}


@dataclass(frozen=True, kw_only=True)
class _Row:
    """A feature or row as the file has it."""

    id_field: str
    geometry_field: str
    parcel_id: object
    geometry: Any
    """Longitude and latitude; None where the file has none."""
    unreadable: bool = False
    """The file has a geometry, but not one that can be read."""


def read_parcels(path: Path) -> gpd.GeoDataFrame:
    """The parcels of a GeoJSON or GeoParquet file.

    GeoJSON is in WGS84 degrees; GeoParquet may be in any CRS, and then longitudes and latitudes are rounded to 1e-9
    degrees (0.1 mm). Heights are dropped. A parcel across the antimeridian is a multipolygon split there.

    Returns:
        Columns ``parcel_id`` (text, unique) and ``geometry`` (valid polygons, EPSG:4326), sorted by id.

    Raises:
        ProgramError: With every problem of the file.
    """
    try:
        rows = _geoparquet(path) if path.suffix.lower() in (".parquet", ".geoparquet") else _geojson(path)
    except _Unreadable as error:
        raise ProgramError(str(path), (error.problem,)) from error.__cause__
    problems = [problem for row in rows for problem in _geometry_problems(row)] + _id_problems(rows)
    if not rows:
        problems.append(Problem(field=path.name, reason="it has no parcels", cure="Add a polygon with a parcel_id"))
    if problems:
        raise ProgramError(str(path), tuple(problems))
    ids = [str(row.parcel_id) for row in rows]
    frame = gpd.GeoDataFrame({"parcel_id": ids}, geometry=[row.geometry for row in rows], crs=WGS84)
    return frame.sort_values("parcel_id", ignore_index=True)


class _Unreadable(Exception):
    """The file as a whole is not a parcels file."""

    def __init__(self, path: Path, reason: str, cure: str) -> None:
        super().__init__(path, reason, cure)
        self.problem = Problem(field=path.name, reason=reason, cure=cure)


def _geojson(path: Path) -> list[_Row]:
    cure = "Write a GeoJSON FeatureCollection in WGS84, or GeoParquet with the ending .parquet"
    try:
        document = json.loads(path.read_bytes(), parse_constant=_no_constant)
    except FileNotFoundError:
        raise _Unreadable(path, "there is no such file", "Write the path as seen from the programme file") from None
    except OSError as error:
        raise _Unreadable(path, f"it cannot be read ({error.strerror})", "Name a readable file") from None
    except (ValueError, RecursionError) as error:
        raise _Unreadable(path, f"it is not JSON ({error})", cure) from None
    features = document.get("features") if isinstance(document, dict) else None
    if not isinstance(features, list) or document.get("type") != "FeatureCollection":
        raise _Unreadable(path, "it is not a FeatureCollection", cure)
    crs = document.get("crs")
    stated = crs.get("properties", {}).get("name") if isinstance(crs, dict) else None
    if crs is not None and stated not in _GEOJSON_CRS:
        cure = "Reproject it to WGS84 longitude and latitude, or write it as GeoParquet, which may be in any CRS"
        raise _Unreadable(path, f"its CRS is {stated or crs}, and GeoJSON is in longitude and latitude", cure)
    return [_feature(f"{path.name}: features[{number}]", feature) for number, feature in enumerate(features)]


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not a number")


def _feature(field: str, feature: Any) -> _Row:
    feature = feature if isinstance(feature, dict) else {}
    properties, geometry, unreadable = feature.get("properties"), None, False
    if feature.get("geometry") is not None:
        try:
            geometry = shapely.force_2d(shape(feature["geometry"]))
        except Exception:
            # Shapely raises many kinds of errors for a malformed geometry; none of them tells more than this.
            unreadable = True
    return _Row(
        id_field=f"{field}.properties.parcel_id",
        geometry_field=f"{field}.geometry",
        parcel_id=properties.get("parcel_id") if isinstance(properties, dict) else None,
        geometry=geometry,
        unreadable=unreadable,
    )


def _geoparquet(path: Path) -> list[_Row]:
    if not path.exists():
        raise _Unreadable(path, "there is no such file", "Write the path as seen from the programme file")
    try:
        frame = gpd.read_parquet(path)
    except Exception as error:
        # A damaged Parquet file raises many kinds of errors, and all of them are faults of the file.
        raise _Unreadable(path, f"it is not GeoParquet ({error})", "Write it with geopandas or QGIS") from error
    if frame.crs is None:
        cure = "State the CRS, such as with set_crs of geopandas, and write it again"
        raise _Unreadable(path, "it does not say which CRS its coordinates are in", cure)
    geometry = _lonlat(frame)
    ids = frame["parcel_id"].tolist() if "parcel_id" in frame else [None] * len(frame)
    return [
        _Row(
            id_field=f"{path.name}: row[{number}].parcel_id",
            geometry_field=f"{path.name}: row[{number}].{frame.geometry.name}",
            parcel_id=parcel_id,
            geometry=shapes,
        )
        for number, (parcel_id, shapes) in enumerate(zip(ids, geometry, strict=True))
    ]


def _lonlat(frame: gpd.GeoDataFrame) -> NDArray[np.object_]:
    """Geometries in longitude and latitude, as the file has them, or rounded where they had to be computed."""
    geometry = np.asarray(shapely.force_2d(np.asarray(frame.geometry, dtype=object)), dtype=object)
    if frame.crs.equals(WGS84, ignore_axis_order=True):
        return geometry
    moved = np.array(frame.set_geometry(geometry, crs=frame.crs).to_crs(WGS84).geometry, dtype=np.object_)
    # Rounding would repair invalid polygons, which are reported instead.
    whole = shapely.is_valid(moved) & np.isfinite(shapely.bounds(moved)).all(axis=1)
    moved[whole] = shapely.set_precision(moved[whole], LONLAT_STEP)
    return moved


def _id_problems(rows: Sequence[_Row]) -> list[Problem]:
    problems = []
    first: dict[str, str] = {}
    for row in rows:
        own = "Give every parcel an id of its own, a text without line breaks"
        text = str(row.parcel_id)
        if row.parcel_id is None or row.parcel_id == "":
            problems.append(Problem(field=row.id_field, reason="it is missing", cure=own))
        elif isinstance(row.parcel_id, bool) or not isinstance(row.parcel_id, str | int):
            problems.append(Problem(field=row.id_field, value=row.parcel_id, reason="it is not a text", cure=own))
        elif text != text.strip() or not text.isprintable():
            reason = "it has spaces around it or characters that cannot be printed"
            problems.append(Problem(field=row.id_field, value=text, reason=reason, cure=own))
        elif text in first:
            reason = f"{first[text]} has the same id"
            problems.append(Problem(field=row.id_field, value=text, reason=reason, cure=own))
        else:
            first[text] = row.id_field
    return problems


def _geometry_problems(row: _Row) -> list[Problem]:
    """The first problem of a geometry; later problems may only follow from it."""
    geometry, field = row.geometry, row.geometry_field
    if row.unreadable:
        cure = "Write a Polygon or MultiPolygon with its coordinates as RFC 7946 says"
        return [Problem(field=field, reason="it is not a GeoJSON geometry", cure=cure)]
    if geometry is None or geometry.is_empty:
        return [Problem(field=field, reason="it is empty", cure="Draw the parcel's polygon, or leave the parcel out")]
    if geometry.geom_type not in ("Polygon", "MultiPolygon"):
        cure = "Draw the parcel's outline as a Polygon or MultiPolygon"
        return [Problem(field=field, value=geometry.geom_type, reason="it is not a polygon", cure=cure)]
    west, south, east, north = bounds = tuple(float(edge) for edge in geometry.bounds)
    # Written so that bounds that are not finite fail.
    if not (west >= -180 and east <= 180 and south >= -90 and north <= 90):
        cure = "Write longitude first, then latitude, in WGS84 degrees; split a parcel at the antimeridian"
        return [Problem(field=field, value=bounds, reason="it leaves longitude -180..180, latitude -90..90", cure=cure)]
    if south < SOUTH or north > NORTH:
        cure = "UTM ends at 80 degrees south and 84 north: leave the parcel out"
        return [Problem(field=field, value=(south, north), reason="its latitude is beyond UTM", cure=cure)]
    if not geometry.is_valid:
        cure = "Redraw it so that its outline neither touches nor crosses itself"
        return [
            Problem(field=field, value=shapely.is_valid_reason(geometry), reason="it is not a valid polygon", cure=cure)
        ]
    edges = shapely.bounds(shapely.get_parts(geometry))
    if (edges[:, 2] - edges[:, 0] > 180).any():
        cure = "Split a parcel across the antimeridian there: a polygon that ends at 180, another that starts at -180"
        return [Problem(field=field, value=bounds, reason="it goes more than half around the Earth", cure=cure)]
    return []
