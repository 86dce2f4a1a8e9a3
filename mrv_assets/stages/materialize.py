"""Materializing: a request that was answered before computes nothing; a new one is computed, digested, published."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import Protocol

from mrv_assets.audit.canonical import Json
from mrv_assets.audit.record import Record, Request, audit_hash
from mrv_assets.errors import DamagedLake, StaleUpstream
from mrv_assets.lake.runs import Run
from mrv_assets.lake.store import Lake
from mrv_assets.stages.options import NotAnswered, RunOptions
from mrv_assets.stages.source_code import stage_code
from mrv_assets.stages.tile_month import TileMonth

log = logging.getLogger("mrv_assets")


class Plan(Protocol):
    """What answering a request needs of a plan, for one mission or for all."""

    @property
    def at(self) -> TileMonth:
        """The tile and month."""
        ...

    @property
    def options(self) -> RunOptions:
        """How the stage is run."""
        ...

    def asset(self, stage: str) -> str:
        """The asset path of a stage."""
        ...


class Outcome(Enum):
    """What materializing did."""

    COMPUTED = "computed"
    """A new record."""
    UNCHANGED = "unchanged"
    """The request was known and is current: nothing was computed."""
    RESTORED = "restored"
    """The request was known but another was current: a new head to the old record."""
    REPRODUCED = "reproduced"
    """Computed again on demand, with the same output."""


@dataclass(frozen=True, kw_only=True)
class Materialized:
    """What a stage gives back: the partition's current record and how it came to be current."""

    record: Record
    outcome: Outcome

    @property
    def audit_hash(self) -> str:
        """SHA-256 of the record."""
        return self.record.audit_hash

    @property
    def path(self) -> Path:
        """Folder of the data."""
        return self.record.data


def materialize(
    lake: Lake,
    plan: Plan,
    asset: str,
    *,
    stage: str,
    manifest: Json,
    graph: str,
    inputs: Json,
    reads: Sequence[Record] = (),
    produce: Callable[[Path], Json],
    reopens: Callable[[Json, Json], bool] = lambda before, now: False,
) -> Materialized:
    """Answer a stage's request, from the lake where it is known, else by computing.

    Args:
        lake: Where records and data live.
        plan: The tile and month, and whether to compute what is known.
        asset: Asset path.
        stage: Module of the stage; its code digest is part of the request.
        manifest: The parameter manifest.
        graph: Digest of the stage's graph, or of its declared steps.
        inputs: Upstream audit hashes, or scenes.
        reads: Records whose data is read.
        produce: Builds the data in the folder it is given and says what it built: the record's output.
        reopens: Whether a new output, beside the known one, is a request's next answer and no contradiction.

    Raises:
        NotReproducible: When ``--force`` gives another output than before.
        DamagedLake: When data that is read is not what its run wrote.
    """
    request = Request(
        asset=asset,
        tile=plan.at.tile,
        month=plan.at.month,
        plan=manifest,
        graph=graph,
        code=stage_code(stage),
        inputs=inputs,
    )
    request = _latest(lake, request)
    known = _known(lake, plan, request)
    if plan.options.known_only and (known is None or not (lake.is_current(known) or _is_decided_on(lake, known))):
        raise NotAnswered(asset, _other_parts(lake, request))
    if known is not None and not plan.options.force:
        # Where the current record is a manual decision on it, whoever looks at decisions says which is to be current.
        outcome = Outcome.UNCHANGED if _is_decided_on(lake, known) else _restored(lake, plan, known)
        log.info("%s %s %s: %s", asset, plan.at.tile, plan.at.month, outcome.value)
        return Materialized(record=known, outcome=outcome)

    started = datetime.now(UTC)
    for record_read in reads:
        lake.require_sound(record_read)
    with lake.staging() as folder:
        output = produce(folder)
        if known is not None and output != known.output and reopens(known.output, output):
            request = _reopened(request, known.audit_hash)
        record = request.record(output)
        finished = datetime.now(UTC)
        reproduced = known is not None and known.audit_hash == audit_hash(record)
        outcome = Outcome.REPRODUCED if reproduced else Outcome.COMPUTED
        kept = lake.commit(folder, record, _run(plan, outcome, started, finished))
    log.info(
        "%s %s %s: %s in %.1f s",
        asset,
        plan.at.tile,
        plan.at.month,
        outcome.value,
        (finished - started).total_seconds(),
    )
    return Materialized(record=kept, outcome=outcome)


def settle(lake: Lake, plan: Plan, done: Materialized) -> Materialized:
    """Make a record current again where a manual decision on it was, and is no longer.

    Raises:
        NotAnswered: Where that would have to be done and the plan only asks.
    """
    if lake.is_current(done.record):
        return done
    if plan.options.known_only:
        raise NotAnswered(done.record.partition.asset, ("inputs",))
    return Materialized(record=done.record, outcome=_restored(lake, plan, done.record))


def _restored(lake: Lake, plan: Plan, record: Record) -> Outcome:
    now = datetime.now(UTC)
    moved = lake.restore(record, _run(plan, Outcome.RESTORED, now, now))
    return Outcome.RESTORED if moved else Outcome.UNCHANGED


def _is_decided_on(lake: Lake, record: Record) -> bool:
    """True when the partition's current record is a manual decision on this one."""
    head = lake.head(record.partition)
    if head is None or head.record == record.audit_hash:
        return False
    return lake.record(record.partition, head.record).decided_on == record.audit_hash


def _reopened(request: Request, answered: str) -> Request:
    """A request that was answered, asked once more: the record that answered it is part of what it names."""
    return replace(request, inputs={**request.inputs, "reopened": answered})


def _latest(lake: Lake, request: Request) -> Request:
    """A request as it was asked last. Audit hashes form no circle, so this ends."""
    while (answered := lake.answered(request)) is not None:
        again = _reopened(request, answered)
        if lake.answered(again) is None:
            break
        request = again
    return request


def _known(lake: Lake, plan: Plan, request: Request) -> Record | None:
    """The record that answered this request before; deriving again does not depend on an answer being whole."""
    try:
        return lake.answer(request)
    except DamagedLake:
        if plan.options.force:
            return None
        raise


def _other_parts(lake: Lake, request: Request) -> tuple[str, ...]:
    """Parts in which a request differs from that of the partition's current record."""
    head = lake.head(request.partition)
    if head is None:
        return ()
    answered = lake.record(request.partition, head.record).document
    return tuple(name for name, part in request.document.items() if answered[name] != part)


def _run(plan: Plan, outcome: Outcome, started: datetime, finished: datetime) -> Run:
    return Run(
        outcome=outcome.value,
        started=started,
        finished=finished,
        dagster_run_id=plan.options.dagster_run_id,
        workers=plan.options.workers,
    )


def upstream(lake: Lake, plan: Plan, asset: str, **asked: object) -> Record:
    """The current record of an upstream asset, made on this plan's grid, blocks and ``asked`` parameters.

    Raises:
        NotMaterialized: When there is none.
        StaleUpstream: When it was made under another programme.
    """
    record = lake.current(plan.at.partition(asset))
    require(record, **plan.at.manifest(**asked))
    return record


def require(record: Record, **parameters: object) -> None:
    """Refuse a record that was made with other parameters.

    Raises:
        StaleUpstream: With the names of those that differ.
    """
    stated = record.document["plan"]
    other = sorted(name for name, value in parameters.items() if stated.get(name) != value)
    if other:
        reason = f"it was made with another {', '.join(other)} than the programme has now"
        raise StaleUpstream(*record.partition.names, reason)
