"""The missions that a month may be made of: their decisions, whether these still hold, and the arrays read of them."""

from collections.abc import Mapping
from dataclasses import dataclass

from mrv_assets.audit.canonical import Json
from mrv_assets.audit.record import Record
from mrv_assets.errors import ReviewerRemoved, StaleUpstream
from mrv_assets.formats.artifacts import decision_of
from mrv_assets.formats.stored_arrays import StoredArrays
from mrv_assets.lake.store import Lake
from mrv_assets.missions.mission import Mission
from mrv_assets.science.choice import choose
from mrv_assets.science.gate import GateStatus
from mrv_assets.stages.index_rules import index_rules
from mrv_assets.stages.manual_decisions import counted_approvals
from mrv_assets.stages.materialize import require, upstream
from mrv_assets.stages.mission_plan import MissionPlan
from mrv_assets.stages.month_plan import MonthPlan


@dataclass(frozen=True, kw_only=True)
class Opened:
    """A mission whose gate is open, and its arrays."""

    mission: Mission
    number: int
    """Its position in the order of substitution, from 1, which stands for it in the raster of sources."""
    decision: Json
    """The decision that opened its gate."""
    indices: StoredArrays
    masked: StoredArrays
    names: tuple[str, ...]
    """Its indices that could be computed."""

    @property
    def used(self) -> list[int]:
        """Positions of its used observations on the time axis."""
        return [step for step, observation in enumerate(self.decision["observations"]) if observation["used"]]

    @property
    def used_times_us(self) -> list[int]:
        """Times of the used observations, microseconds since 1970 UTC."""
        return [observation["time_us"] for observation in self.decision["observations"] if observation["used"]]

    @property
    def approved(self) -> bool:
        """Whether reviewers opened its gate, which the measured coverage did not."""
        return bool(self.decision["status"] == GateStatus.APPROVED_MANUAL.value)


@dataclass(frozen=True, kw_only=True)
class MonthMissions:
    """The missions of a month, with the decisions on them."""

    order: tuple[Mission, ...]
    """The programme's missions, in the order of substitution."""
    statuses: dict[str, str]
    """Status of the gate's decision, by mission name."""
    decision: Json
    """The decision on the month's mission; where there is none, on the first mission, to show how far it fell short."""
    looks: tuple[Json, ...]
    """The decisions that say what was seen of each parcel: the month's mission's; without it, all that measured it."""
    sources: tuple[Opened, ...]
    """The month's mission, then the missions that fill its gaps; empty where no gate is open."""
    beside: Opened | None
    """The radar whose indices stand beside; None where there is none."""

    @property
    def used(self) -> tuple[Opened, ...]:
        """All missions of which arrays are read."""
        return self.sources if self.beside is None else (*self.sources, self.beside)


def month_missions(lake: Lake, plan: MonthPlan) -> tuple[MonthMissions, list[Record], list[Record]]:
    """The missions of a month, the records of the decisions on all of them, and the records whose arrays are read.

    Args:
        lake: The lake that holds the gated tiles.
        plan: The tile and month, with a plan for each mission.

    Raises:
        NotMaterialized: When a mission has no decision.
        StaleUpstream: When a decision no longer holds.
    """
    gated = {
        mission_plan.mission.name: upstream(
            lake, mission_plan, mission_plan.asset("gated_tiles"), **mission_plan.decision_rules
        )
        for mission_plan in plan.missions
    }
    decisions = require_standing(lake, plan, gated)
    order = tuple(mission_plan.mission for mission_plan in plan.missions)
    choice = choose(
        order,
        {name: GateStatus(decision["status"]) for name, decision in decisions.items()},
        fusion=plan.substitution.fusion,
        allow_sar=plan.substitution.allow_sar,
    )
    read = {
        mission_plan.mission.name: _arrays_read(lake, mission_plan, gated[mission_plan.mission.name])
        for mission_plan in plan.missions
        if mission_plan.mission in choice.used
    }
    opened = {
        name: _opened(order[number - 1], number, decisions[name], *read[name])
        for number, name in enumerate(plan.substitution.order, 1)
        if name in read
    }
    decision = decisions[(choice.chosen or order[0]).name]
    missions = MonthMissions(
        order=order,
        statuses={name: decision["status"] for name, decision in decisions.items()},
        decision=decision,
        looks=(decision,) if choice.chosen else tuple(each for each in decisions.values() if each["parcels"]),
        sources=tuple(opened[mission.name] for mission in choice.sources),
        beside=None if choice.beside is None else opened[choice.beside.name],
    )
    arrays = [record for records in read.values() for record in records]
    return missions, list(gated.values()), [*gated.values(), *arrays]


def require_standing(lake: Lake, plan: MonthPlan, gated: Mapping[str, Record]) -> dict[str, Json]:
    """The decisions on all missions of a month, each of which still holds.

    Indices computed after a decision may show another sky: a decision on earlier indices does not admit them, and the
    earlier indices are no longer the month's.

    Args:
        lake: The lake that holds the records.
        plan: The tile and month, with a plan for each mission.
        gated: The record of each mission's decision, by mission name.

    Raises:
        StaleUpstream: With the first decision that does not hold any more, and the reason.
        DamagedLake: When a record on the way cannot be read.
    """
    decisions = {name: decision_of(record) for name, record in gated.items()}
    for mission_plan in plan.missions:
        name = mission_plan.mission.name
        _require_still_holds(mission_plan, decisions[name], gated)
        lake.require_current_upstream(gated[name])
        if GateStatus(decisions[name]["status"]) is GateStatus.APPROVED_MANUAL or gated[name].decided_on is not None:
            _require_approved(lake, mission_plan, gated[name])
    return decisions


def _require_still_holds(plan: MissionPlan, decision: Json, gated: Mapping[str, Record]) -> None:
    """Refuse a decision on a mission that this programme, or the decision on another mission, has overtaken.

    Raises:
        StaleUpstream: When it does not hold any more, with the reason.
    """
    record = gated[plan.mission.name]
    if not record.evaluated:
        require(record, **plan.substitution.rules)
    earlier = decision.get("earlier")
    reason = None
    if earlier is not None and gated[earlier["mission"]].audit_hash != earlier["audit_hash"]:
        reason = f"it was not evaluated because of a decision on {earlier['mission']} that has since been replaced"
    elif record.evaluated and plan.forbidden:
        reason = "it is a decision on a radar, and the programme no longer allows a radar to stand in"
    if reason is not None:
        raise StaleUpstream(*record.partition.names, reason)
    signers = {reviewer["key_id"]: reviewer["name"] for reviewer in record.document["plan"].get("reviewers", ())}
    known = {reviewer.key_id for reviewer in plan.reviewers}
    if gone := tuple(name for key_id, name in signers.items() if key_id not in known):
        raise ReviewerRemoved(*record.partition.names, gone)


def _require_approved(lake: Lake, plan: MissionPlan, gated: Record) -> None:
    """Refuse an approval of a rejected record that no two reviewers' signed decisions support.

    Raises:
        StaleUpstream: When they do not support it.
    """
    rejected = None if gated.decided_on is None else lake.record(gated.partition, gated.decided_on)
    if rejected is None or not counted_approvals(lake, rejected, plan.reviewers):
        reason = "it says that reviewers approved it, but no two reviewers' signed decisions do"
        raise StaleUpstream(*gated.partition.names, reason)


def _arrays_read(lake: Lake, plan: MissionPlan, gated: Record) -> tuple[Record, Record]:
    """The indices and the masks that a mission's gate decided on."""
    indices, masked = (lake.upstream(gated, plan.asset(stage)) for stage in ("indices", "masked_tiles"))
    require(indices, **index_rules(plan))
    return indices, masked


def _opened(mission: Mission, number: int, decision: Json, indices: Record, masked: Record) -> Opened:
    return Opened(
        mission=mission,
        number=number,
        decision=decision,
        indices=StoredArrays.of(indices),
        masked=StoredArrays.of(masked),
        names=tuple(name for name in mission.indices if name in indices.output["arrays"]),
    )
