"""One block of the month: composites of the missions that give its pixels, stored and sampled at the parcels."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mrv_assets.formats.arrays import ArraySpec, Group, GroupWriter, Leaves
from mrv_assets.missions.indices import INDICES
from mrv_assets.missions.mission import Mission
from mrv_assets.science.blocks import Block, block_window
from mrv_assets.science.composite import clear_observations, composite
from mrv_assets.science.coverage import Coverage, parcel_coverage
from mrv_assets.science.fusion import NONE, first_seen, taken
from mrv_assets.science.grid import Window
from mrv_assets.science.preview import Canvas, Piece
from mrv_assets.science.zonal import Fractions, Moments, coverage_fractions, moments
from mrv_assets.stages.masked_tiles import UNCLEAR
from mrv_assets.stages.month_missions import MonthMissions, Opened
from mrv_assets.stages.tile_month import TileMonth

N_OBS = ArraySpec(
    name="n_obs",
    dtype="uint16",
    fill=0,
    timed=False,
    attrs={"long_name": "clear observations in the month", "units": "1"},
)
SOURCE = "source"
"""Name of the raster of the mission that each pixel is from; stored with fusion."""


@dataclass(frozen=True, kw_only=True)
class MonthJob:
    """Arguments of the tasks that reduce the month."""

    at: TileMonth
    composite: str
    missions: MonthMissions
    fusion: bool
    min_native_pixels: int
    optical: tuple[str, ...]
    """Names of the missions that the table has a column of shares for."""
    geometries: NDArray[np.object_]
    """The parcels in the grid's CRS; with fusion their union comes last, so that an overlap counts once."""
    canvas: Canvas

    @property
    def index_names(self) -> list[str]:
        """Indices that any of the missions has, in the table's order."""
        names = {name for opened in self.missions.used for name in opened.names}
        return [name for name in INDICES if name in names]

    @property
    def picture_index(self) -> str | None:
        """The index of the picture: the first that the month's pixels have; None where they have none."""
        names = {name for opened in self.missions.sources for name in opened.names}
        return next((name for name in self.index_names if name in names), None)

    @property
    def rasters(self) -> Group:
        """The stored rasters; each is of the whole month, so the group has no instants."""
        specs = [spec for name in self.index_names for spec in _index_specs(name, self.composite)]
        sources = self.missions.sources
        return Group(
            grid=self.at.grid,
            times_us=(),
            specs=(*specs, N_OBS, *((_source_spec(self.missions.order),) if self.fusion else ())),
            attrs={"mission": sources[0].mission.name if sources else "none", "composite": self.composite},
        )

    def is_large_enough(self, parcel: int, mission: Mission) -> bool:
        """Whether a parcel spans as many of a mission's own pixels as the programme requires of a substitute."""
        return self.at.parcels.area_ha[parcel] * 10_000 / mission.resolution_m**2 >= self.min_native_pixels

    @cached_property
    def takes(self) -> NDArray[np.bool_]:
        """Whether a parcel takes pixels of a source, dims (geometry, source); False if it is too small for a filler."""
        takes = np.ones((len(self.geometries), len(self.missions.sources)), bool)
        for at, filler in enumerate(self.missions.sources[1:], 1):
            large = [self.is_large_enough(parcel, filler.mission) for parcel in range(len(self.at.parcels.area_ha))]
            takes[: len(large), at] = large
        return takes


@dataclass(frozen=True, kw_only=True)
class Fused:
    """One block's part of the coverage of the parcels and, last, their union, by the missions together."""

    given: Coverage
    """Pixels by source: missions stand in the place of observations."""
    looks: tuple[Coverage, ...]
    """Coverage by observation, one entry per source mission."""

    def __add__(self, other: "Fused") -> "Fused":
        looks = tuple(ours + theirs for ours, theirs in zip(self.looks, other.looks, strict=True))
        return Fused(given=self.given + other.given, looks=looks)


@dataclass(frozen=True, kw_only=True)
class BlockResult:
    """One block's contribution to the rasters, the table and the picture."""

    leaves: dict[str, Leaves]
    moments: dict[str, Moments]
    """Moments of the geometries' composite values, by index."""
    fused: Fused | None
    """None without fusion."""
    piece: Piece


def reduce_block(job: MonthJob, rasters: Path, block: Block) -> BlockResult:
    """Composite one block, store it, and sample it at the parcels' pixels."""
    window = block_window(job.at.grid, block)
    arrays = GroupWriter(rasters)
    sources, beside = job.missions.sources, job.missions.beside
    numbers = [opened.number for opened in sources]
    flags = [opened.masked.read(UNCLEAR.name, window)[opened.used] for opened in sources]
    counts = [clear_observations(mission_flags) for mission_flags in flags]
    source = first_seen(counts, numbers)
    leaves = {N_OBS.name: arrays.write(N_OBS.name, window, taken(counts, numbers, source, N_OBS.fill))}
    if job.fusion:
        leaves[SOURCE] = arrays.write(SOURCE, window, source)
    shares = coverage_fractions(job.at.grid, window, job.geometries)
    at = shares.row - window.row, shares.col - window.col
    refused = _refused(job, shares, source[at])
    index_moments: dict[str, Moments] = {}
    pictured = np.full((window.height, window.width), np.nan, np.float32)
    for name in job.index_names:
        radar = beside if beside is not None and name in beside.names else None
        value, std = _fused(job, name, window, source) if radar is None else _composite(radar, name, window, job)
        leaves[name] = arrays.write(name, window, value)
        leaves[f"{name}_std"] = arrays.write(f"{name}_std", window, std)
        sampled = value[at]
        if radar is None:
            sampled[refused] = np.nan
        index_moments[name] = moments(sampled, shares, len(job.geometries))
        if name == job.picture_index:
            pictured = value
    return BlockResult(
        leaves=leaves,
        moments=index_moments,
        fused=_seen(job, flags, source, shares, at) if job.fusion else None,
        piece=job.canvas.piece(pictured, window),
    )


def _composite(opened: Opened, name: str, window: Window, job: MonthJob) -> list[NDArray[np.float32]]:
    """Value and standard deviation over time of one mission's index."""
    value, std, _ = composite(opened.indices.read(name, window)[opened.used], job.composite)
    return [value, std]


def _fused(job: MonthJob, name: str, window: Window, source: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
    """Value and standard deviation over time, each pixel by its mission; NaN where that mission lacks the index."""
    giving = [opened for opened in job.missions.sources if name in opened.names and (source == opened.number).any()]
    numbers = [opened.number for opened in giving]
    if not giving:
        return [np.full(source.shape, np.nan, np.float32)] * 2
    layers = zip(*(_composite(opened, name, window, job) for opened in giving), strict=True)
    return [taken(layer, numbers, source, np.nan) for layer in layers]


def _refused(job: MonthJob, shares: Fractions, source: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Whether each pixel share is of a parcel that takes no pixels of the mission that gave the pixel."""
    refused = np.zeros(len(source), bool)
    for at, opened in enumerate(job.missions.sources):
        refused |= (source == opened.number) & ~job.takes[shares.parcel, at]
    return refused


def _seen(
    job: MonthJob,
    flags: Sequence[NDArray[np.uint16]],
    source: NDArray[np.uint8],
    shares: Fractions,
    at: tuple[NDArray[np.int64], NDArray[np.int64]],
) -> Fused:
    from_each = np.stack([source == opened.number for opened in job.missions.sources])
    given, *looks = (
        parcel_coverage(clear, shares.parcel, *at, shares.fraction, len(job.geometries))
        for clear in (from_each, *(mission_flags == 0 for mission_flags in flags))
    )
    return Fused(given=given, looks=tuple(looks))


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


def _source_spec(order: tuple[Mission, ...]) -> ArraySpec:
    """The array of source missions; a mission has the same number in every month of a programme."""
    return ArraySpec(
        name=SOURCE,
        dtype="uint8",
        fill=NONE,
        timed=False,
        attrs={
            "long_name": "mission that the pixel is from, by its place in the order of substitution",
            "flag_values": list(range(len(order) + 1)),
            "flag_meanings": " ".join(["none", *(mission.name for mission in order)]),
        },
    )
