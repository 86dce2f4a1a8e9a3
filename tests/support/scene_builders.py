"""Builders of published scenes: STAC items as real catalogues write them, GeoTIFFs, and catalogues on disk."""

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray

Item = dict[str, Any]

# Earth Search's key, Sentinel-2's name, CDSE's key, metres, common name as Planetary Computer writes it.
BANDS = (
    ("blue", "B02", "B02_10m", 10, "blue"),
    ("green", "B03", "B03_10m", 10, "green"),
    ("red", "B04", "B04_10m", 10, "red"),
    ("rededge1", "B05", "B05_20m", 20, "rededge"),
    ("nir", "B08", "B08_10m", 10, "nir"),
    ("nir08", "B8A", "B8A_20m", 20, "rededge"),
    ("swir16", "B11", "B11_20m", 20, "swir16"),
    ("swir22", "B12", "B12_20m", 20, "swir22"),
)
COG = "image/tiff; application=geotiff; profile=cloud-optimized"
CHECKSUM = "1220" + "ab" * 32


def esa_names(
    *,
    tile: str = "34TER",
    platform: str = "A",
    start: str = "20220710T093051",
    orbit: int = 36,
    absolute: int = 36816,
    strip: str = "20220710T093525",
    baseline: str = "04.00",
    made: str = "20220710T154200",
) -> dict[str, str]:
    """ESA's own names of a product, which most catalogues quote."""
    number = baseline.replace(".", "")
    return {
        "s2:processing_baseline": baseline,
        "s2:product_uri": f"S2{platform}_MSIL2A_{start}_N{number}_R{orbit:03d}_T{tile}_{made}.SAFE",
        "s2:datatake_id": f"GS2{platform}_{start}_{absolute:06d}_N{baseline}",
        "s2:datastrip_id": f"S2{platform}_OPER_MSI_L2A_DS_2APS_{made}_S{strip}_N{baseline}",
        "s2:generation_time": f"{made[:4]}-{made[4:6]}-{made[6:8]}T{made[9:11]}:{made[11:13]}:{made[13:15]}.000000Z",
    }


def an_item(item_id: str, when: str | None, assets: Mapping[str, Any], properties: Mapping[str, Any]) -> Item:
    """A STAC item around SW Romania."""
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": item_id,
        "collection": "sentinel-2",
        "bbox": [22.1, 45.2, 22.2, 45.3],
        "geometry": {
            "type": "Polygon",
            "coordinates": [[[22.1, 45.2], [22.2, 45.2], [22.2, 45.3], [22.1, 45.3], [22.1, 45.2]]],
        },
        "properties": {"datetime": when, **properties},
        "links": [],
        "assets": dict(assets),
    }


def earth_search_c1(item_id: str = "c1", when: str = "2022-07-10T09:35:25.024000Z", **names: Any) -> Item:
    """Earth Search sentinel-2-c1-l2a: raw digital numbers, offset and checksum stated, cloud probability."""
    raster = {"nodata": 0, "data_type": "uint16", "scale": 0.0001, "offset": -0.1}
    assets: dict[str, Any] = {
        key: {
            "href": f"https://example.com/{item_id}/{name}.tif",
            "type": COG,
            "eo:bands": [{"name": name, "common_name": key}],
            "gsd": metres,
            "raster:bands": [dict(raster)],
            "file:checksum": CHECKSUM,
            "file:size": 50135369,
        }
        for key, name, _, metres, _ in BANDS
    }
    for key in ("scl", "cloud"):
        assets[key] = {"href": f"https://example.com/{item_id}/{key}.tif", "type": COG, "gsd": 20}
    assets["visual"] = {
        "href": f"https://example.com/{item_id}/TCI.tif",
        "type": COG,
        "eo:bands": [{"name": name} for name in ("B04", "B03", "B02")],
    }
    return an_item(
        item_id,
        when,
        assets,
        {"platform": "sentinel-2a", "constellation": "sentinel-2", "grid:code": "MGRS-34TER", **esa_names(**names)},
    )


def earth_search_l2a(item_id: str = "l2a", when: str = "2022-07-10T09:35:25.024000Z", **names: Any) -> Item:
    """Earth Search sentinel-2-l2a: pixels shifted already though -0.1 is stated; COG and JPEG 2000 side by side."""
    item = earth_search_c1(item_id, when, **names)
    item["properties"]["earthsearch:boa_offset_applied"] = True
    jp2 = {
        f"{key}-jp2": {**asset, "href": asset["href"].replace(".tif", ".jp2"), "type": "image/jp2"}
        for key, asset in item["assets"].items()
    }
    item["assets"] = {
        **jp2,
        **{k: {n: v for n, v in a.items() if n != "file:checksum"} for k, a in item["assets"].items()},
    }
    item["assets"]["cloud"] = jp2["cloud-jp2"]
    return item


def planetary_computer(item_id: str = "pc", when: str = "2022-07-10T09:30:51.024000Z", **names: Any) -> Item:
    """Planetary Computer sentinel-2-l2a: nothing stated, B8A shares its common name with the red edge."""
    assets: dict[str, Any] = {
        name: {
            "href": f"https://example.com/{item_id}/{name}.tif?sv=1&sig=secret",
            "type": COG,
            "eo:bands": [{"name": name, "common_name": common}],
            "gsd": float(metres),
        }
        for _, name, _, metres, common in BANDS
    }
    assets["SCL"] = {"href": f"https://example.com/{item_id}/SCL.tif?sv=1&sig=secret", "type": COG, "gsd": 20.0}
    return an_item(
        item_id,
        when,
        assets,
        {
            "platform": "Sentinel-2A",
            "constellation": "Sentinel 2",
            "s2:mgrs_tile": "34TER",
            "sat:relative_orbit": 36,
            **esa_names(**names),
        },
    )


def cdse(
    item_id: str = "cdse", when: str = "2022-07-10T09:30:51.024000Z", *, suffix: str = "jp2", **names: Any
) -> Item:
    """CDSE sentinel-2-l2a: STAC 1.1, every band at every coarser resolution too, JPEG 2000."""
    kind = "image/jp2" if suffix == "jp2" else COG
    assets: dict[str, Any] = {}
    for _, name, _, metres, _ in BANDS:
        for coarser in (60, 20, 10):
            if coarser >= metres:
                assets[f"{name}_{coarser}m"] = {
                    "href": f"https://example.com/{item_id}/{name}_{coarser}m.{suffix}",
                    "type": kind,
                    "gsd": coarser,
                    "bands": [{"name": name, "raster:scale": 0.0001, "raster:offset": -0.1}],
                    "file:checksum": "1620" + "CD" * 32,
                }
    assets["SCL_20m"] = {"href": f"https://example.com/{item_id}/SCL_20m.{suffix}", "type": kind, "gsd": 20}
    properties = {"platform": "sentinel-2a", "grid:code": "MGRS-34TER", "processing:version": "04.00"}
    return an_item(item_id, when, assets, {**properties, **esa_names(**names)})


def romanian(item_id: str = "ro", when: str | None = "2018-07-01T09:30:00Z") -> Item:
    """The static catalogue of the demo: relative links, offset stated as 0, no platform, orbit, product or B12."""
    files = {"blue": "B2", "green": "B3", "red": "B4", "nir": "B8", "nir08": "B8A", "swir16": "B11"}
    assets: dict[str, Any] = {
        key: {
            "href": f"./{file}.tif",
            "type": COG,
            "eo:bands": [{"name": key, "common_name": key}],
            "raster:bands": [{"nodata": 0, "data_type": "uint16", "scale": 0.0001, "offset": 0.0}],
        }
        for key, file in files.items()
    }
    assets["scl"] = {"href": "./SCL.tif", "type": COG, "raster:bands": [{"nodata": 0, "data_type": "uint8"}]}
    properties = {
        "constellation": "sentinel-2",
        "grid:code": "MGRS-34TER",
        "proj:code": "EPSG:32634",
        "earthsearch:boa_offset_applied": False,
    }
    return an_item(item_id, when, assets, properties)


def pixels(height: int, width: int, dtype: str = "uint16", seed: int = 1) -> NDArray[Any]:
    """Smooth, never constant pixels, as land is; dims (y, x)."""
    steps = np.random.default_rng(seed).integers(-9, 10, (height, width))
    values: NDArray[Any] = (np.abs(steps.cumsum(axis=1)) % 250 + 1).astype(dtype)
    return values


def a_geotiff(path: Path, values: NDArray[Any], **profile: Any) -> Path:
    """A tiled GeoTIFF of one band in UTM 34N at 10 m, written by GDAL; ``profile`` overrides."""
    defaults: dict[str, Any] = {
        "driver": "GTiff",
        "count": 1,
        "dtype": values.dtype.name,
        "height": values.shape[0],
        "width": values.shape[1],
        "crs": "EPSG:32634",
        "transform": rasterio.Affine(10, 0, 600000, 0, -10, 5000040),
        "tiled": True,
        "blockxsize": 64,
        "blockysize": 32,
        "compress": "deflate",
        "nodata": 0,
    }
    with rasterio.open(path, "w", **{**defaults, **profile}) as file:
        for band in range(1, file.count + 1):
            file.write(values, band)
    return path


def geotiff_bytes(values: NDArray[Any], **profile: Any) -> bytes:
    """The bytes of such a GeoTIFF."""
    with tempfile.TemporaryDirectory() as folder:
        return a_geotiff(Path(folder) / "a.tif", values, **profile).read_bytes()


def a_catalogue(root: Path, items: Sequence[Item], collection: str = "sentinel-2") -> Path:
    """A self-contained static catalogue: catalog.json, one collection, one folder an item."""
    root.mkdir(parents=True, exist_ok=True)
    hrefs = [f"./items/{number}/item.json" for number, _ in enumerate(items)]
    write_json(root / "catalog.json", a_document("Catalog", "root", [("child", "./collection.json")]))
    write_json(root / "collection.json", a_document("Collection", collection, [("item", href) for href in hrefs]))
    for href, item in zip(hrefs, items, strict=True):
        write_json(root / href, {**item, "collection": collection})
    return root


def a_document(kind: str, name: str, links: Sequence[tuple[str, str]]) -> Item:
    """A STAC catalogue or collection with links of (rel, href)."""
    listed = [{"rel": rel, "href": href} for rel, href in links]
    return {"type": kind, "stac_version": "1.0.0", "id": name, "description": "", "links": listed}


def write_json(path: Path, document: object) -> Path:
    """Write a JSON document, making its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document))
    return path
