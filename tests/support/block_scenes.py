"""Builders of scenes, parcels and programmes on the pixel grid of tile 34TER, placed by row and column.

Scenes lie on the tile's own grid, so that alignment copies pixels and every expected number can be written down.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from demo_lake import a_deployment, a_program
from numpy.typing import NDArray
from pyproj import Transformer
from rasterio import Affine
from scene_builders import COG, Item, a_catalogue, a_geotiff, an_item
from shapely.geometry import mapping

from mrv_assets.deployment import Deployment
from mrv_assets.science.blocks import BLOCK
from mrv_assets.science.grid import tile_grid

TILE = "34TER"
MONTH = "2018-07"
GRID = tile_grid(TILE)
CORNER = 5 * BLOCK
"""Row and column at which the blocks (4, 4), (4, 5), (5, 4) and (5, 5) meet."""

VEGETATION, CLOUD, SHADOW = 4, 9, 3
RESOLUTION_M = {"blue": 10, "red": 10, "nir": 10, "nir08": 20, "swir16": 20, "swir22": 20, "scl": 20, "cloud": 20}
BANDS = ("blue", "red", "nir", "nir08", "swir16", "swir22")


@dataclass(frozen=True, kw_only=True)
class Box:
    """Pixels of the tile's grid."""

    row: int
    col: int
    height: int
    width: int

    def slices(self, of: "Box") -> tuple[slice, slice]:
        """Where these pixels lie in an array that covers another box."""
        row, col = self.row - of.row, self.col - of.col
        return slice(row, row + self.height), slice(col, col + self.width)


AROUND = Box(row=CORNER - 100, col=CORNER - 100, height=200, width=200)
"""Where scenes lie unless told otherwise: 100 pixels to each side of the corner."""


@dataclass(frozen=True, kw_only=True)
class SceneSpec:
    """One scene to publish; digital numbers are those of baseline 04.00: reflectance = DN * 1e-4 - 0.1."""

    id: str
    when: str = "2018-07-10T09:30:00Z"
    box: Box = AROUND
    dn: Mapping[str, int | NDArray[np.uint16]] = field(default_factory=dict)
    """Digital numbers by band, one or one a 10 m pixel; those not named are plain vegetation."""
    scl: NDArray[np.uint8] | int = VEGETATION
    """Classes, one a 10 m pixel; published at 20 m, so equal in squares of two."""
    extra: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    """Further quality bands by their STAC asset key, one value a 10 m pixel."""
    without: Sequence[str] = ()
    """Bands it lacks."""
    properties: Mapping[str, Any] = field(default_factory=dict)


PLAIN = {"blue": 1300, "red": 1500, "nir": 4500, "nir08": 4600, "swir16": 2600, "swir22": 2000}
"""Digital numbers of a forest: NDVI (0.35 - 0.05) / (0.35 + 0.05) = 0.75."""


def publish(root: Path, scenes: Sequence[SceneSpec], collection: str = "sentinel-2") -> Path:
    """A static catalogue of scenes; gives its folder."""
    items = [_item(scene) for scene in scenes]
    a_catalogue(root, items, collection)
    for number, scene in enumerate(scenes):
        for key, values in _arrays(scene).items():
            step = RESOLUTION_M.get(key, 10)
            west, north = GRID.x0 + scene.box.col * 10, GRID.y0 - scene.box.row * 10
            a_geotiff(
                root / "items" / str(number) / f"{key}.tif",
                values[:: step // 10, :: step // 10],
                transform=Affine(step, 0, west, 0, -step, north),
                blockxsize=32,
                blockysize=32,
            )
    return root


def _item(scene: SceneSpec) -> Item:
    assets: dict[str, Any] = {}
    for key in _arrays(scene):
        asset: dict[str, Any] = {"href": f"./{key}.tif", "type": COG}
        if key in BANDS:
            asset["eo:bands"] = [{"name": key, "common_name": key}]
            asset["raster:bands"] = [{"nodata": 0, "data_type": "uint16", "scale": 0.0001, "offset": -0.1}]
        assets[key] = asset
    outline = _lonlat(scene.box)
    item = an_item(scene.id, scene.when, assets, {"constellation": "sentinel-2", **scene.properties})
    return {**item, "bbox": list(outline.bounds), "geometry": mapping(outline)}


def _arrays(scene: SceneSpec) -> dict[str, NDArray[Any]]:
    shape = (scene.box.height, scene.box.width)
    arrays: dict[str, NDArray[Any]] = {
        band: np.broadcast_to(np.asarray(scene.dn.get(band, PLAIN[band]), np.uint16), shape)
        for band in BANDS
        if band not in scene.without
    }
    if "scl" not in scene.without:
        arrays["scl"] = np.broadcast_to(np.asarray(scene.scl, np.uint8), shape)
    return {**arrays, **scene.extra}


def _lonlat(box: Box) -> shapely.Polygon:
    west, north = GRID.x0 + box.col * 10, GRID.y0 - box.row * 10
    square = shapely.box(west, north - box.height * 10, west + box.width * 10, north)
    to_lonlat = Transformer.from_crs(GRID.crs, "EPSG:4326", always_xy=True)
    polygon = shapely.transform(square, lambda xy: np.column_stack(to_lonlat.transform(xy[:, 0], xy[:, 1])))
    assert isinstance(polygon, shapely.Polygon)
    return polygon


def parcels(**boxes: Box) -> dict[str, Any]:
    """Parcels that are whole pixels, as GeoJSON; by their id."""
    return {
        "type": "FeatureCollection",
        "features": [
            {"type": "Feature", "properties": {"parcel_id": name}, "geometry": mapping(_lonlat(box))}
            for name, box in boxes.items()
        ],
    }


def a_programme_of(
    folder: Path, scenes: Sequence[SceneSpec], boxes: Mapping[str, Box], *, workers: int = 1, **changed: Any
) -> Deployment:
    """A programme of one month with scenes and parcels of its own, not yet materialized; its lake is beside it.

    Args:
        folder: May hold a programme already: then its lake goes on.
        scenes: Published anew where the catalogue is not there yet.
        boxes: The parcels.
        workers: Blocks worked on at once.
        changed: As for ``a_program``; dilation is 0 unless ``gate`` says otherwise.
    """
    if not (folder / "catalogue").exists():
        publish(folder / "catalogue", scenes)
    gate = {"dilation_px": 0, **changed.pop("gate", {})}
    program = a_program(
        folder,
        parcels=parcels(**boxes),
        catalog="catalogue",
        collection="sentinel-2",
        months={"start": MONTH, "end": MONTH},
        gate=gate,
        **changed,
    )
    return a_deployment(program, workers=workers)


def shaded(box: Box, *spots: tuple[Box, int], base: int = VEGETATION) -> NDArray[np.uint8]:
    """Classes of a scene: one everywhere, others in some boxes."""
    classes = np.full((box.height, box.width), base, np.uint8)
    for spot, value in spots:
        classes[spot.slices(box)] = value
    return classes
