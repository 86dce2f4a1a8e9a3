"""Observations: scenes of one pass are one look at the ground, and what makes a look unclear."""

from pathlib import Path

import numpy as np
import pytest
from block_scenes import (
    AROUND,
    CLOUD,
    CORNER,
    MONTH,
    PLAIN,
    TILE,
    Box,
    SceneSpec,
    a_programme_of,
    shaded,
)
from demo_lake import decision, rows, run_months
from numpy.typing import NDArray

from mrv_assets.audit.record import Partition
from mrv_assets.deployment import Deployment
from mrv_assets.missions.flags import Flag

PARCEL = Box(row=CORNER - 50, col=CORNER - 50, height=10, width=20)
WEST = Box(row=CORNER - 50, col=CORNER - 50, height=10, width=10)
EAST = Box(row=CORNER - 50, col=CORNER - 40, height=10, width=10)
ONE_PASS = {"platform": "sentinel-2a", "sat:absolute_orbit": 15800}


def materialized(deployment: Deployment) -> Deployment:
    """The programme with its month in the lake."""
    run_months(deployment, [MONTH])
    return deployment


def red_of(deployment: Deployment, box: Box) -> NDArray[np.float32]:
    """Reflectance in the red of a box, dims (time, y, x)."""
    return opened(deployment, "aligned_tiles", "red", box)


def opened(deployment: Deployment, stage: str, variable: str, box: Box) -> NDArray[np.float32]:
    """A variable of an opened asset within a box, dims (time, y, x)."""
    month = deployment.lake.open(f"sentinel2/{stage}", TILE, MONTH)
    rows_, cols = slice(box.row, box.row + box.height), slice(box.col, box.col + box.width)
    values: NDArray[np.float32] = month[variable].isel(y=rows_, x=cols).to_numpy()
    return values


def test_of_two_overlapping_scenes_of_a_pass_the_first_clear_one_counts(tmp_path: Path) -> None:
    """Pixel by pixel: clear before cloudy, then by id. Both together are one observation."""
    scenes = [
        SceneSpec(id="b", when="2018-07-10T09:30:24Z", dn={"red": 2000}, properties=ONE_PASS),
        SceneSpec(id="a", dn={"red": 1500}, scl=shaded(AROUND, (EAST, CLOUD)), properties=ONE_PASS),
    ]

    deployment = materialized(a_programme_of(tmp_path, scenes, {"p": PARCEL}))

    np.testing.assert_allclose(red_of(deployment, WEST), np.full((1, 10, 10), 0.05), atol=1e-6)
    np.testing.assert_allclose(red_of(deployment, EAST), np.full((1, 10, 10), 0.10), atol=1e-6)
    row = rows(deployment, MONTH)["p"]
    assert (row["n_obs"], row["valid_fraction"]) == (1, 1.0)
    [observation] = decision(deployment.lake, MONTH)["observations"]
    assert (observation["scenes"], observation["rule"]) == (["a", "b"], "absolute_orbit")


def test_scenes_side_by_side_in_a_pass_complete_each_other(tmp_path: Path) -> None:
    """Where one scene ends the other goes on: a parcel across the seam is seen whole, once."""
    west = Box(row=AROUND.row, col=AROUND.col, height=200, width=60)
    east = Box(row=AROUND.row, col=AROUND.col + 60, height=200, width=140)
    scenes = [
        SceneSpec(id="a", box=west, dn={"red": 1500}, properties=ONE_PASS),
        SceneSpec(id="b", box=east, dn={"red": 2000}, when="2018-07-10T09:30:24Z", properties=ONE_PASS),
    ]

    deployment = materialized(a_programme_of(tmp_path, scenes, {"p": PARCEL}))

    row = rows(deployment, MONTH)["p"]
    assert (row["n_obs"], row["valid_fraction"], row["value_status"]) == (1, 1.0, "ok")
    np.testing.assert_allclose(red_of(deployment, WEST), np.full((1, 10, 10), 0.05), atol=1e-6)
    np.testing.assert_allclose(red_of(deployment, EAST), np.full((1, 10, 10), 0.10), atol=1e-6)


def test_passes_of_two_days_are_two_observations(tmp_path: Path) -> None:
    """The month's mean weighs looks, not scenes; the longest gap runs from the last look to the month's end."""
    scenes = [
        SceneSpec(id="a", dn={"nir": 3500}, when="2018-07-02T00:00:00Z"),
        SceneSpec(id="b", dn={"nir": 5500}, when="2018-07-12T00:00:00Z"),
    ]

    deployment = materialized(a_programme_of(tmp_path, scenes, {"p": PARCEL}))

    row = rows(deployment, MONTH)["p"]
    ndvi = [(nir - 0.05) / (nir + 0.05) for nir in (0.25, 0.45)]
    assert row["ndvi_mean"] == pytest.approx(np.mean(ndvi), abs=1e-4)
    assert (row["n_obs"], row["max_gap_days"]) == (2, 20.0)


def test_qa60_flags_cloud_and_cirrus(tmp_path: Path) -> None:
    """Bit 10 is opaque cloud, bit 11 cirrus; they add to what SCL says."""
    qa60 = np.zeros((AROUND.height, AROUND.width), np.uint16)
    qa60[WEST.slices(AROUND)] = 1 << 10
    qa60[EAST.slices(AROUND)] = 1 << 11
    scenes = [SceneSpec(id="a", extra={"QA60": qa60})]
    deployment = materialized(a_programme_of(tmp_path, scenes, {"p": PARCEL}, gate={"min_coverage": 0.0}))

    west, east = (opened(deployment, "masked_tiles", "unclear_flags", box) for box in (WEST, EAST))

    assert np.unique(west).tolist() == [Flag.CLOUD]
    assert np.unique(east).tolist() == [Flag.CIRRUS]
    assert rows(deployment, MONTH)["p"]["valid_fraction"] == 0.0


@pytest.mark.parametrize(("threshold", "clear"), [(0.15, 0.5), (0.16, 1.0), (0.14, 0.5)])
def test_cloud_probability_at_the_threshold_is_unclear(threshold: float, clear: float, tmp_path: Path) -> None:
    """A pixel of 15 % is unclear at 0.15 and below, and clear above; one of 14 % is clear at 0.15."""
    probability = np.full((AROUND.height, AROUND.width), 13, np.uint8)
    probability[WEST.slices(AROUND)] = 15
    scenes = [SceneSpec(id="a", extra={"cloud": probability})]
    gate = {"min_coverage": 0.0, "cloud_probability": threshold}

    deployment = materialized(a_programme_of(tmp_path, scenes, {"p": PARCEL}, gate=gate))

    assert rows(deployment, MONTH)["p"]["valid_fraction"] == clear
    expected = [Flag.LOW_PROBABILITY] if clear < 1 else [0]
    assert np.unique(opened(deployment, "masked_tiles", "unclear_flags", WEST)).tolist() == expected


def test_a_scene_without_cloud_probability_is_judged_by_its_classes(tmp_path: Path) -> None:
    """Of two looks only one publishes the probability: the other's clear ground stays clear."""
    probability = np.full((AROUND.height, AROUND.width), 90, np.uint8)
    scenes = [
        SceneSpec(id="a", extra={"cloud": probability}),
        SceneSpec(id="b", when="2018-07-20T09:30:00Z"),
    ]

    deployment = materialized(a_programme_of(tmp_path, scenes, {"p": PARCEL}))

    row = rows(deployment, MONTH)["p"]
    assert (row["n_obs"], row["valid_fraction"]) == (1, 1.0)


def test_an_index_without_its_band_is_unavailable_and_nothing_else_fails(tmp_path: Path) -> None:
    """No scene of the month has B12: NBR is null, and the record says why; the others have values."""
    scenes = [SceneSpec(id="a", without=("swir22",))]

    deployment = materialized(a_programme_of(tmp_path, scenes, {"p": PARCEL}))

    row = rows(deployment, MONTH)["p"]
    assert (row["value_status"], row["nbr_mean"], row["nbr_std"], row["nbr_valid_area_ha"]) == ("ok", None, None, None)
    assert None not in (row["ndvi_mean"], row["evi_mean"], row["ndmi_mean"])
    record = deployment.lake.current(Partition("sentinel2/indices", TILE, MONTH))
    assert record.output["attrs"]["unavailable"] == {"nbr": "no scene of the month publishes swir22"}


def test_an_index_comes_from_the_scenes_that_have_its_band(tmp_path: Path) -> None:
    """Of two looks one has B12: NBR is that look's, and counts its area; NDVI counts both."""
    scenes = [
        SceneSpec(id="a", without=("swir22",), dn={"nir": 3500}),
        SceneSpec(id="b", when="2018-07-20T09:30:00Z"),
    ]

    deployment = materialized(a_programme_of(tmp_path, scenes, {"p": PARCEL}))

    row = rows(deployment, MONTH)["p"]
    nir08, swir22 = (PLAIN[band] * 1e-4 - 0.1 for band in ("nir08", "swir22"))
    assert row["nbr_mean"] == pytest.approx((nir08 - swir22) / (nir08 + swir22), abs=1e-4)
    assert row["nbr_valid_area_ha"] == pytest.approx(row["parcel_area_ha"])
    assert row["n_obs"] == 2


def test_a_mostly_clouded_look_is_refused_where_the_programme_says_so(tmp_path: Path) -> None:
    """min_scene_clear refuses the look by name; what it saw neither counts nor enters the mean."""
    mostly = Box(row=CORNER - 50, col=CORNER - 50, height=10, width=16)
    scenes = [
        SceneSpec(id="clouded", dn={"nir": 9000}, scl=shaded(AROUND, (mostly, CLOUD))),
        SceneSpec(id="clear", when="2018-07-20T09:30:00Z", scl=shaded(AROUND, (WEST, CLOUD))),
    ]
    kept = materialized(a_programme_of(tmp_path / "kept", scenes, {"p": PARCEL}, gate={"min_coverage": 0.1}))
    gate = {"min_coverage": 0.1, "min_scene_clear": 0.3}

    strict = materialized(a_programme_of(tmp_path / "strict", scenes, {"p": PARCEL}, gate=gate))

    observations = {o["scenes"][0]: o for o in decision(strict.lake, MONTH)["observations"]}
    assert [observations["clouded"][name] for name in ("clear_of_parcels", "used", "reason")] == [
        0.2,
        False,
        "below_min_scene_clear",
    ]
    assert (observations["clear"]["used"], observations["clear"]["reason"]) == (True, None)
    ndvi = (0.35 - 0.05) / (0.35 + 0.05)
    assert rows(strict, MONTH)["p"]["ndvi_mean"] == pytest.approx(ndvi, abs=1e-4)
    assert rows(kept, MONTH)["p"]["ndvi_mean"] > ndvi + 0.01
    assert [rows(deployment, MONTH)["p"]["n_obs"] for deployment in (kept, strict)] == [2, 1]
