"""The present: whether a month in the lake is of the parcels and the rules that the programme has now."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mrv_assets.audit.canonical import Json
from mrv_assets.audit.record import Partition, Record
from mrv_assets.deployment import Deployment
from mrv_assets.errors import DamagedLake, ReviewerRemoved, StaleUpstream
from mrv_assets.lake.layout import path_of
from mrv_assets.scenes.item import quoted
from mrv_assets.scenes.select import EXCLUDED
from mrv_assets.stac.open import name_of
from mrv_assets.stages.mission_plan import MissionPlan
from mrv_assets.stages.month_plan import MonthPlan
from mrv_assets.stages.table import PRODUCT

LISTED = 10
"""Parcel ids that a sentence lists; the others are counted."""


@dataclass(frozen=True, kw_only=True)
class Stale:
    """A month that is not what the programme would make of its tile now."""

    tile: str
    month: str
    redrawn: tuple[str, ...]
    """Ids of parcels whose outline or part is another now."""
    gone: tuple[str, ...]
    """Ids of parcels of the month that the tile does not own now: removed, renamed, or moved to another tile."""
    missing: tuple[str, ...]
    """Ids of parcels that the tile owns now, and that the month does not have."""
    left: bool
    """Whether the tile owns no parcel any more, so that its months are history."""
    rules: tuple[str, ...]
    """Names of the programme's rules that were others when the month was made, as its records have them."""
    overtaken: str | None
    """The reason why a decision or a record that the month rests on does not hold any more; None where all do."""
    reviewer_removed: bool
    """Whether that is because somebody who approved it is not among the programme's reviewers any more."""

    @property
    def because(self) -> str:
        """Code of the kind of change: ``history``, ``reviewer_removed`` or ``stale``."""
        if self.left:
            return "history"
        return "reviewer_removed" if self.reviewer_removed else "stale"

    @property
    def reason(self) -> str:
        """The changes, after the name of the month."""
        if self.left:
            return "is history: the tile owns no parcel of the programme any more"
        kinds = (("redrawn", self.redrawn), ("not the tile's any more", self.gone), ("missing", self.missing))
        changes = "; ".join(f"{_listed(ids)} {kind}" for kind, ids in kinds if ids)
        reasons = [f"is of other parcels ({changes})"] if changes else []
        if self.rules:
            reasons.append(f"was made with another {', '.join(self.rules)} than the programme has now")
        if self.overtaken is not None:
            reasons.append(f"{'reviewer_removed' if self.reviewer_removed else 'is overtaken'}: {self.overtaken}")
        return ", and ".join(reasons)

    def __str__(self) -> str:
        cure = "" if self.left else f". Run `mrv run --tile {self.tile} --month {self.month}`"
        return f"{self.tile} {self.month} {self.reason}{cure}"


def stale(deployment: Deployment, record: Record) -> Stale | None:
    """Changes of the programme and its decisions since a month was made; None where nothing has changed.

    The month counts as a whole: the tile's gate, and with it every row, depends on all of the tile's parcels.
    Scenes that a catalogue offers since, and code that has changed since, are what `mrv drift` looks for.

    Args:
        deployment: The programme and its lake.
        record: The current record of monthly_proxies of a month.

    Raises:
        DamagedLake: When a record that the month rests on cannot be read, or says what no run of this package writes.
    """
    try:
        return _changes(deployment, record)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, RecursionError) as error:
        # Every digest is right, but the records do not fit together: no run of this package wrote them.
        reason = f"its records do not fit together ({type(error).__name__})"
        raise DamagedLake(path_of(record.partition), reason) from error


def _changes(deployment: Deployment, record: Record) -> Stale | None:
    tile, month = record.partition.tile, record.partition.month
    then = {(name, part): digest for name, part, digest in record.document["plan"]["parcels"]}
    now = {(name, part): digest for name, part, digest in deployment.parcels_of.get(tile, ())}
    rules: tuple[str, ...] = ()
    overtaken: StaleUpstream | None = None
    if now:
        plan = deployment.plan(tile, month)
        rules = tuple(dict.fromkeys(_other_rules(deployment, record, plan)))
        # Where the missions are others, not all of them have decided.
        overtaken = None if rules else _overtaken(deployment, record, plan)
    if then == now and not rules and overtaken is None:
        return None
    return Stale(
        tile=tile,
        month=month,
        redrawn=_ids(key for key in then if key in now and then[key] != now[key]),
        gone=_ids(key for key in then if key not in now),
        missing=_ids(key for key in now if key not in then),
        left=not now,
        rules=rules,
        overtaken=None if overtaken is None else f"{overtaken.asset}: {overtaken.reason}",
        reviewer_removed=isinstance(overtaken, ReviewerRemoved),
    )


def _other_rules(deployment: Deployment, monthly: Record, plan: MonthPlan) -> Iterator[str]:
    """Names of the rules in which a month's records and the programme differ, from the product back to the scenes."""
    # Imported late, as all that brings kernels: `mrv tiles` and Dagster's definitions need none of them.
    from mrv_assets.stages.parcel_rows import METHOD_VERSION

    lake, plans = deployment.lake, {of.mission.name: of for of in plan.missions}
    yield from _other(monthly, **_grid_of(plan), **plan.product_rules, method_version=METHOD_VERSION)
    for record in lake.lineage(monthly):
        of = plans.get(record.partition.mission)
        if of is None:
            # The order of substitution has been named.
            continue
        yield from _other(record, **_grid_of(plan), **_rules_of(record, of))
        if record.partition.stage == "raw_tiles" and record.evaluated and _other_exclusions(record, of):
            yield "exclude"


def _other(record: Record, **rules: object) -> Iterator[str]:
    stated = record.document["plan"]
    yield from (name for name, rule in rules.items() if stated.get(name) != rule)


def _grid_of(plan: MonthPlan) -> Json:
    # The rest of the grid follows from the tile, and the blocks from the parcels.
    return {"resolution_m": plan.at.grid.dx}


def _rules_of(record: Record, plan: MissionPlan) -> Json:
    """The rules that the programme has now for a record of one of a mission's assets."""
    from mrv_assets.stages.index_rules import index_rules

    decision = {name: rule for name, rule in plan.decision_rules.items() if name != "parcels"}
    if not record.evaluated:
        return {**plan.substitution.rules, **decision}
    match record.partition.stage:
        case "raw_tiles":
            return {"catalogue": None if plan.source is None else name_of(plan.source.catalogue), **plan.source_rules}
        case "masked_tiles":
            return plan.mask_rules
        case "indices":
            return index_rules(plan)
        case "gated_tiles":
            return decision
        case _:
            return {}


def _other_exclusions(raw: Record, plan: MissionPlan) -> bool:
    """Whether an item counted that the programme leaves out now, or was left out and is not any more."""
    named = {} if plan.source is None else {quoted(item): quoted(reason) for item, reason in plan.source.exclude}
    left_out = {item: detail for item, code, detail in raw.inputs["excluded"] if code == EXCLUDED}
    counted = any(quoted(item["id"]) in named for item in raw.inputs["items"])
    return counted or any(named.get(item) != detail for item, detail in left_out.items())


def _overtaken(deployment: Deployment, monthly: Record, plan: MonthPlan) -> StaleUpstream | None:
    """The error that a stage would raise for a decision or record under a month that no longer holds; else None."""
    from mrv_assets.stages.month_missions import require_standing

    lake = deployment.lake
    try:
        lake.require_current_upstream(monthly)
        missions = [of.mission.name for of in plan.missions]
        require_standing(lake, plan, {name: lake.upstream(monthly, f"{name}/gated_tiles") for name in missions})
    except StaleUpstream as overtaken:
        return overtaken
    return None


def stale_months(deployment: Deployment, tiles: Sequence[str], months: Sequence[str]) -> list[Stale]:
    """The months of some tiles in the lake that are not what the programme would make of them now, by tile and month.

    Raises:
        DamagedLake: When a record that a month rests on cannot be read.
    """
    found = []
    for tile in tiles:
        for month in months:
            partition = Partition(PRODUCT, tile, month)
            if deployment.lake.head(partition) is not None:
                change = stale(deployment, deployment.lake.current(partition))
                found += [] if change is None else [change]
    return found


def history(deployment: Deployment) -> dict[str, list[str]]:
    """Months in the lake of tiles that own no parcel any more, by tile."""
    found: dict[str, list[str]] = {}
    for partition in deployment.lake.partitions(PRODUCT):
        if partition.tile not in deployment.tiles:
            found.setdefault(partition.tile, []).append(partition.month)
    return found


def _ids(keys: Iterator[tuple[str | None, str | None]]) -> tuple[str, ...]:
    return tuple(sorted({str(name) for name, _ in keys}))


def _listed(ids: Sequence[str]) -> str:
    more = f" and {len(ids) - LISTED} more" if len(ids) > LISTED else ""
    return f"{', '.join(ids[:LISTED])}{more}"
