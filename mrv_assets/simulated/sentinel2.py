"""Sentinel-2 L2A of the simulated ground, as Earth Search publishes it: sentinel-2-c1-l2a."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mrv_assets.science.grid import Grid, Window
from mrv_assets.simulated.archive import Archive, Json, Sentinel2, looks_of, pass_number, share_in
from mrv_assets.simulated.clouds import Sky, clouds_at, sky_over
from mrv_assets.simulated.cover import Cover, greenness
from mrv_assets.simulated.ground import centres, ground_of
from mrv_assets.simulated.noise import Floats, bits, seed_of
from mrv_assets.simulated.scene import BandFile, SimulatedScene, digital_numbers, finer, finer_window, lattice

COLLECTION = "simulated-sentinel-2-c1-l2a"
BASELINE = "05.10"
# ESA, since processing baseline 04.00.
SCALE, OFFSET = 1e-4, -0.1
AT = timedelta(hours=9, minutes=30, seconds=31)
RELATIVE_ORBIT = 36

# Band, ESA's name, metres.
_BANDS = (
    ("blue", "B02", 10),
    ("red", "B04", 10),
    ("nir", "B08", 10),
    ("nir08", "B8A", 20),
    ("swir16", "B11", 20),
    ("swir22", "B12", 20),
)
_CLASS = {Cover.WATER: 6, Cover.BARE: 5, Cover.CROP: 4, Cover.FOREST: 4}
_SHADOW, _MEDIUM, _HIGH = 3, 8, 9
_HIGH_FROM = 0.75
"""Opacity from which a cloud is of high probability."""
_LIKELY = (40, 100)
"""Cloud probability, percent: at a cloud's edge, and of a thick cloud."""
_UNLIKELY = 5
"""Upper limit of the cloud probability where there is no cloud, percent."""


def sentinel2_scenes(archive: Archive, observer: Sentinel2, month: str) -> list[SimulatedScene]:
    """The scenes of a month, one a pass."""
    return [_scene(archive, observer, month, day) for day in looks_of(observer, month)]


def _scene(archive: Archive, observer: Sentinel2, month: str, day: date) -> SimulatedScene:
    number = pass_number(observer, day)
    letter, when = "AB"[number % 2], datetime(day.year, day.month, day.day, tzinfo=UTC) + AT
    stamp, made = f"{when:%Y%m%dT%H%M%S}", f"{when + timedelta(hours=6):%Y%m%dT%H%M%S}"
    share = share_in(observer.clouds, month)
    sky = sky_over(
        seed_of(archive.seed, "sentinel2", day.isoformat(), "clouds"), share, archive.ground, southern=archive.southern
    )
    coarse = _coarse(archive.grid)
    return SimulatedScene(
        id=f"SIMULATED_S2{letter}_T{archive.tile}_{stamp}_L2A",
        collection=COLLECTION,
        title="Simulated Sentinel-2 L2A",
        when=when,
        grid=coarse,
        files=(*(_band_file(*band) for band in _BANDS), *_quality_files()),
        extensions=("grid/v1.1.0", "sentinel-2/v1.0.0"),
        properties={
            "platform": f"sentinel-2{letter.lower()}",
            "constellation": "sentinel-2",
            "instruments": ["msi"],
            "gsd": 10,
            "grid:code": f"MGRS-{archive.tile}",
            "eo:cloud_cover": round(100 * share, 2),
            "sat:relative_orbit": RELATIVE_ORBIT,
            "s2:processing_baseline": BASELINE,
            "s2:generation_time": f"{when + timedelta(hours=6):%Y-%m-%dT%H:%M:%S}.000000Z",
            # ESA's ids, of which datatake and datastrip are read; SIM0 is no processing centre.
            "s2:datatake_id": f"GS2{letter}_{stamp}_{number % 1_000_000:06d}_N{BASELINE}",
            "s2:datastrip_id": f"S2{letter}_OPER_MSI_L2A_DS_SIM0_{made}_S{stamp}_N{BASELINE}",
        },
        pixels=lambda window: _pixels(archive, coarse, day, sky, window),
    )


def _pixels(archive: Archive, coarse: Grid, day: date, sky: Sky, window: Window) -> Mapping[str, NDArray[Any]]:
    """All bands of a window of the 20 m grid."""
    fine, fine_window = finer(coarse, 2), finer_window(window, 2)
    landscape = archive.landscape
    ground = ground_of(landscape, archive.frame, fine, fine_window, landscape.cleared(day))
    halved = ground.halved()
    # Clouds are cut along the pixels of the band that tells of them: what it calls clear is clear in every band.
    clouds = clouds_at(sky, centres(archive.frame, coarse, window))
    doubled = clouds.doubled()
    green = greenness(day.month, southern=archive.southern)
    values: dict[str, NDArray[Any]] = {}
    for band, _, metres in _BANDS:
        grid, at, seen, above = (
            (fine, fine_window, ground, doubled) if metres == 10 else (coarse, window, halved, clouds)
        )
        values[band] = digital_numbers(
            above.over(seen.signal(band, green), band),
            seed_of(archive.seed, "sentinel2", day.isoformat(), band),
            grid,
            at,
            scale=SCALE,
            offset=OFFSET,
        )
    values["scl"] = _scl(halved.majority, clouds.opacity, clouds.shadow)
    values["cloud"] = _probability(
        clouds.opacity, bits(seed_of(archive.seed, "sentinel2", day.isoformat(), "cloud"), *lattice(coarse, window))
    )
    return values


def _scl(cover: NDArray[np.uint8], opacity: Floats, shadow: NDArray[np.bool_]) -> NDArray[np.uint8]:
    classes = np.array([_CLASS[one] for one in Cover], np.uint8)[cover]
    classes[shadow] = _SHADOW
    classes[opacity > 0] = _MEDIUM
    classes[opacity >= _HIGH_FROM] = _HIGH
    return classes


def _probability(opacity: Floats, random: NDArray[np.uint64]) -> NDArray[np.uint8]:
    low, high = _LIKELY
    likely = np.floor(low + (high - low) * opacity)
    return np.where(opacity > 0, likely, (random % np.uint64(_UNLIKELY)).astype(np.float64)).astype(np.uint8)


def _coarse(fine: Grid) -> Grid:
    return Grid(
        crs=fine.crs,
        x0=fine.x0,
        y0=fine.y0,
        dx=fine.dx * 2,
        dy=fine.dy * 2,
        width=fine.width // 2,
        height=fine.height // 2,
    )


def _band_file(band: str, name: str, metres: int) -> BandFile:
    raster = {"nodata": 0, "data_type": "uint16", "spatial_resolution": metres, "scale": SCALE, "offset": OFFSET}
    return BandFile(
        key=band,
        dtype="uint16",
        nodata=0,
        quality=False,
        fine=20 // metres,
        fields={
            "title": f"Simulated {band}, {metres} m",
            "roles": ["data", "reflectance"],
            "gsd": metres,
            "eo:bands": [{"name": name, "common_name": band}],
            "raster:bands": [raster],
        },
    )


def _quality_files() -> tuple[BandFile, ...]:
    def file(key: str, title: str, nodata: int | None, roles: list[str]) -> BandFile:
        raster: Json = {"data_type": "uint8", "spatial_resolution": 20}
        return BandFile(
            key=key,
            dtype="uint8",
            nodata=nodata,
            quality=True,
            fields={
                "title": title,
                "roles": roles,
                "gsd": 20,
                "raster:bands": [raster if nodata is None else {"nodata": nodata, **raster}],
            },
        )

    return (
        file("scl", "Simulated scene classification", 0, ["data"]),
        # 0 is a probability too.
        file("cloud", "Simulated cloud probability, percent", None, ["data", "cloud"]),
    )
