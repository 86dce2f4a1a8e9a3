"""Programme files and parcels for tests, on disk and in memory."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import geopandas as gpd
import shapely
import yaml
from shapely.geometry import mapping

A_FIELD = shapely.box(22.15, 45.20, 22.16, 45.21)
"""About a square kilometre, in the middle of tile 34TER."""


def a_document(**changes: Any) -> dict[str, Any]:
    """A programme without a problem, some of its fields changed; None takes a field away."""
    document = {
        "program": "sw-romania-forest",
        "parcels": "parcels.geojson",
        "months": {"start": "2018-01", "end": "2018-12"},
        "missions": {"sentinel2": {"catalog": "earth-search", "collection": "sentinel-2-c1-l2a"}},
        **changes,
    }
    return {name: value for name, value in document.items() if value is not None}


def a_program_file(folder: Path, document: Mapping[str, Any] | str | None = None) -> Path:
    """A programme file with a document, or with a text as it is."""
    path = folder / "program.yaml"
    document = a_document() if document is None else document
    path.write_text(document if isinstance(document, str) else yaml.safe_dump(dict(document), sort_keys=False))
    return path


def a_feature(parcel_id: object, geometry: object = A_FIELD) -> dict[str, Any]:
    """A GeoJSON feature; a geometry that is none of shapely's stands as it is."""
    shown = mapping(geometry) if isinstance(geometry, shapely.Geometry) else geometry
    properties = {} if parcel_id is None else {"parcel_id": parcel_id}
    return {"type": "Feature", "properties": properties, "geometry": shown}


def a_geojson(folder: Path, *features: Mapping[str, Any], **members: Any) -> Path:
    """A FeatureCollection in parcels.geojson."""
    path = folder / "parcels.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features, **members}))
    return path


def parcels_of(**geometries: shapely.Geometry) -> gpd.GeoDataFrame:
    """Parcels by id, in longitude and latitude."""
    return gpd.GeoDataFrame({"parcel_id": list(geometries)}, geometry=list(geometries.values()), crs="EPSG:4326")
