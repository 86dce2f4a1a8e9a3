"""Landsat 8 and 9 C2 L2 of the simulated ground, as Planetary Computer publishes it: landsat-c2-l2."""

import math
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyproj import Transformer

from mrv_assets.science.grid import Grid, Window
from mrv_assets.simulated.archive import Archive, Landsat, looks_of, pass_number, share_in
from mrv_assets.simulated.clouds import Sky, clouds_at, sky_over
from mrv_assets.simulated.cover import Cover, greenness
from mrv_assets.simulated.ground import centres, ground_of
from mrv_assets.simulated.noise import seed_of
from mrv_assets.simulated.scene import BandFile, SimulatedScene, digital_numbers, outside_pass

COLLECTION = "simulated-landsat-c2-l2"
# USGS, Landsat 8-9 Collection 2 Level 2 Science Product Guide.
SCALE, OFFSET = 2.75e-5, -0.2
SIDE_M, ORIGIN_M = 30, 15
"""Pixels and their corners: centres lie on multiples of 30 m, so corners are 15 beside them."""
CLEAR, CLEAR_WATER, CLOUD, SHADOW, FILL = 21824, 21952, 22280, 23888, 1
"""QA_PIXEL of Landsat 8 and 9."""
MARGIN_PX = 8
"""Beyond the ground on every side."""
SLANT_PX = 4
"""Shift of the edges of a pass, which is flown aslant, from top to bottom; outside is fill."""
AT, ROW_APART = timedelta(hours=9, minutes=10, seconds=15), timedelta(seconds=24)
# Share of a scene's height that it has in common with the next one of its pass.
_OVERLAP = 0.2
_PATH = "001"

_BANDS = (("blue", "OLI_B2"), ("red", "OLI_B4"), ("nir08", "OLI_B5"), ("swir16", "OLI_B6"), ("swir22", "OLI_B7"))


def landsat_scenes(archive: Archive, observer: Landsat, month: str) -> list[SimulatedScene]:
    """The scenes of a month: one a pass, or as many as a pass has rows."""
    whole = landsat_grid(archive, observer)
    return [
        _scene(archive, observer, month, day, whole, number)
        for day in looks_of(observer, month)
        for number in range(observer.rows)
    ]


def landsat_grid(archive: Archive, observer: Landsat) -> Grid:
    """The pixels of a whole pass over the ground.

    In the south too the zone is a northern one, with negative northings, as USGS writes it.
    """
    zone = (int(archive.frame[-2:]) - 1 + observer.zones_away) % 60 + 1
    crs, bounds = f"EPSG:{32600 + zone}", archive.grid.bounds()
    if crs != archive.frame:
        to_zone = Transformer.from_crs(archive.frame, crs, always_xy=True)
        bounds = to_zone.transform_bounds(*bounds, densify_pts=21)
    west, south, east, north = bounds
    left, bottom = (math.floor((edge - ORIGIN_M) / SIDE_M) - MARGIN_PX for edge in (west, south))
    right, top = (math.ceil((edge - ORIGIN_M) / SIDE_M) + MARGIN_PX for edge in (east, north))
    return Grid(
        crs=crs,
        x0=float(left * SIDE_M + ORIGIN_M),
        y0=float(top * SIDE_M + ORIGIN_M),
        dx=float(SIDE_M),
        dy=-float(SIDE_M),
        width=right - left,
        height=top - bottom,
    )


def _scene(archive: Archive, observer: Landsat, month: str, day: date, whole: Grid, number: int) -> SimulatedScene:
    first, last = _rows(whole.height, observer.rows, number)
    grid = Grid(
        crs=whole.crs,
        x0=whole.x0,
        y0=whole.y0 + first * whole.dy,
        dx=whole.dx,
        dy=whole.dy,
        width=whole.width,
        height=last - first,
    )
    platform = 8 + pass_number(observer, day) % 2
    when = datetime(day.year, day.month, day.day, tzinfo=UTC) + AT + number * ROW_APART
    wrs_row, share = f"{number + 1:03d}", share_in(observer.clouds, month)
    sky = sky_over(
        seed_of(archive.seed, "landsat", day.isoformat(), "clouds"), share, archive.ground, southern=archive.southern
    )
    return SimulatedScene(
        id=f"SIMULATED_LC0{platform}_L2SP_{_PATH}{wrs_row}_{day:%Y%m%d}_02_T1",
        collection=COLLECTION,
        title="Simulated Landsat 8/9 C2 L2",
        when=when,
        grid=grid,
        files=(*(_band_file(*band) for band in _BANDS), *_quality_files()),
        extensions=("view/v1.0.0",),
        properties={
            "platform": f"landsat-{platform}",
            "instruments": ["oli", "tirs"],
            "gsd": SIDE_M,
            "eo:cloud_cover": round(100 * share, 2),
            "view:off_nadir": 0,
            "landsat:wrs_type": "2",
            "landsat:wrs_path": _PATH,
            "landsat:wrs_row": wrs_row,
            "landsat:correction": "L2SP",
            "landsat:collection_number": "02",
            "landsat:collection_category": "T1",
        },
        pixels=lambda window: _pixels(archive, whole, first, day, sky, window),
    )


def _rows(height: int, count: int, number: int) -> tuple[int, int]:
    """First and one past the last pixel row of one of a pass's scenes."""
    common = math.ceil(height / count * _OVERLAP / 2) if count > 1 else 0
    first, last = height * number // count, height * (number + 1) // count
    return max(first - common, 0), min(last + common, height)


def _pixels(
    archive: Archive, whole: Grid, first: int, day: date, sky: Sky, window: Window
) -> Mapping[str, NDArray[Any]]:
    """All bands of a window of a scene that begins at some row of its pass."""
    window = Window(window.row + first, window.col, window.height, window.width)
    landscape = archive.landscape
    ground = ground_of(landscape, archive.frame, whole, window, landscape.cleared(day))
    clouds = clouds_at(sky, centres(archive.frame, whole, window))
    green = greenness(day.month, southern=archive.southern)
    outside = outside_pass(whole, window, SLANT_PX)
    values: dict[str, NDArray[Any]] = {}
    for band, _ in _BANDS:
        values[band] = digital_numbers(
            clouds.over(ground.signal(band, green), band),
            seed_of(archive.seed, "landsat", day.isoformat(), band),
            whole,
            window,
            scale=SCALE,
            offset=OFFSET,
        )
        values[band][outside] = 0
    quality = np.where(ground.majority == Cover.WATER, np.uint16(CLEAR_WATER), np.uint16(CLEAR))
    quality[clouds.shadow] = SHADOW
    quality[clouds.opacity > 0] = CLOUD
    quality[outside] = FILL
    return {**values, "qa_pixel": quality, "qa_radsat": np.zeros(quality.shape, np.uint16)}


def _band_file(band: str, name: str) -> BandFile:
    raster = {"scale": SCALE, "offset": OFFSET, "nodata": 0, "data_type": "uint16", "spatial_resolution": SIDE_M}
    return BandFile(
        key=band,
        dtype="uint16",
        nodata=0,
        quality=False,
        fields={
            "title": f"Simulated {band}, surface reflectance",
            "roles": ["data", "reflectance"],
            "eo:bands": [{"name": name, "common_name": band}],
            "raster:bands": [raster],
        },
    )


def _quality_files() -> tuple[BandFile, ...]:
    def file(key: str, title: str, nodata: int | None) -> BandFile:
        stated = {} if nodata is None else {"nodata": nodata}
        return BandFile(
            key=key,
            dtype="uint16",
            nodata=nodata,
            quality=True,
            fields={
                "title": title,
                "roles": ["data", "data-mask"],
                "raster:bands": [{**stated, "data_type": "uint16", "spatial_resolution": SIDE_M}],
            },
        )

    return (
        file("qa_pixel", "Simulated pixel quality", FILL),
        file("qa_radsat", "Simulated saturation", None),
    )
