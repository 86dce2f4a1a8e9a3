"""Where a programme meets its lake: what `mrv`, the Dagster assets and the tests all work through."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

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
from mrv_assets.stages.materialize import Materialized
from mrv_assets.stages.plan import GateRules, NotAnswered, Plan, SceneSource, TileParcels, Treatment

if TYPE_CHECKING:
    from mrv_assets.stac.source import Published

STAGES = ("raw_tiles", "aligned_tiles", "masked_tiles", "indices", "gated_tiles")
"""A mission's assets, upstream first."""
PRODUCT = "monthly_proxies"


class UnknownPartition(BadInputError):
    """A tile or month is not one of the programme's."""

    def __init__(self, kind: str, value: str, known: tuple[str, ...]) -> None:
        super().__init__(kind, value, known)
        self.kind, self.value, self.known = kind, value, known

    def __str__(self) -> str:
        shown = ", ".join(self.known[:8]) + (", ..." if len(self.known) > 8 else "")
        return f"{self.kind.capitalize()} {self.value!r} is not in this programme. Its {self.kind}s: {shown or 'none'}"


@dataclass(frozen=True, kw_only=True)
class Ran:
    """What a run did for one asset."""

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
    """Buckets of S3 that they may be read from besides."""
    loopback: bool = False
    """Whether this machine itself may be read from over HTTP."""

    @cached_property
    def program(self) -> Program:
        """The programme file.

        Raises:
            ProgramError: With every problem of the file.
        """
        return load_program(self.program_path)

    @cached_property
    def lake(self) -> Lake:
        """The programme's lake; begun by its first record.

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
        from mrv_assets.programme.parcels import read_parcels

        return assign_parcels(read_parcels(self.program.parcels_path), self.program.tiles)

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

    def plan(
        self,
        tile: str,
        month: str,
        mission: Mission | None = None,
        *,
        force: bool = False,
        dagster_run_id: str | None = None,
    ) -> Plan:
        """The plan of one tile and month.

        Raises:
            UnknownPartition: When the programme has no such tile or month.
        """
        if tile not in self.tiles:
            raise UnknownPartition("tile", tile, self.tiles)
        if month not in self.months:
            raise UnknownPartition("month", month, self.months)
        program = self.program
        grid = tile_grid(tile, program.grid.resolution_m)
        parcels = self._parcels(tile, grid.crs)
        source = None
        if mission is not None:
            stated = program.missions[mission.name]
            source = SceneSource(
                catalogue=program.catalog_at(mission.name),
                collection=stated.collection,
                integrity=stated.integrity,
                hosts=self.hosts,
                buckets=self.buckets,
                loopback=self.loopback,
            )
        return Plan(
            tile=tile,
            month=month,
            grid=grid,
            parcels=parcels,
            active=active_blocks(grid, parcels.projected),
            mission=mission,
            source=source,
            gate=GateRules(
                min_coverage=program.gate.min_coverage,
                cloud_probability=program.gate.cloud_probability,
                dilation_px=program.gate.dilation_px,
                min_scene_clear=program.gate.min_scene_clear,
            ),
            composite=program.composite,
            substitution=program.substitution,
            allow_sar=program.allow_sar,
            min_native_pixels=program.min_native_pixels,
            fusion=program.fusion,
            treatment=Treatment(
                snow_is_clear=program.snow_is_clear,
                bandpass=BANDPASSES.get(program.bandpass),
                speckle=program.speckle,
                orbit_direction=program.orbit_direction,
            ),
            reviewers=program.the_reviewers,
            workers=self.workers,
            dask_address=self.dask_address,
            force=force,
            dagster_run_id=dagster_run_id,
        )

    def _parcels(self, tile: str, crs: str) -> TileParcels:
        mine = [i for i, owner in enumerate(self.assigned.tile) if owner == tile]
        lonlat = self.assigned.geometry[mine]
        return TileParcels(
            parcel_id=tuple(self.assigned.parcel_id[i] for i in mine),
            part=tuple(self.assigned.part[i] for i in mine),
            geom_sha256=tuple(geom_sha256(geometry) for geometry in lonlat),
            area_ha=tuple(float(area) for area in geodesic_area_ha(lonlat)),
            lonlat=lonlat,
            projected=np.asarray(project(lonlat, crs), dtype=object),
        )

    def materialize(self, stage: str, plan: Plan) -> Materialized:
        """Run one stage, without Dagster: see :func:`run_stage`."""
        return run_stage(self.lake, stage, plan, self.missions)

    def run(self, tile: str, month: str, *, force: bool = False) -> Iterator[tuple[str, Materialized]]:
        """Run every stage of a tile and month in order, without Dagster; yields each as it is done."""
        for mission in self.missions:
            plan = self.plan(tile, month, mission, force=force)
            for stage in STAGES:
                yield f"{mission.name}/{stage}", self.materialize(stage, plan)
        yield PRODUCT, self.materialize(PRODUCT, self.plan(tile, month, force=force))

    def current_hashes(self, tile: str, month: str) -> dict[str, str] | None:
        """Audit hash of each asset of a tile and month; None when any would have to be computed. Writes nothing."""
        found: dict[str, str] = {}
        try:
            for mission in self.missions:
                plan = replace(self.plan(tile, month, mission), known_only=True)
                found |= {f"{mission.name}/{stage}": self.materialize(stage, plan).audit_hash for stage in STAGES}
            plan = replace(self.plan(tile, month), known_only=True)
            found[PRODUCT] = self.materialize(PRODUCT, plan).audit_hash
        except (NotAnswered, NotMaterialized, StaleUpstream):
            return None
        return found


def run_stage(lake: Lake, stage: str, plan: Plan, missions: tuple[Mission, ...]) -> Materialized:
    """Run one stage on a lake.

    Args:
        lake: Where its upstream is, and where it goes.
        stage: One of a mission's assets, or ``monthly_proxies``.
        plan: Names the mission for a mission's asset.
        missions: The programme's missions in the order of substitution, for ``monthly_proxies``.
    """
    if stage in STAGES:
        from mrv_assets.stages.not_evaluated import not_evaluated

        before = STAGES[: STAGES.index(stage)][-1:]
        if (done := not_evaluated(lake, plan, stage, before[0] if before else None)) is not None:
            return done
    # Each stage brings its kernels; Dagster's definitions, which import this module's callers, need none.
    match stage:
        case "raw_tiles":
            from mrv_assets.stac.open import resumed
            from mrv_assets.stages.raw_tiles import raw_tiles

            # What a killed run had read is not read again; once the record is there, it is not needed.
            unfinished = lake.unfinished(plan.partition(plan.asset(stage)))
            with resumed(published_of(plan), unfinished) as published:
                return raw_tiles(lake, plan, published)
        case "aligned_tiles":
            from mrv_assets.stages.aligned_tiles import aligned_tiles

            return aligned_tiles(lake, plan)
        case "masked_tiles":
            from mrv_assets.stages.masked_tiles import masked_tiles

            return masked_tiles(lake, plan)
        case "indices":
            from mrv_assets.stages.indices import indices

            return indices(lake, plan)
        case "gated_tiles":
            from mrv_assets.stages.gated_tiles import gated_tiles
            from mrv_assets.stages.manual_decisions import with_manual_decisions

            return with_manual_decisions(lake, plan, gated_tiles(lake, plan))
        case "monthly_proxies":
            from mrv_assets.stages.monthly_proxies import monthly_proxies

            return monthly_proxies(lake, plan, missions)
        case _:
            raise ValueError(f"{stage!r} is no stage")


def published_of(plan: Plan) -> "Published":
    """Where the scenes of a mission's plan are published, opened.

    Raises:
        CatalogueError: When the catalogue cannot be used.
    """
    from mrv_assets.stac.open import opened

    if plan.source is None:
        raise ValueError("this plan does not name where scenes are published")
    source = plan.source
    return opened(source.catalogue, hosts=source.hosts, buckets=source.buckets, loopback=source.loopback)
