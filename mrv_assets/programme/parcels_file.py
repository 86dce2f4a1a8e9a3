"""Reading of a parcels file: the features of GeoJSON or the rows of GeoParquet, each with its id and its outline."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import pyarrow.parquet as pq
import shapely
from shapely.geometry import shape

from mrv_assets.errors import Problem, ProgramError
from mrv_assets.programme.parcels_crs import CrsError, check_geojson_crs, lonlat_of

_ID = "parcel_id"


@dataclass(frozen=True, kw_only=True)
class Row:
    """A feature or row as the file has it."""

    id_field: str
    geometry_field: str
    parcel_id: object
    """None where it is missing, in whatever way."""
    geometry: Any
    """Longitude and latitude; None where the file has none."""
    heights: bool = False
    """Whether the outline had heights or measures, which were dropped."""
    unreadable: str = ""
    """Why the geometry of the file cannot be read; empty where it can, or there is none."""
    crs: CrsError | None = None
    """What is wrong with a CRS of the feature's own."""


def read_rows(path: Path) -> list[Row]:
    """The features or rows of a file; the ending of its name says which it has.

    Raises:
        ProgramError: When the file as a whole cannot be read.
    """
    if not path.exists():
        raise _unreadable(path, "there is no such file", "Write the path as seen from the programme file")
    return _geoparquet(path) if path.suffix.lower() in (".parquet", ".geoparquet") else _geojson(path)


def _unreadable(path: Path, reason: str, cure: str) -> ProgramError:
    return ProgramError(str(path), (Problem(field=path.name, reason=reason, cure=cure),))


class _NoNumber(ValueError):
    """A coordinate is no number: shapely reads some texts and truth values as one."""


class _StandsTwice(ValueError):
    """A member of a JSON object stands twice: readers take one value or the other."""


def _geojson(path: Path) -> list[Row]:
    cure = "Write a GeoJSON FeatureCollection in WGS84, or GeoParquet with the ending .parquet"
    try:
        document = json.loads(path.read_bytes(), parse_constant=_no_constant, object_pairs_hook=_object)
    except OSError as error:
        raise _unreadable(path, f"it cannot be read ({error.strerror})", "Name a readable file") from None
    except _StandsTwice as error:
        raise _unreadable(path, str(error), "Keep one of the two: programs differ in which they read") from None
    except (ValueError, RecursionError) as error:
        raise _unreadable(path, f"it is not JSON ({error})", cure) from None
    features = document.get("features") if isinstance(document, dict) else None
    if not isinstance(features, list) or document.get("type") != "FeatureCollection":
        raise _unreadable(path, "it is not a FeatureCollection", cure)
    if document.get("crs") is not None:
        try:
            check_geojson_crs(document["crs"])
        except CrsError as error:
            raise _unreadable(path, error.reason, error.cure) from None
    return [_feature(f"{path.name}: features[{number}]", feature) for number, feature in enumerate(features)]


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not a number")


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for number, name in enumerate(names) if name in names[:number])
        raise _StandsTwice(f"the member {twice[:80]!r} stands twice in one object")
    return found


def _feature(field: str, feature: Any) -> Row:
    feature = feature if isinstance(feature, dict) else {}
    properties, geometry, unreadable, heights = feature.get("properties"), None, "", False
    wrong: CrsError | None = None
    outline = feature.get("geometry")
    for part in (feature, outline):
        if isinstance(part, dict) and part.get("crs") is not None:
            try:
                check_geojson_crs(part["crs"])
            except CrsError as error:
                wrong = error
    if outline is not None:
        try:
            flat, heights = _flattened(outline)
            geometry = shape(flat)
        except _NoNumber as error:
            unreadable = str(error)
        except Exception:
            # Shapely raises many kinds of errors for a malformed geometry; none of them tells more than this.
            unreadable = "it is not a GeoJSON geometry"
    return Row(
        id_field=f"{field}.properties.{_ID}",
        geometry_field=f"{field}.geometry",
        parcel_id=properties.get(_ID) if isinstance(properties, dict) else None,
        geometry=geometry,
        heights=heights,
        unreadable=unreadable,
        crs=wrong,
    )


def _flattened(geometry: Any) -> tuple[Any, bool]:
    """A GeoJSON geometry without heights, which may stand at some positions only or be null; and whether it had any."""
    dropped = False

    def flat(part: Any) -> Any:
        nonlocal dropped
        if not isinstance(part, list):
            raise ValueError("coordinates are lists")
        if part and not isinstance(part[0], list | dict):
            for value in part[:2]:
                if isinstance(value, bool) or not isinstance(value, int | float):
                    raise _NoNumber(f"its coordinate {json.dumps(value)[:80]} is not a number")
            dropped |= len(part) > 2
            return part[:2]
        return [flat(inner) for inner in part]

    return {**geometry, "coordinates": flat(geometry["coordinates"])}, dropped


def _geoparquet(path: Path) -> list[Row]:
    try:
        frame = gpd.read_parquet(path)
        schema = pq.read_schema(path)
        # As the file has them: pandas makes floats of whole numbers where one is missing.
        ids = pq.read_table(path, columns=[_ID]).column(_ID).to_pylist() if _ID in schema.names else None
    except Exception as error:
        # A damaged Parquet file raises many kinds of errors, and all of them are faults of the file.
        raise _unreadable(path, f"it is not GeoParquet ({error})", "Write it with geopandas or QGIS") from error
    if _ID not in frame and _ID in (frame.index.names or ()):
        raise _unreadable(
            path, f"{_ID} is its index, not a column", "Write it again from frame.reset_index(), as geopandas has it"
        )
    try:
        geometry = lonlat_of(frame)
    except CrsError as error:
        raise _unreadable(path, error.reason, error.cure) from None
    heights = shapely.has_z(frame.geometry) | shapely.has_m(frame.geometry)
    return [
        Row(
            id_field=f"{path.name}: row[{number}].{_ID}",
            geometry_field=f"{path.name}: row[{number}].{frame.geometry.name}",
            parcel_id=_plain_id(parcel_id),
            geometry=outline,
            heights=bool(high),
        )
        for number, (parcel_id, outline, high) in enumerate(
            zip(ids or [None] * len(frame), geometry, heights, strict=True)
        )
    ]


def _plain_id(stated: object) -> object:
    """An id as it was meant: a whole number that a missing one beside it made a float is a whole number."""
    if isinstance(stated, float):
        if stated != stated:
            return None
        return int(stated) if stated.is_integer() and abs(stated) < 2**53 else stated
    return stated
