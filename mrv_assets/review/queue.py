"""The review queue: tile-months without an open mission, derived from their records and stored nowhere."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from mrv_assets.audit.canonical import Json
from mrv_assets.audit.manual_decisions import Reviewer, in_the_way, is_signed
from mrv_assets.audit.record import Record
from mrv_assets.deployment import Deployment
from mrv_assets.formats.artifacts import PREVIEW, decision_of
from mrv_assets.formats.picture import stored_picture
from mrv_assets.lake.manual_decisions import decision_id, decisions_on
from mrv_assets.lake.store import Lake
from mrv_assets.review.decide import approvals_missing
from mrv_assets.science.gate import GateStatus
from mrv_assets.stages.table import PRODUCT
from mrv_assets.stages.tile_month import month_bounds


@dataclass(frozen=True, kw_only=True)
class StoredDecision:
    """A manual decision on a gate, as it is stored in the lake."""

    id: str
    statement: Json
    """The reviewer's statement, as the decision has it."""
    authenticated: bool
    """Whether a key that its statement names as a reviewer's signed it; else anyone may have written it."""


@dataclass(frozen=True, kw_only=True)
class ClosedMission:
    """A mission's gate on a month that waits."""

    mission: str
    status: str
    reasons: tuple[str, ...]
    """Reason codes of the gate."""
    coverage: float | None
    """Clear share of the parcels' area, in [0, 1]; None where the mission was not evaluated."""
    min_coverage: float
    """Share that the gate needs, in [0, 1]."""
    record: str
    """Audit hash of the mission's gated tiles."""
    current: bool
    """False where another record of them has become current since."""
    quick_look: Path | None
    decisions: tuple[StoredDecision, ...]
    coverage_missing_points: float | None
    """Percentage points of coverage below the threshold; None unless the gate rejected the month."""
    approvals_missing: int | None
    """Reviewers who still have to approve; None where nobody can, or something is in the way of it."""
    in_the_way: str
    """The reason why no approval opens it: a rejection, or a decision that is missing; empty where there is none."""

    @property
    def would_pass(self) -> list[str]:
        """Ways to open the mission's gate, each as a sentence without its stop."""
        if GateStatus(self.status).open:
            # With fusion a radar is evaluated even where the programme does not let it stand in.
            return [f"{self.mission}: its gate is open, and `allow_sar: true` in the programme lets it give the month"]
        if self.status != GateStatus.REJECTED.value:
            return []
        ways = [f"{self.mission}: {self.coverage_missing_points:.1f} points more of the parcels' area seen clear"]
        match self.approvals_missing:
            case None if self.coverage:
                ways.append(f"{self.mission}: no approval any more, {self.in_the_way}")
            case int(count) if count:
                ways.append(f"{self.mission}: {count} more reviewer{'' if count == 1 else 's'} who approve")
            case 0:
                ways.append(f"{self.mission}: it is approved, and only has to be materialized again")
        return ways


@dataclass(frozen=True, kw_only=True)
class WaitingMonth:
    """A tile-month that no mission's gate is open for."""

    tile: str
    month: str
    age_days: int
    """Days since the month ended."""
    missions: tuple[ClosedMission, ...]
    """In the order of substitution."""

    @property
    def would_pass(self) -> list[str]:
        """Ways to give the month values, each as a sentence without its stop."""
        if any(not mission.current for mission in self.missions):
            return [f"materialize it again: mrv run --tile {self.tile} --month {self.month}"]
        return [way for mission in self.missions for way in mission.would_pass]


def queue(deployment: Deployment) -> list[WaitingMonth]:
    """The programme's tile-months that wait for a manual decision or for better data, oldest month first.

    What the lake has of other tiles and months is history, which waits for nothing.

    Raises:
        DamagedLake: When a record or a decision cannot be read.
    """
    lake, reviewers = deployment.lake, deployment.program.the_reviewers
    today = datetime.now(UTC).date()
    waiting = []
    for partition in lake.partitions(PRODUCT):
        if partition.tile not in deployment.tiles or partition.month not in deployment.months:
            continue
        monthly = lake.current(partition)
        if monthly.output["mission"] is None or _was_approved_by_others(lake, monthly, reviewers):
            waiting.append(_waiting_month(lake, monthly, reviewers, today))
    return sorted(waiting, key=lambda item: (item.month, item.tile))


def _was_approved_by_others(lake: Lake, monthly: Record, reviewers: tuple[Reviewer, ...]) -> bool:
    """Whether a month rests on the approval of somebody who is not among the reviewers any more."""
    known = {reviewer.key_id for reviewer in reviewers}
    signed = (
        who["key_id"]
        for mission in monthly.missions_used
        for who in lake.upstream(monthly, f"{mission}/gated_tiles").document["plan"].get("reviewers", ())
    )
    return any(key_id not in known for key_id in signed)


def _waiting_month(lake: Lake, monthly: Record, reviewers: tuple[Reviewer, ...], today: date) -> WaitingMonth:
    tile, month = monthly.partition.tile, monthly.partition.month
    return WaitingMonth(
        tile=tile,
        month=month,
        age_days=(today - date.fromisoformat(month_bounds(month)[1][:10])).days,
        missions=tuple(
            _closed_mission(lake, lake.upstream(monthly, f"{mission}/gated_tiles"), reviewers)
            for mission in monthly.document["plan"]["substitution"]
        ),
    )


def _closed_mission(lake: Lake, gated: Record, reviewers: tuple[Reviewer, ...]) -> ClosedMission:
    decision = decision_of(gated)
    rejected = decision["status"] == GateStatus.REJECTED.value
    stored = decisions_on(lake, gated)
    picture = gated.data / PREVIEW if PREVIEW in gated.output else None
    if picture is not None:
        # A reviewer decides by what it shows, so it has to be the one of the record.
        stored_picture(gated)
    return ClosedMission(
        mission=gated.partition.mission,
        status=decision["status"],
        reasons=tuple(decision["reasons"]),
        coverage=decision["coverage"],
        min_coverage=decision["min_coverage"],
        record=gated.audit_hash,
        current=lake.is_current(gated),
        quick_look=picture,
        decisions=tuple(
            StoredDecision(
                id=decision_id(manual),
                statement=manual["statement"],
                authenticated=is_signed(manual),
            )
            for manual in stored
        ),
        coverage_missing_points=max(0.0, decision["min_coverage"] - decision["coverage"]) * 100 if rejected else None,
        in_the_way=in_the_way(stored),
        approvals_missing=approvals_missing(stored, reviewers) if rejected and decision["coverage"] else None,
    )
