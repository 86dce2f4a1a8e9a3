"""Manual decisions on tile-months that the gate rejected: who may decide, on which record, with which effect."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from mrv_assets.audit.canonical import Json
from mrv_assets.audit.manual_decisions import (
    APPROVE,
    PERSONS,
    Reviewer,
    Statement,
    approving,
    asserted,
    in_the_way,
    is_signed_by,
    public_pem,
    signed,
)
from mrv_assets.audit.record import Partition, Record
from mrv_assets.deployment import Deployment
from mrv_assets.errors import DecisionRefused, StaleUpstream
from mrv_assets.formats.artifacts import decision_of
from mrv_assets.lake.manual_decisions import decision_id, decisions_on, keep_decision
from mrv_assets.missions.registry import MISSIONS
from mrv_assets.review.keys import read_key
from mrv_assets.science.gate import GateStatus
from mrv_assets.stages.manual_decisions import counted_approvals
from mrv_assets.stages.mission_plan import MissionPlan
from mrv_assets.stages.options import NotAnswered, RunOptions
from mrv_assets.stages.table import MISSION_STAGES, PRODUCT

LONGEST = 2_000
"""Most characters of a reason, and of each piece of evidence."""
MOST = 20
"""Most pieces of evidence."""
_LINK_WITH_MORE = re.compile(r"[a-z][a-z0-9+.-]*://\S*[?@]", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The verdict that a reviewer wants recorded on one rejected tile-month."""

    tile: str
    month: str
    mission: str | None
    """None for the first mission that the gate rejected."""
    verdict: str
    """``approve`` or ``reject``."""
    reason: str
    evidence: tuple[str, ...] = ()
    record: str | None = None
    """Audit hash of the record that the reviewer looked at, or its beginning; None for the current one."""


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """A decision that was recorded in the lake."""

    decision: str
    """Id of the decision."""
    statement: Statement
    mission: str
    authenticated: bool
    """Whether a reviewer's key signed it; without a signature it is only asserted."""
    approved: bool
    """Whether the tile-month is approved with this decision."""
    approvals_missing: int | None
    """Number of reviewers who still have to approve; None where something is in the way of it."""


def decide_signed(deployment: Deployment, verdict: Verdict, key_file: Path) -> Recorded:
    """Record a decision that a reviewer's key signs. Materializes nothing.

    Raises:
        DecisionRefused: When there is nothing to decide on, or this reviewer may not decide on it.
        UnknownPartition: When the programme has no such tile or month.
        NotMaterialized: When the month is not in the lake.
    """
    key = read_key(key_file)
    public = Reviewer(name="", role="", public_key=public_pem(key.public_key())).key_id
    reviewer = next((known for known in deployment.program.the_reviewers if known.key_id == public), None)
    if reviewer is None:
        raise DecisionRefused(
            "Key file",
            str(key_file),
            f"its public key {public[:12]} is not among the programme's reviewers",
            "Add the lines that `mrv keys new` printed to the programme file, or use a reviewer's key",
        )
    plan, record = _rejected(deployment, verdict)
    for decision in decisions_on(deployment.lake, record):
        if is_signed_by(decision, reviewer):
            raise _decided_before(reviewer.name, decision)
    statement = _statement(deployment, verdict, record, reviewer.name, reviewer.role)
    return _recorded(deployment, plan, record, statement, signed(statement, key))


def decide_asserted(deployment: Deployment, verdict: Verdict, reviewer: str, role: str) -> Recorded:
    """Record a decision without a signature: it is shown, and approves nothing.

    Raises:
        DecisionRefused: When there is nothing to decide on.
        UnknownPartition: When the programme has no such tile or month.
        NotMaterialized: When the month is not in the lake.
    """
    _checked_text("Reviewer", reviewer)
    _checked_text("Role", role)
    plan, record = _rejected(deployment, verdict)
    for decision in decisions_on(deployment.lake, record):
        if decision["statement"]["reviewer"] == reviewer:
            raise _decided_before(reviewer, decision)
    statement = _statement(deployment, verdict, record, reviewer, role)
    return _recorded(deployment, plan, record, statement, asserted(statement))


def hardly_seen(deployment: Deployment, verdict: Verdict) -> list[tuple[str, float]]:
    """The parcels that were seen less than the gate asks for, with the share seen: what an approval lets in.

    Raises:
        DecisionRefused: When there is nothing to decide on.
        UnknownPartition: When the programme has no such tile or month.
        NotMaterialized: When the month is not in the lake.
    """
    _, record = _rejected(deployment, verdict)
    return [(row["parcel_id"], row["valid_fraction"]) for row in decision_of(record)["parcels"] if not row["passed"]]


def follows(deployment: Deployment, recorded: Recorded) -> list[str]:
    """The assets to materialize after a decision: its mission's gate, all of later missions, and the product.

    With fusion later missions are needed whatever is decided on this one.
    """
    if not recorded.approved:
        return []
    names = [mission.name for mission in deployment.missions]
    later = [] if deployment.program.fusion else names[names.index(recorded.mission) + 1 :]
    return [
        f"{recorded.mission}/{MISSION_STAGES[-1].name}",
        *(f"{name}/{stage.name}" for name in later for stage in MISSION_STAGES),
        PRODUCT,
    ]


def _rejected(deployment: Deployment, verdict: Verdict) -> tuple[MissionPlan, Record]:
    """The current rejected record to decide on, and its plan; refused where the programme would make another now."""
    _checked_text("Reason", verdict.reason)
    for text in verdict.evidence:
        _checked_text("Evidence", text)
    if len(verdict.evidence) > MOST:
        raise DecisionRefused(
            "Evidence", str(len(verdict.evidence)), "these are too many pieces", f"Name {MOST} pieces at most"
        )
    deployment.plan(verdict.tile, verdict.month)
    mission = verdict.mission or _first_rejected(deployment, verdict)
    if mission not in deployment.program.substitution:
        known = ", ".join(deployment.program.substitution)
        raise DecisionRefused("Mission", mission, "it is not in this programme", f"Its missions: {known}")
    plan = deployment.plan(verdict.tile, verdict.month, MISSIONS[mission], RunOptions(known_only=True))
    partition = plan.at.partition(plan.asset("gated_tiles"))
    name = str(partition)
    current = deployment.lake.current(partition)
    if current.output["status"] != GateStatus.REJECTED.value:
        reason = f"it is {current.output['status']}, and only REJECTED ones are decided on"
        raise DecisionRefused("Partition", name, reason, "`mrv qa list` lists what can be decided")
    again = f"Run `mrv run --tile {verdict.tile} --month {verdict.month}`, and look at the month as it is then"
    if verdict.record is not None and not current.audit_hash.startswith(verdict.record):
        reason = f"it has been superseded, or there is no such record: {current.audit_hash} is current"
        raise DecisionRefused("Record", verdict.record, reason, "Look at the month as it is now, then decide on that")
    try:
        deployment.materialize("gated_tiles", plan)
    except (NotAnswered, StaleUpstream):
        reason = "its decision has been superseded: the programme, the code or the indices have changed"
        raise DecisionRefused("Partition", name, reason, again) from None
    if verdict.verdict == APPROVE and current.output["coverage"] == 0:
        raise DecisionRefused("Partition", name, "nothing was seen, so there is nothing to approve", again)
    return plan, current


def _first_rejected(deployment: Deployment, verdict: Verdict) -> str:
    names = [mission.name for mission in deployment.missions]
    current = {
        name: deployment.lake.current(Partition(f"{name}/gated_tiles", verdict.tile, verdict.month)) for name in names
    }
    rejected = [name for name in names if current[name].output["status"] == GateStatus.REJECTED.value]
    if not rejected:
        statuses = ", ".join(f"{name} {record.output['status']}" for name, record in current.items())
        raise DecisionRefused(
            "Partition",
            f"{verdict.tile} {verdict.month}",
            f"none of its missions is REJECTED ({statuses})",
            "`mrv qa list` lists what can be decided",
        )
    return rejected[0]


def _checked_text(field: str, text: str) -> None:
    if not text.strip():
        raise DecisionRefused(field, text, "it is empty", "Write what an auditor will want to read")
    if len(text) > LONGEST or any(not (char.isprintable() or char in "\n\t") for char in text):
        raise DecisionRefused(field, text, f"it is not plain text of up to {LONGEST} characters", "Write it so")
    if _LINK_WITH_MORE.search(text):
        # Records stay for ever, and everybody may read them.
        reason = "it has a link with a query or a user name, which may be a secret"
        raise DecisionRefused(
            field, "***", reason, "Write the link without `?` and the text after it, and without `...@`"
        )


def _decided_before(reviewer: str, decision: Json) -> DecisionRefused:
    statement = decision["statement"]
    return DecisionRefused(
        "Reviewer",
        reviewer,
        f"this reviewer has decided on record {statement['record'][:12]} already: {statement['verdict']}, "
        f"{statement['decided_at']}",
        "Nobody decides twice; another reviewer has to",
    )


def _statement(deployment: Deployment, verdict: Verdict, record: Record, reviewer: str, role: str) -> Statement:
    return Statement(
        programme=deployment.program.program,
        asset=record.partition.asset,
        tile=verdict.tile,
        month=verdict.month,
        record=record.audit_hash,
        verdict=verdict.verdict,
        reviewer=reviewer,
        role=role,
        reason=verdict.reason,
        evidence=verdict.evidence,
        decided_at=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        before=tuple(decision_id(decision) for decision in decisions_on(deployment.lake, record)),
        reviewers=deployment.program.the_reviewers,
    )


def _recorded(
    deployment: Deployment, plan: MissionPlan, record: Record, statement: Statement, decision: bytes
) -> Recorded:
    decision_id = keep_decision(deployment.lake, decision, record)
    return Recorded(
        decision=decision_id,
        statement=statement,
        mission=plan.mission.name,
        authenticated=b'"signature":null' not in decision,
        approved=bool(counted_approvals(deployment.lake, record, plan.reviewers)),
        approvals_missing=approvals_missing(decisions_on(deployment.lake, record), plan.reviewers),
    )


def approvals_missing(decisions: list[Json], reviewers: tuple[Reviewer, ...]) -> int | None:
    """Number of reviewers who still have to approve a record; None where something is in the way of it."""
    if in_the_way(decisions):
        return None
    return max(0, PERSONS - len({reviewer.name for _, reviewer in approving(decisions, reviewers)}))
