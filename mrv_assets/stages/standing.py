"""Whether a decision still stands: on what is current now and, where reviewers took it, on what they signed."""

from itertools import chain

from mrv_assets.audit.record import Record
from mrv_assets.errors import StaleUpstream
from mrv_assets.lake.store import Lake
from mrv_assets.missions.mission import Mission
from mrv_assets.science.gate import GateStatus
from mrv_assets.stages.manual_decisions import counted_approvals
from mrv_assets.stages.plan import Plan


def require_every_mission(plan: Plan, missions: tuple[Mission, ...]) -> None:
    """Refuse other missions than the plan's, or in another order: a substitute would come in unmarked.

    Raises:
        ValueError: With both.
    """
    names = tuple(mission.name for mission in missions)
    if names != plan.substitution:
        raise ValueError(
            f"the missions {', '.join(names) or 'none'} are not the plan's: {', '.join(plan.substitution)}. "
            "Give all of them, in this order"
        )


def require_standing(lake: Lake, plan: Plan, gated: Record, status: GateStatus) -> None:
    """Refuse a decision on what has since been replaced, and an approval that nothing signed bears out.

    Indices that came after a decision may be of another sky: what the gate said of others does not let them in, and
    those others are no longer the month's.

    Args:
        lake: Where all of it is.
        plan: The tile and month, with the programme's reviewers.
        gated: The decision's record, the current one.
        status: What it decided.

    Raises:
        StaleUpstream: With what has been replaced, or is missing.
        DamagedLake: When a record on the way cannot be read.
    """
    # Raw tiles of a mission that was not needed come from another mission's decision: that one is asked itself.
    for record in chain([gated], lake.lineage(gated, mission=gated.partition.mission)):
        lake.require_current_upstream(record)
    if status is GateStatus.APPROVED_MANUAL or gated.decided_on is not None:
        _require_approved(lake, plan, gated)


def _require_approved(lake: Lake, plan: Plan, gated: Record) -> None:
    on = gated.decided_on
    rejected = None if on is None else lake.record(gated.partition, on)
    if rejected is None or not counted_approvals(lake, plan, rejected):
        reason = "it says that reviewers approved it, and no two reviewers' signed decisions do"
        raise StaleUpstream(*gated.partition.names, reason)
