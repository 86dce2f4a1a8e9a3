"""Builders of Landsat and Sentinel-1 scenes, each on a grid of its own, and of programmes of one of these missions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from block_scenes import MONTH, Box, parcels
from demo_lake import a_deployment, a_program
from numpy.typing import NDArray
from pyproj import Transformer
from rasterio import Affine
from scene_builders import COG, Item, a_catalogue, a_geotiff, an_item
from shapely.geometry import mapping

from mrv_assets.deployment import Deployment
from mrv_assets.science.grid import Grid, tile_grid

COLLECTIONS = {"landsat": "landsat-c2-l2", "sentinel1": "sentinel-1-rtc"}
CLEAR = 21824
"""QA_PIXEL of clear land."""
FOREST = {"blue": 8000, "red": 8400, "nir08": 18500, "swir16": 12500, "swir22": 9500}
"""Landsat digital numbers of a forest: reflectance 0.02, 0.031, 0.30875, 0.14375, 0.06125."""
LANDSAT_FILES = {"blue": "SR_B2", "red": "SR_B4", "nir08": "SR_B5", "swir16": "SR_B6", "swir22": "SR_B7"}
NO_POWER = -32768.0
"""What Planetary Computer writes where Sentinel-1 measured nothing."""

Pixels = float | NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class File:
    """One band's file and what the item says of it."""

    values: NDArray[Any]
    asset: Mapping[str, Any] = field(default_factory=dict)
    profile: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Look:
    """One scene to publish, by the keys of its STAC assets."""

    id: str
    when: str
    grid: Grid
    files: Mapping[str, File]
    properties: Mapping[str, Any]


def around(box: Box, *, margin: int = 40, pixel: float = 30, offset: float = 15, tile: str = "34TER") -> Grid:
    """A grid in the tile's own zone that holds a box of its pixels; its origin is ``offset`` mod ``pixel``."""
    own = tile_grid(tile)
    west = np.floor((own.x0 + (box.col - margin) * 10) / pixel) * pixel + offset
    north = np.ceil((own.y0 - (box.row - margin) * 10) / pixel) * pixel + offset
    side = [int(np.ceil((size + 2 * margin) * 10 / pixel)) + 1 for size in (box.height, box.width)]
    return Grid(crs=own.crs, x0=float(west), y0=float(north), dx=pixel, dy=-pixel, height=side[0], width=side[1])


def in_zone(epsg: int, box: Box, *, margin: int = 40, pixel: float = 30, tile: str = "34TER") -> Grid:
    """The same in another CRS."""
    own = tile_grid(tile)
    x, y = own.x0 + (box.col + box.width / 2) * 10, own.y0 - (box.row + box.height / 2) * 10
    x, y = Transformer.from_crs(own.crs, f"EPSG:{epsg}", always_xy=True).transform(x, y)
    side = int(np.ceil((max(box.height, box.width) + 2 * margin) * 10 / pixel))
    west, north = np.floor(x / pixel - side / 2) * pixel + 15, np.ceil(y / pixel + side / 2) * pixel + 15
    return Grid(crs=f"EPSG:{epsg}", x0=float(west), y0=float(north), dx=pixel, dy=-pixel, height=side, width=side)


def landsat(
    scene_id: str,
    grid: Grid,
    *,
    when: str = "2018-07-10T09:10:00Z",
    dn: Mapping[str, Pixels] | None = None,
    qa: Pixels = CLEAR,
    radsat: Pixels = 0,
    tier: str | None = "T1",
    platform: str = "landsat-8",
    without: Sequence[str] = (),
    profile: Mapping[str, Any] | None = None,
    properties: Mapping[str, Any] | None = None,
) -> Look:
    """A scene as Earth Search and Planetary Computer publish it; pixels are one number or one each."""
    raster = {"nodata": 0, "data_type": "uint16", "scale": 2.75e-5, "offset": -0.2}
    files = {
        band: File(
            values=_whole((dn or {}).get(band, FOREST[band]), grid, "uint16"),
            asset={"eo:bands": [{"name": f"OLI_{name}", "common_name": band}], "raster:bands": [raster]},
            profile=profile or {},
        )
        for band, name in LANDSAT_FILES.items()
        if band not in without
    }
    files["qa_pixel"] = File(values=_whole(qa, grid, "uint16"), profile={"nodata": 1, **(profile or {})})
    files["qa_radsat"] = File(values=_whole(radsat, grid, "uint16"), profile={"nodata": None, **(profile or {})})
    stated = {
        "platform": platform,
        "landsat:correction": "L2SP",
        "proj:epsg": int(grid.crs.removeprefix("EPSG:")),
        **({} if tier is None else {"landsat:collection_category": tier}),
        **(properties or {}),
    }
    return Look(id=scene_id, when=when, grid=grid, files=files, properties=stated)


def sentinel1(
    scene_id: str,
    grid: Grid,
    *,
    when: str = "2018-07-10T04:40:00Z",
    vv: Pixels | None = 0.1,
    vh: Pixels | None = 0.02,
    mask: NDArray[np.uint8] | None = None,
    orbit: str | None = "descending",
    nodata: float | None = NO_POWER,
    names: tuple[str, str] = ("vv", "vh"),
    properties: Mapping[str, Any] | None = None,
) -> Look:
    """A scene as Planetary Computer publishes it, with OPERA's mask where one is given."""
    files = {
        name: File(values=_whole(values, grid, "float32"), profile={"nodata": nodata})
        for name, values in zip(names, (vv, vh), strict=True)
        if values is not None
    }
    if mask is not None:
        names = ("valid", "shadow", "layover", "layover and shadow")
        classes = [{"value": value, "name": name} for value, name in enumerate(names)]
        asset = {"classification:classes": [*classes, {"value": 255, "name": "no data"}]}
        files["mask"] = File(values=mask, profile={"nodata": 255}, asset=asset)
    stated = {
        "platform": "SENTINEL-1A",
        "constellation": "Sentinel-1",
        **({} if orbit is None else {"sat:orbit_state": orbit}),
        **(properties or {}),
    }
    return Look(id=scene_id, when=when, grid=grid, files=files, properties=stated)


def publish_looks(root: Path, looks: Sequence[Look], mission: str) -> Path:
    """A static catalogue of scenes; gives its folder."""
    a_catalogue(root, [_item(look) for look in looks], COLLECTIONS[mission])
    for number, look in enumerate(looks):
        transform = Affine(look.grid.dx, 0, look.grid.x0, 0, look.grid.dy, look.grid.y0)
        for key, file in look.files.items():
            a_geotiff(
                root / "items" / str(number) / f"{key}.tif",
                file.values,
                **{"crs": look.grid.crs, "transform": transform, "blockxsize": 32, "blockysize": 32, **file.profile},
            )
    return root


def a_programme_with(
    folder: Path, mission: str, looks: Sequence[Look], boxes: Mapping[str, Box], *, workers: int = 1, **changed: Any
) -> Deployment:
    """A programme of one month and one mission, not yet materialized; its lake is beside it.

    Args:
        folder: May hold a programme already: then its lake goes on.
        mission: ``landsat`` or ``sentinel1``.
        looks: Published anew where the catalogue is not there yet.
        boxes: The parcels, whole pixels of tile 34TER, unless ``parcels`` says otherwise.
        workers: Blocks worked on at once.
        changed: As for ``a_program``; dilation is 0 unless ``gate`` says otherwise.
    """
    if not (folder / "catalogue").exists():
        publish_looks(folder / "catalogue", looks, mission)
    given = {
        "parcels": parcels(**boxes),
        "months": {"start": MONTH, "end": MONTH},
        "missions": {mission: {"catalog": "catalogue", "collection": COLLECTIONS[mission]}},
        "substitution": [mission],
        # Other tiles hold their ground too, and lie nearer to some of it.
        "tiles": dict.fromkeys(boxes, "34TER"),
        **changed,
        "gate": {"dilation_px": 0, **changed.get("gate", {})},
    }
    return a_deployment(a_program(folder, **given), workers=workers)


def values_of(deployment: Deployment, asset: str, variable: str, box: Box, tile: str = "34TER") -> NDArray[Any]:
    """A variable of an opened asset within a box, dims (time, y, x) or (y, x)."""
    opened = deployment.lake.open(asset, tile, deployment.months[0])
    rows, cols = slice(box.row, box.row + box.height), slice(box.col, box.col + box.width)
    values: NDArray[Any] = opened[variable].isel(y=rows, x=cols).to_numpy()
    return values


def _whole(values: Pixels, grid: Grid, dtype: str) -> NDArray[Any]:
    return np.array(np.broadcast_to(np.asarray(values, dtype), (grid.height, grid.width)))


def _item(look: Look) -> Item:
    assets = {key: {"href": f"./{key}.tif", "type": COG, **file.asset} for key, file in look.files.items()}
    square = shapely.box(*look.grid.bounds())
    to_lonlat = Transformer.from_crs(look.grid.crs, "EPSG:4326", always_xy=True)
    outline = shapely.transform(square, lambda xy: np.column_stack(to_lonlat.transform(xy[:, 0], xy[:, 1])))
    item = an_item(look.id, look.when, assets, look.properties)
    return {**item, "bbox": list(outline.bounds), "geometry": mapping(outline)}
