"""The contents of a simulated archive, as a user states them: ground, months, missions, clouds and clearings."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import shapely

from mrv_assets.errors import ArchiveError
from mrv_assets.science.grid import TILE_SIZE_M, Grid, Window, tile_grid
from mrv_assets.simulated.landscape import Clearing, Landscape

Json = dict[str, Any]
Shares = float | Mapping[str, float]
"""Share of the ground under cloud or shadow in each scene: one for all months, or by month; months not named: 0."""

STEP_PX = 2
"""Scenes begin and end on multiples of 20 m, so that no coarse pixel is cut."""
TILE_PX = TILE_SIZE_M // 10


@dataclass(frozen=True, kw_only=True)
class Sentinel2:
    """Sentinel-2's scenes of the ground."""

    every_days: int = 5
    clouds: Shares = 0.0


@dataclass(frozen=True, kw_only=True)
class Landsat:
    """Scenes of Landsat 8 and 9 of the ground."""

    every_days: int = 8
    clouds: Shares = 0.0
    zones_away: int = 0
    """In which UTM zone: 0 the tile's own, 1 the next to the east, -1 to the west."""
    rows: int = 1
    """Into how many overlapping scenes of one pass the ground is cut, north to south."""


@dataclass(frozen=True, kw_only=True)
class Sentinel1:
    """Sentinel-1's scenes of the ground."""

    every_days: int = 12
    looks: int = 4
    """Equivalent number of looks: speckle has the variance 1 / looks."""
    orbits: tuple[str, ...] = ("descending",)
    """Directions of the passes, in turn."""
    layover: float = 0.0
    """Share of the ground in layover or radar shadow; above 0 scenes have a band that says where."""


Observer = Sentinel2 | Landsat | Sentinel1


@dataclass(frozen=True, kw_only=True)
class Archive:
    """A made-up piece of ground, and who looks at it when.

    Raises:
        ArchiveError: For a field that makes no sense, with its cure.
        TileError: When the tile is none.
    """

    tile: str
    """MGRS name, such as 34TER."""
    months: tuple[str, ...]
    """Such as 2023-07; every mission publishes in all of them."""
    seed: int = 1
    window: Window = field(default=Window(0, 0, TILE_PX, TILE_PX))
    """The ground: which of the tile's 10 m pixels. By default all."""
    observers: tuple[Observer, ...] = (Sentinel2(),)
    """One of a kind at most."""
    clearings: tuple[Clearing, ...] = ()
    asked: tuple[shapely.Polygon, ...] = ()
    """The ground that shares of clouds are of, in the tile's CRS; none: all of the ground."""

    def __post_init__(self) -> None:
        for what, value, cure in _problems(self):
            raise ArchiveError(what, value, cure)

    @property
    def grid(self) -> Grid:
        """The 10 m pixels of the ground."""
        tile = tile_grid(self.tile)
        west, _, _, north = tile.bounds(self.window)
        return Grid(
            crs=tile.crs,
            x0=west,
            y0=north,
            dx=tile.dx,
            dy=tile.dy,
            width=self.window.width,
            height=self.window.height,
        )

    @property
    def frame(self) -> str:
        """The CRS everything is simulated in: the tile's own."""
        return self.grid.crs

    @property
    def southern(self) -> bool:
        """Whether the ground is south of the equator."""
        return self.frame.startswith("EPSG:327")

    @property
    def landscape(self) -> Landscape:
        """The ground itself."""
        return Landscape(seed=self.seed, clearings=self.clearings)

    @property
    def ground(self) -> tuple[shapely.Polygon, ...]:
        """The ground that shares of clouds are of."""
        return self.asked or (shapely.box(*self.grid.bounds()),)


def share_in(shares: Shares, month: str) -> float:
    """The share of a month."""
    return shares.get(month, 0.0) if isinstance(shares, Mapping) else shares


def days_of(month: str) -> tuple[date, ...]:
    """Every day of a month."""
    first = date.fromisoformat(f"{month}-01")
    return tuple(day for n in range(31) if (day := first + timedelta(days=n)).month == first.month)


def looks_of(observer: Observer, month: str) -> tuple[date, ...]:
    """The days of a month on which a mission passes: every so many days, whichever month is asked for first."""
    # So that not all missions come on one day.
    phase = {Sentinel2: 0, Landsat: 3, Sentinel1: 1}[type(observer)]
    return tuple(day for day in days_of(month) if (day.toordinal() - phase) % observer.every_days == 0)


def pass_number(observer: Observer, day: date) -> int:
    """Number of a day's pass, counted from a fixed date; neighbours differ by one."""
    return day.toordinal() // observer.every_days


def _problems(archive: Archive) -> Iterator[tuple[str, object, str]]:
    """Fields that make no sense: each with its value, and what to write instead."""
    tile, window = tile_grid(archive.tile), archive.window
    for month in archive.months:
        if not re.fullmatch(r"[12][0-9]{3}-(0[1-9]|1[0-2])", month):
            yield "months", month, "Write a month like 2023-07"
    if not archive.months:
        yield "months", archive.months, "Name at least one, such as 2023-07"
    edges = (window.row, window.col, window.height, window.width)
    if window.intersect(Window(0, 0, tile.height, tile.width)) != window or any(edge % STEP_PX for edge in edges):
        yield "window", window, f"Take pixels of the tile, {tile.height} a side, in multiples of {STEP_PX}"
    kinds = [type(one) for one in archive.observers]
    if not kinds or len(set(kinds)) < len(kinds):
        yield "observers", archive.observers, "Name one of each mission at most, and one at least"
    for one in archive.observers:
        if not 1 <= one.every_days <= 28:
            yield f"{type(one).__name__}.every_days", one.every_days, "Write 1 to 28, so that every month has a scene"
        match one:
            case Sentinel2(clouds=clouds) | Landsat(clouds=clouds):
                shares = clouds.values() if isinstance(clouds, Mapping) else (clouds,)
                for share in shares:
                    if not 0 <= share <= 1:
                        yield f"{type(one).__name__}.clouds", share, "Write a share from 0 to 1, such as 0.9"
            case Sentinel1(looks=looks, orbits=orbits, layover=layover):
                if looks < 1:
                    yield "Sentinel1.looks", looks, "Write a whole number from 1 on, such as 4"
                if not orbits or set(orbits) - {"ascending", "descending"}:
                    yield "Sentinel1.orbits", orbits, "Name ascending, descending, or both"
                if not 0 <= layover <= 1:
                    yield "Sentinel1.layover", layover, "Write a share from 0 to 1, such as 0.1"
        if isinstance(one, Landsat) and one.rows < 1:
            yield "Landsat.rows", one.rows, "Write 1, or 2 for two scenes a pass"
        if isinstance(one, Landsat) and abs(one.zones_away) > 1:
            yield "Landsat.zones_away", one.zones_away, "Write -1, 0 or 1: further zones are too far away"
    for polygon in (*archive.asked, *(clearing.outline for clearing in archive.clearings)):
        if not polygon.is_valid or polygon.is_empty or not shapely.box(*archive.grid.bounds()).contains(polygon):
            shown = shapely.to_wkt(polygon, rounding_precision=0)[:120]
            yield "asked or clearings", shown, "Draw valid polygons in the tile's CRS, metres, within the window"
