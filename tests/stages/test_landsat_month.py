"""Landsat through every stage: placed right in any zone, masked by its bits, gated, and re-derived."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import shapely
from block_scenes import MONTH, TILE, Box
from demo_lake import a_deployment, a_program, rows, run_months
from mission_scenes import (
    CLEAR,
    FOREST,
    Look,
    a_programme_with,
    around,
    in_zone,
    landsat,
    values_of,
)
from numpy.typing import NDArray
from pyproj import Transformer
from rasterio.warp import Resampling
from rasterio.windows import from_bounds
from resample_builders import by_rasterio
from scene_builders import a_catalogue
from shapely.geometry import mapping
from tampering import quiet

from mrv_assets.audit.record import Partition
from mrv_assets.deployment import Deployment
from mrv_assets.lake.view import open_raw_band
from mrv_assets.missions.flags import Flag
from mrv_assets.reports.verify import answer as verify
from mrv_assets.science.blocks import BLOCK
from mrv_assets.science.grid import Grid, tile_grid
from mrv_assets.verify.verification import Options

PARCEL = Box(row=10 * BLOCK + 300, col=10 * BLOCK + 300, height=24, width=24)
"""In the tile's smallest block."""
WEST, EAST = (Box(row=PARCEL.row, col=PARCEL.col + step, height=24, width=12) for step in (0, 12))
CLOUD, SHADOW, SNOW = 22280, 23888, 30048

Json = dict[str, Any]


def reflectance(dn: float) -> float:
    return dn * 2.75e-5 - 0.2


def materialized(deployment: Deployment, tile: str = TILE) -> Deployment:
    """The programme with its month in the lake."""
    run_months(deployment, deployment.months, tile)
    return deployment


def a_month(folder: Path, *looks: Look, **changed: Any) -> Deployment:
    """A programme of one parcel and some scenes, with its month in the lake."""
    return materialized(a_programme_with(folder, "landsat", looks, {"p": PARCEL}, **changed))


def decided(deployment: Deployment, tile: str = TILE) -> Json:
    """The gate's decision."""
    path = deployment.lake.current(Partition("landsat/gated_tiles", tile, deployment.months[0])).data / "decision.json"
    found: Json = json.loads(path.read_bytes())
    return found


def halves(grid: Grid, west: int, east: int) -> NDArray[np.uint16]:
    """One value in the parcel's western half and another in its eastern, on a scene's own grid."""
    seam = tile_grid(TILE).x0 + EAST.col * 10
    pixels: NDArray[np.uint16] = np.where(grid.x < seam, west, east).astype(np.uint16)
    return np.broadcast_to(pixels, (grid.height, grid.width))


def test_a_month_of_landsat_gives_its_indices_and_comes_out_identical_again(tmp_path: Path) -> None:
    """From 30 m scenes on another origin to one row: NDVI, EVI, NBR and NDMI of its own bands, worked by hand."""
    deployment = a_month(tmp_path, landsat("a", around(PARCEL)))

    row = rows(deployment, MONTH)["p"]

    blue, red, nir, swir16, swir22 = (reflectance(FOREST[band]) for band in FOREST)
    assert row["ndvi_mean"] == pytest.approx((nir - red) / (nir + red), abs=1e-4)
    assert row["evi_mean"] == pytest.approx(2.5 * (nir - red) / (nir + 6 * red - 7.5 * blue + 1), abs=1e-4)
    assert row["nbr_mean"] == pytest.approx((nir - swir22) / (nir + swir22), abs=1e-4)
    assert row["ndmi_mean"] == pytest.approx((nir - swir16) / (nir + swir16), abs=1e-4)
    assert (row["mission"], row["resolution_m"], row["n_obs"], row["value_status"]) == ("landsat", 30.0, 1, "ok")
    assert (row["vh_vv_mean"], row["rvi_valid_area_ha"]) == (None, None)
    bands = deployment.lake.current(Partition("landsat/indices", TILE, MONTH)).document["plan"]["bands"]
    assert (bands["ndvi"], bands["nbr"]) == (["nir08", "red"], ["nir08", "swir22"])
    answer = verify(deployment.lake_path, Options(), again=True, progress=quiet)
    assert answer["verified"]
    assert {one["answer"] for one in answer["rerun"]} == {"IDENTICAL"}


def test_bits_and_saturation_leave_their_reasons(tmp_path: Path) -> None:
    """Cloud in the west, a saturated band in the east: nothing of the parcel is clear, and the record says why."""
    grid = around(PARCEL)
    look = landsat("a", grid, qa=halves(grid, CLOUD, CLEAR), radsat=halves(grid, 0, 1 << 3))
    deployment = a_month(tmp_path, look, gate={"min_coverage": 0.0})

    flags = [values_of(deployment, "landsat/masked_tiles", "unclear_flags", box) for box in (WEST, EAST)]

    # A pixel of 30 m may lie across the seam.
    assert np.unique(flags[0][..., :9]).tolist() == [Flag.CLOUD]
    assert np.unique(flags[1][..., 3:]).tolist() == [Flag.SATURATED]


@pytest.mark.parametrize(("clear", "valid"), [(False, 0.0), (True, 1.0)])
def test_snow_counts_where_the_programme_says_so(clear: bool, valid: float, tmp_path: Path) -> None:
    """The choice is in the record of the masks, and a changed one masks anew."""
    deployment = a_month(
        tmp_path, landsat("a", around(PARCEL), qa=SNOW), gate={"min_coverage": 0.0}, snow_is_clear=clear
    )

    assert rows(deployment, MONTH)["p"]["valid_fraction"] == valid
    assert (
        deployment.lake.current(Partition("landsat/masked_tiles", TILE, MONTH)).document["plan"]["snow_is_clear"]
        is clear
    )


def test_of_two_overlapping_rows_the_first_clear_one_counts(tmp_path: Path) -> None:
    """24 seconds apart they are one look; pixel by pixel the clear one is taken, then the lower id."""
    grid = around(PARCEL)
    looks = [
        landsat("row-30", grid, when="2018-07-10T09:10:24Z", dn={"red": 9000}),
        landsat("row-29", grid, qa=halves(grid, CLEAR, CLOUD), dn={"red": 8400}),
    ]

    deployment = a_month(tmp_path, *looks)

    west, east = (values_of(deployment, "landsat/aligned_tiles", "red", box) for box in (WEST, EAST))
    np.testing.assert_allclose(west[..., :9], reflectance(8400), atol=1e-6)
    np.testing.assert_allclose(east[..., 3:], reflectance(9000), atol=1e-6)
    row = rows(deployment, MONTH)["p"]
    assert (row["n_obs"], row["valid_fraction"]) == (1, 1.0)
    [observation] = decided(deployment)["observations"]
    assert (observation["scenes"], observation["rule"]) == (["row-29", "row-30"], "pass")


def test_only_tier_1_is_seen_and_the_others_are_in_the_record(tmp_path: Path) -> None:
    """A real-time scene and one of Tier 2 cost nothing but their line among what was left out."""
    grid = around(PARCEL)
    deployment = a_month(tmp_path, landsat("t1", grid), landsat("t2", grid, tier="T2"), landsat("rt", grid, tier="RT"))

    excluded = deployment.lake.current(Partition("landsat/raw_tiles", TILE, MONTH)).inputs["excluded"]

    assert [[name, code] for name, code, _ in excluded] == [["rt", "tier_other"], ["t2", "tier_other"]]
    assert rows(deployment, MONTH)["p"]["n_obs"] == 1


def ground(grid: Grid, seed: int) -> NDArray[np.uint16]:
    """Digital numbers as rough as land is."""
    return np.random.default_rng(seed).integers(8000, 20000, (grid.height, grid.width)).astype(np.uint16)


def target_of(box: Box, tile: str) -> Grid:
    """The tile's pixels of a box as a grid of their own."""
    own = tile_grid(tile)
    x0, y0 = own.x0 + box.col * 10, own.y0 - box.row * 10
    return Grid(crs=own.crs, x0=x0, y0=y0, dx=10.0, dy=-10.0, width=box.width, height=box.height)


def aligned_dn(deployment: Deployment, tile: str) -> NDArray[np.float64]:
    """Digital numbers of the red over the parcel, one observation."""
    values = values_of(deployment, "landsat/aligned_tiles", "red", PARCEL, tile)
    return np.asarray(np.round((values[0].astype(np.float64) + 0.2) / 2.75e-5))


@pytest.mark.parametrize("epsg", [32634, 32635, 32633], ids=["own-zone", "next-zone", "zone-before"])
def test_a_scene_of_any_zone_lies_where_rasterio_puts_it(epsg: int, tmp_path: Path) -> None:
    """Row by row and pixel by pixel, bilinear from 30 m to 10 m, within one digital number."""
    grid = in_zone(epsg, PARCEL)
    pixels = ground(grid, seed=epsg)

    deployment = a_month(tmp_path, landsat("a", grid, dn={"red": pixels}))

    expected = by_rasterio(pixels, grid, target_of(PARCEL, TILE), Resampling.bilinear)
    assert np.abs(aligned_dn(deployment, TILE) - expected).max() <= 1


def test_an_item_that_states_another_zone_than_its_file_is_not_believed(tmp_path: Path) -> None:
    """The GeoTIFF's own CRS decides; the record says that the item was wrong."""
    grid = in_zone(32635, PARCEL)
    pixels = ground(grid, seed=7)

    deployment = a_month(tmp_path, landsat("a", grid, dn={"red": pixels}, properties={"proj:epsg": 32634}))

    expected = by_rasterio(pixels, grid, target_of(PARCEL, TILE), Resampling.bilinear)
    assert np.abs(aligned_dn(deployment, TILE) - expected).max() <= 1
    [scene] = json.loads(
        (deployment.lake.current(Partition("landsat/raw_tiles", TILE, MONTH)).data / "scenes.json").read_bytes()
    )
    said = scene["scenes"][0]["bands"]["red"]["findings"]
    assert [one for one in said if one.startswith("crs_conflict: the item states EPSG:32634, the file EPSG:32635")]


def test_a_southern_scene_in_a_northern_zone_lies_where_rasterio_puts_it(tmp_path: Path) -> None:
    """USGS keeps northern zones south of the equator: its northings are negative there, the tile's are not."""
    tile = "55GEP"
    grid = in_zone(32655, PARCEL, tile=tile)
    pixels = ground(grid, seed=3)
    own = target_of(PARCEL, tile)
    assert (own.crs, grid.y0 < 0 < own.y0) == ("EPSG:32755", True)
    outline = {"type": "FeatureCollection", "features": [_feature(own)]}

    deployment = materialized(
        a_programme_with(
            tmp_path, "landsat", [landsat("a", grid, dn={"red": pixels})], {}, parcels=outline, tiles={"p": tile}
        ),
        tile,
    )

    expected = by_rasterio(pixels, grid, own, Resampling.bilinear)
    assert np.abs(aligned_dn(deployment, tile) - expected).max() <= 1
    assert rows(deployment, MONTH, tile)["p"]["value_status"] == "ok"


def _feature(grid: Grid) -> Json:
    to_lonlat = Transformer.from_crs(grid.crs, "EPSG:4326", always_xy=True)
    square = shapely.box(*grid.bounds())
    outline = shapely.transform(square, lambda xy: np.column_stack(to_lonlat.transform(xy[:, 0], xy[:, 1])))
    return {"type": "Feature", "properties": {"parcel_id": "p"}, "geometry": mapping(outline)}


@pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")
def test_files_cut_into_strips_are_read_as_tiled_ones_are(tmp_path: Path) -> None:
    """Subsets are often written in strips: the same pixels give the same row, and the copy opens in any reader."""
    grid = in_zone(32634, PARCEL)
    pixels = ground(grid, seed=1)
    strips = {"tiled": False, "blockxsize": None, "blockysize": 7, "compress": "lzw"}
    tiled = a_month(tmp_path / "tiled", landsat("a", grid, dn={"red": pixels}))

    striped = a_month(tmp_path / "striped", landsat("a", grid, dn={"red": pixels}, profile=strips))

    assert rows(striped, MONTH) == rows(tiled, MONTH)
    raw = open_raw_band(striped.lake, "landsat", TILE, MONTH, "a", "red")
    inner = slice(20, 30)
    np.testing.assert_array_equal(raw.isel(y=inner).to_numpy(), pixels[inner])


REAL = "landsat_c2l2_LC08_008059_20191201"
SCENE = "LC08_L2SP_008059_20191201_20200825_02_T1"
REAL_TILE = "18NVG"


def a_real_catalogue(folder: Path, published: Path) -> Path:
    """The published item and its files, which are cut into strips, in a static catalogue."""
    item = json.loads((published / f"{SCENE}_SR_stac.json").read_bytes())
    names = {key: asset["href"].rsplit("/", 1)[-1] for key, asset in item["assets"].items()}
    here = {key: name for key, name in names.items() if (published / name).is_file()}
    assets = {key: {**item["assets"][key], "href": f"./{name}"} for key, name in here.items()}
    root = a_catalogue(folder, [{**item, "assets": assets}], item["collection"])
    for name in here.values():
        shutil.copy(published / name, root / "items" / "0" / name)
    return root


def seen_share(published: Path, square: Grid) -> float:
    """Clear share of a square by its pixels' centres, straight from the files."""
    with (
        rasterio.open(published / f"{SCENE}_QA_PIXEL.TIF") as qa,
        rasterio.open(published / f"{SCENE}_QA_RADSAT.TIF") as radsat,
    ):
        window = from_bounds(*square.bounds(), transform=qa.transform)
        bits, saturated = (file.read(1, window=window) for file in (qa, radsat))
    return float(np.mean(((bits & 0b111111) == 0) & (saturated == 0)))


@pytest.mark.skipif("MRV_REAL_DATA" not in os.environ, reason="MRV_REAL_DATA does not name the folder of real data")
def test_a_real_scene_is_rejected_though_what_was_seen_of_it_is_forest(tmp_path: Path) -> None:
    """Landsat 8 over the Colombian Amazon, 81 % cloud, cut into strips: through every stage, and not counted."""
    published = Path(os.environ["MRV_REAL_DATA"]) / REAL
    a_real_catalogue(tmp_path / "catalogue", published)
    own = tile_grid(REAL_TILE, 60)
    square = Grid(crs=own.crs, x0=410_000, y0=190_000, dx=60.0, dy=-60.0, width=1400, height=1400)
    program = a_program(
        tmp_path,
        parcels={"type": "FeatureCollection", "features": [_feature(square)]},
        months={"start": "2019-12", "end": "2019-12"},
        grid={"crs": "utm", "resolution_m": 60},
        missions={"landsat": {"catalog": "catalogue", "collection": "landsat-c2l2-sr"}},
        substitution=["landsat"],
        tiles={"p": REAL_TILE},
        gate={"dilation_px": 0},
    )

    deployment = materialized(a_deployment(program, workers=2), REAL_TILE)

    decision = decided(deployment, REAL_TILE)
    assert (decision["status"], decision["reasons"]) == ("REJECTED", ["below_tile_coverage"])
    assert decision["coverage"] == pytest.approx(seen_share(published, square), abs=0.005)
    found = deployment.lake.open("landsat/indices", REAL_TILE, "2019-12")
    assert float(found["ndvi"].mean()) == pytest.approx(0.78, abs=0.02)
    assert float(found["nbr"].mean()) == pytest.approx(0.61, abs=0.02)
    assert rows(deployment, "2019-12", REAL_TILE)["p"]["value_status"] == "gate_closed"
    assert verify(deployment.lake_path, Options(), again=False, progress=quiet)["verified"]
