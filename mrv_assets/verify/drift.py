"""Drift: the scenes, partitions and values in which catalogue, lake and programme no longer agree."""

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mrv_assets.audit.canonical import Json, digest
from mrv_assets.audit.record import Partition, Record
from mrv_assets.deployment import Deployment
from mrv_assets.errors import NotMaterialized, SearchTooLarge, StaleUpstream
from mrv_assets.formats.stored_table import StoredTable
from mrv_assets.missions.mission import Mission
from mrv_assets.stages.options import NotAnswered, RunOptions
from mrv_assets.stages.table import PRODUCT

Progress = Callable[[str, int, int], None]
"""Called with the name of each finished step, the number of finished steps, and the number of all steps."""
Offer = Mapping[str, Json]
"""The items that a catalogue offers for each month: those that count, and those that are excluded."""


@dataclass(frozen=True, kw_only=True)
class SceneDrift:
    """Differences between the scenes of a catalogue for a mission's tile and month and those in the lake."""

    tile: str
    month: str
    mission: str
    appeared: tuple[str, ...]
    """Ids that are new."""
    reprocessed: tuple[str, ...]
    """Ids whose item changed."""
    superseded: tuple[tuple[str, str], ...]
    """Ids of scenes in the lake, each with the newer copy that now counts instead."""
    withdrawn: tuple[str, ...]
    """Ids of scenes in the lake that are offered no more, or can no longer be used."""
    offered_sha256: str
    """Digest of all scenes the catalogue offers for the month now."""

    @property
    def any(self) -> bool:
        """Whether anything differs."""
        return bool(self.appeared or self.reprocessed or self.superseded or self.withdrawn)


def scene_drift(raw: Record | None, offer: Json, *, tile: str, month: str, mission: str) -> SceneDrift:
    """Compare a month's offer with the record of its raw tiles.

    Args:
        raw: The current record; None where there is none, so that every scene is new.
        offer: What the catalogue offers for the month now.
        tile: Which tile.
        month: Which month.
        mission: Which mission.
    """
    known = {} if raw is None else {item["id"]: item["item_sha256"] for item in raw.inputs["items"]}
    now: dict[str, str] = offer["items"]
    newer = {
        item_id: code.removeprefix("superseded_by:")
        for item_id, code, _ in offer["excluded"]
        if code.startswith("superseded_by:")
    }
    gone = sorted(set(known) - set(now))
    return SceneDrift(
        tile=tile,
        month=month,
        mission=mission,
        appeared=tuple(sorted(set(now) - set(known))),
        reprocessed=tuple(sorted(i for i in set(now) & set(known) if now[i] != known[i])),
        superseded=tuple((i, newer[i]) for i in gone if i in newer),
        withdrawn=tuple(i for i in gone if i not in newer),
        offered_sha256=digest(now),
    )


def drifted_scenes(deployment: Deployment, tile: str, months: Sequence[str], mission: Mission) -> Iterator[SceneDrift]:
    """Each month of a tile, compared with the lake, by as few searches of the mission's catalogue as it answers.

    Months for which the mission was not needed are not searched: nothing it offers changes them.

    Raises:
        CatalogueError: When the catalogue cannot be used.
    """
    raws = {month: _raw(deployment, tile, month, mission) for month in months}
    needed = [month for month, raw in raws.items() if raw is None or raw.evaluated]
    offer = _offer(deployment, tile, needed, mission) if needed else {}
    for month, raw in raws.items():
        if month in offer:
            yield scene_drift(raw, offer[month], tile=tile, month=month, mission=mission.name)


def _offer(deployment: Deployment, tile: str, months: Sequence[str], mission: Mission) -> Offer:
    from mrv_assets.stages.raw_tiles import offered, published_for

    plan = deployment.plan(tile, months[0], mission)
    try:
        return offered(plan, published_for(plan), months)
    except SearchTooLarge:
        if len(months) == 1:
            raise
    middle = len(months) // 2
    return {**_offer(deployment, tile, months[:middle], mission), **_offer(deployment, tile, months[middle:], mission)}


def _raw(deployment: Deployment, tile: str, month: str, mission: Mission) -> Record | None:
    try:
        return deployment.lake.current(Partition(f"{mission.name}/raw_tiles", tile, month))
    except NotMaterialized:
        return None


@dataclass(frozen=True, kw_only=True)
class Stale:
    """A partition whose request is not the one its current record answers."""

    asset: str
    tile: str
    month: str
    because: tuple[str, ...]
    """Parts of the request that differ: plan, graph, code or inputs; none where there is no record at all."""


def stale_partition(deployment: Deployment, tile: str, month: str) -> Stale | None:
    """The first asset of a materialized tile and month that would be computed anew; None when none would."""
    for stage, plan in deployment.steps(tile, month, RunOptions(known_only=True)):
        asset = plan.asset(stage.name)
        try:
            deployment.materialize(stage.name, plan)
        except NotAnswered as unanswered:
            return Stale(asset=asset, tile=tile, month=month, because=unanswered.because)
        except StaleUpstream:
            return Stale(asset=asset, tile=tile, month=month, because=("plan",))
        except NotMaterialized:
            return Stale(asset=asset, tile=tile, month=month, because=())
    return None


@dataclass(frozen=True, kw_only=True)
class Moved:
    """One value of a parcel's month that has changed."""

    parcel_id: str
    part: str | None
    tile: str
    month: str
    column: str
    old: str | float | int | bool | None
    new: str | float | int | bool | None
    old_record: str
    """Audit hash of the record that holds the old value."""
    new_record: str | None
    """Audit hash of the one that holds the new; None where it was only computed to compare."""


def moved_values(old: Record, new: Record, *, kept: bool = True) -> list[Moved]:
    """Every value of a month's table that differs between two of its records, parcels that came or went among them.

    Args:
        old: The record that was current before.
        new: The one that replaces it.
        kept: Whether the new one is in the lake.
    """
    before, after = (_rows(record) for record in (old, new))
    return [
        Moved(
            parcel_id=key[0],
            part=key[1],
            tile=new.partition.tile,
            month=new.partition.month,
            column=column,
            old=before.get(key, {}).get(column),
            new=after.get(key, {}).get(column),
            old_record=old.audit_hash,
            new_record=new.audit_hash if kept else None,
        )
        for key in sorted({*before, *after}, key=str)
        for column in (before.get(key) or after[key])
        if before.get(key, {}).get(column) != after.get(key, {}).get(column)
    ]


def _rows(record: Record) -> dict[tuple[str, str | None], Json]:
    return {(row["parcel_id"], row["part"]): row for row in StoredTable(record).rows}


def superseded_values(deployment: Deployment, tile: str, month: str) -> list[Moved]:
    """Values that changed when the current record of a month's proxies replaced the one before it."""
    product = Partition(PRODUCT, tile, month)
    head = deployment.lake.head(product)
    if head is None or head.previous is None:
        return []
    old, new = (deployment.lake.record(product, audit_hash) for audit_hash in (head.previous, head.record))
    return moved_values(old, new)


def values_to_come(deployment: Deployment, tile: str, month: str) -> list[Moved]:
    """Values that would change if a month were run now: it is computed in a temporary lake, and nothing is changed.

    Raises:
        MrvError: As the stages raise them.
    """
    with tempfile.TemporaryDirectory(prefix="mrv-drift-") as folder:
        scratch = replace(deployment, lake_path=Path(folder) / "lake")
        made = dict(scratch.run(tile, month))
        return moved_values(deployment.lake.current(Partition(PRODUCT, tile, month)), made[PRODUCT].record, kept=False)


@dataclass(frozen=True, kw_only=True)
class Drift:
    """All drift of some tiles and months of a lake."""

    partitions: int
    """Tile-months that were looked at."""
    scenes: tuple[SceneDrift, ...]
    """Tile-months whose catalogue offers other scenes now, one for each mission."""
    stale: tuple[Stale, ...]
    values: tuple[Moved, ...]
    """Values that moved when the current record replaced the one before it, or would move if the month were run."""


def drift(
    deployment: Deployment, tiles: Sequence[str], months: Sequence[str], *, compute: bool, progress: Progress
) -> Drift:
    """Compare a lake with its catalogues and its programme. Changes nothing.

    Args:
        deployment: The programme and its lake.
        tiles: The tiles to compare.
        months: The months to compare; months that are not in the lake are left out.
        compute: Compute stale months in a temporary lake, and add the values that would move.
        progress: Called after each tile and month.

    Raises:
        CatalogueError: When a catalogue cannot be used.
    """
    scenes: list[SceneDrift] = []
    stale: list[Stale] = []
    moved: list[Moved] = []
    lake = deployment.lake
    stored = {tile: [m for m in months if lake.head(Partition(PRODUCT, tile, m)) is not None] for tile in tiles}
    done, total = 0, sum(len(months_of_tile) for months_of_tile in stored.values())
    for tile, months_of_tile in stored.items():
        if not months_of_tile:
            continue
        for mission in deployment.missions:
            drifted = drifted_scenes(deployment, tile, months_of_tile, mission)
            scenes += [scene for scene in drifted if scene.any]
        for month in months_of_tile:
            moved += superseded_values(deployment, tile, month)
            partition = stale_partition(deployment, tile, month)
            if partition is not None:
                stale.append(partition)
                moved += values_to_come(deployment, tile, month) if compute else []
            done += 1
            progress(f"{tile} {month}", done, total)
    return Drift(partitions=done, scenes=tuple(scenes), stale=tuple(stale), values=tuple(moved))
