"""The synthetic month that is measured on: shaped like Sentinel-2, and the same bytes on every machine.

Pixels use neither the distributions of a random generator nor floating point, so no version of numpy and no CPU can
change one: noise is raw bits, and all smooth fields are whole-number interpolation between raw bits.
"""

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from pyproj import Transformer

from mrv_assets.science.blocks import BLOCK
from mrv_assets.science.grid import Grid, tile_grid

Json = dict[str, Any]

TILE = "34TER"
MONTH = "2023-07"
COLLECTION = "synthetic-sentinel-2-l2a"
DAYS = (2, 7, 12, 17, 22, 27)

QUARTER_PX = 2745
"""Side of a quarter of a tile, 10 m pixels."""
TILE_PX = 10980
"""Side of a whole tile."""
WARM_UP_PX = 256
"""Side of the month that code is warmed up on, 10 m pixels."""

MADE = "made.json"
"""File that states which month a folder holds; written last, so that half a month is never taken for a whole one."""

PARCEL_PX = 70
"""Side of a parcel, 10 m pixels: 49 ha."""
PARCELS_A_BLOCK = 4


@dataclass(frozen=True, kw_only=True)
class BandRecipe:
    """How a band's digital numbers follow from the ground, which goes from 0 (bare) to 1023 (dense)."""

    resolution_m: int
    bare: int
    """Digital number of bare ground; 1000 is zero reflectance."""
    dense: int
    """Digital number of dense vegetation."""


BANDS: Mapping[str, BandRecipe] = {
    "blue": BandRecipe(resolution_m=10, bare=1900, dense=1200),
    "red": BandRecipe(resolution_m=10, bare=2400, dense=1250),
    "nir": BandRecipe(resolution_m=10, bare=2700, dense=5200),
    "nir08": BandRecipe(resolution_m=20, bare=2800, dense=5300),
    "swir22": BandRecipe(resolution_m=20, bare=3600, dense=1700),
}
FIVE_BANDS = ("blue", "red", "nir", "swir22", "scl")
"""Bands of a month by default. It lacks nir08, without which there is no NBR."""
SIX_BANDS = ("blue", "red", "nir", "nir08", "swir22", "scl")
SCL_RESOLUTION_M = 20

NOISE = 40
"""Upper bound of the uniform noise, digital numbers; it makes files about half their size in memory."""
CLOUD_FROM = (560, 400, 760, 340, 560, 440)
"""Threshold of the cloud field by date: it is 0 to 1023, mostly near 512, and above the threshold there is cloud."""
SHADOW_SHIFT = (18, 30)
"""Rows and columns between a cloud and its shadow, 20 m pixels."""


@dataclass(frozen=True, kw_only=True)
class Month:
    """A synthetic month on disk, and the programme that is run on it."""

    folder: Path
    pixels: int
    """Side of the square that the scenes cover, 10 m pixels, from the tile's upper left corner."""
    bands: tuple[str, ...] = FIVE_BANDS

    @classmethod
    def at(cls, folder: Path) -> "Month":
        """The month that was made in a folder."""
        recipe = json.loads((folder / MADE).read_bytes())
        return cls(folder=folder, pixels=recipe["pixels"], bands=tuple(recipe["bands"]))

    @property
    def catalogue(self) -> Path:
        """The static STAC catalogue."""
        return self.folder / "catalogue" / "catalog.json"

    @property
    def program(self) -> Path:
        """The programme file."""
        return self.folder / "program.yaml"

    @property
    def grid(self) -> Grid:
        """The 10 m pixels the scenes cover."""
        return scene_grid(self.pixels, 10)

    @property
    def files(self) -> tuple[Path, ...]:
        """The scenes' COGs, sorted."""
        return tuple(sorted(self.folder.glob("catalogue/*/*.tif")))

    @property
    def compression(self) -> float:
        """Bytes of the pixels in memory over bytes of their files."""
        stored = sum(path.stat().st_size for path in self.files)
        side = {path: scene_grid(self.pixels, _resolution_m(path.stem)).width for path in self.files}
        return sum(side[path] ** 2 * (1 if path.stem == "scl" else 2) for path in self.files) / stored

    @property
    def cog_tile_bytes(self) -> int:
        """Bytes of all COG tiles, from the files' headers as GDAL reads them."""
        return sum(_tile_bytes(path) for path in self.files)


def _tile_bytes(path: Path) -> int:
    with rasterio.open(path) as file:
        positions = [position for position, _ in file.block_windows(1)]
        return sum(int(file.get_tag_item(f"BLOCK_SIZE_{col}_{row}", "TIFF", bidx=1) or 0) for row, col in positions)


def make_month(folder: Path, pixels: int, bands: tuple[str, ...] = FIVE_BANDS) -> Month:
    """Make a month of six scenes, or return the month made in the folder before.

    Args:
        folder: Folder of the month; emptied first, unless it holds this very month.
        pixels: Side of the square that the scenes cover, 10 m pixels.
        bands: Bands of each scene, ``scl`` among them.
    """
    month = Month(folder=folder, pixels=pixels, bands=bands)
    done, recipe = folder / MADE, {"pixels": pixels, "bands": list(bands), "recipe": _recipe()}
    if done.is_file() and json.loads(done.read_bytes()) == recipe:
        return month
    shutil.rmtree(folder, ignore_errors=True)
    items = [_make_scene(month, date) for date in range(len(DAYS))]
    _write_json(month.catalogue.with_name("collection.json"), _collection(items))
    _write_json(month.catalogue, _catalog())
    parcels = _parcels(month.grid)
    _write_json(folder / "parcels.geojson", parcels)
    month.program.write_text(_program(parcels))
    _write_json(done, recipe)
    return month


def scene_grid(pixels: int, resolution_m: int) -> Grid:
    """The grid of a band that covers a square of 10 m pixels; an odd square is covered a pixel beyond its edge."""
    tile = tile_grid(TILE, resolution_m)
    side = -(-pixels * 10 // resolution_m)
    return Grid(crs=tile.crs, x0=tile.x0, y0=tile.y0, dx=tile.dx, dy=tile.dy, width=side, height=side)


def _recipe() -> str:
    return hashlib.sha256(Path(__file__).read_bytes()).hexdigest()


def _resolution_m(band: str) -> int:
    return SCL_RESOLUTION_M if band == "scl" else BANDS[band].resolution_m


# Pixels


def band_pixels(band: str, grid: Grid, date: int) -> NDArray[np.uint16]:
    """Digital numbers of a band, uint16, dims (y, x).

    Args:
        band: One of :data:`BANDS`.
        grid: Grid of the band; its upper left corner is the tile's.
        date: Index into :data:`DAYS`.
    """
    recipe = BANDS[band]
    out = np.empty((grid.height, grid.width), np.uint16)
    noise = _noise(f"{band} {date}", out.shape)
    # By strips, so that a whole tile needs little more memory than its own pixels.
    for first in range(0, grid.height, BLOCK):
        rows = np.arange(first, min(first + BLOCK, grid.height))
        cols = np.arange(grid.width)
        vegetation = _ground(rows, cols, recipe.resolution_m)
        values = recipe.bare + ((recipe.dense - recipe.bare) * vegetation >> 10)
        # The season goes on from date to date.
        values += 12 * date
        # Bright clouds, brighter the deeper in.
        values += np.clip(_cloud(rows, cols, recipe.resolution_m, date), 0, 255) * 16
        out[rows] = values + noise[rows]
    return out


def scl_pixels(grid: Grid, date: int) -> NDArray[np.uint8]:
    """Scene classes: 4, 5, 6 on the ground, 10, 8, 9 from a cloud's edge inwards, 3 in its shadow."""
    out = np.empty((grid.height, grid.width), np.uint8)
    for first in range(0, grid.height, BLOCK):
        rows = np.arange(first, min(first + BLOCK, grid.height))
        cols = np.arange(grid.width)
        vegetation = _ground(rows, cols, SCL_RESOLUTION_M)
        cloud = _cloud(rows, cols, SCL_RESOLUTION_M, date)
        shadow = _cloud(rows + SHADOW_SHIFT[0], cols + SHADOW_SHIFT[1], SCL_RESOLUTION_M, date)
        classes = np.where(vegetation > 360, 4, np.where(vegetation > 220, 5, 6))
        classes[shadow > 16] = 3
        for beyond, code in ((0, 10), (16, 8), (64, 9)):
            classes[cloud > beyond] = code
        out[rows] = classes
    return out


def _ground(rows: NDArray[np.int64], cols: NDArray[np.int64], resolution_m: int) -> NDArray[np.int32]:
    """Density of vegetation, 0 to 1023: hills of 2.5 km with fields of 160 m on them."""
    hills = _smooth("hills", rows, cols, 2560 // resolution_m)
    fields = _smooth("fields", rows, cols, 160 // resolution_m)
    return (3 * hills + fields) >> 2


def _cloud(rows: NDArray[np.int64], cols: NDArray[np.int64], resolution_m: int, date: int) -> NDArray[np.int32]:
    """Depth of pixels in a cloud, -1023 to 1023; above 0 they are cloud."""
    return _smooth(f"cloud {date}", rows, cols, 5120 // resolution_m) - CLOUD_FROM[date]


def _smooth(name: str, rows: NDArray[np.int64], cols: NDArray[np.int64], step: int) -> NDArray[np.int32]:
    """A field of 0 to 1023, bilinear between random nodes every ``step`` pixels, a power of two."""
    bits = step.bit_length() - 1
    k, u = rows >> bits, (rows & (step - 1)).astype(np.int32)[:, np.newaxis]
    m, v = cols >> bits, (cols & (step - 1)).astype(np.int32)
    # A row of nodes has a seed of its own, so that a larger month has the ground and clouds of a smaller one.
    nodes = np.stack([_nodes(f"{name} {row}", int(m[-1]) + 2) for row in range(int(k[0]), int(k[-1]) + 2)])
    k = k - k[0]
    lines = nodes[k] * (step - u) + nodes[k + 1] * u
    return np.asarray((lines[:, m] * (step - v) + lines[:, m + 1] * v) >> 2 * bits, np.int32)


def _nodes(name: str, count: int) -> NDArray[np.int32]:
    return (_bits(name).random_raw(count) >> np.uint64(54)).astype(np.int32)


def _noise(name: str, shape: tuple[int, int]) -> NDArray[np.uint16]:
    count = shape[0] * shape[1]
    # "<u8": the bytes of a number come in the same order on every machine.
    raw = np.asarray(_bits(name).random_raw(-(-count // 8))).astype("<u8").view(np.uint8)
    return np.asarray(raw[:count].reshape(shape).astype(np.uint16) * NOISE >> 8, np.uint16)


def _bits(name: str) -> np.random.PCG64:
    return np.random.PCG64(int.from_bytes(hashlib.sha256(name.encode()).digest()[:16], "big"))


# Files


def _make_scene(month: Month, date: int) -> Json:
    """One scene's COGs and its STAC item."""
    item_id = f"S2{'AB'[date % 2]}_{TILE}_{MONTH.replace('-', '')}{DAYS[date]:02d}_0_L2A"
    folder = month.catalogue.parent / item_id
    folder.mkdir(parents=True)
    assets = {}
    for band in month.bands:
        grid = scene_grid(month.pixels, _resolution_m(band))
        values = scl_pixels(grid, date) if band == "scl" else band_pixels(band, grid, date)
        _write_cog(folder / f"{band}.tif", values, grid)
        assets[band] = _asset(folder / f"{band}.tif", band, grid)
    item = _item(item_id, month.pixels, date, assets)
    _write_json(folder / f"{item_id}.json", item)
    return item


def _write_cog(path: Path, values: NDArray[np.generic], grid: Grid) -> None:
    with rasterio.open(
        path,
        "w",
        driver="COG",
        dtype=values.dtype.name,
        count=1,
        width=grid.width,
        height=grid.height,
        crs=grid.crs,
        transform=rasterio.Affine(grid.dx, 0, grid.x0, 0, grid.dy, grid.y0),
        nodata=0,
        BLOCKSIZE=1024,
        COMPRESS="DEFLATE",
        # GDAL's word for TIFF predictor 2; classes gain nothing from it.
        PREDICTOR="STANDARD" if values.dtype == np.uint16 else "NO",
        # No contender reads them.
        OVERVIEWS="NONE",
        NUM_THREADS="ALL_CPUS",
    ) as file:
        file.write(values, 1)


def _asset(path: Path, band: str, grid: Grid) -> Json:
    data = path.read_bytes()
    scl = band == "scl"
    raster: Json = {"nodata": 0, "data_type": "uint8" if scl else "uint16", "spatial_resolution": int(grid.dx)}
    return {
        "href": f"./{path.name}",
        "type": "image/tiff; application=geotiff; profile=cloud-optimized",
        "gsd": int(grid.dx),
        "roles": ["data"] if scl else ["data", "reflectance"],
        "eo:bands": [{"name": band}],
        "raster:bands": [raster if scl else {**raster, "scale": 0.0001, "offset": -0.1}],
        "proj:shape": [grid.height, grid.width],
        "proj:transform": [grid.dx, 0.0, grid.x0, 0.0, grid.dy, grid.y0],
        "file:size": len(data),
        "file:checksum": f"1220{hashlib.sha256(data).hexdigest()}",
    }


def _item(item_id: str, pixels: int, date: int, assets: Json) -> Json:
    ring = _lonlat_ring(scene_grid(pixels, 10), 0, 0, pixels)
    lons, lats = zip(*ring, strict=True)
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "stac_extensions": [
            "https://stac-extensions.github.io/eo/v1.1.0/schema.json",
            "https://stac-extensions.github.io/raster/v1.1.0/schema.json",
            "https://stac-extensions.github.io/projection/v2.0.0/schema.json",
            "https://stac-extensions.github.io/file/v2.1.0/schema.json",
        ],
        "id": item_id,
        "collection": COLLECTION,
        "bbox": [min(lons), min(lats), max(lons), max(lats)],
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "properties": {
            "datetime": f"{MONTH}-{DAYS[date]:02d}T09:30:31Z",
            "created": f"{MONTH}-{DAYS[date]:02d}T18:00:00Z",
            "platform": f"sentinel-2{'ab'[date % 2]}",
            "constellation": "sentinel-2",
            "instruments": ["msi"],
            "grid:code": f"MGRS-{TILE}",
            "proj:code": scene_grid(pixels, 10).crs,
            "s2:processing_baseline": "05.00",
        },
        "links": [
            {"rel": "root", "href": "../catalog.json", "type": "application/json"},
            {"rel": "parent", "href": "../collection.json", "type": "application/json"},
            {"rel": "collection", "href": "../collection.json", "type": "application/json"},
        ],
        "assets": assets,
    }


def _collection(items: list[Json]) -> Json:
    times = [item["properties"]["datetime"] for item in items]
    return {
        "type": "Collection",
        "stac_version": "1.0.0",
        "id": COLLECTION,
        "description": "Made-up pixels in the shape of Sentinel-2 L2A, to measure speed on. They show nothing real.",
        "license": "CC0-1.0",
        "extent": {
            "spatial": {"bbox": [items[0]["bbox"]]},
            "temporal": {"interval": [[times[0], times[-1]]]},
        },
        "links": [
            {"rel": "root", "href": "./catalog.json", "type": "application/json"},
            {"rel": "parent", "href": "./catalog.json", "type": "application/json"},
            *(
                {"rel": "item", "href": f"./{item['id']}/{item['id']}.json", "type": "application/geo+json"}
                for item in items
            ),
        ],
    }


def _catalog() -> Json:
    return {
        "type": "Catalog",
        "stac_version": "1.0.0",
        "id": "synthetic",
        "description": "A synthetic month of Sentinel-2.",
        "links": [
            {"rel": "root", "href": "./catalog.json", "type": "application/json"},
            {"rel": "child", "href": "./collection.json", "type": "application/json"},
        ],
    }


def _parcels(grid: Grid) -> Json:
    """Four parcels in each block the scenes touch, so that every block is active; smaller in partial blocks."""
    features = []
    for top in range(0, grid.height, BLOCK):
        for left in range(0, grid.width, BLOCK):
            height, width = min(BLOCK, grid.height - top), min(BLOCK, grid.width - left)
            side = min(PARCEL_PX, height // 3, width // 3)
            for part in range(PARCELS_A_BLOCK):
                row = top + (height - side) * (1 + part // 2 * 2) // 4
                col = left + (width - side) * (1 + part % 2 * 2) // 4
                features.append(
                    {
                        "type": "Feature",
                        "properties": {"parcel_id": f"block-{top // BLOCK}-{left // BLOCK}-{part}"},
                        "geometry": {"type": "Polygon", "coordinates": [_lonlat_ring(grid, row, col, side)]},
                    }
                )
    return {"type": "FeatureCollection", "features": features}


def _lonlat_ring(grid: Grid, row: int, col: int, side: int) -> list[list[float]]:
    """A square of pixels as a closed ring in degrees, counter-clockwise."""
    corners = ((row, col), (row + side, col), (row + side, col + side), (row, col + side), (row, col))
    to_lonlat = Transformer.from_crs(grid.crs, "EPSG:4326", always_xy=True)
    points = (to_lonlat.transform(grid.x0 + j * grid.dx, grid.y0 + i * grid.dy) for i, j in corners)
    # 1e-7 degrees is a centimetre, and hides the differences between versions of PROJ.
    return [[round(lon, 7), round(lat, 7)] for lon, lat in points]


def _write_json(path: Path, document: Json) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=1) + "\n")


def _program(parcels: Json) -> str:
    # At its west and north edge a tile shares its ground with its neighbours, who would own some parcels.
    owners = "".join(f"  {feature['properties']['parcel_id']}: {TILE}\n" for feature in parcels["features"])
    return f"""\
# Without dilation: the peer has none, and both shall do the same work.
program: bench
parcels: parcels.geojson
months: {{start: {MONTH}, end: {MONTH}}}
reporting: {{framework: "none: synthetic pixels", scope: "none"}}
grid: {{crs: utm, resolution_m: 10}}
missions:
  sentinel2: {{catalog: catalogue, collection: {COLLECTION}}}
gate: {{min_coverage: 0.65, cloud_probability: 0.15, dilation_px: 0, min_scene_clear: 0.0}}
substitution: [sentinel2]
composite: mean
tiles:
{owners}"""
