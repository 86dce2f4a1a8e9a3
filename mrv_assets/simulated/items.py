"""STAC documents of a simulated archive: a catalogue, a collection for each mission, an item for each scene."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

from mrv_assets.science.grid import Grid
from mrv_assets.science.projection import transformed
from mrv_assets.simulated.archive import Json
from mrv_assets.simulated.scene import SIMULATED, SimulatedScene, finer

STAC_VERSION = "1.0.0"
COG = "image/tiff; application=geotiff; profile=cloud-optimized"
LICENSE = "CC0-1.0"
_EXTENSIONS = ("eo/v1.1.0", "file/v2.1.0", "projection/v1.1.0", "raster/v1.1.0")
_CHUNK = 1 << 20
_POINTS = 8
"""Number of points of each side of an outline."""


def item_of(scene: SimulatedScene, folder: Path) -> Json:
    """The STAC item of a scene whose files lie in a folder."""
    ring = _lonlat_ring(scene.grid)
    lons, lats = zip(*ring, strict=True)
    epsg = int(scene.grid.crs.removeprefix("EPSG:"))
    return {
        "type": "Feature",
        "stac_version": STAC_VERSION,
        "stac_extensions": [
            f"https://stac-extensions.github.io/{name}/schema.json"
            for name in sorted({*_EXTENSIONS, *scene.extensions})
        ],
        "id": scene.id,
        "collection": scene.collection,
        "bbox": [min(lons), min(lats), max(lons), max(lats)],
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "properties": {
            "title": scene.title,
            "description": SIMULATED,
            "mrv:simulated": True,
            "datetime": f"{scene.when:%Y-%m-%dT%H:%M:%S}Z",
            # No clock: the same scenes give the same items.
            "created": f"{scene.when + timedelta(days=1):%Y-%m-%dT%H:%M:%S}Z",
            "proj:epsg": epsg,
            **scene.properties,
        },
        "links": [
            {"rel": "root", "href": "../../catalog.json", "type": "application/json"},
            {"rel": "parent", "href": "../collection.json", "type": "application/json"},
            {"rel": "collection", "href": "../collection.json", "type": "application/json"},
        ],
        "assets": {file.key: _asset(scene, file.key, file.fields, file.fine, folder) for file in scene.files},
    }


def collection_of(items: Sequence[Json]) -> Json:
    """The collection of a mission's items, at least one."""
    first = items[0]
    times = sorted(item["properties"]["datetime"] for item in items)
    boxes = list(zip(*(item["bbox"] for item in items), strict=True))
    return {
        "type": "Collection",
        "stac_version": STAC_VERSION,
        "id": first["collection"],
        "title": first["properties"]["title"],
        "description": SIMULATED,
        "license": LICENSE,
        "extent": {
            "spatial": {"bbox": [[*map(min, boxes[:2]), *map(max, boxes[2:])]]},
            "temporal": {"interval": [[times[0], times[-1]]]},
        },
        "links": [
            {"rel": "root", "href": "../catalog.json", "type": "application/json"},
            {"rel": "parent", "href": "../catalog.json", "type": "application/json"},
            *(
                {"rel": "item", "href": f"./{item['id']}/{item['id']}.json", "type": "application/geo+json"}
                for item in items
            ),
        ],
    }


def catalogue_of(collections: Sequence[Json]) -> Json:
    """The catalogue of the missions' collections."""
    return {
        "type": "Catalog",
        "stac_version": STAC_VERSION,
        "id": "simulated",
        "title": "Simulated scenes",
        "description": SIMULATED,
        "links": [
            {"rel": "root", "href": "./catalog.json", "type": "application/json"},
            *(
                {"rel": "child", "href": f"./{one['id']}/collection.json", "type": "application/json"}
                for one in collections
            ),
        ],
    }


def _asset(scene: SimulatedScene, key: str, fields: Mapping[str, Any], fine: int, folder: Path) -> Json:
    path, grid = folder / f"{key}.tif", finer(scene.grid, fine)
    return {
        "href": f"./{path.name}",
        "type": COG,
        **fields,
        "proj:shape": [grid.height, grid.width],
        "proj:transform": [grid.dx, 0.0, grid.x0, 0.0, grid.dy, grid.y0],
        "file:size": path.stat().st_size,
        # Multihash: sha2-256, 32 bytes.
        "file:checksum": f"1220{_sha256(path)}",
    }


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _lonlat_ring(grid: Grid) -> list[list[float]]:
    """A grid's outline in degrees, counter-clockwise; a straight side is bent there."""
    west, south, east, north = grid.bounds()
    corners = ((west, north), (west, south), (east, south), (east, north), (west, north))
    xs, ys = zip(
        *(
            (x + (to_x - x) * step / _POINTS, y + (to_y - y) * step / _POINTS)
            for (x, y), (to_x, to_y) in pairwise(corners)
            for step in range(_POINTS)
        ),
        strict=True,
    )
    lons, lats = transformed(grid.crs, "EPSG:4326", xs, ys)
    # 1e-7 degrees is a centimetre, and hides what PROJ's versions differ by.
    ring = [[round(float(lon), 7), round(float(lat), 7)] for lon, lat in zip(lons, lats, strict=True)]
    return [*ring, ring[0]]
