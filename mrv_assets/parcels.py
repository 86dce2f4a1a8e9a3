"""The parcels file: GeoJSON or GeoParquet polygons, each with an id of its own. Checked whole."""

import json
from pathlib import Path
from typing import Any

import geopandas as gpd
import shapely
from shapely.geometry import shape
from shapely.validation import explain_validity

from mrv_assets.program import Problem, ProgramError

SOUTH, NORTH = -80.0, 84.0
"""Latitudes that UTM, and so the tile grid, covers."""


def read_parcels(path: Path) -> gpd.GeoDataFrame:
    """The parcels of a file.

    Returns:
        Columns ``parcel_id`` (text) and ``geometry`` (WGS84 degrees), sorted by id.

    Raises:
        ProgramError: With every problem of the file.
    """
    frame, problems = _read(path, path.name)
    if problems or frame is None:
        raise ProgramError(str(path), tuple(problems))
    return frame.sort_values("parcel_id", ignore_index=True)


def parcel_problems(path: Path, stated: str) -> list[Problem]:
    """Every problem of a parcels file, named as the programme states it."""
    return _read(path, stated)[1]


def _read(path: Path, stated: str) -> tuple[gpd.GeoDataFrame | None, list[Problem]]:
    if not path.is_file():
        return None, [Problem("parcels", stated, "no such file", "Name it relative to the programme file.")]
    try:
        rows = _geoparquet(path) if path.suffix.lower() in (".parquet", ".geoparquet") else _geojson(path)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        cure = "Write a GeoJSON FeatureCollection in WGS84, or GeoParquet."
        return None, [Problem("parcels", stated, f"cannot be read ({error})", cure)]
    if not rows:
        return None, [Problem("parcels", stated, "holds no parcel", "Add a polygon with a parcel_id.")]
    problems: list[Problem] = []
    first: dict[str, str] = {}
    for name, parcel_id, geometry in rows:
        problems += _id_problems(f"{stated}: {name}.properties.parcel_id", parcel_id, first)
        problems += _geometry_problems(f"{stated}: {name}.geometry", geometry)
    if problems:
        return None, problems
    columns = {"parcel_id": [str(parcel_id) for _, parcel_id, _ in rows]}
    return gpd.GeoDataFrame(columns, geometry=[geometry for *_, geometry in rows], crs="EPSG:4326"), []


def _geojson(path: Path) -> list[tuple[str, Any, Any]]:
    document = json.loads(path.read_text(encoding="utf-8"))
    if document.get("type") != "FeatureCollection":
        raise ValueError("not a FeatureCollection")
    rows = []
    for number, feature in enumerate(document["features"]):
        geometry = feature.get("geometry")
        rows.append(
            (
                f"features[{number}]",
                (feature.get("properties") or {}).get("parcel_id"),
                shapely.force_2d(shape(geometry)) if geometry else None,
            )
        )
    return rows


def _geoparquet(path: Path) -> list[tuple[str, Any, Any]]:
    frame = gpd.read_parquet(path)
    if frame.crs is None:
        raise ValueError("states no CRS")
    frame = frame.to_crs("EPSG:4326")
    ids = frame["parcel_id"] if "parcel_id" in frame else [None] * len(frame)
    return [
        (f"row[{number}]", parcel_id, shapely.force_2d(geometry) if geometry is not None else None)
        for number, (parcel_id, geometry) in enumerate(zip(ids, frame.geometry, strict=True))
    ]


def _id_problems(field: str, parcel_id: Any, first: dict[str, str]) -> list[Problem]:
    if parcel_id is None or isinstance(parcel_id, float | bool) or not str(parcel_id).strip():
        return [Problem(field, parcel_id, "is missing", "Give every parcel an id of its own, as text.")]
    name = str(parcel_id)
    if name in first:
        return [Problem(field, name, f"is the id of {first[name]} too", "Give every parcel an id of its own.")]
    first[name] = field.partition(": ")[2].partition(".")[0]
    return []


def _geometry_problems(field: str, geometry: Any) -> list[Problem]:
    if geometry is None or geometry.is_empty:
        return [Problem(field, None, "is empty", "Draw the parcel's polygon, or leave the parcel out.")]
    if geometry.geom_type not in ("Polygon", "MultiPolygon"):
        return [Problem(field, geometry.geom_type, "is no polygon", "Draw the parcel's outline as a polygon.")]
    west, south, east, north = geometry.bounds
    if west < -180 or east > 180 or south < -90 or north > 90:
        cure = "Write longitude, latitude in WGS84 degrees; split a parcel that crosses the antimeridian there."
        return [Problem(field, [west, south, east, north], "leaves longitude -180..180, latitude -90..90", cure)]
    if south < SOUTH or north > NORTH:
        cure = "UTM, and with it the tile grid, ends at 80 degrees south and 84 north: leave the parcel out."
        return [Problem(field, [south, north], "lies beyond the latitudes of UTM", cure)]
    if not geometry.is_valid:
        reason = f"is not a valid polygon ({explain_validity(geometry)})"
        return [Problem(field, None, reason, "Redraw it so that its outline does not touch or cross itself.")]
    if geometry.area == 0:
        return [Problem(field, None, "has no area", "Draw the parcel's polygon, or leave the parcel out.")]
    return []
