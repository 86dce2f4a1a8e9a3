"""gated_tiles: the decision whether a tile-month was seen well enough, with every number it rests on."""

from dataclasses import asdict, dataclass
from functools import partial, reduce
from operator import add
from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray

from mrv_assets.audit.canonical import Json, canonical, sha256
from mrv_assets.audit.graph import Step
from mrv_assets.lake.arrays import BlockArrays
from mrv_assets.lake.evidence import DECISION, observations_of
from mrv_assets.lake.lake import Lake, Record
from mrv_assets.science.blocks import Block, block_window
from mrv_assets.science.coverage import Seen, fraction_of, max_gap_days, seen
from mrv_assets.science.gate import reaches, tile_decision
from mrv_assets.science.grid import Grid
from mrv_assets.science.preview import Canvas, Piece, coverage_picture
from mrv_assets.science.zonal import coverage_fractions
from mrv_assets.stages.blocks import over_blocks
from mrv_assets.stages.masked_tiles import UNCLEAR
from mrv_assets.stages.materialize import Materialized, materialize, require, upstream
from mrv_assets.stages.plan import Plan, month_bounds
from mrv_assets.stages.preview import PREVIEW, store_preview

STEPS = (
    Step(name="fractions", function="mrv_assets.science.zonal.coverage_fractions", reads=("parcels",)),
    Step(
        name="coverage",
        function="mrv_assets.science.coverage.seen",
        reads=("fractions", "masked_tiles:unclear_flags"),
    ),
    Step(name="gate", function="mrv_assets.science.gate.tile_decision", reads=("coverage",)),
)


def gated_tiles(lake: Lake, plan: Plan) -> Materialized:
    """Measure coverage over the parcels and decide.

    The tile gate compares the area of the parcels' union that had at least one clear observation with its
    whole area; the parcel gate does the same for each parcel. The lake's data: ``decision.json``, and a
    picture of the coverage.
    """
    asset = plan.asset("indices")
    indices = upstream(lake, plan, asset)
    masked, raw = chain(lake, plan, indices, "masked_tiles"), chain(lake, plan, indices, "raw_tiles")
    require(masked, cloud_probability=plan.gate.cloud_probability, dilation_px=plan.gate.dilation_px)
    job = _Job(
        grid=plan.grid,
        masked=BlockArrays(masked.data),
        # The tile gate looks at the parcels' union, so that an overlap counts once; it comes last.
        geometries=np.array([*plan.parcels.projected, shapely.union_all(plan.parcels.projected)], dtype=object),
        canvas=Canvas.over(plan.grid, plan.parcels.projected),
    )
    return materialize(
        lake,
        plan,
        plan.asset("gated_tiles"),
        stage=__name__,
        manifest=plan.manifest(
            gate=asdict(plan.gate),
            parcels=plan.parcels.identity,
        ),
        steps=STEPS,
        inputs={asset: indices.audit_hash},
        produce=lambda folder: _decide(plan, job, indices, raw, folder),
    )


def chain(lake: Lake, plan: Plan, record: Record, stage: str) -> Record:
    """The upstream record of this mission's stage that a record was really made from, not merely the newest.

    Raises:
        DamagedLake: When a record on the way is missing.
        ValueError: When the stage is not upstream of the record.
    """
    wanted = plan.asset(stage)
    while record.document["asset"] != wanted:
        upstream = [name for name in record.inputs if name.startswith(f"{plan.the_mission.name}/")]
        if len(upstream) != 1:
            raise ValueError(f"{wanted} is not upstream of {record.document['asset']}")
        record = lake.record(upstream[0], plan.tile, plan.month, record.inputs[upstream[0]])
    return record


@dataclass(frozen=True, kw_only=True)
class _Job:
    """What a block task needs."""

    grid: Grid
    masked: BlockArrays
    geometries: NDArray[np.object_]
    canvas: Canvas


def _measure_block(job: _Job, refused: tuple[int, ...], block: Block) -> tuple[Seen, int, Piece]:
    """One block's share of the coverage, its pixels seen at least once, and its share of the picture."""
    window = block_window(job.grid, block)
    clear = job.masked.read(UNCLEAR.name, window) == 0
    clear[list(refused)] = False
    shares = coverage_fractions(job.grid, window, job.geometries)
    part = seen(
        clear,
        shares.parcel,
        shares.row - window.row,
        shares.col - window.col,
        shares.fraction,
        len(job.geometries),
    )
    any_clear = clear.any(axis=0)
    return part, int(any_clear.sum()), job.canvas.piece(any_clear.astype(np.uint8) + 1, window)


def _decide(plan: Plan, job: _Job, indices: Record, raw: Record, folder: Path) -> Json:
    times_us = job.masked.times_us
    parts = over_blocks(plan, partial(_measure_block, job, ()), plan.active)
    first = reduce(add, (part for part, *_ in parts))
    # A scene is seen as clear over the parcels' union, which is the last geometry.
    clear_shares = [fraction_of(float(c), float(first.total[-1])) for c in first.per_observation[-1]]
    refused = tuple(t for t, share in enumerate(clear_shares) if not reaches(share, plan.gate.min_scene_clear))
    if refused:
        parts = over_blocks(plan, partial(_measure_block, job, refused), plan.active)
    whole = reduce(add, (part for part, *_ in parts))
    coverage = fraction_of(float(whole.clear[-1]), float(whole.total[-1]))
    observations = _observations(observations_of(raw), times_us, clear_shares, refused)
    scenes_refused = raw.output["refused"]
    decision = tile_decision(
        coverage,
        plan.gate.min_coverage,
        scenes=raw.output["completeness"]["matched"],
        observations=len(times_us) - len(refused),
    )
    document = {
        "status": decision.status.value,
        "reasons": list(decision.reasons),
        "coverage": coverage,
        "min_coverage": plan.gate.min_coverage,
        "valid_of_footprint": fraction_of(float(sum(clear for _, clear, _ in parts)), float(_pixels(plan))),
        "footprint_of_tile": fraction_of(float(_pixels(plan)), float(plan.grid.height * plan.grid.width)),
        "observations": observations,
        "scenes_refused": scenes_refused,
        "completeness": raw.output["completeness"],
        "unavailable": indices.output["attrs"]["unavailable"],
        "parcels": [_parcel(plan, whole, p, times_us) for p in range(len(plan.parcels.parcel_id))],
    }
    data = canonical(document)
    (folder / DECISION).write_bytes(data)
    picture = coverage_picture(job.canvas.paste([piece for *_, piece in parts]), job.canvas)
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
            "scenes": [scene["id"] for scene in observation["scenes"]],
            "rule": observation["rule"],
            "time_us": time_us,
            "clear_of_parcels": share,
            "used": step not in refused,
            "reason": "below_min_scene_clear" if step in refused else None,
        }
        for step, (observation, time_us, share) in enumerate(zip(observations, times_us, clear_shares, strict=True))
    ]


def _parcel(plan: Plan, whole: Seen, parcel: int, times_us: list[int]) -> Json:
    fraction = fraction_of(float(whole.clear[parcel]), float(whole.total[parcel]))
    looks = [t for t, pixels in zip(times_us, whole.per_observation[parcel], strict=True) if pixels > 0]
    return {
        "parcel_id": plan.parcels.parcel_id[parcel],
        "part": plan.parcels.part[parcel],
        "valid_fraction": fraction,
        "passed": reaches(fraction, plan.gate.min_coverage),
        "n_obs": len(looks),
        "max_gap_days": max_gap_days(looks, *month_bounds(plan.month)),
    }


def _pixels(plan: Plan) -> int:
    windows = [block_window(plan.grid, block) for block in plan.active]
    return sum(window.height * window.width for window in windows)
