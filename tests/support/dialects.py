"""Sentinel-2 items in the structure of real catalogues, one function a dialect; every value in them is made up.

Where `scene_builders` has the fields that selection decides by, these have everything else too: the assets beside the
bands, the extensions, the links, what a catalogue states twice and what it leaves out.
"""

from collections.abc import Mapping
from typing import Any

from scene_builders import COG, Item, esa_names

TILE, PLACE = "34TER", "34/T/ER"
SENSED = "2022-07-10T09:35:25.024000Z"

# Sentinel-2's band, metres, Earth Search's key, the common name there and at CDSE, Planetary Computer's, micrometres.
S2_BANDS = (
    ("B01", 60, "coastal", "coastal", "coastal", 0.443),
    ("B02", 10, "blue", "blue", "blue", 0.49),
    ("B03", 10, "green", "green", "green", 0.56),
    ("B04", 10, "red", "red", "red", 0.665),
    ("B05", 20, "rededge1", "rededge071", "rededge", 0.704),
    ("B06", 20, "rededge2", "rededge075", "rededge", 0.74),
    ("B07", 20, "rededge3", "rededge078", "rededge", 0.783),
    ("B08", 10, "nir", "nir", "nir", 0.842),
    ("B8A", 20, "nir08", "nir08", "rededge", 0.865),
    ("B09", 60, "nir09", "nir09", None, 0.945),
    ("B11", 20, "swir16", "swir16", "swir16", 1.61),
    ("B12", 20, "swir22", "swir22", "swir22", 2.19),
)
VISIBLE = ("B04", "B03", "B02")


def a_feature(item_id: str, collection: str, properties: Item, assets: Item, version: str = "1.0.0") -> Item:
    """What every item has, around the south of tile 34TER."""
    ring = [[21.0, 44.2], [22.4, 44.2], [22.4, 45.1], [21.0, 45.1], [21.0, 44.2]]
    api = "https://stac.example.com/v1"
    return {
        "type": "Feature",
        "stac_version": version,
        "stac_extensions": ["https://stac-extensions.github.io/projection/v1.1.0/schema.json"],
        "id": item_id,
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "bbox": [21.0, 44.2, 22.4, 45.1],
        "properties": {"datetime": SENSED, "created": "2022-07-11T03:23:58.819Z", "eo:cloud_cover": 12.5, **properties},
        "links": [
            {"rel": "self", "href": f"{api}/collections/{collection}/items/{item_id}"},
            {"rel": "collection", "href": f"{api}/collections/{collection}"},
        ],
        "assets": assets,
        "collection": collection,
    }


def corner(metres: int, *, nine: bool = False) -> list[float]:
    """The affine transform of a band, six numbers or with the matrix's last row."""
    return [metres, 0, 499980, 0, -metres, 5000040, *((0, 0, 1) if nine else ())]


def side(metres: int) -> list[int]:
    """Rows and columns of a band."""
    return [109_800 // metres] * 2


def earth_search_c1(item_id: str = "S2A_T34TER_20220710T093525_L2A", **names: Any) -> Item:
    """Earth Search ``sentinel-2-c1-l2a``: raw digital numbers, everything stated, checksums, cloud probability."""
    root = f"https://e84-earth-search-sentinel-data.s3.us-west-2.amazonaws.com/sentinel-2-c1-l2a/{PLACE}/{item_id}"
    assets: Item = {}
    for number, (name, metres, key, common, _, wavelength) in enumerate(S2_BANDS):
        assets[key] = {
            "href": f"{root}/{name}.tif",
            "type": COG,
            "title": f"{key} - {metres}m",
            "eo:bands": [{"name": name, "common_name": common, "center_wavelength": wavelength}],
            "gsd": metres,
            "proj:shape": side(metres),
            "proj:transform": corner(metres),
            "raster:bands": [
                {"nodata": 0, "data_type": "uint16", "spatial_resolution": metres, "scale": 0.0001, "offset": -0.1}
            ],
            "file:checksum": "1220" + f"{number:02x}" * 32,
            "file:size": 50_000_000 + number,
            "roles": ["data", "reflectance"],
        }
    for key, file in (("scl", "SCL"), ("cloud", "CLD_20m"), ("snow", "SNW_20m"), ("aot", "AOT"), ("wvp", "WVP")):
        assets[key] = {
            "href": f"{root}/{file}.tif",
            "type": COG,
            "gsd": 20,
            "proj:shape": side(20),
            "proj:transform": corner(20),
            "raster:bands": [{"nodata": 0, "data_type": "uint8", "spatial_resolution": 20}],
            "file:checksum": "1220" + "e0" * 32,
            "file:size": 200_000,
            "roles": ["data"],
        }
    for key, file in (("visual", "TCI"), ("preview", "L2A_PVI")):
        assets[key] = {
            "href": f"{root}/{file}.tif",
            "type": COG,
            "eo:bands": [{"name": name} for name in VISIBLE],
            "roles": ["visual"],
        }
    assets["granule_metadata"] = {"href": f"{root}/metadata.xml", "type": "application/xml", "roles": ["metadata"]}
    assets["thumbnail"] = {"href": f"{root}/L2A_PVI.jpg", "type": "image/jpeg", "roles": ["thumbnail"]}
    properties = {
        "platform": "sentinel-2a",
        "constellation": "sentinel-2",
        "instruments": ["msi"],
        "proj:epsg": 32634,
        "grid:code": f"MGRS-{TILE}",
        "storage:requester_pays": False,
        "processing:software": {"sentinel-2-c1-l2a-to-stac": "v2024.02.01"},
        **esa_names(**names),
    }
    return a_feature(item_id, "sentinel-2-c1-l2a", properties, assets)


def earth_search_l2a(item_id: str = "S2A_34TER_20220710_0_L2A", *, applied: bool = True, **names: Any) -> Item:
    """Earth Search ``sentinel-2-l2a``: JPEG 2000 beside each COG; from 2022 on shifted, and -0.1 stated nevertheless.

    Its older items call a band by its common name, and state an offset of 0.
    """
    root = f"https://sentinel-cogs.s3.us-west-2.amazonaws.com/sentinel-s2-l2a-cogs/{PLACE}/{item_id}"
    twins = "s3://sentinel-s2-l2a/tiles/34/T/ER/2022/7/10/0"
    assets: Item = {}
    for name, metres, key, common, _, wavelength in S2_BANDS:
        asset = {
            "href": f"{root}/{name}.tif",
            "type": COG,
            "eo:bands": [{"name": name if applied else key, "common_name": common, "center_wavelength": wavelength}],
            "gsd": metres,
            "proj:shape": side(metres),
            "proj:transform": corner(metres),
            "raster:bands": [
                {
                    "nodata": 0,
                    "data_type": "uint16",
                    "bits_per_sample": 15,
                    "scale": 0.0001,
                    "offset": -0.1 if applied else 0,
                }
            ],
            "roles": ["data", "reflectance"],
        }
        assets[key] = asset
        assets[f"{key}-jp2"] = {**asset, "href": f"{twins}/{name}.jp2", "type": "image/jp2"}
    scl = {"href": f"{root}/SCL.tif", "type": COG, "proj:shape": side(20), "proj:transform": corner(20)}
    assets |= {"scl": scl, "scl-jp2": {**scl, "href": f"{twins}/SCL.jp2", "type": "image/jp2"}}
    assets["cloud"] = {"href": f"{twins}/qi/CLD_20m.jp2", "type": "image/jp2", "gsd": 20, "roles": ["data", "cloud"]}
    assets["visual"] = {"href": f"{root}/TCI.tif", "type": COG, "eo:bands": [{"name": name} for name in VISIBLE]}
    properties = {
        "platform": "sentinel-2a",
        "constellation": "sentinel-2",
        "proj:epsg": 32634,
        "grid:code": f"MGRS-{TILE}",
        "s2:sequence": "0",
        "earthsearch:boa_offset_applied": applied,
        **esa_names(**names),
    }
    return a_feature(item_id, "sentinel-2-l2a", properties, assets)


def earth_search_l1c(item_id: str = "S2A_34TER_20220710_0_L1C") -> Item:
    """Earth Search ``sentinel-2-l1c``: above the atmosphere, without classes, JPEG 2000 only."""
    item = earth_search_l2a(item_id)
    item["assets"] = {
        key.removesuffix("-jp2"): asset
        for key, asset in item["assets"].items()
        if key.endswith("-jp2") and key != "scl-jp2"
    }
    item["collection"] = "sentinel-2-l1c"
    return item


def planetary_computer(item_id: str = "S2A_MSIL2A_20220710T093051_R036_T34TER_20220710T154200", **names: Any) -> Item:
    """Planetary Computer ``sentinel-2-l2a``: no scale, no offset, no checksum; four bands are called rededge."""
    root = f"https://sentinel2l2a01.blob.core.windows.net/sentinel2-l2/{PLACE}/2022/07/10/{item_id}.SAFE/IMG_DATA"
    assets: Item = {}
    for name, metres, _, _, common, wavelength in S2_BANDS:
        label = {"name": name, "description": f"Band {name}", "center_wavelength": wavelength}
        assets[name] = {
            "href": f"{root}/R{metres}m/T34TER_20220710T093051_{name}_{metres}m.tif",
            "proj:bbox": [499980.0, 4890240.0, 609780.0, 5000040.0],
            "proj:shape": side(metres),
            "proj:transform": [float(number) for number in corner(metres)],
            "gsd": float(metres),
            "type": COG,
            "roles": ["data"],
            "eo:bands": [label | ({"common_name": common} if common else {})],
        }
    for name, metres in (("SCL", 20), ("AOT", 10), ("WVP", 10)):
        assets[name] = {
            "href": f"{root}/R{metres}m/T34TER_20220710T093051_{name}_{metres}m.tif",
            "proj:shape": side(metres),
            "proj:transform": [float(number) for number in corner(metres)],
            "gsd": float(metres),
            "type": COG,
            "roles": ["data"],
        }
    data = "https://planetarycomputer.microsoft.com/api/data/v1/item"
    assets["visual"] = {"href": f"{root}/TCI.tif", "type": COG, "eo:bands": [{"name": name} for name in VISIBLE]}
    assets["tilejson"] = {"href": f"{data}/tilejson.json?item={item_id}", "type": "application/json"}
    assets["rendered_preview"] = {"href": f"{data}/preview.png?item={item_id}", "type": "image/png"}
    properties = {
        "platform": "Sentinel-2A",
        "constellation": "Sentinel 2",
        "instruments": ["msi"],
        "proj:epsg": 32634,
        "s2:mgrs_tile": TILE,
        "sat:orbit_state": "descending",
        "sat:relative_orbit": 36,
        **esa_names(**names),
    }
    return a_feature(item_id, "sentinel-2-l2a", properties, assets)


def cdse(
    item_id: str = "S2A_MSIL2A_20220710T093051_N0400_R036_T34TER_20220710T154200",
    *,
    suffix: str = "jp2",
    baseline: str = "04.00",
    made: str = "20220710T154200",
) -> Item:
    """CDSE ``sentinel-2-l2a``: STAC 1.1, ESA's names under ``eopf:``, every band at every coarser resolution too.

    It publishes JPEG 2000; ``suffix="tif"`` makes of it what it would be as COGs.
    """
    kind = "image/jp2" if suffix == "jp2" else COG
    root = f"s3://eodata/Sentinel-2/MSI/L2A/2022/07/10/{item_id}.SAFE/GRANULE/IMG_DATA"
    nodes = f"https://download.dataspace.copernicus.eu/odata/v1/Products(0)/Nodes({item_id}.SAFE)"
    assets: Item = {}

    def add(name: str, metres: int, more: Mapping[str, Any]) -> None:
        assets[f"{name}_{metres}m"] = {
            "href": f"{root}/R{metres}m/T34TER_20220710T093051_{name}_{metres}m.{suffix}",
            "type": kind,
            "gsd": metres,
            "nodata": 0,
            "data_type": "uint16",
            "proj:code": "EPSG:32634",
            "proj:shape": side(metres),
            "proj:transform": corner(metres),
            "file:size": 120_000_000,
            "file:checksum": "1620" + "c0" * 32,
            "auth:refs": ["s3"],
            "storage:refs": ["cdse-s3"],
            "alternate": {"https": {"href": f"{nodes}/$value", "auth:refs": ["oidc"]}},
            **more,
        }

    for name, native, _, common, _, wavelength in S2_BANDS:
        label = {"name": name, "eo:common_name": common, "eo:center_wavelength": wavelength}
        for metres in (10, 20, 60):
            if metres >= native:
                roles = ["data", "reflectance", "sampling:original" if metres == native else "sampling:downsampled"]
                add(name, metres, {"bands": [label], "raster:scale": 0.0001, "raster:offset": -0.1, "roles": roles})
    add("SCL", 20, {"data_type": "uint8", "roles": ["data"]})
    add("SCL", 60, {"data_type": "uint8", "roles": ["data"]})
    add("TCI", 10, {"bands": [{"name": name} for name in VISIBLE], "roles": ["visual"]})
    assets["Product"] = {"href": f"{nodes}/$value", "type": "application/zip", "roles": ["data", "metadata"]}
    names = esa_names(baseline=baseline, made=made)
    properties = {
        "platform": "sentinel-2a",
        "constellation": "sentinel-2",
        "grid:code": f"MGRS-{TILE}",
        "sat:absolute_orbit": 36816,
        "sat:relative_orbit": 36,
        "eopf:datatake_id": names["s2:datatake_id"],
        "eopf:datastrip_id": names["s2:datastrip_id"],
        "processing:version": baseline,
        "processing:datetime": names["s2:generation_time"],
        "product:type": "S2MSI2A",
    }
    return a_feature(item_id, "sentinel-2-l2a", properties, assets, "1.1.0")
