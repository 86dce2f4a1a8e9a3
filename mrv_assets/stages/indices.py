"""indices: NDVI, EVI, NBR and NDMI of every clear pixel, as scaled integers."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from dask.delayed import Delayed

from mrv_assets.audit.canonical import Json
from mrv_assets.lake.arrays import ArraySpec, BlockArrays, Leaves, create_group, group_content
from mrv_assets.lake.lake import Lake
from mrv_assets.missions.mission import Reflectance, described
from mrv_assets.science.blocks import Block, block_window
from mrv_assets.science.grid import Grid
from mrv_assets.science.indices import FILL, INDICES, SCALE, available, index_block
from mrv_assets.stages.blocks import as_node, computed, each, once, summed, topology, written
from mrv_assets.stages.masked_tiles import UNCLEAR
from mrv_assets.stages.materialize import Materialized, materialize, upstream
from mrv_assets.stages.plan import Plan


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
        mission=mission.name,
        grid=plan.grid,
        active=plan.active,
        aligned=arrays,
        masked=BlockArrays(masked.data),
        names=tuple(name for name in mission.indices if not missing[name]),
        radiometry=mission.radiometry,
        unavailable=unavailable,
    )
    graph = partial(_graph, job)
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
        graph=topology(graph),
        inputs={plan.asset("masked_tiles"): masked.audit_hash},
        reads=[masked, aligned],
        produce=lambda folder: computed(plan, graph(folder)),
    )


def _reason(lacking: tuple[str, ...], *, scenes: bool) -> str:
    if not scenes:
        return "no scene of the month counts"
    return f"no scene of the month publishes {', '.join(lacking)}"


@dataclass(frozen=True, kw_only=True)
class _Job:
    """What a block task needs."""

    mission: str
    grid: Grid
    active: tuple[Block, ...]
    aligned: BlockArrays
    masked: BlockArrays
    names: tuple[str, ...]
    radiometry: Reflectance
    unavailable: dict[str, str]
    """Per index that cannot be computed, why."""

    @property
    def specs(self) -> list[ArraySpec]:
        """The variables stored."""
        return [
            ArraySpec(
                name=name,
                dtype="int16",
                fill=FILL,
                timed=True,
                attrs={"long_name": INDICES[name].long_name, "units": "1", "scale_factor": SCALE},
            )
            for name in self.names
        ]

    @property
    def attrs(self) -> Json:
        """Attributes of the group."""
        return {"mission": self.mission, "unavailable": self.unavailable}


def _graph(job: _Job, folder: Path) -> Delayed:
    whole = as_node(job)
    group = once(_create, whole, folder)
    return once(_content, whole, each(_index_block, job.active, whole, group))


def _create(job: _Job, folder: Path) -> Path:
    create_group(folder, job.grid, job.aligned.times_us, job.specs, job.attrs)
    return folder


def _content(job: _Job, blocks: list[tuple[dict[str, Leaves], Json]]) -> Json:
    found = written(job.specs, [leaves for leaves, _ in blocks])
    content = group_content(job.grid, job.aligned.times_us, job.specs, job.attrs, found)
    return {**content, "invalid_pixels": summed([counts for _, counts in blocks])}


def _index_block(job: _Job, group: Path, block: Block) -> tuple[dict[str, Leaves], Json]:
    """Compute one block's indices and store them, one index at a time."""
    window = block_window(job.grid, block)
    flags = job.masked.read(UNCLEAR.name, window)
    arrays = BlockArrays(group, "r+")
    bands = {
        band: job.aligned.read(band, window) for band in sorted({b for name in job.names for b in INDICES[name].bands})
    }
    leaves: dict[str, Leaves] = {}
    counts: Json = {}
    for name in job.names:
        values, counts[name] = index_block(name, bands, flags, job.radiometry)
        leaves[name] = arrays.write(name, window, values)
    return leaves, counts
