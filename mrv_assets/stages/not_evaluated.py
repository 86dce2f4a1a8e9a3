"""A mission that is not needed: its five assets say so, name the decision that made it so, and read no pixel."""

from pathlib import Path

from mrv_assets.audit.canonical import Json, canonical, sha256
from mrv_assets.audit.graph import Step, steps_digest
from mrv_assets.audit.record import Record
from mrv_assets.formats.artifacts import DECISION, decision_of
from mrv_assets.lake.store import Lake
from mrv_assets.science.gate import GateStatus
from mrv_assets.stages.materialize import Materialized, materialize, require, upstream
from mrv_assets.stages.mission_plan import MissionPlan
from mrv_assets.stages.source_code import source as source_of

EARLIER_OPEN = "earlier_mission_open"
"""Reason: the gate of a mission before it in the order of substitution is open."""
SAR_NOT_ALLOWED = "sar_not_allowed"
"""Reason: it is a radar, and the programme does not allow one to stand in."""


def not_evaluated(lake: Lake, plan: MissionPlan, stage: str, before: str | None) -> Materialized | None:
    """Materialize a stage of a mission that is not needed; None where the mission has to be evaluated.

    raw_tiles asks the programme, then the gate of the mission before; each later stage follows the one before it. With
    fusion every mission is needed: those behind an open one may fill its gaps.

    Args:
        lake: Where the earlier decision is.
        plan: The tile and month, for the mission.
        stage: Which of the mission's assets.
        before: The mission's asset just upstream; None for raw_tiles.

    Raises:
        NotMaterialized: When what decides is not in the lake.
        StaleUpstream: When it was made under another programme.
    """
    if before is None:
        forbidden = plan.forbidden
        decided = None if forbidden else _open_earlier(lake, plan)
        if decided is None and not forbidden:
            return None
    else:
        decided = lake.current(plan.at.partition(plan.asset(before)))
        if decided.evaluated:
            return None
        require(decided, **plan.at.manifest(**plan.substitution.rules, **plan.decision_rules))
    document = _document(plan, decided)
    return materialize(
        lake,
        plan,
        plan.asset(stage),
        stage=__name__,
        manifest=plan.at.manifest(**plan.substitution.rules, **plan.decision_rules),
        graph=steps_digest((Step(name="not evaluated", function=_document, reads=("decision",)),), source_of),
        inputs={} if decided is None else {decided.partition.asset: decided.audit_hash},
        reads=[] if decided is None else [decided],
        produce=lambda folder: _produced(document, folder),
    )


def _open_earlier(lake: Lake, plan: MissionPlan) -> Record | None:
    """The nearest decision of the missions before that says one of them is open; None where none is, or excuses."""
    if plan.substitution.fusion:
        return None
    for earlier in reversed(plan.earlier_missions):
        decided = upstream(lake, plan, f"{earlier}/gated_tiles", **plan.decision_rules)
        decision = decision_of(decided)
        if decision["reasons"] == [SAR_NOT_ALLOWED]:
            # It says nothing of those before it.
            continue
        status = GateStatus(decision["status"])
        return decided if status.open or status is GateStatus.NOT_EVALUATED else None
    return None


def _document(plan: MissionPlan, decided: Record | None) -> Json:
    """The decision that there is nothing to decide: whose gate is open, and by which record."""
    reasons, earlier = [SAR_NOT_ALLOWED], None
    if decided is not None:
        decision = decision_of(decided)
        if not decided.evaluated:
            # However many there are between, it names the open one itself.
            reasons, earlier = decision["reasons"], decision["earlier"]
        else:
            reasons = [EARLIER_OPEN]
            earlier = {
                "mission": decided.partition.mission,
                "status": decision["status"],
                "audit_hash": decided.audit_hash,
            }
    return {
        "status": GateStatus.NOT_EVALUATED.value,
        "reasons": reasons,
        "earlier": earlier,
        "coverage": None,
        "min_coverage": plan.gate.min_coverage,
        "observations": [],
        "unavailable": {},
        "parcels": [],
    }


def _produced(document: Json, folder: Path) -> Json:
    data = canonical(document)
    (folder / DECISION).write_bytes(data)
    return {"decision_sha256": sha256(data), **{name: document[name] for name in ("status", "reasons", "earlier")}}
