"""Parcels to tiles: which Sentinel-2 tile owns a parcel, so that every parcel counts exactly once.

A candidate is a tile whose 100 km square meets its own zone and latitude band; the name's formula alone would accept
letters that no map has. Norway's and Svalbard's zones are those of MGRS, except that 31V reaches to 6 degrees east as
well: Sentinel-2 has tiles there (31VEG) that MGRS gives to 32V. Which candidates are published is not derivable; a
tile that is not has no scenes, and the programme can name another one.
"""

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from mrv_assets.errors import Problem, ProgramError, TileError
from mrv_assets.science.grid import BANDS, ROWS, TILE_SIZE_M, Bounds, columns_of, tile_grid
from mrv_assets.science.projection import transformed

WGS84 = "EPSG:4326"
LONLAT_STEP = 1e-9
"""Degrees, 0.1 mm. Computed longitudes and latitudes lie on this lattice: PROJ's last bits differ between CPUs."""
MIN_PART_M2 = 1.0
"""Smaller pieces of a cut parcel are dropped: a hundredth of a pixel is no reason for a tile."""

_SQUARE_M = 100_000
_EDGE_STEP = 0.01
_PARTITION = 10_000

Geometries = NDArray[np.object_]
Shape = shapely.Polygon | shapely.MultiPolygon


@dataclass(frozen=True, kw_only=True)
class AssignedParcels:
    """Parcels with their owners; the sequences run parallel, sorted by parcel id and tile."""

    parcel_id: tuple[str, ...]
    tile: tuple[str, ...]
    part: tuple[str | None, ...]
    """The tile, for a piece of a parcel that no tile contains whole; None for a whole parcel."""
    geometry: Geometries
    """Longitude and latitude, WGS84 degrees; of a part, the piece."""
    alternatives: tuple[tuple[str, ...], ...]
    """Other tiles that contain the parcel, the next best first; none for a part."""


def assign_parcels(parcels: gpd.GeoDataFrame, overrides: Mapping[str, str]) -> AssignedParcels:
    """Give each parcel to one tile.

    Of the candidates that contain a parcel in their own CRS, the one whose centre is nearest to the parcel's centroid
    owns it; distances count in millimetres, ties go by name. A square that straddles two latitude bands has a
    name in each; the band with the larger share comes first. A parcel that no candidate contains is cut along zones
    and 100 km squares into parts. The result does not depend on the order of the parcels.

    Args:
        parcels: Columns ``parcel_id`` and ``geometry``: valid polygons in WGS84 degrees, those across the
            antimeridian split there.
        overrides: Parcel id to the tile that shall own it.

    Raises:
        ProgramError: With every override that names no parcel, or a tile that does not contain it.
    """
    parcels = parcels.sort_values("parcel_id", ignore_index=True)
    problems = tuple(override_problems(parcels, overrides))
    if problems:
        raise ProgramError("the programme's tiles", problems)
    rows: list[tuple[str, str, str | None, Shape, tuple[str, ...]]] = []
    found = zip(parcels["parcel_id"], parcels.geometry, _containing(parcels), strict=True)
    for parcel_id, geometry, names in found:
        owner = overrides.get(parcel_id, names[0] if names else None)
        if owner is None:
            rows += [(parcel_id, tile, tile, piece, ()) for tile, piece in _cut(geometry)]
        else:
            rows.append((parcel_id, owner, None, geometry, tuple(name for name in names if name != owner)))
    return AssignedParcels(
        parcel_id=tuple(row[0] for row in rows),
        tile=tuple(row[1] for row in rows),
        part=tuple(row[2] for row in rows),
        geometry=_as_array([row[3] for row in rows]),
        alternatives=tuple(row[4] for row in rows),
    )


def override_problems(parcels: gpd.GeoDataFrame, overrides: Mapping[str, str]) -> Iterator[Problem]:
    """What is wrong with the programme's own choice of tiles: unknown parcels, tiles that do not contain them.

    Args:
        parcels: As for ``assign_parcels``.
        overrides: Parcel id to tile.
    """
    chosen = parcels[parcels["parcel_id"].isin(list(overrides))]
    known = dict(zip(chosen["parcel_id"], chosen.geometry, strict=True))
    for parcel_id, tile in sorted(overrides.items()):
        if parcel_id not in known:
            reason, cure = "no parcel has this id", "Write the id as the parcels file has it, or remove the line"
        elif not _contains(tile, known[parcel_id]):
            one = chosen[chosen["parcel_id"] == parcel_id]
            names = ", ".join(_containing(one)[0])
            reason = f"this tile does not contain parcel {parcel_id}"
            cure = f"Write one that does ({names}), or remove the line" if names else (
                "No tile does: remove the line, and the parcel is cut into parts"
            )  # fmt: skip
        else:
            continue
        yield Problem(field=f"tiles.{parcel_id}", value=tile, reason=reason, cure=cure)


def project(lonlat: Geometries, crs: str) -> Geometries:
    """Polygons in longitude and latitude (WGS84 degrees) in a CRS in metres, vertex by vertex.

    Edges are not densified: the straight edge of a field of 2 km is off by less than a tenth of a metre at 60 degrees.
    Vertices are rounded to 2^-16 m: PROJ's last bits differ between processors.
    """
    return _rounded(_transformed(lonlat, WGS84, crs))


def _rounded(geometries: Geometries) -> Geometries:
    rounded: Geometries = shapely.transform(geometries, lambda xy: np.round(xy * 65536) / 65536)
    return rounded


def geom_sha256(lonlat: Shape) -> str:
    """SHA-256 of a polygon's canonical WKB: the same however its rings are ordered, turned and started.

    Little-endian ISO WKB, two dimensions, coordinates as given. Rings start at their least (x, y) without repeated
    points, shells turn counter-clockwise and holes clockwise; holes, and polygons of a multipolygon, are sorted by
    their coordinates. A multipolygon of one is a polygon.
    """
    polygons = sorted(
        (_canonical(part) for part in shapely.get_parts(lonlat)), key=lambda rings: [r.tolist() for r in rings]
    )
    made = [shapely.Polygon(rings[0], rings[1:]) for rings in polygons]
    geometry = made[0] if len(made) == 1 else shapely.MultiPolygon(made)
    wkb: bytes = shapely.to_wkb(geometry, byte_order=1, output_dimension=2, flavor="iso")
    return hashlib.sha256(wkb).hexdigest()


def _canonical(polygon: shapely.Polygon) -> list[NDArray[np.float64]]:
    """A polygon's rings, the shell first."""
    shell = _ring(polygon.exterior, ccw=True)
    return [shell, *sorted((_ring(hole, ccw=False) for hole in polygon.interiors), key=lambda ring: ring.tolist())]


def _ring(ring: shapely.LinearRing, *, ccw: bool) -> NDArray[np.float64]:
    # Adding zero makes -0.0 the same as 0.0.
    points = shapely.get_coordinates(ring)[:-1] + 0.0
    points = points[(points != np.roll(points, 1, axis=0)).any(axis=1)]
    if bool(shapely.is_ccw(ring)) is not ccw:
        points = points[::-1]
    points = np.roll(points, -int(np.lexsort((points[:, 1], points[:, 0]))[0]), axis=0)
    return np.concatenate([points, points[:1]])


def _containing(parcels: gpd.GeoDataFrame) -> list[tuple[str, ...]]:
    """Per parcel the candidates that contain it, best first."""
    lonlat = np.asarray(parcels.geometry, dtype=object)
    frame = gpd.GeoDataFrame({"row": np.arange(len(lonlat))}, geometry=lonlat, crs=WGS84)
    tiles = _candidates(shapely.bounds(shapely.get_parts(lonlat)))
    near = _joined(frame, tiles)[["row", "tile", "epsg", "preferred"]]
    # A tile across the antimeridian stands on both sides of the join.
    near = near.drop_duplicates(["row", "tile"])
    found: list[list[tuple[int, bool, str]]] = [[] for _ in lonlat]
    for epsg, here in near.groupby("epsg"):
        rows, index = np.unique(here["row"].to_numpy(), return_inverse=True)
        projected = project(lonlat[rows], f"EPSG:{epsg}")
        bounds, centres = shapely.bounds(projected), shapely.get_coordinates(shapely.centroid(projected))
        boxes = np.array([_box(tile) for tile in here["tile"]])
        inside = _within(bounds[index], boxes)
        off = centres[index] - (boxes[:, :2] + boxes[:, 2:]) / 2
        # To the millimetre: PROJ's last bits must not decide.
        distance = np.round(np.sqrt((off**2).sum(axis=1)) * 1000)
        kept = zip(here["row"], distance, here["preferred"], here["tile"], inside, strict=True)
        for row, far, preferred, tile, contained in kept:
            if contained:
                found[row].append((int(far), not preferred, tile))
    return [tuple(tile for *_, tile in sorted(ranked)) for ranked in found]


def _joined(parcels: gpd.GeoDataFrame, tiles: gpd.GeoDataFrame) -> pd.DataFrame:
    """Each parcel with each tile that it meets; many parcels in several threads."""
    joined: pd.DataFrame
    partitions = -(-len(parcels) // _PARTITION)
    if partitions < 2:
        joined = parcels.sjoin(tiles, predicate="intersects")
        return joined
    # It takes a second to import, in every process.
    import dask_geopandas
    from dask.threaded import get as threads

    parts = dask_geopandas.from_geopandas(parcels, npartitions=partitions)
    joined = parts.sjoin(tiles, predicate="intersects").compute(scheduler=threads)
    return joined


def _contains(tile: str, lonlat: Shape) -> bool:
    try:
        grid = tile_grid(tile)
    except TileError:
        return False
    bounds = shapely.bounds(project(_as_array([lonlat]), grid.crs))
    return bool(_within(bounds, np.array([grid.bounds()]))[0])


def _within(bounds: NDArray[np.float64], boxes: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether bounds lie in boxes, row by row; coordinates PROJ cannot give are in none."""
    inside = np.hstack([bounds[:, :2] >= boxes[:, :2], bounds[:, 2:] <= boxes[:, 2:], np.isfinite(bounds)])
    return np.asarray(inside.all(axis=1), bool)


@cache
def _box(tile: str) -> Bounds:
    return tile_grid(tile).bounds()


@dataclass(frozen=True, kw_only=True)
class _Squares:
    """The 100 km squares of a zone that candidates stand for, with a row for each name; arrays run parallel."""

    east: NDArray[np.int64]
    north: NDArray[np.int64]
    """Lower left corner; metres, north counted from the equator."""
    band: NDArray[np.str_]
    preferred: NDArray[np.bool_]
    """Whether this band has the largest share of the square."""
    bounds: NDArray[np.float64]
    """Bounds of the tile's footprint, degrees, longitude from the zone's western edge."""


def _cells(zone: int, *, partition: bool = False) -> tuple[tuple[str, Bounds], ...]:
    """The latitude bands of a zone and their bounds, degrees, longitude from the zone's western edge.

    Args:
        zone: UTM zone.
        partition: Zones do not overlap: 31V ends at 3 degrees east.
    """
    cells = []
    for index, band in enumerate(BANDS):
        west, east = 0, 6
        match zone, band:
            case (31, "V") if partition:
                east = 3
            case (32, "V"):
                west = -3
            case (31, "X"):
                east = 9
            case (33 | 35, "X"):
                west, east = -3, 9
            case (37, "X"):
                west = -3
            case (32 | 34 | 36, "X"):
                continue
        south = -80 + 8 * index
        cells.append((band, (float(west), float(south), float(east), 84.0 if band == "X" else south + 8.0)))
    return tuple(cells)


def _squares_near(zone: int, south: float, north: float) -> _Squares:
    """The squares of a zone whose tiles may reach some latitudes, degrees; more than these come back, never fewer."""
    # A degree of latitude is 110.5 to 111.7 km. Three squares more: tiles overlap, and parallels bend in a zone.
    rows = [latitude * squares for latitude in (south, north) for squares in (1.105, 1.117)]
    first, last = max(-94, math.floor(min(rows)) - 3), min(94, math.ceil(max(rows)) + 3)
    return _squares(_cells(zone), first, last)


@cache
def _squares(cells: tuple[tuple[str, Bounds], ...], first: int, last: int) -> _Squares:
    """Rows of squares; all zones look alike from their western edge, but for Norway's and Svalbard's."""
    rows = np.arange(first, last + 1)
    east, north = (a.ravel() for a in np.meshgrid(np.arange(1, 9) * _SQUARE_M, rows * _SQUARE_M))
    shapes = _relative(east, north, _SQUARE_M)
    tree = shapely.STRtree(shapes)
    boxes = _as_array([shapely.box(*bounds) for _, bounds in cells])
    cell, square = tree.query(boxes, predicate="intersects")
    share = shapely.area(shapely.intersection(shapes[square], boxes[cell]))
    # Squares that only touch, as those on the other side of the equator do: less than about 100 m2.
    cell, square, share = (a[share > 1e-8] for a in (cell, square, share))
    largest = np.zeros(len(east))
    np.maximum.at(largest, square, share)
    west, top = east // 60 * 60, -(-(north + _SQUARE_M) // 60) * 60
    return _Squares(
        east=east[square],
        north=north[square],
        band=np.array([cells[index][0] for index in cell]),
        preferred=share == largest[square],
        bounds=shapely.bounds(_relative(west, top - TILE_SIZE_M, TILE_SIZE_M)[square]),
    )


def _relative(west: NDArray[np.int64], south: NDArray[np.int64], size: int) -> Geometries:
    """Squares of a UTM zone in degrees, longitude from the zone's western edge; edges have 16 points."""
    along = np.linspace(0, size, 16, endpoint=False)
    start, end = np.zeros(16), np.full(16, float(size))
    dx = np.concatenate([along, end, size - along, start])
    dy = np.concatenate([start, along, end, size - along])
    lon, lat = transformed("EPSG:32631", WGS84, west[:, None] + dx, south[:, None] + dy)
    return np.asarray(shapely.polygons(np.stack([lon, lat], axis=-1)), dtype=object)


def _name(zone: int, band: str, east: int, north: int) -> str:
    row = (north // _SQUARE_M + (5 if zone % 2 == 0 else 0)) % 20
    return f"{zone:02d}{band}{columns_of(zone)[east // _SQUARE_M - 1]}{ROWS[row]}"


def _candidates(bounds: NDArray[np.float64]) -> gpd.GeoDataFrame:
    """Candidates near some bounds in degrees: tile, EPSG code, whether its name comes first, and its own bounds."""
    names: list[str] = []
    epsg: list[int] = []
    preferred: list[bool] = []
    boxes: list[NDArray[np.float64]] = []
    south, north = bounds[:, 1].min(), bounds[:, 3].max()
    for zone in _near_zones(bounds):
        squares = _squares_near(zone, south, north)
        # A hundredth of a degree more than the footprint: its edges bend between points.
        own = squares.bounds + np.array([6 * zone - 186.01, -0.01, 6 * zone - 185.99, 0.01])
        for turn in (-360, 0, 360):
            here = own + np.array([turn, 0, turn, 0])
            near = (here[:, 0] <= 180) & (here[:, 2] >= -180) & (here[:, 1] <= north) & (here[:, 3] >= south)
            for index in np.flatnonzero(near):
                band = str(squares.band[index])
                names.append(_name(zone, band, int(squares.east[index]), int(squares.north[index])))
                epsg.append((32600 if band >= "N" else 32700) + zone)
                preferred.append(bool(squares.preferred[index]))
            boxes.append(here[near])
    return gpd.GeoDataFrame(
        {"tile": names, "epsg": epsg, "preferred": preferred}, geometry=shapely.box(*np.concatenate(boxes).T), crs=WGS84
    )


def _near_zones(bounds: NDArray[np.float64]) -> Sequence[int]:
    """Zones whose tiles may reach some bounds: at 84 degrees a tile is wider than a zone."""
    near: set[int] = set()
    for west, east in np.unique(np.floor((bounds[:, [0, 2]] + 180) / 6).astype(int), axis=0):
        near.update((zone % 60) + 1 for zone in range(west - 2, east + 3))
    return sorted(near)


def _cut(lonlat: Shape) -> list[tuple[str, Shape]]:
    """A parcel too large for any tile in pieces, sorted by tile, each with its square's first name.

    Edges are densified to 0.01 degrees first, so that pieces cut in neighbouring zones meet.
    """
    pieces: dict[str, list[Shape]] = {}
    lonlat = shapely.segmentize(lonlat, _EDGE_STEP)
    _, low, _, high = shapely.bounds(lonlat)
    for zone in _near_zones(shapely.bounds(shapely.get_parts(lonlat))):
        squares = _squares_near(zone, low, high)
        first = {
            (int(e), int(n)): str(b)
            for e, n, b, p in zip(squares.east, squares.north, squares.band, squares.preferred, strict=True)
            if p
        }
        strip = shapely.union_all([shapely.box(*_east_of(zone, bounds)) for _, bounds in _cells(zone, partition=True)])
        inside = _polygons(shapely.intersection(lonlat, shapely.segmentize(strip, _EDGE_STEP)))
        if inside.is_empty:
            continue
        # Northern UTM counts from the equator in both hemispheres, so one plane holds the zone.
        crs = f"EPSG:{32600 + zone}"
        [plane] = project(_as_array([inside]), crs)
        west, south, east, north = np.floor(np.asarray(shapely.bounds(plane)) / _SQUARE_M).astype(int) * _SQUARE_M
        for e in range(west, east + 1, _SQUARE_M):
            for n in range(south, north + 1, _SQUARE_M):
                piece = _polygons(shapely.intersection(plane, shapely.box(e, n, e + _SQUARE_M, n + _SQUARE_M)))
                if piece.area >= MIN_PART_M2:
                    lonlat_piece = _unprojected(piece, zone)
                    name = _name(zone, first[e, n], e, n)
                    pieces.setdefault(name, []).append(lonlat_piece)
    return [(tile, _polygons(shapely.union_all(parts))) for tile, parts in sorted(pieces.items())]


def _unprojected(plane: Shape, zone: int) -> Shape:
    """A piece of a zone in northern UTM, back in degrees on the lattice; at 180 degrees it stays on its zone's side."""
    [lonlat] = _transformed(_as_array([plane]), f"EPSG:{32600 + zone}", WGS84)
    middle = 6 * zone - 183

    def on_this_side(points: NDArray[np.float64]) -> NDArray[np.float64]:
        east = np.clip((points[:, 0] - middle + 180) % 360 - 180 + middle, -180, 180)
        return np.column_stack([east, points[:, 1]])

    # Bent edges may touch after rounding.
    lonlat = shapely.make_valid(shapely.transform(lonlat, on_this_side))
    return _polygons(shapely.set_precision(lonlat, LONLAT_STEP))


def _east_of(zone: int, bounds: Bounds) -> Bounds:
    """Bounds counted from a zone's western edge as longitudes."""
    west, south, east, north = bounds
    return west + 6 * zone - 186, south, east + 6 * zone - 186, north


def _polygons(geometry: shapely.Geometry) -> Shape:
    """The areas of an intersection, without the points and lines where shapes only touch."""
    parts = [part for part in shapely.get_parts(geometry) if isinstance(part, shapely.Polygon) and part.area > 0]
    return parts[0] if len(parts) == 1 else shapely.MultiPolygon(parts)


def _as_array(geometries: Sequence[Shape]) -> Geometries:
    array = np.empty(len(geometries), dtype=object)
    array[:] = geometries
    return array


def _transformed(geometries: Geometries, source: str, target: str) -> Geometries:
    def moved(points: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.column_stack(transformed(source, target, points[:, 0], points[:, 1]))

    return np.asarray(shapely.transform(geometries, moved), dtype=np.object_)
