"""monthly_proxies: the month's composites and one row per parcel, from the first mission whose gate is open."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial, reduce
from pathlib import Path

import numpy as np
from dask.delayed import Delayed
from numpy.typing import NDArray

from mrv_assets.audit.canonical import Json
from mrv_assets.audit.content import table_content
from mrv_assets.errors import StaleUpstream
from mrv_assets.lake.arrays import RASTERS, ArraySpec, BlockArrays, Leaves, create_group, group_content
from mrv_assets.lake.evidence import PREVIEW, decision_of
from mrv_assets.lake.lake import Lake
from mrv_assets.lake.records import Record
from mrv_assets.lake.table import ROW_KEY, TABLE, write_parcels
from mrv_assets.missions.mission import Mission
from mrv_assets.science.blocks import Block, block_window
from mrv_assets.science.composite import clear_observations, composite
from mrv_assets.science.gate import GateStatus
from mrv_assets.science.grid import Grid
from mrv_assets.science.indices import INDICES
from mrv_assets.science.preview import Canvas, Piece, index_picture
from mrv_assets.science.zonal import Moments, coverage_fractions, moments
from mrv_assets.stages.blocks import as_node, computed, each, once, topology, written
from mrv_assets.stages.gated_tiles import chain
from mrv_assets.stages.index_rules import index_rules
from mrv_assets.stages.masked_tiles import UNCLEAR
from mrv_assets.stages.materialize import Materialized, materialize, require, upstream
from mrv_assets.stages.plan import Plan, TileParcels
from mrv_assets.stages.preview import store_preview
from mrv_assets.stages.standing import require_every_mission, require_standing

ASSET = "monthly_proxies"
METHOD_VERSION = "1"
"""Changes when a column's meaning does."""

N_OBS = ArraySpec(
    name="n_obs",
    dtype="uint16",
    fill=0,
    timed=False,
    attrs={"long_name": "clear observations in the month", "units": "1"},
)


def monthly_proxies(lake: Lake, plan: Plan, missions: tuple[Mission, ...]) -> Materialized:
    """Reduce the month to per-pixel composites and per-parcel proxies.

    The first mission in the order of substitution whose gate is open is used. When none is, the rows say
    ``no_data`` and no raster holds a value: what the gate rejected cannot get in, whoever runs this.

    Args:
        lake: Where the gated tiles are.
        plan: The tile and month; names no mission.
        missions: The programme's missions, in the order of substitution.
    """
    require_every_mission(plan, missions)
    gated = {m.name: upstream(lake, plan, f"{m.name}/gated_tiles", **plan.decision_rules) for m in missions}
    decisions = {name: decision_of(record) for name, record in gated.items()}
    for mission in missions:
        _require_still_holds(plan, mission, decisions[mission.name], gated)
        require_standing(lake, plan, gated[mission.name], GateStatus(decisions[mission.name]["status"]))
    chosen = next((m for m in missions if GateStatus(decisions[m.name]["status"]).open), None)
    # With no mission open, the first one's measurements say how far the month was from passing.
    decision = decisions[(chosen or missions[0]).name]
    read = [] if chosen is None else _read(lake, plan, chosen, gated[chosen.name])
    job = _Job(
        tile=plan.tile,
        month=plan.month,
        grid=plan.grid,
        active=plan.active,
        composite=plan.composite,
        parcels=plan.parcels,
        missions=missions,
        statuses={name: found["status"] for name, found in decisions.items()},
        decision=decision,
        used=tuple(step for step, observation in enumerate(decision["observations"]) if observation["used"]),
        chosen=None if chosen is None else _opened(chosen, *read),
        min_native_pixels=plan.min_native_pixels,
        canvas=Canvas.over(plan.grid, plan.parcels.projected),
    )
    graph = partial(_graph, job)
    return materialize(
        lake,
        plan,
        ASSET,
        stage=__name__,
        manifest=plan.manifest(
            composite=plan.composite,
            allow_sar=plan.allow_sar,
            min_native_pixels=plan.min_native_pixels,
            substitution=[m.name for m in missions],
            missions={m.name: {"resolution_m": m.resolution_m, "indices": list(m.indices)} for m in missions},
            method_version=METHOD_VERSION,
            parcels=plan.parcels.identity,
        ),
        graph=topology(graph),
        inputs={f"{name}/gated_tiles": record.audit_hash for name, record in gated.items()},
        reads=[*gated.values(), *read],
        produce=lambda folder: computed(plan, graph(folder)),
    )


@dataclass(frozen=True, kw_only=True)
class _Opened:
    """The mission whose gate is open, and its arrays."""

    mission: Mission
    indices: BlockArrays
    masked: BlockArrays
    names: tuple[str, ...]
    """Its indices that could be computed."""


@dataclass(frozen=True, kw_only=True)
class _Job:
    """What reducing the month needs."""

    tile: str
    month: str
    grid: Grid
    active: tuple[Block, ...]
    composite: str
    parcels: TileParcels
    missions: tuple[Mission, ...]
    """In the order of substitution."""
    statuses: dict[str, str]
    """The gate's decision on each mission."""
    decision: Json
    """The one that is used, or the first mission's when all are closed."""
    used: tuple[int, ...]
    """Observations that count."""
    chosen: _Opened | None
    """None when no gate is open."""
    min_native_pixels: int
    canvas: Canvas

    @property
    def specs(self) -> list[ArraySpec]:
        """The rasters stored."""
        names = self.chosen.names if self.chosen else ()
        return [*(spec for name in names for spec in _index_specs(name, self.composite)), N_OBS]

    @property
    def attrs(self) -> Json:
        """Attributes of the rasters' group."""
        return {"mission": self.chosen.mission.name if self.chosen else "none", "composite": self.composite}


@dataclass(frozen=True, kw_only=True)
class _BlockResult:
    """What a block gives to the rasters, the table and the picture."""

    leaves: dict[str, Leaves]
    moments: dict[str, Moments]
    """Per index, of the parcels' composite values."""
    piece: Piece


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
        document = record.document
        raise StaleUpstream(document["asset"], document["tile"], document["month"], reason)


def _read(lake: Lake, plan: Plan, mission: Mission, gated: Record) -> list[Record]:
    """The indices and the masks that a mission's gate decided on."""
    of_mission = replace(plan, mission=mission)
    indices, masked = (chain(lake, of_mission, gated, stage) for stage in ("indices", "masked_tiles"))
    require(indices, **index_rules(of_mission))
    return [indices, masked]


def _opened(mission: Mission, indices: Record, masked: Record) -> _Opened:
    return _Opened(
        mission=mission,
        indices=BlockArrays(indices.data),
        masked=BlockArrays(masked.data),
        names=tuple(name for name in mission.indices if name in indices.output["arrays"]),
    )


def _graph(job: _Job, folder: Path) -> Delayed:
    whole = as_node(job)
    rasters = once(_create, whole, folder)
    blocks = each(_reduce_block, job.active, whole, job.chosen, rasters) if job.chosen else ()
    return once(_put_together, whole, folder, rasters, blocks)


def _create(job: _Job, folder: Path) -> Path:
    create_group(folder / RASTERS, job.grid, [], job.specs, job.attrs)
    return folder / RASTERS


def _put_together(job: _Job, folder: Path, rasters: Path, results: Sequence[_BlockResult]) -> Json:
    rows = _rows(job, results)
    write_parcels(folder / TABLE, rows, job.parcels.lonlat)
    picture = index_picture(job.canvas.paste([result.piece for result in results], np.nan), job.canvas)
    found = written(job.specs, [result.leaves for result in results])
    return {
        "mission": job.chosen.mission.name if job.chosen else None,
        "decisions": job.statuses,
        "rasters": group_content(job.grid, [], job.specs, job.attrs, found),
        "table": table_content(rows, ROW_KEY),
        PREVIEW: store_preview(folder, picture),
    }


def _index_specs(name: str, how: str) -> list[ArraySpec]:
    long_name = INDICES[name].long_name
    return [
        ArraySpec(
            name=name,
            dtype="float32",
            fill=float("nan"),
            timed=False,
            attrs={"long_name": f"{how} of {long_name} over the month's clear observations", "units": "1"},
        ),
        ArraySpec(
            name=f"{name}_std",
            dtype="float32",
            fill=float("nan"),
            timed=False,
            attrs={"long_name": f"population standard deviation of {long_name} over time", "units": "1"},
        ),
    ]


def _reduce_block(job: _Job, chosen: _Opened, rasters: Path, block: Block) -> _BlockResult:
    """Composite one block, store it, and sample it at the parcels' pixels."""
    window = block_window(job.grid, block)
    arrays = BlockArrays(rasters, "r+")
    used = list(job.used)
    n_obs = clear_observations(chosen.masked.read(UNCLEAR.name, window)[used])
    leaves: dict[str, Leaves] = {N_OBS.name: arrays.write(N_OBS.name, window, n_obs)}
    polygons = job.parcels.projected
    shares = coverage_fractions(job.grid, window, polygons)
    found: dict[str, Moments] = {}
    shown = np.full((window.height, window.width), np.nan, np.float32)
    for name in chosen.names:
        value, std, _ = composite(chosen.indices.read(name, window)[used], job.composite)
        leaves[name] = arrays.write(name, window, value)
        leaves[f"{name}_std"] = arrays.write(f"{name}_std", window, std)
        sampled = value[shares.row - window.row, shares.col - window.col]
        found[name] = moments(sampled, shares, len(polygons))
        if name == chosen.names[0]:
            shown = value
    return _BlockResult(leaves=leaves, moments=found, piece=job.canvas.piece(shown, window))


def _rows(job: _Job, results: Sequence[_BlockResult]) -> list[Json]:
    parcels, decision, first = job.parcels, job.decision, job.missions[0]
    chosen = job.chosen.mission if job.chosen else None
    stats = _statistics(job.chosen.names if job.chosen else (), results)
    rows = []
    for p, (parcel_id, area_ha) in enumerate(zip(parcels.parcel_id, parcels.area_ha, strict=True)):
        gate = decision["parcels"][p]
        status = _value_status(job, p, any(found[2][p] > 0 for found in stats.values()))
        row: Json = {
            "parcel_id": parcel_id,
            "geom_sha256": parcels.geom_sha256[p],
            "month": job.month,
            "tile": job.tile,
            "part": parcels.part[p],
            "parcel_area_ha": area_ha,
            "observed_area_ha": gate["valid_fraction"] * area_ha,
            "valid_fraction": gate["valid_fraction"],
            "n_obs": gate["n_obs"],
            "max_gap_days": gate["max_gap_days"],
            "mission": chosen.name if chosen else None,
            "substituted": chosen is not None and chosen.name != first.name,
            "comparable": chosen.name == first.name if chosen else None,
            "resolution_m": float(chosen.resolution_m) if chosen else None,
            "uncertainty_factor": _uncertainty_factor(chosen, first) if chosen else None,
            "gate_status": decision["status"],
            "value_status": status,
        }
        # Of every mission there is, so that tables of different months and programmes have the same columns.
        for name in INDICES:
            known = status == "ok" and name in stats
            mean, std, valid_share = (stats[name][k][p] for k in range(3)) if known else (np.nan,) * 3
            row[f"{name}_mean"] = _null(mean)
            row[f"{name}_std"] = _null(std)
            row[f"{name}_valid_area_ha"] = _null(valid_share * area_ha)
        row["method_version"] = METHOD_VERSION
        row["qa_decision_id"] = " ".join(one["decision"] for one in decision.get("manual", ())) or None
        rows.append(row)
    return rows


def _uncertainty_factor(chosen: Mission, first: Mission) -> float:
    """By how much to widen the uncertainty of a parcel's mean for the mission it comes from.

    The standard error of a mean goes with one over the root of how many pixels it is of, and their number with one over
    the square of their side: so it grows with the side. Finer pixels do not narrow it.
    """
    return max(1.0, chosen.resolution_m / first.resolution_m)


def _value_status(job: _Job, parcel: int, has_value: bool) -> str:
    if job.chosen is None:
        # What was not looked at might still decide the month.
        return "pending" if GateStatus.NOT_EVALUATED.value in job.statuses.values() else "no_data"
    gate, mission, first = job.decision["parcels"][parcel], job.chosen.mission, job.missions[0]
    # A threshold of zero lets a parcel pass that nobody saw; who approves a month approves what was seen of it.
    approved = job.decision["status"] == GateStatus.APPROVED_MANUAL.value
    if not (gate["passed"] or approved) or gate["valid_fraction"] == 0:
        return "below_coverage"
    native_pixels = job.parcels.area_ha[parcel] * 10_000 / mission.resolution_m**2
    if mission.name != first.name and native_pixels < job.min_native_pixels:
        return "below_native_pixels"
    return "ok" if has_value else "unavailable"


def _statistics(names: tuple[str, ...], results: Sequence[_BlockResult]) -> dict[str, tuple[NDArray[np.float64], ...]]:
    """Per index: mean, std and valid share of each parcel, merged over its blocks in their order."""
    if not results:
        return {}
    return {name: reduce(Moments.merge, (result.moments[name] for result in results)).statistics() for name in names}


def _null(value: float) -> float | None:
    """Missing is null, never zero and never NaN."""
    return None if np.isnan(value) else float(value)
