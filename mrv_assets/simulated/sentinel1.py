"""Sentinel-1 RTC of the simulated ground, as Planetary Computer publishes it: sentinel-1-rtc."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mrv_assets.science.grid import Grid, Window
from mrv_assets.simulated.archive import Archive, Json, Sentinel1, looks_of, pass_number
from mrv_assets.simulated.clouds import Sky, clouds_at, sky_over
from mrv_assets.simulated.cover import greenness
from mrv_assets.simulated.ground import centres, ground_of
from mrv_assets.simulated.noise import seed_of
from mrv_assets.simulated.scene import BandFile, SimulatedScene, lattice, outside_pass
from mrv_assets.simulated.speckle import speckle

COLLECTION = "simulated-sentinel-1-rtc"
NODATA = -32768
MARGIN_PX = 24
SLANT_PX = 12
RADAR_SHADOW, LAYOVER, OUTSIDE = 1, 2, 255
"""OPERA's classes of a layover and shadow mask."""
_LAYOVER_BRIGHTER, _SHADOW_DARKER = 3.0, 0.1
# Descending passes come in the morning.
_ORBITS = {
    "descending": (timedelta(hours=4, minutes=59, seconds=10), 51),
    "ascending": (timedelta(hours=16, minutes=45, seconds=22), 102),
}
_POLARIZATIONS = ("vv", "vh")


def sentinel1_scenes(archive: Archive, observer: Sentinel1, month: str) -> list[SimulatedScene]:
    """The scenes of a month, one a pass."""
    return [_scene(archive, observer, day) for day in looks_of(observer, month)]


def _scene(archive: Archive, observer: Sentinel1, day: date) -> SimulatedScene:
    number = pass_number(observer, day)
    orbit = observer.orbits[number % len(observer.orbits)]
    at, track = _ORBITS[orbit]
    when = datetime(day.year, day.month, day.day, tzinfo=UTC) + at
    grid = _grid(archive.grid)
    # Hills stay where they are; from the other side other slopes lie in layover.
    hills = sky_over(seed_of(archive.seed, "hills", orbit), observer.layover, archive.ground, southern=archive.southern)
    return SimulatedScene(
        id=f"SIMULATED_S1A_IW_GRDH_1SDV_{when:%Y%m%dT%H%M%S}_T{archive.tile}_rtc",
        collection=COLLECTION,
        title="Simulated Sentinel-1 RTC",
        when=when,
        grid=grid,
        files=(*(_band_file(name) for name in _POLARIZATIONS), *([_mask_file()] if observer.layover else [])),
        extensions=("sar/v1.0.0", "sat/v1.0.0"),
        properties={
            "platform": "SENTINEL-1A",
            "constellation": "Sentinel-1",
            "sar:product_type": "GRD",
            "sar:instrument_mode": "IW",
            "sar:frequency_band": "C",
            "sar:center_frequency": 5.405,
            "sar:polarizations": ["VV", "VH"],
            "sar:looks_equivalent_number": observer.looks,
            "sar:observation_direction": "right",
            "sar:pixel_spacing_range": 10,
            "sar:pixel_spacing_azimuth": 10,
            "sat:orbit_state": orbit,
            "sat:absolute_orbit": number,
            "sat:relative_orbit": track,
        },
        pixels=lambda window: _pixels(archive, observer, grid, day, hills, window),
    )


def _grid(ground: Grid) -> Grid:
    """The ground and a margin."""
    return Grid(
        crs=ground.crs,
        x0=ground.x0 - MARGIN_PX * ground.dx,
        y0=ground.y0 - MARGIN_PX * ground.dy,
        dx=ground.dx,
        dy=ground.dy,
        width=ground.width + 2 * MARGIN_PX,
        height=ground.height + 2 * MARGIN_PX,
    )


def _pixels(
    archive: Archive, observer: Sentinel1, grid: Grid, day: date, hills: Sky, window: Window
) -> Mapping[str, NDArray[Any]]:
    """All bands of a window."""
    landscape = archive.landscape
    ground = ground_of(landscape, archive.frame, grid, window, landscape.cleared(day))
    green = greenness(day.month, southern=archive.southern)
    slopes = clouds_at(hills, centres(archive.frame, grid, window))
    layover, shadow = slopes.opacity > 0, slopes.shadow
    outside = outside_pass(grid, window, SLANT_PX)
    rows, cols = lattice(grid, window)
    values: dict[str, NDArray[Any]] = {}
    for name in _POLARIZATIONS:
        power = ground.signal(name, green)
        power = np.where(layover, power * _LAYOVER_BRIGHTER, np.where(shadow, power * _SHADOW_DARKER, power))
        power *= speckle(seed_of(archive.seed, "sentinel1", day.isoformat(), name), rows, cols, observer.looks)
        power[outside] = NODATA
        values[name] = power.astype(np.float32)
    mask = np.zeros(outside.shape, np.uint8)
    mask[layover], mask[shadow], mask[outside] = LAYOVER, RADAR_SHADOW, OUTSIDE
    return {**values, **({"mask": mask} if observer.layover else {})}


def _band_file(name: str) -> BandFile:
    raster: Json = {"nodata": NODATA, "data_type": "float32", "spatial_resolution": 10}
    return BandFile(
        key=name,
        dtype="float32",
        nodata=NODATA,
        quality=False,
        fields={
            "title": f"Simulated {name.upper()}, gamma naught, linear power",
            "roles": ["data"],
            "raster:bands": [raster],
        },
    )


def _mask_file() -> BandFile:
    raster: Json = {"nodata": OUTSIDE, "data_type": "uint8", "spatial_resolution": 10}
    names = {0: "valid", RADAR_SHADOW: "shadow", LAYOVER: "layover", OUTSIDE: "no data"}
    classes = [{"value": int(value), "name": name} for value, name in names.items()]
    return BandFile(
        key="mask",
        dtype="uint8",
        nodata=OUTSIDE,
        quality=True,
        fields={
            "title": "Simulated layover and shadow",
            "roles": ["data-mask"],
            "raster:bands": [raster],
            "classification:classes": classes,
        },
    )
