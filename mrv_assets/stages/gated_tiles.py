"""gated_tiles: the decision whether a tile-month was seen well enough, with every number it rests on."""

from dataclasses import dataclass
from functools import reduce
from operator import add
from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray

from mrv_assets.audit.canonical import Json, canonical, sha256
from mrv_assets.audit.graph import STAGING, Node, task
from mrv_assets.formats.artifacts import DECISION, PREVIEW, observations_of
from mrv_assets.formats.stored_arrays import StoredArrays
from mrv_assets.lake.store import Lake
from mrv_assets.science.blocks import Block, block_window
from mrv_assets.science.coverage import Coverage, fraction_of, max_gap_days, parcel_coverage
from mrv_assets.science.gate import reaches, tile_decision
from mrv_assets.science.grid import Grid
from mrv_assets.science.preview import Canvas, Piece, coverage_picture
from mrv_assets.science.zonal import coverage_fractions
from mrv_assets.stages.blocks import materialize_blocks
from mrv_assets.stages.index_rules import index_rules
from mrv_assets.stages.masked_tiles import UNCLEAR
from mrv_assets.stages.materialize import Materialized, require, upstream
from mrv_assets.stages.mission_plan import GateRules, MissionPlan
from mrv_assets.stages.preview import store_preview
from mrv_assets.stages.tile_month import month_bounds


def gated_tiles(lake: Lake, plan: MissionPlan) -> Materialized:
    """Measure coverage over the parcels and decide.

    The tile gate compares the area of the parcels' union that had at least one clear observation with its
    whole area; the parcel gate does the same for each parcel. The lake stores ``decision.json`` and a
    picture of the coverage.
    """
    indices = upstream(lake, plan, plan.asset("indices"))
    masked, raw = (lake.upstream(indices, plan.asset(stage)) for stage in ("masked_tiles", "raw_tiles"))
    require(masked, **plan.mask_rules)
    require(indices, **index_rules(plan))
    at, parcels = plan.at, plan.at.parcels
    job = _Job(
        month=at.month,
        grid=at.grid,
        active=at.active,
        gate=plan.gate,
        parcels=tuple(zip(parcels.parcel_id, parcels.part, strict=True)),
        observations=[
            {
                "datetime": o["datetime"],
                "rule": o["rule"],
                "scenes": [scene["id"] for scene in o["scenes"]],
                "findings": {scene["id"]: scene["findings"] for scene in o["scenes"] if scene["findings"]},
            }
            for o in observations_of(raw)
        ],
        scenes_refused=raw.output["refused"],
        completeness=raw.output["completeness"],
        unavailable=indices.output["attrs"]["unavailable"],
        masked=StoredArrays.of(masked),
        # The tile gate measures the parcels' union, so that an overlap counts once; the union comes last.
        geometries=np.array([*parcels.projected, shapely.union_all(parcels.projected)], dtype=object),
        canvas=Canvas.over(at.grid, parcels.projected),
    )
    return materialize_blocks(
        lake,
        plan,
        __name__,
        graph=_graph(job),
        manifest=at.manifest(**plan.decision_rules),
        made_from=[indices],
        reads=[masked],
    )


@dataclass(frozen=True, kw_only=True)
class _Job:
    """Arguments of the tasks that measure and decide."""

    month: str
    grid: Grid
    active: tuple[Block, ...]
    gate: GateRules
    parcels: tuple[tuple[str, str | None], ...]
    """Id and part of each parcel."""
    observations: list[Json]
    """Time, rule, scenes and their findings of each observation, in the order of ``masked``."""
    scenes_refused: list[Json]
    completeness: Json
    unavailable: Json
    """Reason for each index that cannot be computed."""
    masked: StoredArrays
    geometries: NDArray[np.object_]
    """The parcels and, last, their union."""
    canvas: Canvas


_Measured = tuple[Coverage, int, Piece]
"""One block's part of the coverage, its number of pixels seen at least once, and its piece of the picture."""


def _graph(job: _Job) -> Node:
    first = [task(_measure_block, job, (), block) for block in job.active]
    if job.gate.min_scene_clear == 0:
        return task(_decide, job, STAGING, first, first)
    refused = task(_refused, job, first)
    used = [task(_measure_again, job, refused, before, block) for before, block in zip(first, job.active)]
    return task(_decide, job, STAGING, first, used)


def _measure_block(job: _Job, refused: tuple[int, ...], block: Block) -> _Measured:
    """Measure one block without its refused observations."""
    window = block_window(job.grid, block)
    clear = job.masked.read(UNCLEAR.name, window) == 0
    clear[list(refused)] = False
    shares = coverage_fractions(job.grid, window, job.geometries)
    part = parcel_coverage(
        clear,
        shares.parcel,
        shares.row - window.row,
        shares.col - window.col,
        shares.fraction,
        len(job.geometries),
    )
    any_clear = clear.any(axis=0)
    return part, int(any_clear.sum()), job.canvas.piece(any_clear.astype(np.uint8) + 1, window)


def _measure_again(job: _Job, refused: tuple[int, ...], before: _Measured, block: Block) -> _Measured:
    """Measure a block again without the refused observations; where none is refused, the first result stands."""
    return _measure_block(job, refused, block) if refused else before


def _clear_shares(blocks: list[_Measured]) -> list[float]:
    """Clear share of the parcels' union, by observation."""
    whole = reduce(add, (part for part, *_ in blocks))
    return [fraction_of(float(clear), float(whole.total[-1])) for clear in whole.per_observation[-1]]


def _refused(job: _Job, first: list[_Measured]) -> tuple[int, ...]:
    """Indices of the observations that were too clouded over the parcels to be used."""
    return tuple(
        step for step, share in enumerate(_clear_shares(first)) if not reaches(share, job.gate.min_scene_clear)
    )


def _decide(job: _Job, folder: Path, first: list[_Measured], used: list[_Measured]) -> Json:
    times_us = job.masked.times_us
    refused = _refused(job, first)
    whole = reduce(add, (part for part, *_ in used))
    coverage = fraction_of(float(whole.clear[-1]), float(whole.total[-1]))
    decision = tile_decision(
        coverage,
        job.gate.min_coverage,
        scenes=job.completeness["matched"],
        observations=len(times_us) - len(refused),
    )
    footprint = float(sum(w.height * w.width for w in (block_window(job.grid, block) for block in job.active)))
    document = {
        "status": decision.status.value,
        "reasons": list(decision.reasons),
        "coverage": coverage,
        "min_coverage": job.gate.min_coverage,
        "valid_of_footprint": fraction_of(float(sum(clear for _, clear, _ in used)), footprint),
        "footprint_of_tile": fraction_of(footprint, float(job.grid.height * job.grid.width)),
        "observations": _observations(job.observations, times_us, _clear_shares(first), refused),
        "scenes_refused": job.scenes_refused,
        "completeness": job.completeness,
        "unavailable": job.unavailable,
        "parcels": [_parcel(job, whole, p, times_us) for p in range(len(job.parcels))],
    }
    data = canonical(document)
    (folder / DECISION).write_bytes(data)
    picture = coverage_picture(job.canvas.paste([piece for *_, piece in used]), job.canvas)
    return {
        "decision_sha256": sha256(data),
        "status": decision.status.value,
        "reasons": list(decision.reasons),
        "coverage": coverage,
        PREVIEW: store_preview(folder, picture),
    }


def _observations(
    observations: list[Json], times_us: list[int], clear_shares: list[float], refused: tuple[int, ...]
) -> list[Json]:
    return [
        {
            "datetime": observation["datetime"],
            "scenes": observation["scenes"],
            "rule": observation["rule"],
            "findings": observation["findings"],
            "time_us": time_us,
            "clear_of_parcels": share,
            "used": step not in refused,
            "reason": "below_min_scene_clear" if step in refused else None,
        }
        for step, (observation, time_us, share) in enumerate(zip(observations, times_us, clear_shares, strict=True))
    ]


def _parcel(job: _Job, whole: Coverage, parcel: int, times_us: list[int]) -> Json:
    fraction = fraction_of(float(whole.clear[parcel]), float(whole.total[parcel]))
    looks = [t for t, pixels in zip(times_us, whole.per_observation[parcel], strict=True) if pixels > 0]
    parcel_id, part = job.parcels[parcel]
    return {
        "parcel_id": parcel_id,
        "part": part,
        "valid_fraction": fraction,
        "passed": reaches(fraction, job.gate.min_coverage),
        "n_obs": len(looks),
        "max_gap_days": max_gap_days(looks, *month_bounds(job.month)),
    }
