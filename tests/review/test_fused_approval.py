"""Manual decisions where missions fill each other's gaps."""

from pathlib import Path

import yaml
from demo_lake import rows, run_months
from fused_months import PARTLY, a_programme, some_scenes, statuses
from reviewing import PEOPLE
from simulated_patches import TILE

from mrv_assets.reports.verify import answer as verify
from mrv_assets.review.decide import Verdict, decide_signed, follows
from mrv_assets.review.keys import new_key, programme_lines
from mrv_assets.simulated.archive import Landsat, Sentinel2
from mrv_assets.stages.table import PRODUCT
from mrv_assets.verify.verification import Options


def test_an_approved_mission_fills_and_its_decision_is_named(tmp_path: Path) -> None:
    """Landsat's month was rejected, and two reviewers approve it: then it fills, and rows name who let it in.

    The parcels' own gate is as it was: what both together saw too little of has no value.
    """
    observers = (Sentinel2(every_days=28, clouds=0.5), Landsat(every_days=28, clouds=0.8))
    scenes = some_scenes(tmp_path / "catalogue", (PARTLY,), observers=observers)
    reviewers = [
        reviewer
        for name, role in list(PEOPLE.items())[:2]
        for reviewer in yaml.safe_load(programme_lines(new_key(tmp_path / f"{name}.pem", name, role)))["reviewers"]
    ]
    order = ("sentinel2", "landsat")
    deployment = a_programme(tmp_path / "programme", scenes, order, reviewers=reviewers, min_native_pixels=0)
    run_months(deployment, [PARTLY])
    before = rows(deployment, PARTLY)
    assert statuses(deployment, PARTLY) == ["PASSED", "REJECTED"]
    assert {(row["fused"], row["landsat_share"], row["qa_decision_id"]) for row in before.values()} == {
        (False, None, None)
    }

    wanted = Verdict(tile=TILE, month=PARTLY, mission="landsat", verdict="approve", reason="Seen on the ground.")
    decisions = [decide_signed(deployment, wanted, tmp_path / f"{name}.pem") for name in list(PEOPLE)[:2]]
    assert follows(deployment, decisions[-1]) == ["landsat/gated_tiles", PRODUCT]
    deployment.materialize("gated_tiles", deployment.plan(TILE, PARTLY, deployment.missions[1]))
    deployment.materialize(PRODUCT, deployment.plan(TILE, PARTLY))

    assert statuses(deployment, PARTLY) == ["PASSED", "APPROVED_MANUAL"]
    found = rows(deployment, PARTLY)
    named = {recorded.decision for recorded in decisions}
    assert any(row["fused"] for row in found.values())
    for row in found.values():
        assert row["mission"] == "sentinel2"
        assert row["gate_status"] == "PASSED"
        assert set((row["qa_decision_id"] or "").split()) == (named if row["landsat_share"] else set())
        assert row["value_status"] == ("ok" if row["valid_fraction"] >= 0.3 else "below_coverage")
    answer = verify(deployment.lake_path, Options(), again=True, progress=lambda *_: None)
    assert answer["findings"] == []
    assert {one["answer"] for one in answer["rerun"]} == {"IDENTICAL"}
