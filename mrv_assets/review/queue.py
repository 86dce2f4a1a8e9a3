"""The fallback queue: tile-months without an open mission, as their records say; it is kept nowhere."""

from datetime import UTC, date, datetime

from mrv_assets.audit.canonical import Json
from mrv_assets.audit.manual_decisions import Reviewer, is_signed_by
from mrv_assets.audit.record import Record
from mrv_assets.deployment import Deployment
from mrv_assets.formats.artifacts import PREVIEW, decision_of
from mrv_assets.lake.manual_decisions import decision_id, decisions_on
from mrv_assets.lake.store import Lake
from mrv_assets.review.decide import approvals_missing
from mrv_assets.science.gate import GateStatus
from mrv_assets.stages.table import PRODUCT
from mrv_assets.stages.tile_month import month_bounds


def queue(deployment: Deployment) -> Json:
    """`mrv qa list`: what waits, oldest month first.

    Raises:
        DamagedLake: When a record or a decision cannot be read.
    """
    lake, reviewers = deployment.lake, deployment.program.the_reviewers
    waiting = []
    for partition in lake.partitions(PRODUCT):
        monthly = lake.current(partition)
        if monthly.output["mission"] is None:
            waiting.append(_item(lake, monthly, reviewers, datetime.now(UTC).date()))
    return {
        "programme": deployment.program.program,
        "reviewers": [{"name": who.name, "role": who.role, "key_id": who.key_id} for who in reviewers],
        "waiting": sorted(waiting, key=lambda item: (item["month"], item["tile"])),
    }


def _item(lake: Lake, monthly: Record, reviewers: tuple[Reviewer, ...], today: date) -> Json:
    tile, month = monthly.partition.tile, monthly.partition.month
    missions = [
        _mission(lake, lake.upstream(monthly, f"{mission}/gated_tiles"), reviewers)
        for mission in monthly.document["plan"]["substitution"]
    ]
    superseded = any(not mission["current"] for mission in missions)
    return {
        "tile": tile,
        "month": month,
        "age_days": (today - date.fromisoformat(month_bounds(month)[1][:10])).days,
        "missions": missions,
        "would_pass": [f"materialize it again: mrv run --tile {tile} --month {month}"]
        if superseded
        else [text for mission in missions for text in _would_pass(mission)],
    }


def _mission(lake: Lake, gated: Record, reviewers: tuple[Reviewer, ...]) -> Json:
    decision = decision_of(gated)
    rejected = decision["status"] == GateStatus.REJECTED.value
    decisions = decisions_on(lake, gated)
    picture = gated.data / PREVIEW
    missing = max(0.0, decision["min_coverage"] - decision["coverage"]) * 100 if rejected else None
    return {
        "mission": gated.partition.mission,
        "status": decision["status"],
        "reasons": decision["reasons"],
        "coverage": decision["coverage"],
        "min_coverage": decision["min_coverage"],
        "record": gated.audit_hash,
        "current": lake.is_current(gated),
        "quick_look": str(picture) if picture.is_file() else None,
        "decisions": [_shown(one, reviewers) for one in decisions],
        "coverage_missing_points": missing,
        "approvals_missing": approvals_missing(decisions, reviewers) if rejected and decision["coverage"] else None,
    }


def _shown(decision: Json, reviewers: tuple[Reviewer, ...]) -> Json:
    statement = decision["statement"]
    return {
        "decision": decision_id(decision),
        "verdict": statement["verdict"],
        "reviewer": statement["reviewer"],
        "role": statement["role"],
        "reason": statement["reason"],
        "evidence": statement["evidence"],
        "decided_at": statement["decided_at"],
        "authenticated": any(is_signed_by(decision, who) for who in reviewers),
    }


def _would_pass(mission: Json) -> list[str]:
    """What would open one mission's gate."""
    name = mission["mission"]
    if GateStatus(mission["status"]).open:
        # With fusion a radar is decided on whatever the programme says.
        return [f"{name}: its gate is open, and `allow_sar: true` in the programme lets it give the month"]
    if mission["status"] != GateStatus.REJECTED.value:
        return []
    ways = [f"{name}: {mission['coverage_missing_points']:.1f} points more of the parcels' area seen clear"]
    match mission["approvals_missing"]:
        case None if mission["coverage"]:
            ways.append(f"{name}: no approval any more, a reviewer has rejected it")
        case int(count) if count:
            ways.append(f"{name}: {count} more reviewer{'' if count == 1 else 's'} who approve")
        case 0:
            ways.append(f"{name}: it is approved, and only has to be materialized again")
    return ways
