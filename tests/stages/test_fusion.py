"""Fusion: gaps filled pixel by pixel from the next open mission, each pixel and parcel saying what it is from."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from demo_lake import rows, run_months
from fused_months import (
    ALONE,
    DARK,
    GROUND,
    MONTHS,
    ORDER,
    PARTLY,
    SECOND,
    Scenes,
    Seen,
    Stored,
    a_changed,
    a_programme,
    product,
    seen_by,
    some_scenes,
    statuses,
    the_months,
    the_scenes,
)
from numpy.typing import NDArray
from once import Once
from simulated_patches import TILE
from stage_names import PRODUCT, STAGES
from tampering import put

from mrv_assets.audit.record import Partition
from mrv_assets.deployment import Deployment
from mrv_assets.errors import StaleUpstream
from mrv_assets.formats.arrays import RASTERS
from mrv_assets.reports.qa_list import answer as queue
from mrv_assets.reports.verify import answer as verify
from mrv_assets.science.grid import tile_grid
from mrv_assets.science.zonal import Fractions, coverage_fractions
from mrv_assets.simulated.archive import Landsat, Sentinel1, Sentinel2
from mrv_assets.simulated.truth import truth
from mrv_assets.stages.materialize import Outcome
from mrv_assets.stages.options import RunOptions
from mrv_assets.verify.verification import Options

Json = dict[str, Any]

OPTICAL = ("ndvi", "evi", "nbr", "ndmi")
RADAR = ("vh_vv", "rvi")
WINDOW = (GROUND.rows, GROUND.cols)
S2, LANDSAT = 1, 2
"""Their numbers in the layer of sources."""


@pytest.fixture(scope="module")
def scenes(once: Once) -> Scenes:
    """Four months of three missions over forest."""
    return the_scenes(once)


@pytest.fixture(scope="module")
def ran(once: Once) -> Deployment:
    """The months after all stages, with fusion. Nothing changes them."""
    return the_months(once)


@pytest.fixture(scope="module")
def plain(ran: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """A copy of which two months were run again without fusion."""
    deployment = a_changed(ran, tmp_path_factory.mktemp("plain") / "programme", fusion=False)
    run_months(deployment, [ALONE, PARTLY])
    return deployment


def raster(deployment: Deployment, month: str, name: str) -> NDArray[Any]:
    """A raster of a month's product."""
    data = deployment.lake.current(Partition(PRODUCT, TILE, month)).data / RASTERS
    return Stored(data=data, window=WINDOW).read(name)


def both(deployment: Deployment, month: str) -> tuple[Seen, Seen]:
    """What each optical mission saw."""
    sentinel2, landsat = (seen_by(deployment, mission, month, WINDOW) for mission in ORDER[:2])
    return sentinel2, landsat


def in_parcels(deployment: Deployment, month: str) -> dict[str, tuple[NDArray[np.float64], tuple[Any, Any]]]:
    """Per parcel, the weights of its pixels and where they are in the window."""
    parcels = deployment.plan(TILE, month).at.parcels
    shares: Fractions = coverage_fractions(tile_grid(TILE), GROUND, parcels.projected)
    found = {}
    for number, name in enumerate(parcels.parcel_id):
        mine = shares.parcel == number
        found[name] = shares.fraction[mine], (shares.row[mine] - GROUND.row, shares.col[mine] - GROUND.col)
    return found


@pytest.mark.parametrize(
    ("month", "expected"),
    [
        (PARTLY, ["PASSED", "PASSED", "PASSED"]),
        (ALONE, ["PASSED", "REJECTED", "PASSED"]),
        (SECOND, ["REJECTED", "PASSED", "PASSED"]),
        (DARK, ["REJECTED", "REJECTED", "PASSED"]),
    ],
)
def test_every_mission_is_decided_on(ran: Deployment, month: str, expected: list[str]) -> None:
    """No open gate excuses the missions behind it, and a radar needs no leave to be looked at."""
    assert statuses(ran, month) == expected
    assert ran.lake.current(Partition(PRODUCT, TILE, month)).output["decisions"] == dict(
        zip(ORDER, expected, strict=True)
    )


def test_each_pixel_is_from_the_first_open_mission_that_saw_it(ran: Deployment) -> None:
    """Sources, counts and means, bit for bit, from what the lake holds of the two missions."""
    sentinel2, landsat = both(ran, PARTLY)

    source, n_obs = raster(ran, PARTLY, "source"), raster(ran, PARTLY, "n_obs")

    first, second = sentinel2.counts > 0, (sentinel2.counts == 0) & (landsat.counts > 0)
    assert first.any()
    assert second.any()
    assert not (first | second).all()
    np.testing.assert_array_equal(source, np.where(first, S2, np.where(second, LANDSAT, 0)).astype(np.uint8))
    np.testing.assert_array_equal(n_obs, np.where(first, sentinel2.counts, np.where(second, landsat.counts, 0)))
    for name in OPTICAL:
        expected = np.where(first, sentinel2.mean(name), np.where(second, landsat.mean(name), np.nan))
        np.testing.assert_array_equal(raster(ran, PARTLY, name), expected.astype(np.float32))


def test_the_layer_of_sources_says_what_its_numbers_mean(ran: Deployment) -> None:
    """CF flags in every month's file and in the opened view: 0 none, then each mission's place in substitution."""
    for month in MONTHS:
        opened = ran.lake.open(PRODUCT, TILE, month)["source"]

        assert (opened.dtype, list(opened.attrs["flag_values"])) == (np.uint8, [0, 1, 2, 3])
        assert opened.attrs["flag_meanings"] == "none sentinel2 landsat sentinel1"


def test_shares_and_coverage_are_of_the_fused_pixels(ran: Deployment) -> None:
    """Per parcel, by weights of its pixels: each mission's share, and what the parcel's gate is measured on."""
    source = raster(ran, PARTLY, "source")

    for name, (weight, at) in in_parcels(ran, PARTLY).items():
        row = rows(ran, PARTLY)[name]
        shares = [round(weight[source[at] == number].sum() / weight.sum(), 9) for number in (S2, LANDSAT)]
        assert [row["sentinel2_share"], row["landsat_share"]] == shares
        assert row["valid_fraction"] == pytest.approx(sum(shares), abs=2e-9)
        assert row["observed_area_ha"] == row["valid_fraction"] * row["parcel_area_ha"]
        assert row["ndvi_mean"] == pytest.approx(
            np.average(np.nan_to_num(raster(ran, PARTLY, "ndvi")[at]), weights=weight * (source[at] > 0)), abs=1e-6
        )


def test_the_gate_of_a_parcel_is_passed_by_both_together(ran: Deployment) -> None:
    """What Sentinel-2 alone saw too little of has a value with what Landsat adds; more is seen, never less."""
    alone = {p["parcel_id"]: p for p in decision_parcels(ran, "sentinel2", PARTLY)}

    found = rows(ran, PARTLY)

    assert any(not alone[name]["passed"] and row["value_status"] == "ok" for name, row in found.items())
    assert all(row["valid_fraction"] >= alone[name]["valid_fraction"] for name, row in found.items())


def decision_parcels(deployment: Deployment, mission: str, month: str) -> list[Json]:
    """What a mission's gate measured of each parcel."""
    path = deployment.lake.current(Partition(f"{mission}/gated_tiles", TILE, month)).data / "decision.json"
    parcels: list[Json] = json.loads(path.read_bytes())["parcels"]
    return parcels


def test_observations_and_gaps_are_of_all_missions_that_gave_pixels(ran: Deployment) -> None:
    """Every look with a clear pixel in the parcel counts, and the longest interval is without any of them."""
    missions = both(ran, PARTLY)
    edges_us = [int(np.datetime64(day, "us").astype(np.int64)) for day in ("2023-06-01", "2023-07-01")]

    for name, (_, at) in in_parcels(ran, PARTLY).items():
        row = rows(ran, PARTLY)[name]
        gave = [row["sentinel2_share"] > 0, row["landsat_share"] > 0]
        looks = sorted(
            time
            for mission, counts in zip(missions, gave, strict=True)
            for time, clear in zip(mission.times_us, mission.clear, strict=True)
            if counts and clear[at].any()
        )
        assert row["n_obs"] == len(looks)
        gaps = np.diff([edges_us[0], *looks, edges_us[1]])
        assert row["max_gap_days"] == pytest.approx(gaps.max() / 86_400e6, abs=1e-6)


def test_fused_means_are_near_the_truth(ran: Deployment, scenes: Scenes) -> None:
    """Within 0.02 of the ground where most of a parcel was seen; a fused row is marked as one."""
    expected = truth(scenes.archive, scenes.parcels, [PARTLY]).set_index("parcel_id")
    found = rows(ran, PARTLY)

    ok = {name: row for name, row in found.items() if row["value_status"] == "ok"}

    assert ok
    for name, row in ok.items():
        for index in (*OPTICAL, *RADAR):
            assert row[f"{index}_mean"] == pytest.approx(expected[index][name], abs=0.02), (name, index)


@pytest.mark.parametrize("month", [PARTLY, ALONE, SECOND])
def test_a_row_says_what_it_is_from(ran: Deployment, month: str) -> None:
    """Fused, not comparable and as coarse as Landsat where Landsat gave a pixel; else as without fusion."""
    for row in rows(ran, month).values():
        by_landsat = bool(row["landsat_share"])
        assert row["mission"] == ("landsat" if month == SECOND else "sentinel2")
        assert row["substituted"] is (month == SECOND)
        assert row["fused"] is (month == PARTLY and by_landsat)
        assert row["comparable"] is not by_landsat
        assert (row["resolution_m"], row["uncertainty_factor"]) == ((30.0, 3.0) if by_landsat else (10.0, 1.0))


def test_a_rejected_mission_gives_no_pixel(ran: Deployment) -> None:
    """Landsat saw some pixels that Sentinel-2 did not; its gate is closed, and none of them is in the month."""
    sentinel2, landsat = both(ran, ALONE)
    assert ((sentinel2.counts == 0) & (landsat.counts > 0)).any()

    source = raster(ran, ALONE, "source")

    np.testing.assert_array_equal(source, np.where(sentinel2.counts > 0, S2, 0).astype(np.uint8))
    assert not np.isfinite(raster(ran, ALONE, "ndvi")[source == 0]).any()
    assert {row["landsat_share"] for row in rows(ran, ALONE).values()} == {None}
    assert ran.lake.current(Partition(PRODUCT, TILE, ALONE)).output["fusion"]["sources"][0]["mission"] == "sentinel2"
    assert len(ran.lake.current(Partition(PRODUCT, TILE, ALONE)).output["fusion"]["sources"]) == 1


def test_two_rejected_missions_are_no_passing_one(ran: Deployment) -> None:
    """With no optical gate open there is no value; the radar, which may not give the month, keeps it waiting."""
    assert {(row["value_status"], row["mission"], row["fused"]) for row in rows(ran, DARK).values()} == {
        ("pending", None, False)
    }
    [waiting] = queue(ran)["waiting"]
    assert (waiting["month"], waiting["would_pass"][-1]) == (
        DARK,
        "sentinel1: its gate is open, and `allow_sar: true` in the programme lets it give the month",
    )
    assert not raster(ran, DARK, "source").any()
    assert ran.lake.current(Partition(PRODUCT, TILE, DARK)).output["fusion"] == {"sources": [], "beside": None}


def test_without_the_option_nothing_is_fused(ran: Deployment, plain: Deployment) -> None:
    """The same months without fusion: only the month's mission is needed, and its rows are what fusion leaves alone."""
    assert statuses(plain, PARTLY) == ["PASSED", "NOT_EVALUATED", "NOT_EVALUATED"]
    assert {row["value_status"] for row in rows(plain, ALONE).values()} <= {"ok", "below_coverage"}
    for name, row in rows(plain, ALONE).items():
        fused = rows(ran, ALONE)[name]
        assert {k: v for k, v in row.items() if not k.startswith(RADAR)} == {
            k: v for k, v in fused.items() if not k.startswith(RADAR)
        }
        assert {row[f"{index}_mean"] for index in RADAR} == {None}
    group = plain.lake.current(Partition(PRODUCT, TILE, PARTLY)).output
    assert "source" not in group["rasters"]["arrays"]
    assert "fusion" not in group


def test_the_order_of_substitution_is_the_order_of_filling(ran: Deployment, tmp_path: Path) -> None:
    """Landsat first: what both saw is Landsat's, and its number is another."""
    turned = a_changed(ran, tmp_path / "turned", substitution=["landsat", "sentinel2", "sentinel1"])
    sentinel2, landsat = both(ran, PARTLY)

    product(turned, PARTLY)

    first, second = landsat.counts > 0, (landsat.counts == 0) & (sentinel2.counts > 0)
    np.testing.assert_array_equal(raster(turned, PARTLY, "source"), np.where(first, 1, np.where(second, 2, 0)))
    assert {row["mission"] for row in rows(turned, PARTLY).values()} == {"landsat"}


def test_a_small_parcel_takes_no_pixel_of_a_filling_mission(ran: Deployment, tmp_path: Path) -> None:
    """Its statistics and its coverage are Sentinel-2's alone; the rasters, which know no parcels, stay as they are."""
    areas = sorted(row["parcel_area_ha"] for row in rows(ran, PARTLY).values())
    strict = a_changed(ran, tmp_path / "strict", min_native_pixels=int(areas[-1] * 10_000 / 900) + 1)
    alone = {p["parcel_id"]: p for p in decision_parcels(ran, "sentinel2", PARTLY)}

    product(strict, PARTLY)

    np.testing.assert_array_equal(raster(strict, PARTLY, "source"), raster(ran, PARTLY, "source"))
    source, ndvi = raster(strict, PARTLY, "source"), raster(strict, PARTLY, "ndvi")
    for name, (weight, at) in in_parcels(ran, PARTLY).items():
        row = rows(strict, PARTLY)[name]
        assert (row["landsat_share"], row["fused"]) == (0.0, False)
        assert (row["valid_fraction"], row["n_obs"]) == (alone[name]["valid_fraction"], alone[name]["n_obs"])
        assert row["value_status"] == ("ok" if alone[name]["passed"] else "below_coverage")
        if row["value_status"] == "ok":
            own = weight * (source[at] == S2)
            assert row["ndvi_mean"] == pytest.approx(np.average(np.nan_to_num(ndvi[at]), weights=own), abs=1e-6)


def test_a_radars_indices_stand_beside(ran: Deployment) -> None:
    """In every row that is ok, and in rasters of its own pixels; no other row has them."""
    radar = seen_by(ran, "sentinel1", PARTLY, WINDOW)
    stored = radar.indices.read("rvi")[radar.used]
    measured = np.isfinite(stored).any(axis=0)

    found = raster(ran, PARTLY, "rvi")

    assert measured.mean() > 0.9
    np.testing.assert_array_equal(np.isfinite(found), measured)
    np.testing.assert_allclose(found[measured], np.nanmean(stored[:, measured], axis=0), rtol=1e-6)
    for month in MONTHS:
        for row in rows(ran, month).values():
            assert (row["rvi_mean"] is not None) is (row["value_status"] == "ok")
            assert (row["vh_vv_valid_area_ha"] is not None) is (row["value_status"] == "ok")
    for name, (weight, at) in in_parcels(ran, PARTLY).items():
        if (row := rows(ran, PARTLY)[name])["value_status"] == "ok":
            assert row["rvi_mean"] == pytest.approx(np.average(found[at], weights=weight), abs=1e-6)


def test_a_parcel_too_small_for_the_radar_has_none_of_its_values(ran: Deployment, tmp_path: Path) -> None:
    """Ten metres are its pixels too: where the programme asks for more of them, its columns are null."""
    strict = a_changed(ran, tmp_path / "strict", min_native_pixels=10_000)

    product(strict, ALONE)

    ok = [row for row in rows(strict, ALONE).values() if row["value_status"] == "ok"]
    assert ok
    assert {row[f"{index}_mean"] for row in ok for index in RADAR} == {None}
    assert all(row["ndvi_mean"] is not None for row in ok)


def test_a_radar_that_is_rejected_stands_beside_nothing(tmp_path: Path) -> None:
    """Nearly all of its ground lies in layover: no raster and no value of it, and the optical ones stay."""
    scenes = some_scenes(tmp_path / "catalogue", (ALONE,), observers=(*both_clear(), Sentinel1(layover=0.95)))
    deployment = a_programme(tmp_path / "programme", scenes)

    run_months(deployment, [ALONE])

    assert statuses(deployment, ALONE) == ["PASSED", "PASSED", "REJECTED"]
    output = deployment.lake.current(Partition(PRODUCT, TILE, ALONE)).output
    assert output["fusion"]["beside"] is None
    assert set(output["rasters"]["arrays"]) & set(RADAR) == set()
    assert {row["rvi_mean"] for row in rows(deployment, ALONE).values()} == {None}
    assert {row["value_status"] for row in rows(deployment, ALONE).values()} == {"ok"}


def both_clear() -> tuple[Any, ...]:
    """The optical missions under a clear sky."""
    return Sentinel2(every_days=28), Landsat(every_days=16)


def test_a_radar_gives_a_dark_month_where_it_may(ran: Deployment, tmp_path: Path) -> None:
    """With leave it is the month's mission, as without fusion, and its number is in the layer of sources."""
    allowed = a_changed(ran, tmp_path / "allowed", allow_sar=True)

    product(allowed, DARK)

    found = rows(allowed, DARK)
    assert {(row["value_status"], row["mission"], row["substituted"]) for row in found.values()} == {
        ("ok", "sentinel1", True)
    }
    radar = seen_by(ran, "sentinel1", DARK, WINDOW)
    np.testing.assert_array_equal(raster(allowed, DARK, "source"), np.where(radar.counts > 0, 3, 0))
    assert {row["sentinel2_share"] for row in found.values()} == {row["landsat_share"] for row in found.values()}
    assert all(row["rvi_mean"] is not None and row["ndvi_mean"] is None for row in found.values())


def test_the_option_makes_excuses_stale(plain: Deployment, tmp_path: Path) -> None:
    """Landsat was not needed without fusion; with it it is, whichever asset is materialized alone."""
    fused = a_changed(plain, tmp_path / "fused", fusion=True)

    with pytest.raises(StaleUpstream, match=r"landsat/gated_tiles.*another fusion"):
        product(fused, PARTLY)
    with pytest.raises(StaleUpstream, match=r"landsat/raw_tiles.*another fusion"):
        fused.materialize("aligned_tiles", fused.plan(TILE, PARTLY, fused.missions[1]))

    run_months(fused, [PARTLY])
    assert statuses(fused, PARTLY) == ["PASSED", "PASSED", "PASSED"]
    assert {row["fused"] for row in rows(fused, PARTLY).values()} == {True}


def test_months_verify_and_compute_again_identically(ran: Deployment) -> None:
    """With the lake and nothing else, every stage of every mission and the product give the same bits."""
    found = verify(ran.lake_path, Options(), again=False, progress=lambda *_: None)
    again = [
        one
        for month in (PARTLY, DARK)
        for one in verify(ran.lake_path, Options(month=month), again=True, progress=lambda *_: None)["rerun"]
    ]

    assert found["findings"] == []
    assert {one["answer"] for one in again} == {"IDENTICAL"}
    assert len(again) == 2 * (len(ORDER) * (len(STAGES) - 1) + 1)


def test_values_do_not_depend_on_how_many_work(ran: Deployment, tmp_path: Path) -> None:
    """Computed again by four at once, the output is the same, and so is the record."""
    copy = a_changed(ran, tmp_path / "copy")
    before = copy.lake.current(Partition(PRODUCT, TILE, PARTLY))

    done = copy.materialize(PRODUCT, replace(copy, workers=4).plan(TILE, PARTLY, options=RunOptions(force=True)))

    assert (done.outcome, done.audit_hash) == (Outcome.REPRODUCED, before.audit_hash)


@pytest.mark.parametrize("where", ["sources", "beside", "mission"])
def test_a_month_over_a_closed_gate_is_a_finding(ran: Deployment, tmp_path: Path, where: str) -> None:
    """Whoever writes a record that says it has values of a rejected mission is found out by that mission's decision."""
    shutil.copytree(ran.lake_path, tmp_path / "lake")
    lake = replace(ran, lake_path=tmp_path / "lake").lake
    record = lake.current(Partition(PRODUCT, TILE, ALONE))
    fusion = record.output["fusion"]
    forged = {
        "sources": {"fusion": {**fusion, "sources": [*fusion["sources"], {"mission": "landsat", "share": 0.01}]}},
        "beside": {"fusion": {**fusion, "beside": "landsat"}},
        "mission": {"mission": "landsat"},
    }[where]
    put(
        lake.slot(Partition(PRODUCT, TILE, ALONE)).folder / "records",
        {**record.document, "output": {**record.output, **forged}},
    )

    found = verify(tmp_path / "lake", Options(asset=PRODUCT, month=ALONE), again=False, progress=lambda *_: None)

    [over_closed] = [one for one in found["findings"] if "gate is open" in one["check"]]
    assert over_closed["found"] == "landsat: REJECTED"


def test_a_month_that_misquotes_a_gate_is_a_finding(ran: Deployment, tmp_path: Path) -> None:
    """A record cannot say PASSED of a mission that the decision it names rejected."""
    shutil.copytree(ran.lake_path, tmp_path / "lake")
    lake = replace(ran, lake_path=tmp_path / "lake").lake
    record = lake.current(Partition(PRODUCT, TILE, ALONE))
    said = {**record.output["decisions"], "landsat": "PASSED"}
    put(
        lake.slot(Partition(PRODUCT, TILE, ALONE)).folder / "records",
        {**record.document, "output": {**record.output, "decisions": said}},
    )

    found = verify(tmp_path / "lake", Options(asset=PRODUCT, month=ALONE), again=False, progress=lambda *_: None)

    assert "says what the gates decided" in {one["check"] for one in found["findings"]}
