"""Exported rasters: GDAL, rioxarray and numpy read them, and find what is in the lake."""

import re
from pathlib import Path

import numpy as np
import pytest
import rasterio
import rioxarray
import xarray as xr
from block_scenes import CORNER, GRID, TILE
from demo_lake import Json, rows
from export_months import HIDDEN, NO_NBR, NOT_GIVEN, NOT_RUN, PARCELS, PASSED, REJECTED, Export
from numpy.typing import NDArray
from pyproj import Transformer

from mrv_assets.audit.record import Partition
from mrv_assets.deployment import Deployment
from mrv_assets.errors import ExportError, GateRefused, NotMaterialized
from mrv_assets.export.cog import TOLERANCE_PX
from mrv_assets.export.degrees import degrees_grid, outline, pixel_area_m2
from mrv_assets.export.months import read_month
from mrv_assets.export.options import checked_options
from mrv_assets.science.grid import Window, tile_grid
from mrv_assets.stages.table import PRODUCT

ALL = ["evi", "evi_std", "n_obs", "nbr", "nbr_std", "ndmi", "ndmi_std", "ndvi", "ndvi_std"]


# Of affine: it is rioxarray's and odc-geo's to follow.
affine_is_young = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")


def in_lake(deployment: Deployment, month: str = PASSED) -> xr.Dataset:
    """The month's rasters over the four active blocks."""
    four = slice(CORNER - 1024, CORNER + 1024)
    return deployment.lake.open(PRODUCT, TILE, month).isel(x=four, y=four).load()


def test_the_tiles_own_pixels_leave_the_lake_bit_for_bit(
    deployment: Deployment, export: Export, tmp_path: Path
) -> None:
    """Each variable has a file of its own whose pixels, type and place are those that the lake opens with."""
    lake = in_lake(deployment)

    answer = export("cog", month=PASSED)

    files = {"mrv-export.json", *(f"{TILE}_{PASSED}_{name}.tif" for name in ALL)}
    assert {f["path"] for f in answer["files"]} == files
    for name in ALL:
        with rasterio.open(tmp_path / "out" / f"{TILE}_{PASSED}_{name}.tif") as file:
            pixels = file.read(1)
            west, north = GRID.x0 + (CORNER - 1024) * 10, GRID.y0 - (CORNER - 1024) * 10
            assert file.crs.to_epsg() == 32634
            assert file.transform[:6] == (10, 0, west, 0, -10, north)
        assert pixels.dtype == lake[name].dtype
        assert pixels.tobytes() == lake[name].to_numpy().tobytes(), name
    assert np.isfinite(lake["ndvi"]).sum() > 6_000


def test_a_file_is_a_cloud_optimized_geotiff_that_says_what_it_is(
    deployment: Deployment, export: Export, tmp_path: Path
) -> None:
    """Tiles, overviews, deflate, NaN for missing; unit and meaning of the band; and the record it came from."""
    record = deployment.lake.current(Partition(PRODUCT, TILE, PASSED))

    export("cog", month=PASSED, indices=["ndvi"])

    with rasterio.open(tmp_path / "out" / f"{TILE}_{PASSED}_ndvi.tif") as file:
        tags = file.tags()
        assert file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert file.block_shapes == [(512, 512)]
        assert file.overviews(1) == [2, 4]
        assert file.compression.value == "DEFLATE"
        assert np.isnan(file.nodata)
        assert file.units == ("1",)
        assert "mean of normalized difference vegetation index" in file.descriptions[0]
    assert tags["mrv_audit_hash"] == record.audit_hash
    assert (tags["mrv_tile"], tags["mrv_month"], tags["mrv_gate_status"]) == (TILE, PASSED, "PASSED")
    assert (tags["mrv_mission"], tags["mrv_variable"], tags["mrv_resampling"]) == ("sentinel2", "ndvi", "none")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        f"{TILE}_{PASSED}_n_obs.tif",
        f"{TILE}_{PASSED}_ndvi.tif",
        f"{TILE}_{PASSED}_ndvi_std.tif",
        "mrv-export.json",
    ]


@affine_is_young
def test_rioxarray_puts_them_where_the_lake_has_them(deployment: Deployment, export: Export, tmp_path: Path) -> None:
    """Coordinates, CRS and values that rioxarray reads are those of the opened lake."""
    lake = in_lake(deployment)

    export("cog", month=PASSED, indices=["ndvi"])

    for name in ("ndvi", "n_obs"):
        read = rioxarray.open_rasterio(tmp_path / "out" / f"{TILE}_{PASSED}_{name}.tif", masked=name == "ndvi")
        assert isinstance(read, xr.DataArray)
        np.testing.assert_array_equal(read.squeeze("band").to_numpy(), lake[name].to_numpy())
        np.testing.assert_array_equal(read.x, lake.x)
        np.testing.assert_array_equal(read.y, lake.y)
        assert read.rio.crs == lake.rio.crs
        read.close()


@pytest.mark.parametrize("resampling", ["nearest", "bilinear"])
def test_parcels_in_degrees_have_the_tables_means(
    resampling: str, deployment: Deployment, export: Export, tmp_path: Path
) -> None:
    """On EPSG:4326 a parcel's mean is close to the audited one; what is missing stays missing."""
    table = rows(deployment, PASSED)

    export("cog", month=PASSED, indices=["ndvi"], crs="EPSG:4326", resampling=resampling)

    with rasterio.open(tmp_path / "out" / f"{TILE}_{PASSED}_ndvi.tif") as file:
        values, x, y = file.read(1), *places(file)
    for parcel in PARCELS:
        mean = mean_inside(values, x, y, parcel)
        if parcel == HIDDEN:
            assert np.isnan(mean)
        else:
            assert mean == pytest.approx(table[parcel]["ndvi_mean"], abs=2e-4)


def mean_inside(values: NDArray[np.float32], x: NDArray[np.float64], y: NDArray[np.float64], parcel: str) -> float:
    """Mean of the pixels in degrees whose centre lies in a parcel."""
    box = PARCELS[parcel]
    row, col = (GRID.y0 - y) / 10, (x - GRID.x0) / 10
    inside = (row > box.row) & (row < box.row + box.height) & (col > box.col) & (col < box.col + box.width)
    assert inside.sum() > 50
    found = values[inside]
    return float(np.nanmean(found)) if np.isfinite(found).any() else float("nan")


def places(file: rasterio.DatasetReader) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """UTM coordinates of the centres of a file's pixels."""
    cols, rows_ = np.meshgrid(np.arange(file.width) + 0.5, np.arange(file.height) + 0.5)
    lon, lat = file.transform.c + file.transform.a * cols, file.transform.f + file.transform.e * rows_
    x, y = Transformer.from_crs("EPSG:4326", GRID.crs, always_xy=True).transform(lon, lat)
    return np.asarray(x), np.asarray(y)


def test_nearest_takes_the_very_pixel_under_each_place(deployment: Deployment, export: Export, tmp_path: Path) -> None:
    """Each pixel in degrees has the value of the lake's pixel that holds its centre, and no other."""
    lake = in_lake(deployment)

    export("cog", month=PASSED, indices=["ndvi"], crs="EPSG:4326", step_deg=2.5e-4)

    for name in ("ndvi", "n_obs"):
        with rasterio.open(tmp_path / "out" / f"{TILE}_{PASSED}_{name}.tif") as file:
            values, x, y = file.read(1), *places(file)
            lon, lat = file.transform.c, file.transform.f
            assert file.crs.to_epsg() == 4326
            assert file.transform.a == -file.transform.e == 2.5e-4
        row = (float(lake.y[0]) + 5 - y) / 10
        col = (x - float(lake.x[0]) + 5) / 10
        # Within a hundredth of a pixel of an edge either one is right.
        clearly = (np.abs(row - np.round(row)) > TOLERANCE_PX) & (np.abs(col - np.round(col)) > TOLERANCE_PX)
        inside = clearly & (row > 0) & (row < 2048) & (col > 0) & (col < 2048)
        expected = lake[name].to_numpy()[row[inside].astype(int), col[inside].astype(int)]
        np.testing.assert_array_equal(values[inside], expected)
        assert (np.nan_to_num(expected) != 0).sum() > 500
        assert (lon / 2.5e-4) == pytest.approx(round(lon / 2.5e-4), abs=1e-6)
        assert (lat / 2.5e-4) == pytest.approx(round(lat / 2.5e-4), abs=1e-6)


def test_pixels_in_degrees_say_that_they_are_not_the_audited_ones(export: Export, tmp_path: Path) -> None:
    """The tags name the resampling, say where the audited numbers are, and how large a pixel is."""
    export("cog", month=PASSED, crs="EPSG:4326", indices=["ndvi"], step_deg=1e-3, resampling="bilinear")

    with rasterio.open(tmp_path / "out" / f"{TILE}_{PASSED}_ndvi.tif") as file:
        tags = file.tags()
    assert tags["mrv_resampling"] == "bilinear"
    assert "not the audited numbers" in tags["mrv_values"]
    # A thousandth of a degree: 111.1 m by 78.0 m at this latitude.
    latitude, area = (float(number) for number in re.findall(r"([0-9.]+) m2 at ([0-9.]+)", tags["mrv_area"])[0][::-1])
    assert latitude == pytest.approx(45.59, abs=0.01)
    assert area == pytest.approx(1e-6 * 111_145 * 78_040, rel=2e-3)
    with rasterio.open(tmp_path / "out" / f"{TILE}_{PASSED}_n_obs.tif") as file:
        assert file.tags()["mrv_resampling"] == "nearest"


def test_a_rejected_month_exports_no_pixel(deployment: Deployment, export: Export, tmp_path: Path) -> None:
    """What the gate rejected is refused where pixels are read, written nowhere, and named with its reason."""
    month = read_month(deployment.lake, TILE, REJECTED)

    answer = export("cog", indices=["nbr", "ndmi"])

    with pytest.raises(GateRefused, match="below_tile_coverage"):
        month.pixels()
    assert [path.name for path in (tmp_path / "out").glob(f"*{REJECTED}*")] == []
    assert {path.name[6:13] for path in (tmp_path / "out").glob("*.tif")} == {PASSED, NO_NBR}
    assert answer["without_values"] == [
        refused(REJECTED, "gate_closed", "sentinel2 REJECTED (below_tile_coverage)"),
        {
            **refused(NO_NBR, "unavailable", "no scene of the month publishes swir22"),
            "index": "nbr",
        },
        refused(NOT_RUN, "not_in_lake", "it was not run"),
    ]


def refused(month: str, because: str, detail: str) -> Json:
    """A month's entry among those without values."""
    return {"tile": TILE, "month": month, "index": None, "because": because, "detail": detail}


def test_only_a_rejected_month_gives_no_folder(export: Export, tmp_path: Path) -> None:
    """Where nothing may be written there is nothing, and the answer says why."""
    answer = export("cog", month=REJECTED)

    assert (answer["outcome"], answer["files"]) == ("nothing", [])
    assert answer["without_values"][0]["because"] == "gate_closed"
    assert list(tmp_path.iterdir()) == []


def test_a_month_that_was_not_run_is_said_to_be_missing(export: Export) -> None:
    """A month asked for by name that the lake does not have is an error that says what to run."""
    with pytest.raises(NotMaterialized, match=f"mrv run --tile {TILE} --month {NOT_RUN}"):
        export("cog", month=NOT_RUN)


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("csv", {"crs": "EPSG:4326"}, "--crs 'EPSG:4326': csv has no pixels"),
        ("xlsx", {"step_deg": 1e-4}, "--resolution '0.0001': xlsx has no pixels"),
        ("cog", {"step_deg": 1e-4}, "pixels on the tile's own grid are not resampled"),
        ("cog", {"resampling": "bilinear"}, "pixels on the tile's own grid are not resampled"),
        ("cog", {"crs": "EPSG:4326", "step_deg": 10.0}, "Give degrees from 1e-05 to 0.1, 9e-05 for 10 m"),
        ("cog", {"crs": "EPSG:4326", "step_deg": float("nan")}, "it is not a pixel size in degrees"),
        ("cog", {"crs": "EPSG:4326", "step_deg": -1e-4}, "it is not a pixel size in degrees"),
        ("cog", {"crs": "EPSG:4326", "step_deg": 0.0}, "it is not a pixel size in degrees"),
    ],
)
def test_options_that_contradict_each_other_are_refused(kind: str, options: Json, message: str) -> None:
    """A resolution of ten is metres; degrees are asked for, with the number that was probably meant."""
    with pytest.raises(ExportError) as refusal:
        checked_options(kind, **{**NOT_GIVEN, **options})

    assert message in str(refusal.value)


def test_an_index_that_no_month_has_is_refused(export: Export) -> None:
    """The message names those there are."""
    with pytest.raises(ExportError, match=r"--index 'savi'.*Name one of ndvi, evi, nbr, ndmi"):
        export("cog", indices=["savi"])


def test_a_grid_across_the_antimeridian_goes_on_beyond_180() -> None:
    """Tile 60KZF, in Fiji: its corner is west of 180 degrees and its far edge east of it, one grid all the same."""
    tile = tile_grid("60KZF")
    whole = Window(0, 0, tile.height, tile.width)

    grid = degrees_grid(tile, whole, 1e-3)

    west, _, east, _ = grid.bounds()
    lon, lat = outline(tile, whole).T
    assert (west, east) == pytest.approx((lon.min(), lon.max()), abs=1e-3)
    assert west < 180 < east < west + 2
    x, y = Transformer.from_crs("EPSG:4326", tile.crs, always_xy=True).transform(lon, lat)
    np.testing.assert_allclose(np.min(x), tile.x0, atol=1e-2)
    np.testing.assert_allclose(np.max(y), tile.y0, atol=1e-2)


@pytest.mark.parametrize(("latitude", "area"), [(0, 123.1), (30, 107.0), (60, 62.2)])
def test_areas_of_pixels_in_degrees_are_geodesic(latitude: float, area: float) -> None:
    """A pixel of 1e-4 degrees on the WGS84 ellipsoid, by published values."""
    tile = tile_grid({0: "31NAA", 30: "31RGP", 60: "31VEH"}[int(latitude)])
    grid = degrees_grid(tile, Window(0, 0, 1024, 1024), 1e-4)

    middle, found = pixel_area_m2(grid.__class__(**{**vars(grid), "y0": latitude + 0.0001, "height": 2}))

    assert middle == pytest.approx(latitude)
    assert found == pytest.approx(area, abs=0.05)
