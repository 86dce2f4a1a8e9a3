"""Materializing: a request that was answered before computes nothing; a new one is computed, digested, published."""

import logging
import platform
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from functools import cache
from importlib.metadata import version
from pathlib import Path

from mrv_assets.audit.canonical import Json
from mrv_assets.audit.code import code_digest
from mrv_assets.audit.graph import Step, graph_digest
from mrv_assets.audit.record import Request, audit_hash
from mrv_assets.errors import StaleUpstream
from mrv_assets.lake.lake import Lake, Record
from mrv_assets.stages.plan import NotAnswered, Plan

_ROOT = Path(__file__).parents[1]

log = logging.getLogger("mrv_assets")


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
    steps: Sequence[Step],
    inputs: Json,
    produce: Callable[[Path], Json],
) -> Materialized:
    """Answer a stage's request, from the lake where it is known, else by computing.

    Args:
        lake: Where records and data live.
        plan: The tile and month, and whether to compute what is known.
        asset: Asset path.
        stage: Module of the stage; its code digest is part of the request.
        manifest: The parameter manifest.
        steps: The stage's declared steps.
        inputs: Upstream audit hashes, or scenes.
        produce: Builds the data in the folder it is given and says what it built: the record's output.

    Raises:
        NotReproducible: When ``--force`` gives another output than before.
    """
    request = Request(
        asset=asset,
        tile=plan.tile,
        month=plan.month,
        plan=manifest,
        graph=graph_digest(steps, {"block_px": manifest["block_px"], "inputs": sorted(inputs)}),
        code=stage_code(stage),
        inputs=inputs,
    )
    known = lake.answer(asset, plan.tile, plan.month, request.digest)
    if plan.known_only:
        head = lake.head(asset, plan.tile, plan.month)
        if known is None or head is None or head.record != known.audit_hash:
            raise NotAnswered(asset)
    if known is not None and not plan.force:
        moved = lake.point(lake.slot(asset, plan.tile, plan.month), known.audit_hash)
        outcome = Outcome.RESTORED if moved else Outcome.UNCHANGED
        log.info("%s %s %s: %s", asset, plan.tile, plan.month, outcome.value)
        return Materialized(record=known, outcome=outcome)

    started = datetime.now(UTC)
    with lake.staging() as folder:
        record = request.record(produce(folder))
        finished = datetime.now(UTC)
        run = _run(plan, started, finished)
        kept = lake.commit(folder, request.digest, record, _run_id(started), run)
    reproduced = known is not None and known.audit_hash == audit_hash(record)
    outcome = Outcome.REPRODUCED if reproduced else Outcome.COMPUTED
    log.info(
        "%s %s %s: %s in %.1f s",
        asset,
        plan.tile,
        plan.month,
        outcome.value,
        (finished - started).total_seconds(),
    )
    return Materialized(record=kept, outcome=outcome)


def upstream(lake: Lake, plan: Plan, asset: str, **asked: object) -> Record:
    """The current record of an upstream asset, made on this plan's grid, blocks and ``asked`` parameters.

    Raises:
        NotMaterialized: When there is none.
        StaleUpstream: When it was made under another programme.
    """
    record = lake.current(asset, plan.tile, plan.month)
    require(record, **plan.manifest(**asked))
    return record


def require(record: Record, **parameters: object) -> None:
    """Refuse a record that was made with other parameters.

    Raises:
        StaleUpstream: With the names of those that differ.
    """
    document = record.document
    other = sorted(name for name, value in parameters.items() if document["plan"].get(name) != value)
    if other:
        reason = f"it was made with another {', '.join(other)} than the programme has now"
        raise StaleUpstream(document["asset"], document["tile"], document["month"], reason)


@cache
def stage_code(module: str) -> str:
    """The code digest of a stage."""
    return code_digest(module, _source)


def _source(module: str) -> bytes | None:
    # By path: asking the import system would import the packages on the way, and with them numba.
    path = _ROOT.joinpath(*module.split(".")[1:])
    for file in (path.with_suffix(".py"), path / "__init__.py"):
        if file.is_file():
            return file.read_bytes()
    return None


def _run_id(started: datetime) -> str:
    return f"{started:%Y%m%dT%H%M%S.%f}Z-{uuid.uuid4().hex[:12]}"


_ENVIRONMENT = ("mrv-assets", "dask", "numba", "numpy", "pyproj", "exactextract", "xarray", "zarr")


def _run(plan: Plan, started: datetime, finished: datetime) -> Json:
    return {
        "schema": "mrv-run/0",
        "started": started.isoformat(),
        "finished": finished.isoformat(),
        "wall_s": round((finished - started).total_seconds(), 3),
        "dagster_run_id": plan.dagster_run_id,
        "workers": plan.workers,
        "host": platform.node(),
        "environment": {
            "python": platform.python_version(),
            "machine": f"{platform.system()} {platform.machine()}",
            **{name: version(name) for name in _ENVIRONMENT},
        },
    }
