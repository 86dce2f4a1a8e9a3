"""gated_tiles by manual decision: two reviewers' approval of a tile-month that the gate rejected."""

import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from mrv_assets.audit.canonical import Json, canonical, sha256
from mrv_assets.audit.graph import Step, steps_digest
from mrv_assets.audit.manual_decisions import Reviewer, approvals, public_key, public_pem
from mrv_assets.audit.record import Record
from mrv_assets.formats.artifacts import DECISION, PREVIEW, decision_of
from mrv_assets.lake.manual_decisions import decision_id, decisions_on
from mrv_assets.lake.store import Lake
from mrv_assets.science.gate import GateStatus
from mrv_assets.stages.materialize import Materialized, materialize, settle
from mrv_assets.stages.mission_plan import MissionPlan
from mrv_assets.stages.source_code import source as source_of


def with_manual_decisions(lake: Lake, plan: MissionPlan, measured: Materialized) -> Materialized:
    """The gate's own decision, or its approval where it is a rejection that two reviewers of the programme approve.

    The approval is a record of its own, made from the rejected record and the decisions on it; both stay. A decision
    is on one record: where the indices, and with them the measured coverage, have changed since, it approves nothing.
    The approval names every decision that there was, counted or not.

    Args:
        lake: The lake that holds the decisions.
        plan: The tile and month, for the mission, with the programme's reviewers.
        measured: The gate's own decision, materialized.
    """
    record = measured.record
    counted = counted_approvals(lake, record, plan.reviewers)
    if not counted:
        return settle(lake, plan, measured)
    reviewers = {reviewer.key_id: reviewer for _, reviewer in counted}
    names = [decision_id(decision) for decision, _ in counted]
    others = [name for decision in decisions_on(lake, record) if (name := decision_id(decision)) not in names]
    document = {
        **decision_of(record),
        "status": GateStatus.APPROVED_MANUAL.value,
        "manual": [
            {
                **{name: decision["statement"][name] for name in ("reviewer", "role", "reason", "evidence")},
                "decision": decision_id(decision),
            }
            for decision, _ in counted
        ],
    }
    return materialize(
        lake,
        plan,
        plan.asset("gated_tiles"),
        stage=__name__,
        manifest={
            **record.document["plan"],
            "reviewers": [_stated(reviewer) for _, reviewer in sorted(reviewers.items())],
        },
        graph=steps_digest((Step(name="manual decision", function=_produced, reads=("decision", "qa")),), source_of),
        inputs={
            **record.upstream,
            "qa": {"rejected": record.audit_hash, "decisions": names, "others": others},
        },
        reads=[record],
        produce=partial(_produced, document, record),
    )


def counted_approvals(lake: Lake, record: Record, reviewers: Sequence[Reviewer]) -> list[tuple[Json, Reviewer]]:
    """The decisions that approve a rejected record, each with its signer; empty where they are not enough.

    A record without any coverage cannot be approved.
    """
    rejected = record.output["status"] == GateStatus.REJECTED.value and record.output["coverage"] > 0
    return approvals(decisions_on(lake, record), reviewers) if rejected else []


def _stated(reviewer: Reviewer) -> Json:
    """A counted reviewer as the record states it, so that signatures can be checked with the record alone."""
    return {
        "name": reviewer.name,
        "role": reviewer.role,
        "key_id": reviewer.key_id,
        "public_key": public_pem(public_key(reviewer.public_key)),
    }


def _produced(document: Json, rejected: Record, folder: Path) -> Json:
    data = canonical(document)
    (folder / DECISION).write_bytes(data)
    # The coverage is the same; only the decision that follows from it differs.
    shutil.copyfile(rejected.data / PREVIEW, folder / PREVIEW)
    return {
        "decision_sha256": sha256(data),
        **{name: document[name] for name in ("status", "reasons", "coverage")},
        PREVIEW: rejected.output[PREVIEW],
    }
