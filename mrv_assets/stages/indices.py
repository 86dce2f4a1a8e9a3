"""indices: NDVI, EVI, NBR and NDMI of every clear pixel, as scaled integers."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from mrv_assets.audit.canonical import Json
from mrv_assets.audit.graph import Step
from mrv_assets.lake.arrays import ArraySpec, BlockArrays, create_group, group_content
from mrv_assets.lake.lake import Lake
from mrv_assets.missions.mission import Reflectance, described
from mrv_assets.science.blocks import Block, block_window
from mrv_assets.science.grid import Grid
from mrv_assets.science.indices import FILL, INDICES, SCALE, available, index_block
from mrv_assets.stages.blocks import over_blocks, summed, written_blocks
from mrv_assets.stages.masked_tiles import UNCLEAR
from mrv_assets.stages.materialize import Materialized, materialize, upstream
from mrv_assets.stages.plan import Plan

STEPS = (
    Step(
        name="index",
        function="mrv_assets.science.indices.index_block",
        reads=("aligned_tiles:bands", "masked_tiles:unclear_flags"),
    ),
)


def indices(lake: Lake, plan: Plan) -> Materialized:
    """Compute the mission's indices where the ground was seen.

    An index whose band no scene of the month carries is *unavailable*: the record says so and why.
    """
    mission = plan.the_mission
    masked = upstream(
        lake,
        plan,
        plan.asset("masked_tiles"),
        cloud_probability=plan.gate.cloud_probability,
        dilation_px=plan.gate.dilation_px,
    )
    aligned = lake.record(
        plan.asset("aligned_tiles"), plan.tile, plan.month, masked.inputs[plan.asset("aligned_tiles")]
    )
    arrays = BlockArrays(aligned.data)
    bands = [name for name in mission.bands if name in aligned.output["arrays"]]
    missing = {name: lacking for name, lacking in available(bands).items() if name in mission.indices}
    unavailable = {
        name: _reason(lacking, scenes=bool(arrays.observations)) for name, lacking in missing.items() if lacking
    }
    job = _Job(
        grid=plan.grid,
        aligned=arrays,
        masked=BlockArrays(masked.data),
        names=tuple(name for name in mission.indices if not missing[name]),
        radiometry=mission.radiometry,
    )
    return materialize(
        lake,
        plan,
        plan.asset("indices"),
        stage=__name__,
        manifest=plan.manifest(
            mission=described(mission),
            scale=SCALE,
            limits={name: INDICES[name].limit for name in mission.indices},
            bands={name: list(INDICES[name].bands) for name in mission.indices},
        ),
        steps=STEPS,
        inputs={plan.asset("masked_tiles"): masked.audit_hash},
        produce=lambda folder: _compute(plan, job, unavailable, folder),
    )


def _reason(lacking: tuple[str, ...], *, scenes: bool) -> str:
    if not scenes:
        return "no scene of the month counts"
    return f"no scene of the month publishes {', '.join(lacking)}"


@dataclass(frozen=True, kw_only=True)
class _Job:
    """What a block task needs."""

    grid: Grid
    aligned: BlockArrays
    masked: BlockArrays
    names: tuple[str, ...]
    radiometry: Reflectance


def _compute(plan: Plan, job: _Job, unavailable: dict[str, str], folder: Path) -> Json:
    specs = [
        ArraySpec(
            name=name,
            dtype="int16",
            fill=FILL,
            timed=True,
            attrs={"long_name": INDICES[name].long_name, "units": "1", "scale_factor": SCALE},
        )
        for name in job.names
    ]
    attrs: Json = {"mission": plan.the_mission.name, "unavailable": unavailable}
    create_group(folder, plan.grid, job.aligned.times_us, specs, attrs)
    results = over_blocks(plan, partial(_index_block, job, folder), plan.active)
    written = written_blocks(specs, plan.active, [digests for digests, _ in results])
    content = group_content(plan.grid, job.aligned.times_us, specs, attrs, written)
    return {**content, "invalid_pixels": summed([counts for _, counts in results])}


def _index_block(job: _Job, folder: Path, block: Block) -> tuple[dict[str, str | None], Json]:
    """Compute one block's indices and store them, one index at a time."""
    window = block_window(job.grid, block)
    flags = job.masked.read(UNCLEAR.name, window)
    arrays = BlockArrays(folder, "r+")
    bands = {
        band: job.aligned.read(band, window) for band in sorted({b for name in job.names for b in INDICES[name].bands})
    }
    digests: dict[str, str | None] = {}
    counts: Json = {}
    for name in job.names:
        values, counts[name] = index_block(name, bands, flags, job.radiometry)
        digests[name] = arrays.write(name, window, values)
    return digests, counts
