"""Manual decisions where missions stand in for one another."""

from pathlib import Path

import yaml
from demo_lake import a_deployment, a_program, rows
from reviewing import PEOPLE
from simulated_patches import COLLECTIONS, MONTH, TILE, a_patch, asking
from stage_names import STAGES

from mrv_assets.audit.record import Partition
from mrv_assets.deployment import Deployment
from mrv_assets.formats.artifacts import decision_of
from mrv_assets.reports.qa_list import answer as queue
from mrv_assets.reports.verify import answer as verify
from mrv_assets.review.decide import Recorded, Verdict, decide_signed, follows
from mrv_assets.review.keys import new_key, programme_lines
from mrv_assets.simulated.archive import Landsat, Sentinel2
from mrv_assets.simulated.publish import simulate
from mrv_assets.verify.verification import Options


def decided(deployment: Deployment, folder: Path, mission: str | None) -> Recorded:
    """Let two reviewers approve a mission's month; gives the last one's decision, with what follows materialized."""
    for name in list(PEOPLE)[:2]:
        wanted = Verdict(tile=TILE, month=MONTH, mission=mission, verdict="approve", reason="Seen on the ground.")
        recorded = decide_signed(deployment, wanted, folder / f"{name}.pem")
    missions = {mission.name: mission for mission in deployment.missions}
    for asset in follows(deployment, recorded):
        of, _, stage = asset.rpartition("/")
        deployment.materialize(stage, deployment.plan(TILE, MONTH, missions.get(of)))
    return recorded


def statuses(deployment: Deployment) -> dict[str, str]:
    """The gate's current decision on each mission."""
    current = {
        m.name: deployment.lake.current(Partition(f"{m.name}/gated_tiles", TILE, MONTH)) for m in deployment.missions
    }
    return {name: decision_of(record)["status"] for name, record in current.items()}


def test_a_substitute_is_approved_and_then_no_longer_needed(tmp_path: Path) -> None:
    """An approved substitute is marked as one; when the first mission is approved too, it stands in no more.

    After both, the lake verifies and is computed again bit for bit.
    """
    observers = (Sentinel2(every_days=15, clouds={MONTH: 0.9}), Landsat(every_days=16, clouds={MONTH: 0.8}))
    archive, parcels = asking(a_patch(observers=observers))
    simulate(tmp_path / "catalogue", archive)
    reviewers = [
        reviewer
        for name, role in PEOPLE.items()
        for reviewer in yaml.safe_load(programme_lines(new_key(tmp_path / f"{name}.pem", name, role)))["reviewers"]
    ]
    deployment = a_deployment(
        a_program(
            tmp_path / "programme",
            parcels=parcels,
            missions={
                name: {"catalog": str(tmp_path / "catalogue"), "collection": COLLECTIONS[name]}
                for name in ("sentinel2", "landsat")
            },
            substitution=["sentinel2", "landsat"],
            months={"start": MONTH, "end": MONTH},
            reviewers=reviewers,
            min_native_pixels=0,
        )
    )
    for _ in deployment.run(TILE, MONTH):
        pass

    assert statuses(deployment) == {"sentinel2": "REJECTED", "landsat": "REJECTED"}
    assert len(queue(deployment)["waiting"][0]["would_pass"]) == 4
    decided(deployment, tmp_path, "landsat")
    assert statuses(deployment) == {"sentinel2": "REJECTED", "landsat": "APPROVED_MANUAL"}
    assert queue(deployment)["waiting"] == []
    marks = {(r["mission"], r["substituted"], r["gate_status"]) for r in rows(deployment, MONTH, TILE).values()}
    assert marks == {("landsat", True, "APPROVED_MANUAL")}
    again(deployment)

    last = decided(deployment, tmp_path, None)

    assert follows(deployment, last) == [
        "sentinel2/gated_tiles",
        *(f"landsat/{stage}" for stage in STAGES),
        "monthly_proxies",
    ]
    assert statuses(deployment) == {"sentinel2": "APPROVED_MANUAL", "landsat": "NOT_EVALUATED"}
    marks = {(r["mission"], r["substituted"], r["gate_status"]) for r in rows(deployment, MONTH, TILE).values()}
    assert marks == {("sentinel2", False, "APPROVED_MANUAL")}
    again(deployment)


def again(deployment: Deployment) -> None:
    """Verify the lake, and compute it again from the records."""
    answer = verify(deployment.lake_path, Options(), again=True, progress=lambda *_: None)

    assert answer["findings"] == []
    assert {one["answer"] for one in answer["rerun"]} == {"IDENTICAL"}
