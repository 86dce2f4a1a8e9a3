"""aligned_tiles: every observation on the tile's analysis grid, as digital numbers of one convention."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mrv_assets.audit.canonical import Json
from mrv_assets.audit.record import Record
from mrv_assets.cog.sparse_tiff import SparseTiff, TileCache
from mrv_assets.formats.arrays import ArraySpec, Group, GroupWriter, Leaves
from mrv_assets.formats.artifacts import observations_of
from mrv_assets.formats.stored_scenes import scene_tiff
from mrv_assets.lake.store import Lake
from mrv_assets.missions.flags import Flag
from mrv_assets.missions.mission import (
    UNNAMED,
    BitQuality,
    ClassQuality,
    Mission,
    Power,
    Quality,
    Reflectance,
    described,
)
from mrv_assets.science.blocks import HALO_PX, Block, block_window, halo_blocks
from mrv_assets.science.clipped import resample_clipped
from mrv_assets.science.grid import Grid, Window
from mrv_assets.science.mask import quality_flags
from mrv_assets.science.pixel_map import whole_shift
from mrv_assets.science.radiometry import missing, power_of, to_convention
from mrv_assets.science.resample import KERNEL, WorstOf, coarsen_quality, resample, source_window
from mrv_assets.stages.blocks import BlockWritten, group_graph, materialize_blocks
from mrv_assets.stages.materialize import Materialized, upstream
from mrv_assets.stages.mission_plan import MissionPlan

CACHE_BYTES = 96_000_000
"""Decoded COG tiles kept for neighbouring blocks, per process."""


def aligned_tiles(lake: Lake, plan: MissionPlan) -> Materialized:
    """Align the month's scenes: one observation a time step, chunked (all observations, block, block).

    Measured bands are in the mission's stored convention; quality bands are undecoded. Around each active block,
    quality bands and radar power are stored ``HALO_PX`` pixels further, so that neither dilation nor the speckle filter
    depends on which blocks are active.
    """
    raw = upstream(lake, plan, plan.asset("raw_tiles"))
    job = _Job.of(plan, raw)
    group = Group(grid=plan.at.grid, times_us=job.times_us, specs=_specs(job), attrs=_attrs(job))
    return materialize_blocks(
        lake,
        plan,
        __name__,
        graph=group_graph(group, job, _align_block, sorted(job.windows)),
        manifest=plan.at.manifest(
            halo_px=HALO_PX,
            resampling=KERNEL,
            mission=described(plan.mission),
        ),
        made_from=[raw],
        reads=[raw],
    )


@dataclass(frozen=True, kw_only=True)
class _Job:
    """Arguments of a block task, complete for any window on any worker."""

    mission: Mission
    grid: Grid
    windows: dict[Block, tuple[Window, ...]]
    """Windows to align, by block: active blocks whole, and the strips around them, for the bands that need a halo."""
    active: frozenset[Block]
    observations: tuple[tuple["_SceneFiles", ...], ...]

    @classmethod
    def of(cls, plan: MissionPlan, raw: Record) -> "_Job":
        observations = observations_of(raw)
        # Neighbouring blocks share the coarser bands' COG tiles.
        cache = TileCache(CACHE_BYTES)
        return cls(
            mission=plan.mission,
            grid=plan.at.grid,
            windows={
                **{block: (block_window(plan.at.grid, block),) for block in plan.at.active},
                **halo_blocks(plan.at.grid, plan.at.active, HALO_PX),
            },
            active=frozenset(plan.at.active),
            observations=tuple(
                tuple(_SceneFiles.of(s, raw, plan.at.grid, cache) for s in o["scenes"]) for o in observations
            ),
        )

    @property
    def times_us(self) -> tuple[int, ...]:
        """Instants of the observations' first scenes, microseconds since 1970 UTC."""
        return tuple(_microseconds(min(scene.datetime for scene in scenes)) for scenes in self.observations)


@dataclass(frozen=True, kw_only=True)
class _SceneFiles:
    """One scene's sparse GeoTIFFs in the lake."""

    id: str
    datetime: str
    dn_shift: int
    classes: dict[str, dict[int, int]]
    """The mission's class of each published value, by mask."""
    files: dict[str, SparseTiff]

    @classmethod
    def of(cls, scene: Json, raw: Record, grid: Grid, cache: TileCache) -> "_SceneFiles":
        files = {}
        for name, band in scene["bands"].items():
            file = scene_tiff(raw, band)
            # Blocks share no COG tile of a file that is on the analysis grid itself: caching it would only push out
            # the tiles that they share.
            shared = whole_shift(file.grid, grid) is None
            files[name] = file.with_cache(cache) if shared else file
        classes = {
            name: {int(published): meaning for published, meaning in meanings.items()}
            for name, meanings in scene["classes"].items()
        }
        return cls(id=scene["id"], datetime=scene["datetime"], dn_shift=scene["dn_shift"], classes=classes, files=files)


def _align_block(job: _Job, group: Path, block: Block) -> BlockWritten:
    """Align one block, band by band, and store it."""
    arrays = GroupWriter(group)
    full = block_window(job.grid, block)
    leaves: dict[str, Leaves] = {}
    names = {spec.name for spec in _specs(job)}
    for name in sorted(name for name in names if block in job.active or job.mission.needs_halo(name)):
        fill = fill_of(job.mission, name)
        values = np.full((len(job.observations), full.height, full.width), fill, _dtype(job.mission, name))
        for window in job.windows[block]:
            inside = (slice(window.row - full.row, window.row - full.row + window.height),
                      slice(window.col - full.col, window.col - full.col + window.width))  # fmt: skip
            for step, scenes in enumerate(job.observations):
                align_into(values[(step, *inside)], job.mission, job.grid, scenes, name, window)
        leaves[name] = arrays.write(name, full, values)
    return BlockWritten(leaves=leaves)


def align_into(
    out: NDArray[np.generic],
    mission: Mission,
    grid: Grid,
    scenes: Sequence[_SceneFiles],
    name: str,
    window: Window,
) -> None:
    """Align one band of one observation over a window, into ``out``.

    Where no scene has a number in all the bands that it carries, the measured bands are nodata, each of them: which
    bands a pixel's scene carries is not stored, and masking has to know.
    """
    if len(scenes) == 1:
        out[...] = _align_scene(mission, grid, scenes[0], name, window)
        return
    chosen, unseen = first_clear(mission, grid, scenes, window)
    for index, scene in enumerate(scenes):
        here = chosen == index
        if here.any():
            out[here] = _align_scene(mission, grid, scene, name, window)[here]
    if name in mission.bands:
        out[unseen] = mission.radiometry.fill


def first_clear(
    mission: Mission, grid: Grid, scenes: Sequence[_SceneFiles], window: Window
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Choose the scene of an observation that each pixel is taken from: the first by (clear, id).

    Classes and bits decide what is clear; cloud probability needs a threshold, which belongs to masking and not to
    alignment. A pixel that is missing in any measured band of a scene is nodata there.

    Returns:
        Index into ``scenes``, uint8, dims (y, x); and whether the pixel is nodata in every scene.
    """
    chosen = np.zeros((window.height, window.width), np.uint8)
    carried = {name for scene in scenes for name in scene.files}
    # 0 clear, 1 clear in fewer bands, 2 unclear, 3 nodata; a later scene wins only where strictly better.
    best = np.full(chosen.shape, 4, np.uint8)
    for index, scene in enumerate(scenes):
        quality = {
            name: _align_scene(mission, grid, scene, name, window)[np.newaxis]
            for name in mission.quality
            if name in scene.files
        }
        flags = (
            quality_flags(quality, mission, cloud_probability=np.inf)[0]
            if quality
            else np.zeros(chosen.shape, np.uint16)
        )
        # What is missing in a measured band was not seen, whatever the quality bands say of it.
        for name in sorted(set(scene.files) & set(mission.bands)):
            band = _align_scene(mission, grid, scene, name, window)
            flags[missing(band, mission.radiometry)] |= np.uint16(Flag.NODATA)
        clear = 1 if (carried - set(scene.files)) & set(mission.bands) else 0
        rank = np.where(flags == 0, clear, np.where(flags & Flag.NODATA, 3, 2)).astype(np.uint8)
        better = rank < best
        chosen[better], best[better] = index, rank[better]
    return chosen, best >= 3


def _align_scene(mission: Mission, grid: Grid, scene: _SceneFiles, name: str, window: Window) -> NDArray[np.generic]:
    fill = fill_of(mission, name)
    shape = (window.height, window.width)
    file = scene.files.get(name)
    if file is None:
        return np.full(shape, fill, _dtype(mission, name))
    needed = source_window(file.grid, grid, window)
    if needed is None:
        return np.full(shape, fill, _dtype(mission, name))
    pixels = file.read(needed)
    quality = mission.quality.get(name)
    if quality is not None:
        aligned = _align_quality(pixels, needed, file.grid, grid, window, quality, scene.classes.get(name, {}))
        return aligned.astype(quality.dtype, copy=False)
    # Converted before resampling, so that the same ground gives the same bits in whichever convention it was published.
    match mission.radiometry:
        case Reflectance() as radiometry:
            clipped = pixels == radiometry.clipped if radiometry.clipped is not None else None
            pixels = to_convention(pixels, scene.dn_shift, radiometry)
            if clipped is not None and clipped.any():
                return resample_clipped(
                    pixels, clipped, needed, file.grid, grid, window, method=mission.bands[name].resample, nodata=fill
                )
        case Power() as power:
            pixels = power_of(pixels, file.header.nodata, power)
    return resample(pixels, needed, file.grid, grid, window, method=mission.bands[name].resample, nodata=fill)


def _align_quality(
    pixels: NDArray[np.generic],
    needed: Window,
    source: Grid,
    grid: Grid,
    window: Window,
    quality: Quality,
    classes: Mapping[int, int],
) -> NDArray[np.generic]:
    match quality:
        case ClassQuality(severity=severity):
            mode: WorstOf = severity
        case BitQuality():
            mode = "or"
        case _:
            mode = "max"
    # Takes the nearest pixel where the grid is not coarser than the source.
    if classes:
        table = np.full(256, UNNAMED, np.uint8)
        for published, meaning in classes.items():
            if 0 <= published < table.size:
                table[published] = meaning
        pixels = table[pixels]
    return coarsen_quality(pixels, needed, source, grid, window, mode=mode, nodata=quality.nodata or 0)


def _specs(job: _Job) -> tuple[ArraySpec, ...]:
    mission = job.mission
    present = {name for scenes in job.observations for scene in scenes for name in scene.files}
    bands = [
        ArraySpec(
            name=name,
            dtype=mission.radiometry.dtype,
            fill=mission.radiometry.fill,
            timed=True,
            attrs=_meaning(mission, name),
        )
        for name in mission.bands
        if name in present
    ]
    quality = [
        ArraySpec(
            name=name,
            dtype=band.dtype,
            fill=fill_of(mission, name),
            timed=True,
            attrs={"long_name": f"{mission.title} {name}, as published"},
        )
        for name, band in mission.quality.items()
        if name in present
    ]
    return (*bands, *quality)


def _meaning(mission: Mission, name: str) -> Json:
    """CF attributes of a measured band."""
    match mission.radiometry:
        case Reflectance(scale=scale, offset=offset, clipped=clipped):
            return {
                "standard_name": "surface_bidirectional_reflectance",
                "long_name": f"{mission.title} {name} surface reflectance",
                "units": "1",
                "scale_factor": scale,
                "add_offset": offset,
                **({} if clipped is None else {"clipped_value": clipped}),
            }
        case Power(quantity=quantity):
            return {"long_name": f"{mission.title} {name} {quantity} backscatter, linear power", "units": "1"}


def _attrs(job: _Job) -> Json:
    return {
        "mission": job.mission.name,
        "observations": [
            {
                "scenes": [scene.id for scene in scenes],
                "bands": sorted({name for scene in scenes for name in scene.files}),
                # The ground of a scene that lacks a band lacks that band and no other.
                "bands_of_every_scene": sorted(set.intersection(*(set(scene.files) for scene in scenes))),
            }
            for scenes in job.observations
        ],
    }


def fill_of(mission: Mission, name: str) -> float:
    """Fill value of a measured or quality band, which stands where no scene was aligned."""
    quality = mission.quality.get(name)
    return mission.radiometry.fill if quality is None else quality.nodata or 0


def _dtype(mission: Mission, name: str) -> str:
    quality = mission.quality.get(name)
    return mission.radiometry.dtype if quality is None else quality.dtype


def _microseconds(instant: str) -> int:
    return (datetime.fromisoformat(instant) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
