"""Simulated scenes through the six assets: values come near the truth, and clouds are refused."""

from dataclasses import replace
from pathlib import Path

import pytest
from demo_lake import a_deployment, a_program, decision, rows, run_months
from simulated_patches import COLLECTIONS, TILE, Json, a_patch, asking

from mrv_assets.deployment import Deployment
from mrv_assets.simulated.archive import Archive, Sentinel2
from mrv_assets.simulated.publish import simulate
from mrv_assets.simulated.truth import truth

CLEAR, HAZY, CLOUDED = "2023-06", "2023-07", "2023-08"
SHARES = {HAZY: 0.3, CLOUDED: 0.9}


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Deployment, Archive, Json]:
    """Three months of Sentinel-2, clear, hazy and clouded, after all their stages."""
    folder = tmp_path_factory.mktemp("simulated")
    observers = (Sentinel2(every_days=10, clouds=SHARES),)
    archive, parcels = asking(a_patch(months=(CLEAR, HAZY, CLOUDED), observers=observers))
    simulate(folder / "catalogue", archive)
    program = a_program(
        folder,
        parcels=parcels,
        catalog="catalogue",
        collection=COLLECTIONS["sentinel2"],
        months={"start": CLEAR, "end": CLOUDED},
    )
    deployment = a_deployment(program)
    assert deployment.tiles == (TILE,)
    run_months(deployment, archive.months)
    return deployment, archive, parcels


@pytest.mark.parametrize("month", [CLEAR, HAZY])
def test_parcel_means_are_near_the_truth(ran: tuple[Deployment, Archive, Json], month: str) -> None:
    """Every index of every parcel within 0.02, with a third of each scene under clouds too."""
    deployment, archive, parcels = ran

    found = rows(deployment, month)

    expected = truth(archive, parcels, [month]).set_index("parcel_id")
    assert decision(deployment.lake, month)["status"] == "PASSED"
    assert sorted(found) == sorted(expected.index)
    for name, row in found.items():
        assert row["parcel_area_ha"] == pytest.approx(expected.area_ha[name], rel=1e-4)
        for index in ("ndvi", "evi", "nbr", "ndmi"):
            assert row[f"{index}_mean"] == pytest.approx(expected[index][name], abs=0.02), (name, index)


def test_a_clear_month_is_seen_whole_and_a_hazy_one_is_not(ran: tuple[Deployment, Archive, Json]) -> None:
    """Without clouds every observation counts everywhere."""
    deployment, _, _ = ran

    clear, hazy = (decision(deployment.lake, month) for month in (CLEAR, HAZY))

    assert clear["coverage"] == 1
    assert 0.65 < hazy["coverage"] < 1
    assert len(clear["observations"]) >= 3


def test_a_month_of_clouds_is_rejected(ran: tuple[Deployment, Archive, Json]) -> None:
    """90 % of every scene: too little was seen, and no parcel has a value."""
    deployment, _, _ = ran

    gate = decision(deployment.lake, CLOUDED)

    assert gate["status"] == "REJECTED"
    assert gate["coverage"] < 0.65
    assert {row["ndvi_mean"] for row in rows(deployment, CLOUDED).values()} == {None}


def test_what_clouds_hide_is_what_the_archive_says(ran: tuple[Deployment, Archive, Json], tmp_path: Path) -> None:
    """Without dilation a month of one scene is seen to 1 - share, within a percentage point and a pixel's edges."""
    _, archive, parcels = ran
    once = replace(archive, months=(HAZY,), observers=(Sentinel2(every_days=28, clouds=0.3),))
    simulate(tmp_path / "catalogue", once)
    program = a_program(
        tmp_path,
        parcels=parcels,
        catalog="catalogue",
        collection=COLLECTIONS["sentinel2"],
        months={"start": HAZY, "end": HAZY},
        gate={"dilation_px": 0},
    )

    run_months(a_deployment(program), [HAZY])

    gate = decision(a_deployment(program).lake, HAZY)
    assert len(gate["observations"]) == 1
    assert gate["coverage"] == pytest.approx(0.7, abs=0.01)
