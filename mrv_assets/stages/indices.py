"""indices: the mission's indices of every clear pixel, as scaled integers of reflectance or floats of radar power."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mrv_assets.audit.canonical import Json
from mrv_assets.formats.arrays import ArraySpec, Group, GroupWriter, Leaves
from mrv_assets.formats.stored_arrays import StoredArrays
from mrv_assets.lake.store import Lake
from mrv_assets.missions.bandpass import Linear
from mrv_assets.missions.indices import INDICES, RadarIndex, SpectralIndex
from mrv_assets.missions.mission import Mission, Power, described
from mrv_assets.science.blocks import Block, block_window
from mrv_assets.science.grid import Grid, Window
from mrv_assets.science.indices import FILL, SCALE, available, index_block
from mrv_assets.science.mask import quality_flags
from mrv_assets.science.speckle import RADIUS_PX, lee
from mrv_assets.stages.blocks import BlockWritten, group_graph, materialize_blocks
from mrv_assets.stages.index_rules import index_rules
from mrv_assets.stages.masked_tiles import UNCLEAR
from mrv_assets.stages.materialize import Materialized, upstream
from mrv_assets.stages.mission_plan import MissionPlan


def indices(lake: Lake, plan: MissionPlan) -> Materialized:
    """Compute the mission's indices where the ground was seen.

    An index whose band no scene of the month carries is *unavailable*: the record states it with the reason.
    """
    mission = plan.mission
    masked = upstream(lake, plan, plan.asset("masked_tiles"), **plan.mask_rules)
    aligned = lake.upstream(masked, plan.asset("aligned_tiles"))
    arrays = StoredArrays.of(aligned)
    bands = [name for name in mission.bands if name in aligned.output["arrays"]]
    stand_ins = {**mission.stand_ins, **(plan.bandpass.stand_ins if plan.bandpass else {})}
    lacking = available(bands, stand_ins)
    missing = {name: lacking[name] for name in mission.indices}
    unavailable = {name: _reason(bands, scenes=bool(arrays.observations)) for name, bands in missing.items() if bands}
    taken = {name: {band: stand_ins.get(band, band) for band in INDICES[name].bands} for name in mission.indices}
    job = _Job(
        mission=mission,
        grid=plan.at.grid,
        aligned=arrays,
        masked=StoredArrays.of(masked),
        names=tuple(name for name in mission.indices if not missing[name]),
        taken=taken,
        adjusted=plan.bandpass.bands if plan.bandpass else {},
        # Graphs of optical missions name no filter.
        speckle=plan.treatment.speckle if isinstance(mission.radiometry, Power) else "none",
        quality=tuple(name for name in mission.quality if name in aligned.output["arrays"]),
    )
    group = Group(
        grid=plan.at.grid,
        times_us=tuple(arrays.times_us),
        specs=tuple(_spec(name) for name in job.names),
        attrs={"mission": mission.name, "unavailable": unavailable},
    )
    return materialize_blocks(
        lake,
        plan,
        __name__,
        graph=group_graph(group, job, _index_block, plan.at.active, counts="invalid_pixels"),
        manifest=plan.at.manifest(
            mission=described(mission),
            **_meanings(mission),
            bands={name: list(bands.values()) for name, bands in taken.items()},
            **{name: rule for name, rule in index_rules(plan).items() if rule is not None},
        ),
        made_from=[masked],
        reads=[masked, aligned],
    )


def _reason(lacking: tuple[str, ...], *, scenes: bool) -> str:
    if not scenes:
        return "no scene of the month counts"
    return f"no scene of the month publishes {', '.join(lacking)}"


def _meanings(mission: Mission) -> Json:
    """Scale and noise limits of the mission's spectral indices; gain and weight of its radar indices."""
    definitions = [INDICES[name] for name in mission.indices]
    spectral = {index.name: index.limit for index in definitions if isinstance(index, SpectralIndex)}
    radar = {index.name: [index.gain, index.weight] for index in definitions if isinstance(index, RadarIndex)}
    return {**({"scale": SCALE, "limits": spectral} if spectral else {}), **({"radar": radar} if radar else {})}


@dataclass(frozen=True, kw_only=True)
class _Job:
    """Arguments of a block task."""

    mission: Mission
    grid: Grid
    aligned: StoredArrays
    masked: StoredArrays
    names: tuple[str, ...]
    taken: dict[str, dict[str, str]]
    """The band taken for each band that the formula names, by index."""
    adjusted: Mapping[str, Linear]
    """Linear adjustment of a band's reflectance before indices are computed, by band."""
    speckle: str
    quality: tuple[str, ...]
    """Names of the quality bands that were aligned."""


def _spec(name: str) -> ArraySpec:
    meaning = {"long_name": INDICES[name].long_name, "units": "1"}
    if isinstance(INDICES[name], RadarIndex):
        return ArraySpec(name=name, dtype="float32", fill=float("nan"), timed=True, attrs=meaning)
    return ArraySpec(name=name, dtype="int16", fill=FILL, timed=True, attrs={**meaning, "scale_factor": SCALE})


def _index_block(job: _Job, group: Path, block: Block) -> BlockWritten:
    """Compute one block's indices and store them, one index at a time."""
    window = block_window(job.grid, block)
    flags = job.masked.read(UNCLEAR.name, window)
    arrays = GroupWriter(group)
    needed = sorted({band for name in job.names for band in job.taken[name].values()})
    if isinstance(job.mission.radiometry, Power) and job.speckle != "none":
        bands = _filtered(job, job.mission.radiometry.looks, needed, window)
    else:
        bands = {band: job.aligned.read(band, window) for band in needed}
    leaves: dict[str, Leaves] = {}
    counts: Json = {}
    for name in job.names:
        taken = job.taken[name]
        named = {band: bands[own] for band, own in taken.items()}
        adjusted = {band: job.adjusted[own] for band, own in taken.items() if own in job.adjusted}
        values, counts[name] = index_block(name, named, flags, job.mission.radiometry, adjusted)
        leaves[name] = arrays.write(name, window, values)
    return BlockWritten(leaves=leaves, counts=counts)


def _filtered(job: _Job, looks: float, bands: Sequence[str], window: Window) -> dict[str, NDArray[np.float32]]:
    """Radar power of a window with its speckle filtered, from the clear pixels in and around it."""
    padded = window.pad(RADIUS_PX, job.grid)
    top, left = window.row - padded.row, window.col - padded.col
    inner = (slice(None), slice(top, top + window.height), slice(left, left + window.width))
    quality = {name: job.aligned.read(name, padded) for name in job.quality}
    filtered = {}
    for band in bands:
        power = job.aligned.read(band, padded)
        if quality:
            # Layover is bright, and the filter would spread it to the pixels beside it.
            power[quality_flags(quality, job.mission, cloud_probability=np.inf) != 0] = np.nan
        filtered[band] = np.asarray(lee(power, looks)[inner])
    return filtered
