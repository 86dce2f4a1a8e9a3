"""Right numbers by an independent path: the demo's months computed from the COGs without any code of the project.

The path below the line uses json, rasterio, numpy, exactextract and geopandas alone, on the COGs' own EPSG:3035
grid; the project aligns to the tile's UTM grid first. Dilation is 0, so that both see the same pixels.
"""

import json
import shutil
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import rasterio
from demo_lake import CATALOGUE, MONTHS, Demo, a_deployment, a_program, decision, rows, run_months
from exactextract import exact_extract
from exactextract.raster import NumPyRasterSource
from numpy.typing import NDArray
from rasterio.transform import array_bounds

from mrv_assets.deployment import Deployment
from mrv_assets.settings import DEMO_PROGRAM
from mrv_assets.stages.materialize import Outcome

MEANS_AGREE_WITHIN = 0.01
NEAR_THRESHOLD = 0.05
THRESHOLD = 0.65

# --------------------------------------------------------------------------------------------------------------

CLEAR = (4, 5, 6)


@dataclass(frozen=True, kw_only=True)
class Independent:
    """A month by the independent path."""

    items: int
    coverage: float
    """Clear share of the union of the parcels."""
    parcel_coverage: dict[str, float]
    means: dict[str, dict[str, float]]
    """By parcel and index; NaN where no pixel is valid."""


def month_by_hand(month: str) -> Independent:
    """Coverage and parcel means of a month, straight from the published COGs."""
    parcels = gpd.read_file(DEMO_PROGRAM.parent / "parcels.geojson").sort_values("parcel_id", ignore_index=True)
    items = [json.loads(path.read_bytes()) for path in items_by_hand(month)]
    if not items:
        none = dict.fromkeys(parcels["parcel_id"], 0.0)
        return Independent(items=0, coverage=0.0, parcel_coverage=none, means={})
    looks = [look_by_hand(path.parent, json.loads(path.read_bytes())) for path in items_by_hand(month)]
    clear = np.stack([look["clear"] for look in looks])
    with rasterio.open(items_by_hand(month)[0].parent / "B4.tif") as file:
        bounds, crs, shape = file.bounds, file.crs, file.shape
        assert bounds == array_bounds(*shape, file.transform)
    parcels = parcels.to_crs(crs)
    union = gpd.GeoDataFrame({"parcel_id": ["union"]}, geometry=[parcels.geometry.union_all()], crs=crs)

    def mean(values: NDArray[np.float64], zones: gpd.GeoDataFrame) -> dict[str, float]:
        source = NumPyRasterSource(values, *bounds, srs_wkt=crs.to_wkt())
        found = exact_extract(source, zones, "mean", include_cols="parcel_id", output="pandas")
        return {name: float("nan") if value is None else float(value) for name, value in found.to_numpy()}

    seen = clear.any(axis=0).astype(float)
    monthly = {}
    for index in ("ndvi", "evi"):
        stack = np.stack([look[index] for look in looks])
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Mean of empty slice", RuntimeWarning)
            monthly[index] = mean(np.nanmean(stack, axis=0), parcels)
    return Independent(
        items=len(items),
        coverage=mean(seen, union)["union"],
        parcel_coverage=mean(seen, parcels),
        means={parcel: {index: monthly[index][parcel] for index in monthly} for parcel in parcels["parcel_id"]},
    )


def items_by_hand(month: str) -> list[Path]:
    """The item documents whose datetime lies in a month."""
    return sorted(
        path
        for path in CATALOGUE.glob("*/*/*/*.json")
        if json.loads(path.read_bytes())["properties"]["datetime"].startswith(month)
    )


def look_by_hand(folder: Path, item: dict[str, Any]) -> dict[str, NDArray[Any]]:
    """One scene: NDVI and EVI on its own 10 m grid, NaN where unclear, and where it is clear."""
    bands = {}
    for key in ("red", "nir", "blue", "nir08", "swir16", "scl"):
        with rasterio.open(folder / item["assets"][key]["href"]) as file:
            bands[key] = file.read(1)
    clear = np.isin(twice(bands["scl"]), CLEAR)
    for key in ("red", "nir", "blue"):
        clear &= bands[key] > 0
    for key in ("nir08", "swir16"):
        clear &= twice(bands[key]) > 0
    # Scenes of 2018: processing baselines before 04.00 have no offset.
    red, nir, blue = (bands[key] * 1e-4 for key in ("red", "nir", "blue"))
    below = nir + 6 * red - 7.5 * blue + 1
    with np.errstate(divide="ignore", invalid="ignore"):
        ndvi = np.where(clear, (nir - red) / (nir + red), np.nan)
        evi = np.where(clear & (below > 0), 2.5 * (nir - red) / below, np.nan)
    return {"clear": clear, "ndvi": ndvi, "evi": np.where(np.abs(evi) <= 2, evi, np.nan)}


def twice(values: NDArray[Any]) -> NDArray[Any]:
    """A 20 m band on the 10 m grid that shares its corner."""
    return values.repeat(2, axis=0).repeat(2, axis=1)


# --------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def by_hand() -> dict[str, Independent]:
    """Every month by the independent path."""
    return {month: month_by_hand(month) for month in MONTHS}


@pytest.fixture(scope="module")
def undilated(demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """The demo's programme without dilation, materialized; raw and aligned tiles know of none, and are the demo's."""
    folder = tmp_path_factory.mktemp("undilated")
    lake = shutil.copytree(demo.folder / "lake", folder / "lake")
    deployment = a_deployment(a_program(folder, gate={"dilation_px": 0}), lake)
    done = run_months(deployment, MONTHS)
    assert {one["sentinel2/masked_tiles"].outcome for one in done.values()} == {Outcome.COMPUTED}
    return deployment


@pytest.mark.parametrize("month", MONTHS)
def test_parcel_means_agree(
    month: str, undilated: Deployment, by_hand: dict[str, Independent], listed: Callable[[str], None]
) -> None:
    """NDVI and EVI of every parcel-month that counts agree within 0.01; where the gate is closed there is none."""
    found, expected = rows(undilated, month), by_hand[month]

    differences = {
        (parcel, index): row[f"{index}_mean"] - expected.means[parcel][index]
        for parcel, row in found.items()
        for index in ("ndvi", "evi")
        if row["value_status"] == "ok"
    }

    assert {key: value for key, value in differences.items() if not abs(value) <= MEANS_AGREE_WITHIN} == {}
    if differences:
        (parcel, index), worst = max(differences.items(), key=lambda item: abs(item[1]))
        listed(f"independent path, {month}: {len(differences)} means, at most {worst:+.4f} ({parcel} {index})")
    assert len(differences) == (12 if expected.coverage >= THRESHOLD else 0)
    if not differences:
        assert {row[f"{index}_mean"] for row in found.values() for index in ("ndvi", "evi")} == {None}


def test_parcels_seen_whole_agree_behind_a_closed_gate_too(
    undilated: Deployment, by_hand: dict[str, Independent], tmp_path: Path
) -> None:
    """Months the gate rejects hold right numbers as well: with the gate opened, parcels that were seen whole agree.

    Parcels seen in part are left out. Their means hang on which pixels at a cloud's edge count, and those are
    not the same pixels on two grids.
    """
    lake = shutil.copytree(undilated.lake_path, tmp_path / "lake")
    opened = a_deployment(a_program(tmp_path, gate={"dilation_px": 0, "min_coverage": 0.0}), lake)
    rejected = [month for month, expected in by_hand.items() if 0 < expected.coverage < THRESHOLD]

    run_months(opened, rejected)

    differences = {
        (month, parcel, index): row[f"{index}_mean"] - by_hand[month].means[parcel][index]
        for month in rejected
        for parcel, row in rows(opened, month).items()
        for index in ("ndvi", "evi")
        if by_hand[month].parcel_coverage[parcel] >= 1 - 1e-9
    }
    assert len(differences) == 4
    assert {key: value for key, value in differences.items() if not abs(value) <= MEANS_AGREE_WITHIN} == {}


def test_gate_decisions_agree(
    undilated: Deployment, by_hand: dict[str, Independent], listed: Callable[[str], None]
) -> None:
    """Tile and parcel decisions agree wherever native coverage is not near the threshold; the others are listed."""
    compared = []
    for month, expected in by_hand.items():
        gate = decision(undilated.lake, month)
        compared.append((month, "tile", expected.coverage, gate["coverage"], gate["status"] == "PASSED"))
        compared += [
            (month, p["parcel_id"], expected.parcel_coverage[p["parcel_id"]], p["valid_fraction"], p["passed"])
            for p in gate["parcels"]
        ]

    near = [one for one in compared if abs(one[2] - THRESHOLD) <= NEAR_THRESHOLD + 1e-9]
    for month, what, native, aligned, passed in near:
        listed(f"near the gate's {THRESHOLD}: {month} {what}: native {native:.4f}, aligned {aligned:.4f}, {passed=}")

    far = [one for one in compared if one not in near]
    listed(f"independent path: {len(far)} gate decisions compared, {len(near)} too near the threshold to be")
    assert [one for one in far if one[4] != (one[2] >= THRESHOLD)] == []
    assert len(compared) == 12 * 7
    assert len(near) <= 2


def test_no_parcel_of_2018_lies_at_the_threshold(by_hand: dict[str, Independent]) -> None:
    """What makes the comparison of decisions a fair one: none hangs on a pixel."""
    near = {
        (month, parcel): share
        for month, expected in by_hand.items()
        for parcel, share in expected.parcel_coverage.items()
        if 0.64 <= share <= 0.66
    }

    assert near == {}


def test_december_has_no_scenes(undilated: Deployment, by_hand: dict[str, Independent]) -> None:
    """A month without scenes is a decision, not an error."""
    gate = decision(undilated.lake, "2018-12")

    assert by_hand["2018-12"].items == 0
    assert (gate["status"], gate["reasons"]) == ("REJECTED", ["no_scenes"])
    assert {row["value_status"] for row in rows(undilated, "2018-12").values()} == {"no_data"}
