"""`mrv qa list`: the tile-months that wait, their decisions so far, and what would make each pass."""

from mrv_assets.audit.canonical import Json
from mrv_assets.deployment import Deployment
from mrv_assets.reports.terminal import escape
from mrv_assets.review.queue import ClosedMission, StoredDecision, WaitingMonth, queue
from mrv_assets.verify.present import stale_months


def answer(deployment: Deployment) -> Json:
    """The JSON document of `mrv qa list`.

    Raises:
        DamagedLake: When a record or a decision cannot be read.
    """
    return {
        "programme": deployment.program.program,
        "reviewers": [
            {"name": reviewer.name, "role": reviewer.role, "key_id": reviewer.key_id}
            for reviewer in deployment.program.the_reviewers
        ],
        "waiting": [_waiting(deployment, item) for item in queue(deployment)],
    }


def _waiting(deployment: Deployment, item: WaitingMonth) -> Json:
    old = stale_months(deployment, [item.tile], [item.month])
    # Nobody can decide on what the programme would not make any more.
    again = [f"materialize it again: mrv run --tile {item.tile} --month {item.month}"]
    return {
        "tile": item.tile,
        "month": item.month,
        "age_days": item.age_days,
        "missions": [_mission(mission) for mission in item.missions],
        "stale": old[0].reason if old else None,
        "would_pass": again if old else item.would_pass,
    }


def _mission(mission: ClosedMission) -> Json:
    return {
        "mission": mission.mission,
        "status": mission.status,
        "reasons": list(mission.reasons),
        "coverage": mission.coverage,
        "min_coverage": mission.min_coverage,
        "record": mission.record,
        "current": mission.current,
        "quick_look": None if mission.quick_look is None else str(mission.quick_look),
        "decisions": [_decision(decision) for decision in mission.decisions],
        "coverage_missing_points": mission.coverage_missing_points,
        "approvals_missing": mission.approvals_missing,
    }


def _decision(decision: StoredDecision) -> Json:
    fields = ("verdict", "reviewer", "role", "reason", "evidence", "decided_at")
    return {
        "decision": decision.id,
        **{field: decision.statement[field] for field in fields},
        "authenticated": decision.authenticated,
    }


def text(answer: Json) -> str:
    """The terminal page: each tile-month with its missions, decisions and ways to pass."""
    if not answer["waiting"]:
        return "Nothing waits: every month in the lake has a mission whose gate is open."
    return "\n\n".join(_item_text(item) for item in answer["waiting"])


def _item_text(item: Json) -> str:
    lines = [f"{item['tile']} {item['month']}, {item['age_days']} days since the month ended"]
    for mission in item["missions"]:
        coverage = "" if mission["coverage"] is None else f", clear {mission['coverage']:.4f} of the parcels' area"
        reasons = f" ({', '.join(mission['reasons'])})" if mission["reasons"] else ""
        lines.append(
            f"  {mission['mission']}: {mission['status']}{reasons}{coverage}, needed {mission['min_coverage']:.2f}"
        )
        lines.append(f"    record {mission['record']}")
        if mission["quick_look"]:
            lines.append(f"    quick-look {mission['quick_look']}")
        lines += [f"    {escape(_decision_text(decision))}" for decision in mission["decisions"]]
    outdated = [f"  stale: it {escape(item['stale'])}"] if item["stale"] else []
    return "\n".join([*lines, *outdated, *(f"  would pass: {way}" for way in item["would_pass"])])


def _decision_text(decision: Json) -> str:
    how = "signed" if decision["authenticated"] else "asserted, not authenticated"
    return (
        f"{decision['verdict']} by {decision['reviewer']}, {decision['role']} ({how}), {decision['decided_at']}: "
        f"{decision['reason']}"
    )
