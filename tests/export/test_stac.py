"""The STAC catalogue: pystac validates it, odc-stac, rioxarray and GDAL open it, and it needs nothing but itself."""

import hashlib
import json
import shutil
from pathlib import Path

import geopandas as gpd
import numpy as np
import odc.stac
import pystac
import pytest
import rasterio
import rioxarray
from block_scenes import CORNER, TILE
from export_months import NO_NBR, PASSED, REJECTED, Export
from pystac.extensions.file import FileExtension
from pystac.extensions.projection import ProjectionExtension
from pystac.validation.stac_validator import JsonSchemaSTACValidator
from shapely.geometry import shape

from mrv_assets import __version__
from mrv_assets.audit.record import Partition
from mrv_assets.deployment import Deployment
from mrv_assets.export.stac import footprint
from mrv_assets.science.grid import Window, tile_grid
from mrv_assets.stages.table import PRODUCT

ASSETS = {"parcels", "n_obs", *(f"{i}{end}" for i in ("ndvi", "evi", "nbr", "ndmi") for end in ("", "_std"))}


# Of affine: it is rioxarray's and odc-geo's to follow.
affine_is_young = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")


def opened(folder: Path) -> tuple[pystac.Catalog, dict[str, pystac.Item]]:
    """A catalogue on disk and its items by month."""
    catalogue = pystac.Catalog.from_file(str(folder / "catalog.json"))
    return catalogue, {item.properties["mrv:month"]: item for item in catalogue.get_items(recursive=True)}


def test_pystac_reads_and_validates_every_object(export: Export, tmp_path: Path) -> None:
    """Catalogue, collection and items are STAC 1.1 by the specification's own schemas, which pystac ships."""
    export("stac")

    catalogue, items = opened(tmp_path / "out")
    validator = JsonSchemaSTACValidator()
    collections = list(catalogue.get_collections())
    for thing in (catalogue, *collections, *items.values()):
        document = json.loads(Path(thing.self_href).read_bytes())
        validator.validate_core(document, thing.STAC_OBJECT_TYPE, document["stac_version"])
        assert document["stac_version"] == "1.1.0"
    assert list(items) == [PASSED, REJECTED, NO_NBR]
    assert {name: set(item.assets) for name, item in items.items()} == {
        PASSED: ASSETS,
        REJECTED: {"parcels"},
        NO_NBR: ASSETS - {"nbr", "nbr_std"},
    }


def test_the_schemas_find_what_is_wrong(export: Export, tmp_path: Path) -> None:
    """An item without its interval would not pass: the schemas are really looked at."""
    export("stac", month=PASSED)

    _, items = opened(tmp_path / "out")
    document = json.loads(Path(items[PASSED].self_href).read_bytes())
    del document["properties"]["end_datetime"]
    with pytest.raises(pystac.STACValidationError):
        JsonSchemaSTACValidator().validate_core(document, pystac.STACObjectType.ITEM, "1.1.0")


def test_an_item_says_what_it_is_and_what_it_came_from(deployment: Deployment, export: Export, tmp_path: Path) -> None:
    """The month as an interval, no instant; record, gate, mission and scenes; software and lineage, no facility."""
    export("stac")

    _, items = opened(tmp_path / "out")
    said = items[PASSED].properties
    assert said["datetime"] is None
    assert (said["start_datetime"], said["end_datetime"]) == ("2018-07-01T00:00:00Z", "2018-07-31T23:59:59.999999Z")
    assert said["mrv:audit_hash"] == deployment.lake.current(Partition(PRODUCT, TILE, PASSED)).audit_hash
    assert said["mrv:gate"] == [{"mission": "sentinel2", "status": "PASSED", "reasons": []}]
    assert said["mrv:scenes"] == [f"{PASSED}-05", f"{PASSED}-15"]
    assert said["processing:software"] == {"mrv_assets": __version__}
    assert said["mrv:audit_hash"] in said["processing:lineage"]
    assert "processing:facility" not in said
    rejected = items[REJECTED].properties
    assert rejected["mrv:gate"][0]["reasons"] == ["below_tile_coverage"]
    assert (rejected["mrv:mission"], rejected["processing:lineage"][:9]) == (None, "No values")
    assert items[NO_NBR].properties["mrv:unavailable"] == {"nbr": "no scene of the month publishes swir22"}


def test_assets_are_the_files_they_say(export: Export, tmp_path: Path) -> None:
    """Checksum, size, grid and outline are those that GDAL and sha256 find."""
    export("stac", month=PASSED)

    _, items = opened(tmp_path / "out")
    item = items[PASSED]
    for name, asset in item.assets.items():
        path = Path(asset.get_absolute_href() or "")
        file = FileExtension.ext(asset)
        assert file.checksum == "1220" + hashlib.sha256(path.read_bytes()).hexdigest()
        assert file.size == path.stat().st_size
        if name == "parcels":
            assert set(gpd.read_parquet(path)["mrv_audit_hash"]) == {item.properties["mrv:audit_hash"]}
            continue
        with rasterio.open(path) as raster:
            projection = ProjectionExtension.ext(asset)
            assert projection.code == raster.crs.to_string()
            assert projection.shape == list(raster.shape)
            assert projection.transform == list(raster.transform)[:6]
            assert projection.bbox == list(raster.bounds)
            assert asset.extra_fields["data_type"] == raster.dtypes[0]
            assert raster.tags()["mrv_audit_hash"] == item.properties["mrv:audit_hash"]
            inside = gpd.GeoSeries([shape(item.geometry)], crs="EPSG:4326").to_crs(raster.crs).total_bounds
            np.testing.assert_allclose(inside, raster.bounds, atol=0.1)


@affine_is_young
@pytest.mark.filterwarnings("ignore:The 'shapely.ops.transform:DeprecationWarning")
def test_odc_stac_loads_the_lakes_pixels(deployment: Deployment, export: Export, tmp_path: Path) -> None:
    """odc-stac puts months along time, on the tile's own grid, with the values that the lake has."""
    export("stac", indices=["ndvi"])

    _, items = opened(tmp_path / "out")
    loaded = odc.stac.load([items[PASSED], items[NO_NBR]], bands=["ndvi", "n_obs"])
    four = slice(CORNER - 1024, CORNER + 1024)
    assert loaded.odc.crs.epsg == 32634
    for step, month in enumerate((PASSED, NO_NBR)):
        lake = deployment.lake.open(PRODUCT, TILE, month).isel(x=four, y=four)
        for name in ("ndvi", "n_obs"):
            values = loaded[name].isel(time=step)
            np.testing.assert_array_equal(values.to_numpy(), lake[name].to_numpy())
            assert values.dtype == lake[name].dtype
        np.testing.assert_array_equal(loaded.x, lake.x)


@affine_is_young
def test_rioxarray_opens_what_the_catalogue_links_to(export: Export, tmp_path: Path) -> None:
    """In degrees too: the item's grid is the file's."""
    export("stac", month=PASSED, crs="EPSG:4326", step_deg=2e-4, indices=["ndmi"])

    _, items = opened(tmp_path / "out")
    read = rioxarray.open_rasterio(items[PASSED].assets["ndmi"].get_absolute_href(), masked=True)
    assert read.rio.crs.to_epsg() == 4326
    assert read.notnull().sum() > 1_000
    assert items[PASSED].properties["proj:code"] == "EPSG:4326"
    assert "not the audited numbers" in items[PASSED].properties["processing:lineage"]
    read.close()


def test_the_catalogue_needs_nothing_but_itself(export: Export, tmp_path: Path) -> None:
    """Moved elsewhere it reads the same, and no document in it names a place on this machine."""
    export("stac", month=PASSED, indices=["ndvi"])

    shutil.move(tmp_path / "out", tmp_path / "moved")

    for path in (tmp_path / "moved").rglob("*.json"):
        assert str(tmp_path) not in path.read_text()
    catalogue, items = opened(tmp_path / "moved")
    assert items[PASSED].get_root() is catalogue
    for asset in items[PASSED].assets.values():
        assert Path(asset.get_absolute_href() or "").is_file()


def test_a_footprint_across_the_antimeridian_is_cut_there() -> None:
    """Two polygons, none of them around the Earth, and a box whose west is the larger number (RFC 7946)."""
    tile = tile_grid("60KZF")

    geometry, [west, south, east, north] = footprint(tile, Window(0, 0, tile.height, tile.width))

    first, second = sorted(shape(geometry).geoms, key=lambda part: -part.bounds[0])
    assert first.bounds == pytest.approx((west, south, 180, north), abs=0.02)
    assert second.bounds == pytest.approx((-180, south, east, north), abs=0.02)
    assert -180 < east < -179 < 179 < west < 180
