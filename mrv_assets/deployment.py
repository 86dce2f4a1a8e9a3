"""A programme and its lake, opened: the common entry of `mrv`, the Dagster assets and the tests."""

from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from typing import overload

import geopandas as gpd
import numpy as np

from mrv_assets.errors import BadInputError, NotMaterialized, StaleUpstream
from mrv_assets.lake.store import Lake
from mrv_assets.missions.bandpass import BANDPASSES
from mrv_assets.missions.mission import Mission
from mrv_assets.missions.registry import MISSIONS
from mrv_assets.programme.file import load_program
from mrv_assets.programme.model import Program
from mrv_assets.science.blocks import active_blocks
from mrv_assets.science.grid import tile_grid
from mrv_assets.science.tiles import AssignedParcels, assign_parcels, geom_sha256, project
from mrv_assets.science.zonal import geodesic_area_ha
from mrv_assets.settings import Settings
from mrv_assets.stages.materialize import Materialized
from mrv_assets.stages.mission_plan import GateRules, MissionPlan, SceneSource, Substitution, Treatment
from mrv_assets.stages.month_plan import MonthPlan
from mrv_assets.stages.options import DEFAULT, NotAnswered, RunOptions
from mrv_assets.stages.run import run_stage
from mrv_assets.stages.table import BY_NAME, MISSION_STAGES, STAGES, Stage
from mrv_assets.stages.tile_month import TileMonth, TileParcels


class UnknownPartition(BadInputError):
    """A tile or month is not one of the programme's."""

    def __init__(self, kind: str, value: str, known: tuple[str, ...]) -> None:
        super().__init__(kind, value, known)
        self.kind, self.value, self.known = kind, value, known

    def __str__(self) -> str:
        examples = ", ".join(self.known[:8]) + (", ..." if len(self.known) > 8 else "")
        return (
            f"{self.kind.capitalize()} {self.value!r} is not in this programme. Its {self.kind}s: {examples or 'none'}"
        )


@dataclass(frozen=True, kw_only=True)
class Ran:
    """Result of a run for one asset."""

    asset: str
    outcome: str
    """computed, unchanged, restored or reproduced."""
    audit_hash: str


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """One programme and its lake on this machine."""

    program_path: Path
    lake_path: Path
    workers: int = 1
    dask_address: str | None = field(default=None, repr=False)
    hosts: tuple[str, ...] = ()
    """Hosts that scenes may be read from besides those of a catalogue's preset."""
    buckets: tuple[str, ...] = ()
    """S3 buckets that scenes may be read from besides those of a catalogue's preset."""
    loopback: bool = False
    """Whether this machine itself may be read from over HTTP."""

    @classmethod
    def of(cls, settings: Settings) -> "Deployment":
        """The deployment that settings describe: each field is the setting of its name."""
        return cls(**{stated.name: getattr(settings, stated.name) for stated in fields(cls)})

    @cached_property
    def program(self) -> Program:
        """The programme file.

        Raises:
            ProgramError: With every problem of the file.
        """
        return load_program(self.program_path)

    @cached_property
    def lake(self) -> Lake:
        """The programme's lake; its first record begins it.

        Raises:
            LakeMismatch: When the folder is another programme's.
        """
        return Lake.at(self.lake_path, self.program.program)

    @cached_property
    def assigned(self) -> AssignedParcels:
        """The programme's parcels with the tile that owns each.

        Raises:
            ProgramError: With every problem of the parcels file.
        """
        return assign_parcels(self.parcels, self.program.tiles)

    @cached_property
    def parcels(self) -> gpd.GeoDataFrame:
        """The programme's parcels as their file has them; ``attrs["notes"]`` is what was left out of it.

        Raises:
            ProgramError: With every problem of the parcels file.
        """
        from mrv_assets.programme.parcels import read_parcels

        return read_parcels(self.program.parcels_path)

    @cached_property
    def parcels_of(self) -> dict[str, list[list[str | None]]]:
        """Id, part and geometry digest of each parcel that a tile owns now, by tile: as records state them."""
        found: dict[str, list[list[str | None]]] = {}
        assigned = self.assigned
        for i, tile in enumerate(assigned.tile):
            found.setdefault(tile, []).append(
                [assigned.parcel_id[i], assigned.part[i], geom_sha256(assigned.geometry[i])]
            )
        return found

    @property
    def tiles(self) -> tuple[str, ...]:
        """Tiles that own parcels, sorted."""
        return tuple(sorted(set(self.assigned.tile)))

    @property
    def months(self) -> tuple[str, ...]:
        """Months of the programme's partitions, ``YYYY-MM``."""
        return self.program.partition_months

    @property
    def missions(self) -> tuple[Mission, ...]:
        """The programme's missions in the order of substitution."""
        return tuple(MISSIONS[name] for name in self.program.substitution)

    @overload
    def plan(self, tile: str, month: str, mission: None = None, options: RunOptions = ...) -> MonthPlan: ...

    @overload
    def plan(self, tile: str, month: str, mission: Mission, options: RunOptions = ...) -> MissionPlan: ...

    def plan(
        self, tile: str, month: str, mission: Mission | None = None, options: RunOptions = DEFAULT
    ) -> MissionPlan | MonthPlan:
        """The plan of one mission's assets of a tile and month, or of the products of all missions.

        Args:
            tile: Name of the tile.
            month: The month, ``YYYY-MM``.
            mission: The mission; None for the products.
            options: Options of the run; threads and scheduler are this deployment's.

        Raises:
            UnknownPartition: When the programme has no such tile or month.
        """
        if tile not in self.tiles:
            raise UnknownPartition("tile", tile, self.tiles)
        if month not in self.months:
            raise UnknownPartition("month", month, self.months)
        at = replace(self._at(tile), month=month)
        options = replace(options, workers=self.workers, dask_address=self.dask_address)
        if mission is not None:
            return self._mission_plan(at, mission, options)
        return MonthPlan(
            missions=tuple(self._mission_plan(at, each, options) for each in self.missions),
            composite=self.program.composite,
            min_native_pixels=self.program.min_native_pixels,
            optical=tuple(name for name, known in MISSIONS.items() if not known.radar),
            options=options,
        )

    def _mission_plan(self, at: TileMonth, mission: Mission, options: RunOptions) -> MissionPlan:
        program, stated = self.program, self.program.missions[mission.name]
        return MissionPlan(
            at=at,
            mission=mission,
            source=SceneSource(
                catalogue=program.catalog_at(mission.name),
                collection=stated.collection,
                integrity=stated.integrity,
                offset=stated.offset,
                exclude=tuple((left.item, left.reason) for left in program.exclude),
                hosts=self.hosts,
                buckets=self.buckets,
                loopback=self.loopback,
            ),
            gate=GateRules(
                min_coverage=program.gate.min_coverage,
                cloud_probability=program.gate.cloud_probability,
                dilation_px=program.gate.dilation_px,
                min_scene_clear=program.gate.min_scene_clear,
            ),
            treatment=Treatment(
                snow_is_clear=program.snow_is_clear,
                bandpass=BANDPASSES.get(program.bandpass),
                speckle=program.speckle,
                orbit_direction=program.orbit_direction,
            ),
            substitution=Substitution(order=program.substitution, allow_sar=program.allow_sar, fusion=program.fusion),
            reviewers=program.the_reviewers,
            options=options,
        )

    def _at(self, tile: str) -> TileMonth:
        """A tile with its first month: everything of it but the month is worked out once."""
        if tile not in self._tiles:
            grid = tile_grid(tile, self.program.grid.resolution_m)
            parcels = self._parcels(tile, grid.crs)
            active = active_blocks(grid, parcels.projected)
            self._tiles[tile] = TileMonth(tile=tile, month=self.months[0], grid=grid, parcels=parcels, active=active)
        return self._tiles[tile]

    @cached_property
    def _tiles(self) -> dict[str, TileMonth]:
        return {}

    def _parcels(self, tile: str, crs: str) -> TileParcels:
        owned = [i for i, owner in enumerate(self.assigned.tile) if owner == tile]
        lonlat = self.assigned.geometry[owned]
        return TileParcels(
            parcel_id=tuple(self.assigned.parcel_id[i] for i in owned),
            part=tuple(self.assigned.part[i] for i in owned),
            geom_sha256=tuple(geom_sha256(geometry) for geometry in lonlat),
            area_ha=tuple(float(area) for area in geodesic_area_ha(lonlat)),
            lonlat=lonlat,
            projected=np.asarray(project(lonlat, crs), dtype=object),
        )

    def materialize(self, stage: str, plan: MissionPlan | MonthPlan) -> Materialized:
        """Run a stage on this lake by its name, without Dagster: see :func:`mrv_assets.stages.run.run_stage`."""
        return run_stage(self.lake, BY_NAME[stage], plan)

    def steps(
        self, tile: str, month: str, options: RunOptions = DEFAULT
    ) -> Iterator[tuple[Stage, MissionPlan | MonthPlan]]:
        """Every stage that a tile and month goes through, upstream first, with its plan."""
        for mission in self.missions:
            plan = self.plan(tile, month, mission, options)
            yield from ((stage, plan) for stage in MISSION_STAGES)
        products = self.plan(tile, month, None, options)
        yield from ((stage, products) for stage in STAGES if not stage.of_mission)

    def run(
        self, tile: str, month: str, *, force: bool = False, known_only: bool = False
    ) -> Iterator[tuple[str, Materialized]]:
        """Run every stage of a tile and month in order, without Dagster; yields each asset's path as it is done.

        Raises:
            NotAnswered: With ``known_only``, for the first asset that would have to be computed.
        """
        for stage, plan in self.steps(tile, month, RunOptions(force=force, known_only=known_only)):
            yield plan.asset(stage.name), run_stage(self.lake, stage, plan)

    def current_hashes(self, tile: str, month: str) -> dict[str, str] | None:
        """Audit hash of each asset of a tile and month; None when any would have to be computed. Writes nothing."""
        try:
            materialized = dict(self.run(tile, month, known_only=True))
        except (NotAnswered, NotMaterialized, StaleUpstream):
            return None
        return {asset: done.audit_hash for asset, done in materialized.items()}
