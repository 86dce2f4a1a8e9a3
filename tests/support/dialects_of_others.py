"""Items of other missions in the structure of real catalogues: what a wrong collection in a programme would bring."""

from collections.abc import Mapping
from typing import Any

from dialects import SENSED, a_feature, corner
from scene_builders import COG, Item

# Landsat's band, key and common name.
LANDSAT_BANDS = (
    ("B1", "coastal"),
    ("B2", "blue"),
    ("B3", "green"),
    ("B4", "red"),
    ("B5", "nir08"),
    ("B6", "swir16"),
    ("B7", "swir22"),
)

LANDSAT_PROPERTIES: Item = {
    "instruments": ["oli", "tirs"],
    "proj:epsg": 32634,
    "proj:shape": [7971, 7861],
    "proj:transform": [30, 0, 353685, 0, -30, 5374215],
    "landsat:wrs_path": "185",
    "landsat:wrs_row": "029",
    "landsat:collection_category": "T1",
    "landsat:collection_number": "02",
    "landsat:correction": "L2SP",
}


def landsatlook(item_id: str = "LC08_L2SP_185029_20220710_20220721_02_T1_SR") -> Item:
    """LandsatLook ``landsat-c2l2-sr``: bands B1 to B7, nothing said of scale, the readable copy under ``alternate``."""
    path = "collection02/level-2/standard/oli-tirs/2022/185/029/" + item_id.removesuffix("_SR")
    site, bucket = f"https://landsatlook.usgs.gov/data/{path}", f"s3://usgs-landsat/{path}"

    def file(end: str, more: Mapping[str, Any]) -> Item:
        return {
            "href": f"{site}/{end}",
            "type": "image/vnd.stac.geotiff; cloud-optimized=true",
            "alternate": {"s3": {"storage:platform": "AWS", "storage:requester_pays": True, "href": f"{bucket}/{end}"}},
            "file:checksum": "1340" + "5a" * 64,
            **more,
        }

    assets = {
        common: file(f"SR_{name}.TIF", {"eo:bands": [{"name": name, "common_name": common, "gsd": 30}]})
        for name, common in LANDSAT_BANDS
    }
    assets |= {"qa_pixel": file("QA_PIXEL.TIF", {"roles": ["cloud"]}), "qa_radsat": file("QA_RADSAT.TIF", {})}
    assets["MTL.json"] = {"href": f"{site}/MTL.json", "type": "application/json"}
    return a_feature(item_id, "landsat-c2l2-sr", {"platform": "LANDSAT_8", **LANDSAT_PROPERTIES}, assets)


def planetary_computer_landsat(item_id: str = "LC09_L2SP_185029_20220710_02_T1") -> Item:
    """Planetary Computer ``landsat-c2-l2``: bands called OLI_B4, scale and offset stated, temperature beside."""
    root = f"https://landsateuwest.blob.core.windows.net/landsat-c2/level-2/standard/oli-tirs/{item_id}"
    raster = {"nodata": 0, "data_type": "uint16", "spatial_resolution": 30, "scale": 2.75e-05, "offset": -0.2}
    assets: Item = {
        common: {
            "href": f"{root}_SR_{name}.TIF",
            "type": COG,
            "roles": ["data", "reflectance"],
            "eo:bands": [{"name": f"OLI_{name}", "common_name": common}],
            "raster:bands": [raster],
        }
        for name, common in LANDSAT_BANDS
    }
    assets["lwir11"] = {
        "href": f"{root}_ST_B10.TIF",
        "type": COG,
        "gsd": 100,
        "eo:bands": [{"name": "TIRS_B10", "common_name": "lwir11"}],
    }
    for key, file, nodata in (("qa_pixel", "QA_PIXEL", 1), ("qa_radsat", "QA_RADSAT", None), ("qa", "ST_QA", -9999)):
        band = {"data_type": "uint16"} | ({} if nodata is None else {"nodata": nodata})
        assets[key] = {"href": f"{root}_{file}.TIF", "type": COG, "raster:bands": [band]}
    return a_feature(item_id, "landsat-c2-l2", {"platform": "landsat-9", "gsd": 30, **LANDSAT_PROPERTIES}, assets)


def earth_search_landsat(item_id: str = "LC08_L2SP_185029_20220710_02_T1") -> Item:
    """Earth Search ``landsat-c2-l2``: Planetary Computer's structure over LandsatLook's files."""
    item = planetary_computer_landsat(item_id)
    files = landsatlook(f"{item_id}_SR")["assets"]
    item["assets"] = {
        key: asset | {name: files[key][name] for name in ("href", "alternate")}
        for key, asset in item["assets"].items()
        if key in files
    }
    item["properties"]["platform"] = "landsat-8"
    return item


def old_landsatlook(item_id: str = "LC08_L2SP_185029_20220710_20220721_02_T1") -> Item:
    """LandsatLook in STAC 0.7: an asset's bands are numbers into a list of the properties, the date has no time."""
    item = landsatlook(item_id)
    names = [{"name": f"SR_{name}", "common_name": common} for name, common in LANDSAT_BANDS]
    item["assets"] = {
        f"SR_{name}.TIF": {**item["assets"][common], "eo:bands": [number]}
        for number, (name, common) in enumerate(LANDSAT_BANDS)
    }
    properties = {"datetime": SENSED[:10], "eo:platform": "LANDSAT_8", "eo:bands": names}
    return {**item, "stac_version": "0.7.0", "properties": properties}


def planetary_computer_s1(item_id: str = "S1A_IW_GRDH_1SDV_20220710T163000_20220710T163025_044000_054000_rtc") -> Item:
    """Planetary Computer ``sentinel-1-rtc``: a checksum that is no multihash, times with a space in them."""
    root = f"https://sentinel1euwestrtc.blob.core.windows.net/sentinel1-grd-rtc/{item_id}"
    assets: Item = {
        key: {
            "href": f"{root}/iw-{key}.rtc.tiff",
            "type": COG,
            "file:size": 840_000_000,
            "file:checksum": "48" + "4c" * 15,
            "raster:bands": [{"nodata": -32768, "data_type": "float32", "spatial_resolution": 10.0}],
        }
        for key in ("vv", "vh")
    }
    properties = {
        "platform": "SENTINEL-1A",
        "constellation": "Sentinel-1",
        "start_datetime": "2022-07-10 16:30:00.220006+00:00",
        "end_datetime": "2022-07-10 16:30:25.653405+00:00",
        "proj:epsg": 32634,
        "proj:transform": [float(number) for number in corner(10, nine=True)],
        "sat:absolute_orbit": 44000,
        "sat:relative_orbit": 51,
    }
    return a_feature(item_id, "sentinel-1-rtc", properties, assets)
