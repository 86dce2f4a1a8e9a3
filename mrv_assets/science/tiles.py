"""Parcels to tiles: which Sentinel-2 tile owns a parcel, so that every parcel counts exactly once.

A candidate is a tile whose 100 km square meets its own zone and latitude band; the name's formula alone would accept
letters that do not occur on any map. Norway's and Svalbard's zones are those of MGRS, except that 31V reaches to
6 degrees east as well: Sentinel-2 has tiles there (31VEG) that MGRS assigns to 32V. Which candidates are published
cannot be derived; a tile that is not published has no scenes, and the programme can name another one.
"""

import hashlib
import math
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
"""Step of the lattice on which computed longitudes and latitudes lie, degrees (0.1 mm): PROJ's last bits differ
between CPUs."""
MIN_PART_M2 = 1.0
"""Smallest part of a cut parcel, m2. Smaller ones are dropped: a hundredth of a pixel does not justify a tile."""

_SQUARE_M = 100_000
_EDGE_STEP = 0.01
_EDGE_POINT_M = 250
"""Metres between points on the edges by which parcels are cut: the chord is off by 1 mm."""
_PARTITION = 10_000

Geometries = NDArray[np.object_]
Shape = shapely.Polygon | shapely.MultiPolygon


@dataclass(frozen=True, kw_only=True)
class AssignedParcels:
    """Parcels with the tiles that own them, as parallel sequences sorted by parcel id and tile."""

    parcel_id: tuple[str, ...]
    tile: tuple[str, ...]
    part: tuple[str | None, ...]
    """The tile, for a part of a parcel that no tile contains as a whole; None for a whole parcel."""
    geometry: Geometries
    """Longitude and latitude, WGS84 degrees; for a part of a parcel, the geometry of that part."""
    alternatives: tuple[tuple[str, ...], ...]
    """Other tiles that contain the parcel, the next best first; empty for a part."""


def assign_parcels(parcels: gpd.GeoDataFrame, overrides: Mapping[str, str]) -> AssignedParcels:
    """Assign each parcel to one tile.

    A parcel belongs to the candidate whose centre is nearest to the parcel's centroid, among the candidates that
    contain it in their own CRS; distances are compared in millimetres, and ties are decided by name. A square that
    straddles two latitude bands has a name in each; the band with the larger share comes first. A parcel that no
    candidate contains is cut along zones and 100 km squares into parts. The result does not depend on the order of
    the parcels.

    Args:
        parcels: Columns ``parcel_id`` and ``geometry``: valid polygons in WGS84 degrees, split at the antimeridian
            where they cross it.
        overrides: The tile that has to own a parcel, by parcel id.

    Raises:
        ProgramError: With every override that names an unknown parcel or a tile that does not contain the parcel.
    """
    parcels = parcels.sort_values("parcel_id", ignore_index=True)
    overrides = as_spelled(overrides, parcels["parcel_id"])
    problems = tuple(override_problems(parcels, overrides))
    if problems:
        raise ProgramError("the programme's tiles", problems)
    rows: list[tuple[str, str, str | None, Shape, tuple[str, ...]]] = []
    candidates = zip(parcels["parcel_id"], parcels.geometry, _containing(parcels), strict=True)
    for parcel_id, geometry, names in candidates:
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


def as_spelled(overrides: Mapping[str, str], ids: Iterable[str]) -> dict[str, str]:
    """The tiles by parcel id, as the parcels file spells it where the programme has another Unicode form of it."""
    known = set(ids)
    spelled = {unicodedata.normalize("NFC", parcel_id): parcel_id for parcel_id in known}
    return {
        name if name in known else spelled.get(unicodedata.normalize("NFC", name), name): tile
        for name, tile in overrides.items()
    }


def override_problems(parcels: gpd.GeoDataFrame, overrides: Mapping[str, str]) -> Iterator[Problem]:
    """Problems of the programme's own choice of tiles: unknown parcels, and tiles that do not contain their parcel.

    Args:
        parcels: As for ``assign_parcels``.
        overrides: Tile by parcel id.
    """
    chosen = parcels[parcels["parcel_id"].isin(list(overrides))]
    known = dict(zip(chosen["parcel_id"], chosen.geometry, strict=True))
    for parcel_id, tile in sorted(overrides.items()):
        if parcel_id not in known:
            reason, cure = "no parcel has this id", "Write the id as it is in the parcels file, or remove the line"
        elif not _contains(tile, known[parcel_id]):
            parcel = chosen[chosen["parcel_id"] == parcel_id]
            names = ", ".join(_containing(parcel)[0])
            reason = f"this tile does not contain parcel {parcel_id}"
            cure = f"Write a tile that contains it ({names}), or remove the line" if names else (
                "No tile contains it: remove the line, and the parcel is cut into parts"
            )  # fmt: skip
        else:
            continue
        yield Problem(field=f"tiles.{parcel_id}", value=tile, reason=reason, cure=cure)


def project(lonlat: Geometries, crs: str) -> Geometries:
    """Polygons in a CRS in metres, projected vertex by vertex from longitude and latitude (WGS84 degrees).

    Edges are not densified: the straight edge of a field of 2 km is off by less than a tenth of a metre at 60 degrees.
    Vertices are rounded to 2^-16 m: PROJ's last bits differ between CPUs.
    """
    return _rounded(_transformed(lonlat, WGS84, crs))


def _rounded(geometries: Geometries) -> Geometries:
    rounded: Geometries = shapely.transform(geometries, lambda xy: np.round(xy * 65536) / 65536)
    return rounded


def geom_sha256(lonlat: Shape) -> str:
    """SHA-256 of a polygon's canonical WKB, whatever the order, direction and first point of its rings; lower-case hex.

    The WKB is little-endian ISO WKB of two dimensions, with the coordinates as given. Rings start at their least (x, y)
    and have no repeated points; shells run counter-clockwise and holes clockwise; holes, and the polygons of a
    multipolygon, are sorted by their coordinates. A multipolygon of one polygon is written as a polygon.
    """
    polygons = sorted(
        (_canonical(part) for part in shapely.get_parts(lonlat)), key=lambda rings: [r.tolist() for r in rings]
    )
    parts = [shapely.Polygon(rings[0], rings[1:]) for rings in polygons]
    geometry = parts[0] if len(parts) == 1 else shapely.MultiPolygon(parts)
    wkb: bytes = shapely.to_wkb(geometry, byte_order=1, output_dimension=2, flavor="iso")
    return hashlib.sha256(wkb).hexdigest()


def _canonical(polygon: shapely.Polygon) -> list[NDArray[np.float64]]:
    """The canonical rings of a polygon, the shell first."""
    shell = _ring(polygon.exterior, ccw=True)
    return [shell, *sorted((_ring(hole, ccw=False) for hole in polygon.interiors), key=lambda ring: ring.tolist())]


def _ring(ring: shapely.LinearRing, *, ccw: bool) -> NDArray[np.float64]:
    # The addition of zero turns -0.0 into 0.0.
    points = shapely.get_coordinates(ring)[:-1] + 0.0
    points = points[(points != np.roll(points, 1, axis=0)).any(axis=1)]
    if bool(shapely.is_ccw(ring)) is not ccw:
        points = points[::-1]
    points = np.roll(points, -int(np.lexsort((points[:, 1], points[:, 0]))[0]), axis=0)
    return np.concatenate([points, points[:1]])


def _containing(parcels: gpd.GeoDataFrame) -> list[tuple[str, ...]]:
    """The candidates that contain each parcel, best first; one entry per parcel."""
    lonlat = np.asarray(parcels.geometry, dtype=object)
    frame = gpd.GeoDataFrame({"row": np.arange(len(lonlat))}, geometry=lonlat, crs=WGS84)
    tiles = _candidates(shapely.bounds(shapely.get_parts(lonlat)))
    near = _joined(frame, tiles)[["row", "tile", "epsg", "preferred"]]
    # A tile across the antimeridian occurs on both sides of the join.
    near = near.drop_duplicates(["row", "tile"])
    candidates: list[list[tuple[int, bool, str]]] = [[] for _ in lonlat]
    for epsg, here in near.groupby("epsg"):
        rows, index = np.unique(here["row"].to_numpy(), return_inverse=True)
        projected = project(lonlat[rows], f"EPSG:{epsg}")
        bounds, centres = shapely.bounds(projected), shapely.get_coordinates(shapely.centroid(projected))
        boxes = np.array([_box(tile) for tile in here["tile"]])
        inside = _within(bounds[index], boxes)
        off = centres[index] - (boxes[:, :2] + boxes[:, 2:]) / 2
        # Rounded to the millimetre, so that PROJ's last bits do not decide.
        distance = np.round(np.sqrt((off**2).sum(axis=1)) * 1000)
        pairs = zip(here["row"], distance, here["preferred"], here["tile"], inside, strict=True)
        for row, far, preferred, tile, contained in pairs:
            if contained:
                candidates[row].append((int(far), not preferred, tile))
    return [tuple(tile for *_, tile in sorted(ranked)) for ranked in candidates]


def _joined(parcels: gpd.GeoDataFrame, tiles: gpd.GeoDataFrame) -> pd.DataFrame:
    """A row for each pair of a parcel and a tile that meet; many parcels are joined in several threads."""
    joined: pd.DataFrame
    partitions = -(-len(parcels) // _PARTITION)
    if partitions < 2:
        joined = parcels.sjoin(tiles, predicate="intersects")
        return joined
    # Imported only here: the import takes a second in every process.
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
    """Whether bounds lie in boxes, row by row; False for coordinates that PROJ cannot compute."""
    inside = np.hstack([bounds[:, :2] >= boxes[:, :2], bounds[:, 2:] <= boxes[:, 2:], np.isfinite(bounds)])
    return np.asarray(inside.all(axis=1), bool)


@cache
def _box(tile: str) -> Bounds:
    return tile_grid(tile).bounds()


@dataclass(frozen=True, kw_only=True)
class _Squares:
    """The 100 km squares of a zone that candidate tiles stand for, as parallel arrays with an entry for each name."""

    east: NDArray[np.int64]
    north: NDArray[np.int64]
    """Lower left corner, UTM metres; north is counted from the equator."""
    band: NDArray[np.str_]
    preferred: NDArray[np.bool_]
    """True where this latitude band has the largest share of the square."""
    bounds: NDArray[np.float64]
    """Bounds of the tile's footprint, degrees, longitude from the zone's western edge."""


def _cells(zone: int, *, partition: bool = False) -> tuple[tuple[str, Bounds], ...]:
    """The latitude bands of a zone and their bounds, degrees, longitude from the zone's western edge.

    Args:
        zone: UTM zone.
        partition: Whether zones must not overlap: 31V then ends at 3 degrees east.
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
    """The squares of a zone whose tiles may reach the given latitudes, degrees; there may be more, but never fewer."""
    # A degree of latitude is 110.5 to 111.7 km. Three squares are added: tiles overlap, and parallels bend in a zone.
    rows = [latitude * squares for latitude in (south, north) for squares in (1.105, 1.117)]
    first, last = max(-94, math.floor(min(rows)) - 3), min(94, math.ceil(max(rows)) + 3)
    return _squares(_cells(zone), first, last)


@cache
def _squares(cells: tuple[tuple[str, Bounds], ...], first: int, last: int) -> _Squares:
    """The squares of some rows; except for Norway's and Svalbard's, zones are alike from their western edge."""
    rows = np.arange(first, last + 1)
    east, north = (a.ravel() for a in np.meshgrid(np.arange(1, 9) * _SQUARE_M, rows * _SQUARE_M))
    shapes = _relative(east, north, _SQUARE_M)
    tree = shapely.STRtree(shapes)
    boxes = _as_array([shapely.box(*bounds) for _, bounds in cells])
    cell, square = tree.query(boxes, predicate="intersects")
    share = shapely.area(shapely.intersection(shapes[square], boxes[cell]))
    # Squares that only touch, such as those on the other side of the equator, share less than about 100 m2.
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
    """Squares of a UTM zone, degrees, longitude from the zone's western edge; each edge has 16 points."""
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
    """Candidates near the given bounds, degrees: tile, EPSG code, whether its name comes first, and its own bounds."""
    names: list[str] = []
    epsg: list[int] = []
    preferred: list[bool] = []
    boxes: list[NDArray[np.float64]] = []
    south, north = bounds[:, 1].min(), bounds[:, 3].max()
    for zone in _near_zones(bounds):
        squares = _squares_near(zone, south, north)
        # The footprint grows by a hundredth of a degree, because its edges bend between points.
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
    """Zones whose tiles may reach the given bounds, degrees: at 84 degrees a tile is wider than a zone."""
    near: set[int] = set()
    for west, east in np.unique(np.floor((bounds[:, [0, 2]] + 180) / 6).astype(int), axis=0):
        near.update((zone % 60) + 1 for zone in range(west - 2, east + 3))
    return sorted(near)


def _cut(lonlat: Shape) -> list[tuple[str, Shape]]:
    """The parts of a parcel that is too large for any tile, sorted by tile, each with its square's first name.

    It is cut in degrees, by squares whose edges are lines of points: two neighbours have the very same points on their
    common edge, so that their parts neither overlap nor leave a gap.
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
        shapely.prepare(inside)
        # Edges bend between points, so that a square beside the outermost ones may be reached too.
        for e in range(west - _SQUARE_M, east + 2 * _SQUARE_M, _SQUARE_M):
            for n in range(south - _SQUARE_M, north + 2 * _SQUARE_M, _SQUARE_M):
                square = _square_lonlat(zone, e, n) if (e, n) in first else None
                if square is None or not shapely.intersects(inside, square):
                    continue
                piece = _polygons(shapely.make_valid(shapely.set_precision(
                    _polygons(shapely.intersection(inside, square)), LONLAT_STEP)))  # fmt: skip
                if not piece.is_empty and project(_as_array([piece]), crs)[0].area >= MIN_PART_M2:
                    pieces.setdefault(_name(zone, first[e, n], e, n), []).append(piece)
    return [(tile, _polygons(shapely.union_all(parts))) for tile, parts in sorted(pieces.items())]


@cache
def _square_lonlat(zone: int, east: int, north: int) -> Shape:
    """A 100 km square of northern UTM in degrees on the lattice, with a point every ``_EDGE_POINT_M`` of its edges."""
    along = np.arange(0, _SQUARE_M, _EDGE_POINT_M)
    start, end = np.zeros(along.size, int), np.full(along.size, _SQUARE_M)
    dx = np.concatenate([along, end, _SQUARE_M - along, start])
    dy = np.concatenate([start, along, end, _SQUARE_M - along])
    lon, lat = transformed(f"EPSG:{32600 + zone}", WGS84, (east + dx).astype(float), (north + dy).astype(float))
    middle = 6 * zone - 183
    # At 180 degrees it stays on its zone's side.
    lon = (lon - middle + 180) % 360 - 180 + middle
    return shapely.Polygon(np.round(np.column_stack([lon, lat]) / LONLAT_STEP) * LONLAT_STEP)


def _east_of(zone: int, bounds: Bounds) -> Bounds:
    """Bounds in degrees, from bounds whose longitude is counted from a zone's western edge."""
    west, south, east, north = bounds
    return west + 6 * zone - 186, south, east + 6 * zone - 186, north


def _polygons(geometry: shapely.Geometry) -> Shape:
    """The polygons of an intersection, without the points and lines where shapes only touch."""
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
