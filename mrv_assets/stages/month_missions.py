"""The missions that a month may be made of: their decisions, whether these still hold, and what is read of them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from mrv_assets.audit.canonical import Json
from mrv_assets.audit.record import Record
from mrv_assets.errors import StaleUpstream
from mrv_assets.formats.arrays import BlockArrays
from mrv_assets.formats.artifacts import decision_of
from mrv_assets.lake.store import Lake
from mrv_assets.missions.mission import Mission
from mrv_assets.science.choice import choose
from mrv_assets.science.gate import GateStatus
from mrv_assets.stages.index_rules import index_rules
from mrv_assets.stages.materialize import require, upstream
from mrv_assets.stages.plan import Plan
from mrv_assets.stages.standing import require_every_mission, require_standing


@dataclass(frozen=True, kw_only=True)
class Opened:
    """A mission whose gate is open, and its arrays."""

    mission: Mission
    number: int
    """Its place in the order of substitution, from 1: what it is called in the layer of sources."""
    decision: Json
    """What opened its gate."""
    indices: BlockArrays
    masked: BlockArrays
    names: tuple[str, ...]
    """Its indices that could be computed."""

    @property
    def used(self) -> list[int]:
        """Which of its observations count."""
        return [step for step, observation in enumerate(self.decision["observations"]) if observation["used"]]

    @property
    def used_times_us(self) -> list[int]:
        """When they were."""
        return [observation["time_us"] for observation in self.decision["observations"] if observation["used"]]

    @property
    def approved(self) -> bool:
        """Whether reviewers opened its gate, where what was measured did not."""
        return bool(self.decision["status"] == GateStatus.APPROVED_MANUAL.value)


@dataclass(frozen=True, kw_only=True)
class OpenMissions:
    """The missions of a month."""

    order: tuple[Mission, ...]
    """The programme's, in the order of substitution."""
    statuses: dict[str, str]
    """The gate's decision on each."""
    decision: Json
    """That on the month's mission, or on the first where none may give the month: how far it was from passing."""
    sources: tuple[Opened, ...]
    """The month's mission, then those that fill its gaps; none where no gate is open."""
    beside: Opened | None
    """The radar whose indices stand beside."""

    @property
    def used(self) -> tuple[Opened, ...]:
        """All of which anything is read."""
        return self.sources if self.beside is None else (*self.sources, self.beside)


def open_missions(
    lake: Lake, plan: Plan, missions: tuple[Mission, ...]
) -> tuple[OpenMissions, dict[str, Record], list[Record]]:
    """The missions of a month, each one's decision, and the records whose arrays are read.

    Args:
        lake: Where the gated tiles are.
        plan: The tile and month; names no mission.
        missions: The programme's missions, in the order of substitution.

    Raises:
        NotMaterialized: When a mission has no decision.
        StaleUpstream: When one no longer holds.
        ValueError: When the missions are not the plan's.
    """
    require_every_mission(plan, missions)
    gated = {m.name: upstream(lake, plan, f"{m.name}/gated_tiles", **plan.decision_rules) for m in missions}
    decisions = {name: decision_of(record) for name, record in gated.items()}
    for mission in missions:
        _require_still_holds(plan, mission, decisions[mission.name], gated)
        require_standing(lake, plan, gated[mission.name], GateStatus(decisions[mission.name]["status"]))
    choice = choose(
        missions,
        {name: GateStatus(decision["status"]) for name, decision in decisions.items()},
        fusion=plan.fusion,
        allow_sar=plan.allow_sar,
    )
    read = {mission.name: _read(lake, plan, mission, gated[mission.name]) for mission in choice.used}
    opened = {
        mission.name: _opened(mission, missions.index(mission) + 1, decisions[mission.name], *read[mission.name])
        for mission in choice.used
    }
    found = OpenMissions(
        order=missions,
        statuses={name: decision["status"] for name, decision in decisions.items()},
        decision=decisions[(choice.chosen or missions[0]).name],
        sources=tuple(opened[mission.name] for mission in choice.sources),
        beside=None if choice.beside is None else opened[choice.beside.name],
    )
    return found, gated, [*gated.values(), *(record for records in read.values() for record in records)]


def _require_still_holds(plan: Plan, mission: Mission, decision: Json, gated: Mapping[str, Record]) -> None:
    """Refuse a decision on a mission that this programme, or the decision on another mission, has overtaken.

    Raises:
        StaleUpstream: With what has to be materialized again.
    """
    record = gated[mission.name]
    if not record.evaluated:
        require(record, **plan.substitution_rules)
    earlier = decision.get("earlier")
    signers = {who["key_id"]: who["name"] for who in record.document["plan"].get("reviewers", ())}
    gone = [name for key_id, name in signers.items() if key_id not in {who.key_id for who in plan.reviewers}]
    reason = None
    if earlier is not None and gated[earlier["mission"]].audit_hash != earlier["audit_hash"]:
        reason = f"it was not evaluated because of a decision on {earlier['mission']} that has since been replaced"
    elif record.evaluated and plan.forbids(mission):
        reason = "it is a radar's, and the programme does not allow one to stand in now"
    elif gone:
        reason = f"it was approved by {', '.join(gone)}, no reviewer of the programme now"
    if reason is not None:
        raise StaleUpstream(*record.partition.names, reason)


def _read(lake: Lake, plan: Plan, mission: Mission, gated: Record) -> list[Record]:
    """The indices and the masks that a mission's gate decided on."""
    of_mission = replace(plan, mission=mission)
    indices, masked = (lake.upstream(gated, of_mission.asset(stage)) for stage in ("indices", "masked_tiles"))
    require(indices, **index_rules(of_mission))
    return [indices, masked]


def _opened(mission: Mission, number: int, decision: Json, indices: Record, masked: Record) -> Opened:
    return Opened(
        mission=mission,
        number=number,
        decision=decision,
        indices=BlockArrays(indices.data),
        masked=BlockArrays(masked.data),
        names=tuple(name for name in mission.indices if name in indices.output["arrays"]),
    )
