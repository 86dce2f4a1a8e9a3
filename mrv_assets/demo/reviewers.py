"""The demo's two fictitious reviewers: both approve one month, once, with keys that the demo made."""

from pathlib import Path

from mrv_assets.audit.manual_decisions import APPROVE, is_signed_by
from mrv_assets.audit.record import Partition
from mrv_assets.demo.inputs import KEYS
from mrv_assets.deployment import Deployment
from mrv_assets.lake.manual_decisions import decisions_on
from mrv_assets.review.decide import Verdict, decide_signed, follows
from mrv_assets.science.gate import GateStatus

MISSION = "sentinel2"
REASON = "SIMULATED decision of the demo: what was seen of each stand is typical of it."
EVIDENCE = "truth.json beside the demo's simulated programme"


def review(deployment: Deployment, folder: Path, tile: str, month: str) -> list[str]:
    """Let each reviewer who has not decided yet approve a month that the gate rejected.

    Args:
        deployment: The simulated programme and its lake.
        folder: Folder of the keys.
        tile: The tile.
        month: The month; in the lake.

    Returns:
        The assets to materialize because of the approvals; empty where none was missing.
    """
    todo: list[str] = []
    for reviewer in deployment.program.the_reviewers:
        gated = deployment.lake.current(Partition(f"{MISSION}/gated_tiles", tile, month))
        if gated.output["status"] != GateStatus.REJECTED.value:
            break
        if any(is_signed_by(decision, reviewer) for decision in decisions_on(deployment.lake, gated)):
            continue
        approval = Verdict(
            tile=tile,
            month=month,
            mission=MISSION,
            verdict=APPROVE,
            reason=REASON,
            evidence=(EVIDENCE,),
            record=gated.audit_hash,
        )
        todo = follows(deployment, decide_signed(deployment, approval, folder / KEYS[reviewer.name]))
    return todo
