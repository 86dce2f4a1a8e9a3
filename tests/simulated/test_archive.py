"""An archive that makes no sense is refused with what to write instead."""

import itertools
import pickle
from datetime import date
from typing import Any

import pytest
import shapely
from simulated_patches import a_patch

from mrv_assets.errors import ArchiveError, TileError
from mrv_assets.science.grid import Window
from mrv_assets.simulated.archive import Archive, Landsat, Sentinel1, Sentinel2, days_of, looks_of
from mrv_assets.simulated.landscape import Clearing

FAR = shapely.box(0, 0, 10, 10)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"months": ("2023-13",)}, "months '2023-13': Write a month like 2023-07"),
        ({"months": ()}, r"months \(\): Name at least one"),
        ({"window": Window(10_900, 0, 256, 256)}, "window Window.*: Take pixels of the tile, 10980 a side"),
        ({"window": Window(1, 0, 256, 256)}, "window Window.*multiples of 2"),
        ({"observers": ()}, "observers .*: Name one of each mission at most"),
        ({"observers": (Sentinel2(), Sentinel2())}, "observers .*: Name one of each mission at most"),
        ({"observers": (Sentinel2(every_days=0),)}, "Sentinel2.every_days 0: Write 1 to 28"),
        ({"observers": (Landsat(every_days=29),)}, "Landsat.every_days 29: Write 1 to 28"),
        ({"observers": (Sentinel2(clouds=1.5),)}, "Sentinel2.clouds 1.5: Write a share from 0 to 1"),
        ({"observers": (Landsat(clouds={"2023-07": -1}),)}, "Landsat.clouds -1: Write a share from 0 to 1"),
        ({"observers": (Landsat(clouds=float("nan")),)}, "Landsat.clouds nan: Write a share from 0 to 1"),
        ({"observers": (Landsat(rows=0),)}, "Landsat.rows 0: Write 1, or 2"),
        ({"observers": (Landsat(zones_away=2),)}, "Landsat.zones_away 2: Write -1, 0 or 1"),
        ({"observers": (Sentinel1(looks=0),)}, "Sentinel1.looks 0: Write a whole number"),
        ({"observers": (Sentinel1(orbits=("polar",)),)}, "Sentinel1.orbits .*: Name ascending, descending, or both"),
        ({"observers": (Sentinel1(layover=2),)}, "Sentinel1.layover 2: Write a share from 0 to 1"),
        ({"asked": (FAR,)}, "asked or clearings .*: Draw valid polygons in the tile's CRS"),
        (
            {"clearings": (Clearing(name="a", outline=FAR, day=date(2023, 7, 1)),)},
            "asked or clearings .*: Draw valid polygons in the tile's CRS",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(changed: dict[str, Any], says: str) -> None:
    """The message names the field, its value and the cure; and crosses processes."""
    with pytest.raises(ArchiveError, match=says) as refused:
        a_patch(**changed)

    assert str(pickle.loads(pickle.dumps(refused.value))) == str(refused.value)


def test_a_tile_that_is_none_is_refused() -> None:
    """As everywhere."""
    with pytest.raises(TileError):
        Archive(tile="34TE", months=("2023-07",))


def test_by_default_the_ground_is_the_whole_tile() -> None:
    """109.8 km a side."""
    archive = Archive(tile="34TER", months=("2023-07",))

    assert archive.grid.bounds() == (499980.0, 4990200.0, 609780.0, 5100000.0)


def test_passes_go_on_over_the_end_of_a_month() -> None:
    """Every fifth day, whichever months are asked for; February has 28 days, or 29."""
    observer = Sentinel2(every_days=5)

    days = [day for month in ("2024-01", "2024-02", "2024-03") for day in looks_of(observer, month)]

    assert {later.toordinal() - day.toordinal() for day, later in itertools.pairwise(days)} == {5}
    assert len(days_of("2024-02")) == 29
    assert len(days_of("2023-02")) == 28


@pytest.mark.parametrize("observer", [Sentinel2(every_days=28), Landsat(every_days=28), Sentinel1(every_days=28)])
def test_no_month_is_without_a_scene(observer: Sentinel2 | Landsat | Sentinel1) -> None:
    """Whatever the interval that is allowed."""
    months = [f"{year}-{month:02d}" for year in (2023, 2024) for month in range(1, 13)]

    assert all(looks_of(observer, month) for month in months)
