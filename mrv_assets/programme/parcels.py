"""The parcels of a programme: polygons with an id of their own, checked. All problems are reported at once."""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray

from mrv_assets.errors import Problem, ProgramError
from mrv_assets.programme.parcels_file import Row, read_rows
from mrv_assets.science.tiles import WGS84

SOUTH, NORTH = -80.0, 84.0
"""Latitudes where UTM, and with it the tile grid, ends."""
MIN_WIDTH_M = 0.1
"""Least width of a parcel, metres: what is thinner is a fault of digitizing."""
LONG_KM = 10.0
"""Width of an outline from which vertices far from most of the others are held to be slips."""
SHRINKS = 20.0
"""A correction that makes an outline this many times less wide is the right one."""
WIDE_KM = 300.0
"""Width of an outline from which half of its vertices may be the wrong ones."""
ANTIMERIDIAN_DEG = 170.0
"""Longitude beyond which two signs are those of the antimeridian's two sides."""
LISTED = 10
"""Problems of one kind that are listed; the others are counted."""

_M_PER_DEG = 111_320.0


def read_parcels(path: Path) -> gpd.GeoDataFrame:
    """The parcels of a GeoJSON or GeoParquet file.

    GeoJSON is in WGS84 degrees; GeoParquet may be in any CRS whose shift to WGS84 is known, and then longitudes and
    latitudes are rounded to 1e-9 degrees (0.1 mm). Heights are dropped, and ``attrs["notes"]`` says so. A parcel across
    the antimeridian is a multipolygon split there.

    Returns:
        Columns ``parcel_id`` (text, unique) and ``geometry`` (valid polygons, EPSG:4326), sorted by id.

    Raises:
        ProgramError: With every problem of the file.
    """
    rows = read_rows(path)
    problems = [problem for row in rows for problem in _geometry_problems(row)] + _id_problems(rows)
    if not rows:
        problems.append(Problem(field=path.name, reason="it has no parcels", cure="Add a polygon with a parcel_id"))
    if problems:
        raise ProgramError(str(path), tuple(_folded(problems)))
    ids = [str(row.parcel_id) for row in rows]
    frame = gpd.GeoDataFrame({"parcel_id": ids}, geometry=[row.geometry for row in rows], crs=WGS84)
    frame = frame.sort_values("parcel_id", ignore_index=True)
    high = sum(row.heights for row in rows)
    frame.attrs["notes"] = [f"Heights of {high} of {len(rows)} parcels were dropped."] if high else []
    return frame


def _folded(problems: Iterable[Problem]) -> Iterator[Problem]:
    """The problems; of many that are equal but for their place, the first ten and the number of the others."""

    def kind(one: tuple[int, Problem]) -> tuple[str, str]:
        # Widths and the places of others differ from one to the next.
        return re.sub(r"[\d.,e+-]*\d", "#", one[1].reason), one[1].cure

    listed: list[tuple[int, Problem]] = []
    for _, group in groupby(sorted(enumerate(problems), key=lambda one: (*kind(one), one[0])), key=kind):
        same = list(group)
        listed += same[:LISTED]
        if len(same) > LISTED:
            number, last = same[LISTED]
            field = f"{last.field} and others"
            reason = f"such as: {last.reason}; {len(same) - LISTED} more like this, {len(same)} in all"
            listed.append((number, Problem(field=field, reason=reason, cure=last.cure)))
    yield from (problem for _, problem in sorted(listed, key=lambda one: one[0]))


def _id_problems(rows: Sequence[Row]) -> list[Problem]:
    problems = []
    first: dict[str, str] = {}
    spelled: dict[str, str] = {}
    for row in rows:
        own = "Give every parcel an id of its own, a text without line breaks"
        text = str(row.parcel_id)
        if row.parcel_id is None or not text.strip():
            problems.append(Problem(field=row.id_field, reason="it is missing", cure=own))
        elif isinstance(row.parcel_id, bool) or not isinstance(row.parcel_id, str | int):
            problems.append(Problem(field=row.id_field, value=row.parcel_id, reason="it is not a text", cure=own))
        elif text != text.strip() or not text.isprintable():
            reason = "it has spaces around it or characters that cannot be printed"
            problems.append(Problem(field=row.id_field, value=text, reason=reason, cure=own))
        elif text in first:
            reason = f"{first[text]} has the same id"
            problems.append(Problem(field=row.id_field, value=text, reason=reason, cure=own))
        elif (other := spelled.get(unicodedata.normalize("NFC", text))) is not None:
            reason = f"{first[other]} looks the same and is spelled otherwise: {_spelled(other)}, here {_spelled(text)}"
            problems.append(Problem(field=row.id_field, value=text, reason=reason, cure=own))
        else:
            first[text] = row.id_field
            spelled[unicodedata.normalize("NFC", text)] = text
    return problems


def _spelled(text: str) -> str:
    """A text with the code points of what is not ASCII."""
    return "".join(letter if letter.isascii() else f"<U+{ord(letter):04X}>" for letter in text)


def _geometry_problems(row: Row) -> list[Problem]:
    """The first problem of a geometry; later problems may only follow from it."""
    geometry, field = row.geometry, row.geometry_field
    if row.crs is not None:
        return [Problem(field=field, reason=row.crs.reason, cure=row.crs.cure)]
    if row.unreadable:
        cure = "Write a Polygon or MultiPolygon with its coordinates as RFC 7946 says"
        return [Problem(field=field, reason=row.unreadable, cure=cure)]
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
    if slip := _slip(geometry):
        cure = "Correct it, or, where the parcel is really so wide, split it"
        return [Problem(field=field, reason=slip, cure=cure)]
    if not geometry.is_valid:
        cure = "Redraw it so that its outline neither touches nor crosses itself"
        return [
            Problem(field=field, value=shapely.is_valid_reason(geometry), reason="it is not a valid polygon", cure=cure)
        ]
    edges = shapely.bounds(shapely.get_parts(geometry))
    if (edges[:, 2] - edges[:, 0] > 180).any():
        cure = "Split a parcel across the antimeridian there: a polygon that ends at 180, another that starts at -180"
        return [Problem(field=field, value=bounds, reason="it goes more than half around the Earth", cure=cure)]
    width = _width_m(geometry)
    if width < MIN_WIDTH_M:
        cure = f"Redraw it, or leave it out: a parcel has to be {MIN_WIDTH_M:g} m wide"
        return [Problem(field=field, reason=f"it is {width:.2g} m wide", cure=cure)]
    return []


def _width_m(geometry: shapely.Polygon | shapely.MultiPolygon) -> float:
    """Mean width of a polygon's widest part, metres: twice its area by its outline's length, roughly."""
    _, south, _, north = geometry.bounds
    scale = np.array([np.cos(np.radians((south + north) / 2)), 1.0]) * _M_PER_DEG
    # From its own corner, so that areas of a square metre keep their digits.
    corner = np.asarray(geometry.bounds[:2])
    parts = shapely.get_parts(shapely.transform(geometry, lambda points: (points - corner) * scale))
    return float(max(2 * shapely.area(parts) / shapely.length(parts)))


def _slip(geometry: shapely.Geometry) -> str:
    """The lost sign, exchanged coordinates or wrong digit that some vertices seem to have; empty where none has."""
    for part in shapely.get_parts(geometry):
        points = shapely.get_coordinates(part.exterior)[:-1]
        if len(points) < 3 or not np.isfinite(points).all() or np.abs(points).max() > 360:
            continue
        wide = _extent_km(points)
        # A parcel may lie on both sides of Greenwich or the equator, and half of its vertices be mirrored there.
        most = len(points) / 2 if wide > WIDE_KM else (len(points) - 1) / 2
        if wide > LONG_KM and (told := _lost_sign(points, most) or _exchanged(points, most) or _far_off(points)):
            return f"it is {wide:,.0f} km wide, because {told}"
    return ""


def _extent_km(points: NDArray[np.float64]) -> float:
    """The longer side of the box around some points, kilometres."""
    across = np.cos(np.radians(min(np.abs(points[:, 1]).max(), 90)))
    return float((np.ptp(points, axis=0) * (across, 1) * _M_PER_DEG / 1000).max())


def _explains(points: NDArray[np.float64], corrected: NDArray[np.float64]) -> bool:
    """Whether a correction of some vertices leaves an outline a small part as wide, with an inside."""
    outline = shapely.Polygon(corrected)
    return _extent_km(corrected) < _extent_km(points) / SHRINKS and outline.area > 0


def _lost_sign(points: NDArray[np.float64], most: float) -> str:
    for axis, name in ((0, "longitude"), (1, "latitude")):
        values = points[:, axis]
        # Near the antimeridian it wants to be split there, which the next check says.
        if (axis == 0 and np.abs(values).min() > ANTIMERIDIAN_DEG) or not values.min() < 0 < values.max():
            continue
        few = min((values > 0, values < 0), key=np.count_nonzero)
        mirrored = points.copy()
        mirrored[few, axis] *= -1
        if few.sum() <= most and _explains(points, mirrored):
            return (
                f"{few.sum()} of its {len(points)} vertices have the {name} {values[few][0]:g}, "
                "and the others the other sign"
            )
    return ""


def _exchanged(points: NDArray[np.float64], most: float) -> str:
    middle = np.median(points, axis=0)
    nearer = np.abs(points[:, ::-1] - middle).max(axis=1) < np.abs(points - middle).max(axis=1) / SHRINKS
    if 0 < nearer.sum() <= most and _explains(points, np.where(nearer[:, None], points[:, ::-1], points)):
        return f"longitude and latitude of {nearer.sum()} vertices are exchanged"
    return ""


def _far_off(points: NDArray[np.float64]) -> str:
    """A single vertex far from all others, such as one with a wrong digit."""
    if len(points) < 4:
        return ""
    lon, lat = points[np.abs(points - np.median(points, axis=0)).max(axis=1).argmax()]
    others = points[(points != (lon, lat)).any(axis=1)]
    if len(others) == len(points) - 1 and _explains(points, others):
        return f"all of its vertices but one, at {lon:g}, {lat:g}, are within {_extent_km(others):.2g} km"
    return ""
