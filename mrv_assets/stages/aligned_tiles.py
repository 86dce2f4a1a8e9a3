"""aligned_tiles: every observation on the tile's analysis grid, as digital numbers of one convention."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mrv_assets.audit.canonical import Json
from mrv_assets.audit.record import Record
from mrv_assets.cog.sparse_tiff import SparseTiff, TileCache
from mrv_assets.formats.arrays import ArraySpec, BlockArrays, Group, Leaves
from mrv_assets.formats.artifacts import observations_of
from mrv_assets.lake.store import Lake
from mrv_assets.missions.flags import Flag
from mrv_assets.missions.mission import BitQuality, ClassQuality, Mission, Power, Quality, Reflectance, described
from mrv_assets.science.blocks import HALO_PX, Block, block_window, halo_blocks
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

    Measured bands are the mission's stored convention; quality bands are undecoded. Around each active block, quality
    is stored ``HALO_PX`` further, so that dilation never depends on which blocks are active; radar's power too, so
    that no filter of speckle does.
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
    """What a block task needs to align any window, wherever it runs."""

    mission: Mission
    grid: Grid
    windows: dict[Block, tuple[Window, ...]]
    """What to align: active blocks whole, and the strips around them, for the bands that need a halo."""
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
                tuple(_SceneFiles.of(s, raw.data, plan.at.grid, cache) for s in o["scenes"]) for o in observations
            ),
        )

    @property
    def times_us(self) -> tuple[int, ...]:
        """Instants of the observations, microseconds since 1970 UTC: of their first scene."""
        return tuple(_microseconds(min(scene.datetime for scene in scenes)) for scenes in self.observations)


@dataclass(frozen=True, kw_only=True)
class _SceneFiles:
    """One scene's sparse GeoTIFFs in the lake."""

    id: str
    datetime: str
    dn_shift: int
    files: dict[str, SparseTiff]

    @classmethod
    def of(cls, scene: Json, raw: Path, grid: Grid, cache: TileCache) -> "_SceneFiles":
        files = {}
        for name, band in scene["bands"].items():
            file = SparseTiff(raw / band["file"], frozenset(band["fetched"]))
            # On the analysis grid itself blocks share no COG tile: caching it would only push out those they do.
            shared = whole_shift(file.grid, grid) is None
            files[name] = SparseTiff(file.source, file.fetched, cache) if shared else file
        return cls(id=scene["id"], datetime=scene["datetime"], dn_shift=scene["dn_shift"], files=files)


def _align_block(job: _Job, group: Path, block: Block) -> BlockWritten:
    """Align one block, band by band, and store it."""
    arrays = BlockArrays(group, "r+")
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
    """Align one band of one observation over a window, into ``out``."""
    if len(scenes) == 1:
        out[...] = _align_scene(mission, grid, scenes[0], name, window)
        return
    chosen = first_clear(mission, grid, scenes, window)
    for index, scene in enumerate(scenes):
        here = chosen == index
        if here.any():
            out[here] = _align_scene(mission, grid, scene, name, window)[here]


def first_clear(mission: Mission, grid: Grid, scenes: Sequence[_SceneFiles], window: Window) -> NDArray[np.uint8]:
    """Which scene of an observation a pixel is taken from: the first by (clear, id).

    Clear is what the classes and bits say; cloud probability has a threshold, which is not alignment's. Of a scene
    without quality bands, all is clear that was measured.

    Returns:
        Index into ``scenes``, uint8, dims (y, x).
    """
    chosen = np.zeros((window.height, window.width), np.uint8)
    carried = {name for scene in scenes for name in scene.files}
    # 0 clear, 1 clear in fewer bands, 2 unclear, 3 nothing there; a later scene wins only where strictly better.
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
        if not any(mission.quality[name].required for name in quality):
            for name in sorted(set(scene.files) & set(mission.bands)):
                band = _align_scene(mission, grid, scene, name, window)
                flags[missing(band, mission.radiometry)] |= np.uint16(Flag.NODATA)
        clear = 1 if (carried - set(scene.files)) & set(mission.bands) else 0
        rank = np.where(flags == 0, clear, np.where(flags & Flag.NODATA, 3, 2)).astype(np.uint8)
        better = rank < best
        chosen[better], best[better] = index, rank[better]
    return chosen


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
        return _align_quality(pixels, needed, file.grid, grid, window, quality).astype(quality.dtype, copy=False)
    # Before resampling, so that the same ground gives the same bits whatever convention it was published in.
    match mission.radiometry:
        case Reflectance() as radiometry:
            pixels = to_convention(pixels, scene.dn_shift, radiometry)
        case Power() as power:
            pixels = power_of(pixels, file.header.nodata, power)
    return resample(pixels, needed, file.grid, grid, window, method=mission.bands[name].resample, nodata=fill)


def _align_quality(
    pixels: NDArray[np.generic], needed: Window, source: Grid, grid: Grid, window: Window, quality: Quality
) -> NDArray[np.generic]:
    match quality:
        case ClassQuality(severity=severity):
            mode: WorstOf = severity
        case BitQuality():
            mode = "or"
        case _:
            mode = "max"
    # Takes the nearest pixel where the grid is not coarser than the source.
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
        case Reflectance(scale=scale, offset=offset):
            return {
                "standard_name": "surface_bidirectional_reflectance",
                "long_name": f"{mission.title} {name} surface reflectance",
                "units": "1",
                "scale_factor": scale,
                "add_offset": offset,
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
                # Where one scene of a pass lacks a band, its ground lacks that band and nothing else.
                "bands_of_every_scene": sorted(set.intersection(*(set(scene.files) for scene in scenes))),
            }
            for scenes in job.observations
        ],
    }


def fill_of(mission: Mission, name: str) -> float:
    """What a band, measured or quality, holds where nothing was aligned."""
    quality = mission.quality.get(name)
    return mission.radiometry.fill if quality is None else quality.nodata or 0


def _dtype(mission: Mission, name: str) -> str:
    quality = mission.quality.get(name)
    return mission.radiometry.dtype if quality is None else quality.dtype


def _microseconds(instant: str) -> int:
    return (datetime.fromisoformat(instant) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
