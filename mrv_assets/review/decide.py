"""Deciding by hand on what the gate rejected: who may, on what, and what follows."""

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
    asserted,
    is_signed_by,
    public_pem,
    signed,
)
from mrv_assets.audit.record import Partition, Record
from mrv_assets.deployment import Deployment
from mrv_assets.errors import DecisionRefused, StaleUpstream
from mrv_assets.lake.manual_decisions import decisions_on, keep_decision
from mrv_assets.missions.registry import MISSIONS
from mrv_assets.review.keys import read_key
from mrv_assets.science.gate import GateStatus
from mrv_assets.stages.manual_decisions import counted_approvals
from mrv_assets.stages.mission_plan import MissionPlan
from mrv_assets.stages.options import NotAnswered, RunOptions
from mrv_assets.stages.table import MISSION_STAGES, PRODUCT

LONGEST = 2_000
"""Characters of a reason, and of each piece of evidence."""
MOST = 20
"""Pieces of evidence."""
_LINK_WITH_MORE = re.compile(r"[a-z][a-z0-9+.-]*://\S*[?@]", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a reviewer wants to be recorded of one rejected tile-month."""

    tile: str
    month: str
    mission: str | None
    """None for the first one that the gate rejected."""
    verdict: str
    """``approve`` or ``reject``."""
    reason: str
    evidence: tuple[str, ...] = ()
    record: str | None = None
    """Audit hash of the record that the reviewer looked at, or its beginning; None for the current one."""


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """A decision that is in the lake now."""

    decision: str
    """Its id."""
    statement: Statement
    mission: str
    authenticated: bool
    """Whether a reviewer's key signed it; else it is asserted only."""
    approved: bool
    """Whether the tile-month is approved now."""
    approvals_missing: int | None
    """How many more reviewers have to approve; None where one has rejected."""


def decide_signed(deployment: Deployment, wanted: Verdict, key_file: Path) -> Recorded:
    """Record a decision with a reviewer's signature. Materializes nothing.

    Raises:
        DecisionRefused: When there is nothing to decide on, or it is not this reviewer's to decide.
        UnknownPartition: When the programme has no such tile or month.
        NotMaterialized: When the month is not in the lake.
    """
    key = read_key(key_file)
    public = Reviewer(name="", role="", public_key=public_pem(key.public_key())).key_id
    reviewer = next((who for who in deployment.program.the_reviewers if who.key_id == public), None)
    if reviewer is None:
        raise DecisionRefused(
            "Key file",
            str(key_file),
            f"its public key {public[:12]} is not among the programme's reviewers",
            "Add the lines that `mrv keys new` printed to the programme file, or use a reviewer's key",
        )
    plan, record = _on(deployment, wanted)
    for decision in decisions_on(deployment.lake, record):
        if is_signed_by(decision, reviewer):
            raise _decided_before(reviewer.name, decision)
    statement = _statement(deployment, wanted, record, reviewer.name, reviewer.role)
    return _recorded(deployment, plan, record, statement, signed(statement, key))


def decide_asserted(deployment: Deployment, wanted: Verdict, reviewer: str, role: str) -> Recorded:
    """Record a decision that nobody signed: it is shown, and counts for nothing.

    Raises:
        DecisionRefused: When there is nothing to decide on.
        UnknownPartition: When the programme has no such tile or month.
        NotMaterialized: When the month is not in the lake.
    """
    _checked_text("Reviewer", reviewer)
    _checked_text("Role", role)
    plan, record = _on(deployment, wanted)
    for decision in decisions_on(deployment.lake, record):
        if decision["statement"]["reviewer"] == reviewer:
            raise _decided_before(reviewer, decision)
    statement = _statement(deployment, wanted, record, reviewer, role)
    return _recorded(deployment, plan, record, statement, asserted(statement))


def follows(deployment: Deployment, recorded: Recorded) -> list[str]:
    """The assets to materialize after a decision: its mission's gate, all of later missions, and the product.

    With fusion later missions were needed before and are needed still.
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


def _on(deployment: Deployment, wanted: Verdict) -> tuple[MissionPlan, Record]:
    """The rejected record to decide on, and its plan: the current one, made as the programme would make it today."""
    _checked_text("Reason", wanted.reason)
    for text in wanted.evidence:
        _checked_text("Evidence", text)
    if len(wanted.evidence) > MOST:
        raise DecisionRefused("Evidence", str(len(wanted.evidence)), "it is too much", f"Name {MOST} pieces at most")
    deployment.plan(wanted.tile, wanted.month)
    mission = wanted.mission or _first_rejected(deployment, wanted)
    if mission not in deployment.program.substitution:
        known = ", ".join(deployment.program.substitution)
        raise DecisionRefused("Mission", mission, "it is not in this programme", f"Its missions: {known}")
    plan = deployment.plan(wanted.tile, wanted.month, MISSIONS[mission], RunOptions(known_only=True))
    partition = plan.at.partition(plan.asset("gated_tiles"))
    what = str(partition)
    current = deployment.lake.current(partition)
    if current.output["status"] != GateStatus.REJECTED.value:
        reason = f"it is {current.output['status']}, and only what is REJECTED is decided on"
        raise DecisionRefused("Partition", what, reason, "`mrv qa list` lists what can be decided")
    again = f"Run `mrv run --tile {wanted.tile} --month {wanted.month}`, and look at the month as it is then"
    if wanted.record is not None and not current.audit_hash.startswith(wanted.record):
        reason = f"it has been superseded, or is none: {current.audit_hash} is current"
        raise DecisionRefused("Record", wanted.record, reason, "Look at the month as it is now, then decide on that")
    try:
        deployment.materialize("gated_tiles", plan)
    except (NotAnswered, StaleUpstream):
        reason = "its decision has been superseded: the programme, the code or the indices are others by now"
        raise DecisionRefused("Partition", what, reason, again) from None
    if wanted.verdict == APPROVE and current.output["coverage"] == 0:
        raise DecisionRefused("Partition", what, "nothing was seen, so there is nothing to approve", again)
    return plan, current


def _first_rejected(deployment: Deployment, wanted: Verdict) -> str:
    names = [mission.name for mission in deployment.missions]
    current = {
        name: deployment.lake.current(Partition(f"{name}/gated_tiles", wanted.tile, wanted.month)) for name in names
    }
    rejected = [name for name in names if current[name].output["status"] == GateStatus.REJECTED.value]
    if not rejected:
        statuses = ", ".join(f"{name} {record.output['status']}" for name, record in current.items())
        raise DecisionRefused(
            "Partition",
            f"{wanted.tile} {wanted.month}",
            f"no mission of it is REJECTED ({statuses})",
            "`mrv qa list` lists what can be decided",
        )
    return rejected[0]


def _checked_text(what: str, text: str) -> None:
    if not text.strip():
        raise DecisionRefused(what, text, "it is empty", "Write what an auditor will want to read")
    if len(text) > LONGEST or any(not (char.isprintable() or char in "\n\t") for char in text):
        raise DecisionRefused(what, text, f"it is not plain text of up to {LONGEST} characters", "Write it so")
    if _LINK_WITH_MORE.search(text):
        # Records are there for ever, and for everybody.
        reason = "it has a link with a query or a user's name, which may be a secret"
        raise DecisionRefused(what, "***", reason, "Write the link without what follows `?`, and without `...@`")


def _decided_before(reviewer: str, decision: Json) -> DecisionRefused:
    statement = decision["statement"]
    return DecisionRefused(
        "Reviewer",
        reviewer,
        f"has decided on record {statement['record'][:12]} already: {statement['verdict']}, {statement['decided_at']}",
        "Nobody decides twice; another reviewer has to",
    )


def _statement(deployment: Deployment, wanted: Verdict, record: Record, reviewer: str, role: str) -> Statement:
    return Statement(
        programme=deployment.program.program,
        asset=record.partition.asset,
        tile=wanted.tile,
        month=wanted.month,
        record=record.audit_hash,
        verdict=wanted.verdict,
        reviewer=reviewer,
        role=role,
        reason=wanted.reason,
        evidence=wanted.evidence,
        decided_at=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
    )


def _recorded(
    deployment: Deployment, plan: MissionPlan, record: Record, statement: Statement, decision: bytes
) -> Recorded:
    kept = keep_decision(deployment.lake, decision, record)
    return Recorded(
        decision=kept,
        statement=statement,
        mission=plan.mission.name,
        authenticated=b'"signature":null' not in decision,
        approved=bool(counted_approvals(deployment.lake, record, plan.reviewers)),
        approvals_missing=approvals_missing(decisions_on(deployment.lake, record), plan.reviewers),
    )


def approvals_missing(decisions: list[Json], reviewers: tuple[Reviewer, ...]) -> int | None:
    """How many more reviewers have to approve a record; None where one has rejected it."""
    counted = [(decision, who) for decision in decisions for who in reviewers if is_signed_by(decision, who)]
    if any(decision["statement"]["verdict"] != APPROVE for decision, _ in counted):
        return None
    return max(0, PERSONS - len({who.name for _, who in counted}))
