"""The plan of one tile-month: every parameter a stage may use, as plain values."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from mrv_assets.audit.canonical import Json
from mrv_assets.audit.manual_decisions import Reviewer
from mrv_assets.audit.record import Partition
from mrv_assets.missions.bandpass import Bandpass
from mrv_assets.missions.mission import Mission
from mrv_assets.science.blocks import BLOCK, Block
from mrv_assets.science.grid import Grid


@dataclass(frozen=True, kw_only=True)
class TileParcels:
    """The parcels a tile owns, in order of their id; arrays run parallel."""

    parcel_id: tuple[str, ...]
    part: tuple[str | None, ...]
    """The tile, for the piece of a parcel too large for one tile; None when whole."""
    geom_sha256: tuple[str, ...]
    area_ha: tuple[float, ...]
    """Geodesic area on WGS84, hectares."""
    lonlat: NDArray[np.object_]
    """Polygons in longitude and latitude, WGS84 degrees."""
    projected: NDArray[np.object_]
    """The same polygons in the CRS of the tile's analysis grid."""

    @property
    def identity(self) -> list[list[str | None]]:
        """What a record says of them: id, part and geometry digest."""
        return [[i, p, g] for i, p, g in zip(self.parcel_id, self.part, self.geom_sha256, strict=True)]


@dataclass(frozen=True, kw_only=True)
class GateRules:
    """What the gate measures against; fractions in [0, 1]."""

    min_coverage: float
    cloud_probability: float
    dilation_px: int
    min_scene_clear: float


@dataclass(frozen=True, kw_only=True)
class Treatment:
    """What the programme has done to pixels; what a mission has no use for changes no value of it."""

    snow_is_clear: bool = False
    """Whether snow counts as ground that was seen."""
    bandpass: Bandpass | None = None
    """What the reflectance of one mission is adjusted by before indices."""
    speckle: str = "lee7"
    """Which filter radar's power goes through before indices; ``none`` for none."""
    orbit_direction: str = "descending"
    """From which side radar looks: ``ascending`` or ``descending``."""


@dataclass(frozen=True, kw_only=True)
class SceneSource:
    """Where a mission's scenes are published."""

    catalogue: str
    """A preset's name, the address of a STAC API, or the absolute path of a static catalogue on disk."""
    collection: str
    integrity: str = "ranges"
    """``full``: every file is read whole and compared with its published checksum; else what is needed is read."""
    hosts: tuple[str, ...] = ()
    """Hosts that may be read from besides the preset's."""
    buckets: tuple[str, ...] = ()
    """Buckets of S3 that may be read from besides the preset's."""
    loopback: bool = False
    """Whether this machine may be read from over HTTP."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One tile and month of a programme, for one mission or for the products of all."""

    tile: str
    month: str
    grid: Grid
    parcels: TileParcels
    active: tuple[Block, ...]
    """Blocks that touch a parcel, sorted."""
    mission: Mission | None
    source: SceneSource | None
    gate: GateRules
    composite: str
    substitution: tuple[str, ...]
    """Missions in the order they stand in for one another."""
    allow_sar: bool
    """Whether a radar may stand in for optical missions."""
    min_native_pixels: int
    """A parcel with fewer native pixels of a substitute than this gets no value from it."""
    fusion: bool = False
    """Whether gaps of the month's mission are filled from those behind it, and a radar's indices stand beside."""
    treatment: Treatment = Treatment()
    reviewers: tuple[Reviewer, ...] = ()
    """Who may approve what the gate rejected; a record states those of them that it counted."""
    workers: int = 1
    """Blocks worked on at once; no part of any identity."""
    dask_address: str | None = None
    """Scheduler of a distributed cluster that does the block tasks; None: threads of this process."""
    force: bool = False
    """Compute even what is known."""
    known_only: bool = False
    """Raise :class:`NotAnswered` rather than compute."""
    dagster_run_id: str | None = None

    def manifest(self, **parameters: object) -> Json:
        """The parameter manifest of a stage: where, on which grid, in which blocks, and its own parameters."""
        return {
            "crs": self.grid.crs,
            "resolution_m": self.grid.dx,
            "grid": [self.grid.x0, self.grid.y0, self.grid.width, self.grid.height],
            "block_px": BLOCK,
            "active_blocks": [[block.row, block.col] for block in self.active],
            **parameters,
        }

    @property
    def mask_rules(self) -> Json:
        """What the programme says that masks are made by: they record it, and whoever reads them asks for it."""
        return {
            "cloud_probability": self.gate.cloud_probability,
            "dilation_px": self.gate.dilation_px,
            "snow_is_clear": self.treatment.snow_is_clear,
        }

    @property
    def decision_rules(self) -> Json:
        """What a decision is made by and for: gated_tiles record it, and whoever reads them asks for it.

        Under other rules, or for other parcels, a decision decides nothing.
        """
        return {
            "gate": asdict(self.gate),
            "snow_is_clear": self.treatment.snow_is_clear,
            "parcels": self.parcels.identity,
        }

    @property
    def substitution_rules(self) -> Json:
        """Who stands in for whom: what says that a mission is not needed records it, and whoever reads that asks."""
        return {"allow_sar": self.allow_sar, "fusion": self.fusion, "substitution": list(self.substitution)}

    def forbids(self, mission: Mission) -> bool:
        """Whether a mission is a radar that would stand in for others without the programme's leave.

        With fusion none would: its indices stand beside those of the others, and that needs no leave.
        """
        stands_in = mission.name != self.substitution[0] and not self.fusion
        return stands_in and mission.radar and not self.allow_sar

    def asset(self, name: str) -> str:
        """The asset path of a stage of this plan's mission."""
        return f"{self.the_mission.name}/{name}"

    def partition(self, asset: str) -> Partition:
        """The partition of an asset for this plan's tile and month."""
        return Partition(asset, self.tile, self.month)

    @property
    def earlier_missions(self) -> tuple[str, ...]:
        """The missions that this plan's mission stands in for, in their order."""
        return self.substitution[: self.substitution.index(self.the_mission.name)]

    @property
    def bandpass(self) -> Bandpass | None:
        """What this plan's mission's reflectance is adjusted by; None where it is not."""
        found = self.treatment.bandpass
        return found if found is not None and found.mission == self.the_mission.name else None

    @property
    def the_mission(self) -> Mission:
        """The mission of a mission's stage."""
        if self.mission is None:
            raise ValueError("this stage works on one mission; the plan names none")
        return self.mission


class NotAnswered(Exception):
    """A request is not answered by the partition's current record; raised only where that is what was asked."""

    def __init__(self, asset: str, because: tuple[str, ...]) -> None:
        super().__init__(asset, because)
        self.asset = asset
        self.because = because
        """Parts of the request that differ from the current record's; none where there is no record."""


def month_bounds(month: str) -> tuple[str, str]:
    """First instant of a UTC month and of the next, ISO 8601: the half-open interval of its scenes."""
    year, number = (int(part) for part in month.split("-"))
    following = (year + 1, 1) if number == 12 else (year, number + 1)
    return f"{month}-01T00:00:00Z", f"{following[0]:04d}-{following[1]:02d}-01T00:00:00Z"


def lonlat_bounds(geometries: Sequence[object] | NDArray[np.object_]) -> tuple[float, float, float, float]:
    """West, south, east, north of polygons in degrees."""
    import shapely

    west, south, east, north = shapely.total_bounds(np.asarray(geometries, dtype=object))
    return float(west), float(south), float(east), float(north)
