"""Parcels to tiles: which Sentinel-2 tile owns a parcel, so that every parcel counts exactly once."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import dask_geopandas
import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import Transformer

from mrv_assets.errors import TileError
from mrv_assets.science.grid import BANDS, ROWS, TILE_SIZE_M, columns_of, tile_epsg, tile_grid

_SQUARE_M = 100_000
# A tile reaches less than a degree past its zone at the equator, and past two zones beyond 72 degrees.
_HIGH_LATITUDE = 72.0

Geometries = NDArray[np.object_]


@dataclass(frozen=True, kw_only=True)
class AssignedParcels:
    """Parcels with their owners; the tuples run parallel, sorted by parcel id and tile."""

    parcel_id: tuple[str, ...]
    tile: tuple[str, ...]
    part: tuple[str | None, ...]
    """The tile, for a piece of a parcel that no tile contains whole; else None."""
    geometry: Geometries
    """Longitude and latitude, WGS84 degrees; the piece, for a part."""
    alternatives: tuple[tuple[str, ...], ...]
    """Other tiles that contain the parcel."""


class OverrideError(TileError):
    """The programme gives a parcel to a tile that does not contain it."""

    def __init__(self, tile: str, reason: str, containing: tuple[str, ...]) -> None:
        super().__init__(tile, reason)
        self.containing = containing
        self.args = (tile, reason, containing)

    def __str__(self) -> str:
        others = ", ".join(self.containing) or "none; leave the parcel out of tiles: and it is cut into parts"
        return f"Tile {self.tile!r}: {self.reason}. Tiles that contain it: {others}."


def assign_parcels(parcels: gpd.GeoDataFrame, overrides: Mapping[str, str]) -> AssignedParcels:
    """Give each parcel to one tile.

    Of the tiles that contain a parcel the one with the nearest centre owns it, ties by name. A parcel that no
    tile contains is cut along 100 km squares. Only tiles that exist can own: those whose 100 km square meets
    their own zone and latitude band.

    Args:
        parcels: Columns ``parcel_id`` and ``geometry``, WGS84 degrees; polygons across the antimeridian are
            split there.
        overrides: Parcel id to the tile the programme prefers.

    Raises:
        OverrideError: When a preferred tile does not contain its parcel.
    """
    containing = _containing(parcels)
    rows: list[tuple[str, str, str | None, Any, tuple[str, ...]]] = []
    for parcel_id, geometry in zip(parcels["parcel_id"], parcels.geometry, strict=True):
        found = containing.get(parcel_id, [])
        names = tuple(name for _, name in sorted(found))
        if parcel_id in overrides:
            tile = overrides[parcel_id]
            if tile not in names:
                raise OverrideError(tile, f"does not contain parcel {parcel_id!r}", names)
            rows.append((parcel_id, tile, None, geometry, tuple(n for n in names if n != tile)))
        elif names:
            rows.append((parcel_id, names[0], None, geometry, names[1:]))
        else:
            rows += [(parcel_id, tile, tile, piece, ()) for tile, piece in _cut(geometry)]
    rows.sort(key=lambda row: (row[0], row[1]))
    geometries = np.empty(len(rows), dtype=object)
    geometries[:] = [row[3] for row in rows]
    return AssignedParcels(
        parcel_id=tuple(row[0] for row in rows),
        tile=tuple(row[1] for row in rows),
        part=tuple(row[2] for row in rows),
        geometry=geometries,
        alternatives=tuple(row[4] for row in rows),
    )


def _containing(parcels: gpd.GeoDataFrame) -> dict[str, list[tuple[float, str]]]:
    """Per parcel the tiles that contain it, each with its centre's distance in metres, to the millimetre."""
    by_epsg: dict[int, set[str]] = defaultdict(set)
    for zone, band in _near_bands(parcels.geometry):
        for tile in _tiles_of(zone, band):
            by_epsg[tile_epsg(tile)].add(tile)
    found: dict[str, list[tuple[float, str]]] = defaultdict(list)
    for epsg in sorted(by_epsg):
        names = sorted(by_epsg[epsg])
        boxes = gpd.GeoDataFrame({"tile": names}, geometry=[_footprint(name) for name in names], crs=epsg)
        projected = gpd.GeoDataFrame(
            {"parcel_id": list(parcels["parcel_id"])},
            geometry=list(project(np.asarray(parcels.geometry, dtype=object), f"EPSG:{epsg}")),
            crs=epsg,
        )
        # Far from its own zone a parcel's coordinates mean nothing.
        projected = projected[np.isfinite(shapely.bounds(np.asarray(projected.geometry))).all(axis=1)]
        if projected.empty:
            continue
        partitions = max(1, len(projected) // 5000)
        joined = dask_geopandas.from_geopandas(projected, npartitions=partitions).sjoin(boxes, predicate="within")
        hits = joined.compute(scheduler="synchronous")
        centres = shapely.centroid(np.asarray(hits.geometry, dtype=object))
        for parcel_id, tile, centre in zip(hits["parcel_id"], hits["tile"], centres, strict=True):
            middle = shapely.centroid(_footprint(tile))
            found[parcel_id].append((round(float(shapely.distance(centre, middle)), 3), tile))
    return found


def _cut(geometry: Any) -> list[tuple[str, Any]]:
    """A parcel too large for one tile, cut along the 100 km squares of its zones and bands."""
    pieces = []
    for zone, band in sorted(_near_bands([geometry])):
        inside = shapely.intersection(geometry, shapely.box(*_extent(zone, band)))
        if inside.is_empty or inside.area == 0:
            continue
        for tile in _tiles_of(zone, band):
            crs = f"EPSG:{tile_epsg(tile)}"
            [utm] = project(np.array([inside], dtype=object), crs)
            piece = shapely.intersection(utm, _square(tile))
            if piece.area > 0:
                [lonlat] = _reproject(np.array([_polygons(piece)], dtype=object), crs, "EPSG:4326")
                pieces.append((tile, lonlat))
    return pieces


def _polygons(geometry: Any) -> Any:
    """The areas of an intersection, without the points and lines where squares only touch."""
    parts = [part for part in shapely.get_parts(geometry) if part.geom_type == "Polygon"]
    return parts[0] if len(parts) == 1 else shapely.MultiPolygon(parts)


def _near_bands(geometries: Iterable[Any]) -> set[tuple[int, str]]:
    """Zones and latitude bands whose tiles could contain any of the geometries."""
    near: set[tuple[int, str]] = set()
    for geometry in geometries:
        for part in shapely.get_parts(geometry):
            west, south, east, north = shapely.bounds(part)
            reach = 3 if max(abs(south), abs(north)) > _HIGH_LATITUDE else 1
            first, last = int((west + 180) // 6) + 1 - reach, int((east + 180) // 6) + 1 + reach
            for band in BANDS:
                _, low, _, high = _extent(1, band)
                # A tile reaches up to 110 km, one degree, past its band.
                if low - 1.1 <= north and high + 1.1 >= south:
                    near |= {((zone - 1) % 60 + 1, band) for zone in range(first, last + 1)}
    return {key for key in near if _exists(*key)}


def _exists(zone: int, band: str) -> bool:
    """False for the three zones that Svalbard's exception leaves out."""
    return not (band == "X" and zone in (32, 34, 36))


def _extent(zone: int, band: str) -> tuple[float, float, float, float]:
    """West, south, east, north of a zone's latitude band, degrees, with Norway's and Svalbard's exceptions."""
    south = -80.0 + 8 * BANDS.index(band)
    north = 84.0 if band == "X" else south + 8
    exceptions = {
        (31, "V"): (0.0, 3.0),
        (32, "V"): (3.0, 12.0),
        (31, "X"): (0.0, 9.0),
        (33, "X"): (9.0, 21.0),
        (35, "X"): (21.0, 33.0),
        (37, "X"): (33.0, 42.0),
    }
    west, east = exceptions.get((zone, band), (-186.0 + 6 * zone, -180.0 + 6 * zone))
    return west, south, east, north


@cache
def _tiles_of(zone: int, band: str) -> tuple[str, ...]:
    """Tiles of a zone's latitude band whose 100 km square really meets it."""
    [region] = project(
        np.array([shapely.segmentize(shapely.box(*_extent(zone, band)), 0.25)], dtype=object),
        f"EPSG:{(32600 if band >= 'N' else 32700) + zone}",
    )
    names = [f"{zone:02d}{band}{column}{row}" for column in columns_of(zone) for row in ROWS]
    return tuple(name for name in names if shapely.intersection(region, _square(name)).area > 0)


def _footprint(tile: str) -> Any:
    grid = tile_grid(tile)
    return shapely.box(grid.x0, grid.y0 - TILE_SIZE_M, grid.x0 + TILE_SIZE_M, grid.y0)


def _square(tile: str) -> Any:
    """The 100 km square of a tile's name; the tile's origin is rounded outwards to 60 m from it."""
    grid = tile_grid(tile)
    west = -(-grid.x0 // _SQUARE_M) * _SQUARE_M
    north = grid.y0 // _SQUARE_M * _SQUARE_M
    return shapely.box(west, north - _SQUARE_M, west + _SQUARE_M, north)


def project(lonlat: Geometries, crs: str) -> Geometries:
    """Polygons in longitude and latitude (WGS84 degrees) in another CRS, vertex by vertex.

    Edges are not densified: over a parcel of a few kilometres a straight edge stays within millimetres.
    """
    return _reproject(lonlat, "EPSG:4326", crs)


def _reproject(geometries: Geometries, source: str, target: str) -> Geometries:
    transformer = _transformer(source, target)
    return np.asarray(
        shapely.transform(
            geometries, lambda points: np.column_stack(transformer.transform(points[:, 0], points[:, 1]))
        ),
        dtype=object,
    )


@cache
def _transformer(source: str, target: str) -> Transformer:
    return Transformer.from_crs(source, target, always_xy=True)


def geom_sha256(lonlat: Any) -> str:
    """SHA-256 of a polygon's little-endian WKB, WGS84 degrees, whatever ring it starts with or turns in."""
    normal: bytes = shapely.to_wkb(shapely.normalize(lonlat), byte_order=1, output_dimension=2)
    return hashlib.sha256(normal).hexdigest()
