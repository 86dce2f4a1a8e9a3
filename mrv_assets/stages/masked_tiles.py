"""masked_tiles: why each pixel of each observation is unclear, by the product's own quality, as bits."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mrv_assets.audit.canonical import Json
from mrv_assets.formats.arrays import ArraySpec, Group, GroupWriter
from mrv_assets.formats.stored_arrays import StoredArrays
from mrv_assets.lake.store import Lake
from mrv_assets.missions.flags import Flag
from mrv_assets.missions.mission import Mission, ProbabilityQuality, described
from mrv_assets.science.blocks import Block, block_window
from mrv_assets.science.grid import Grid
from mrv_assets.science.mask import FLAG_ATTRS, dilate, measured_flags, quality_flags
from mrv_assets.stages.blocks import BlockWritten, group_graph, materialize_blocks
from mrv_assets.stages.materialize import Materialized, upstream
from mrv_assets.stages.mission_plan import MissionPlan

UNCLEAR = ArraySpec(name="unclear_flags", dtype="uint16", fill=int(Flag.NODATA), timed=True, attrs=FLAG_ATTRS)
"""The reasons why a pixel is unclear. An absent block was never observed, and reads as nodata."""


def masked_tiles(lake: Lake, plan: MissionPlan) -> Materialized:
    """Decide for each pixel of each observation whether the ground was seen, and if not, why.

    A band that a pixel's scene lacks does not make it unclear; nodata or saturation in any band that it has does.
    """
    mission = plan.mission
    aligned = upstream(lake, plan, plan.asset("aligned_tiles"))
    names = [name for name in mission.quality if name in aligned.output["arrays"]]
    probability = any(isinstance(mission.quality[name], ProbabilityQuality) for name in names)
    job = _Job(
        mission=mission,
        grid=plan.at.grid,
        arrays=StoredArrays.of(aligned),
        quality=tuple(names),
        bands={
            band: np.array([band in o["bands_of_every_scene"] for o in aligned.output["attrs"]["observations"]], bool)
            for band in mission.bands
            if band in aligned.output["arrays"]
        },
        cloud_probability=plan.gate.cloud_probability,
        dilation_px=plan.gate.dilation_px,
        snow_is_clear=plan.treatment.snow_is_clear,
    )
    times_us = tuple(job.arrays.times_us)
    group = Group(grid=plan.at.grid, times_us=times_us, specs=(UNCLEAR,), attrs={"mission": mission.name})
    return materialize_blocks(
        lake,
        plan,
        __name__,
        # The counts are pixels of the active blocks by reason, an observation a row; a pixel may have several reasons.
        graph=group_graph(group, job, _mask_block, plan.at.active, counts="unclear_pixels"),
        manifest=plan.at.manifest(
            quality=names,
            mission=described(mission),
            **plan.mask_rules,
            cloud_probability_published=probability,
            dilated=[str(flag.name).lower() for flag in mission.dilated],
        ),
        made_from=[aligned],
        reads=[aligned],
    )


@dataclass(frozen=True, kw_only=True)
class _Job:
    """Arguments of a block task."""

    mission: Mission
    grid: Grid
    arrays: StoredArrays
    quality: tuple[str, ...]
    bands: dict[str, NDArray[np.bool_]]
    """Whether each observation carries the band in every scene, by band."""
    cloud_probability: float
    dilation_px: int
    snow_is_clear: bool


def _mask_block(job: _Job, group: Path, block: Block) -> BlockWritten:
    """Flag one block and store it."""
    window = block_window(job.grid, block)
    padded = window.pad(job.dilation_px, job.grid)
    quality = {name: job.arrays.read(name, padded) for name in job.quality}
    pad = (window.row - padded.row, window.col - padded.col)
    inner = (slice(None), slice(pad[0], pad[0] + window.height), slice(pad[1], pad[1] + window.width))
    if quality:
        reasons = quality_flags(
            quality, job.mission, cloud_probability=job.cloud_probability, snow_is_clear=job.snow_is_clear
        )
        flags = dilate(reasons, job.dilation_px, job.mission.dilated)[inner]
    else:
        flags = np.zeros((job.arrays.observations, window.height, window.width), np.uint16)
    # Band by band: a month of one band is enough to hold in memory.
    measured = ((name, job.arrays.read(name, window)) for name in job.bands)
    flags = flags | measured_flags(measured, job.bands, job.mission.radiometry)
    leaves = GroupWriter(group).write(UNCLEAR.name, window, flags)
    return BlockWritten(leaves={UNCLEAR.name: leaves}, counts=[_counts(step) for step in flags])


def _counts(flags: NDArray[np.uint16]) -> Json:
    by_value = np.bincount(flags.ravel(), minlength=1)
    values = np.nonzero(by_value)[0]
    reasons = {str(flag.name).lower(): int(by_value[values[(values & int(flag)) != 0]].sum()) for flag in Flag}
    return {"clear": int(by_value[0]), **reasons}
