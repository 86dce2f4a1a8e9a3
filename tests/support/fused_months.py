"""Builders of months that several missions see parts of, and what is stored of them, read without the stages."""

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml
import zarr
from demo_lake import a_deployment, a_program, run_months
from numpy.typing import NDArray
from once import Once
from simulated_patches import COLLECTIONS, TILE, a_patch, asking

from mrv_assets.audit.record import Partition, Record
from mrv_assets.deployment import Deployment
from mrv_assets.formats.artifacts import decision_of
from mrv_assets.science.grid import Window
from mrv_assets.simulated.archive import Archive, Landsat, Sentinel1, Sentinel2
from mrv_assets.simulated.publish import simulate
from mrv_assets.stages.table import PRODUCT

Json = dict[str, Any]

PARTLY, ALONE, SECOND, DARK = "2023-06", "2023-07", "2023-08", "2023-09"
"""Both optical missions see a part; Landsat hardly anything; Sentinel-2 nothing; none but the radar anything."""
MONTHS = (PARTLY, ALONE, SECOND, DARK)
ORDER = ("sentinel2", "landsat", "sentinel1")
MIN_COVERAGE = 0.3
GROUND = Window(4970, 5200, 256, 256)
"""In two blocks, one above the other."""
OBSERVERS = (
    Sentinel2(every_days=28, clouds={PARTLY: 0.5, ALONE: 0.4, SECOND: 1.0, DARK: 1.0}),
    Landsat(every_days=16, clouds={PARTLY: 0.5, ALONE: 0.95, SECOND: 0.2, DARK: 1.0}),
    Sentinel1(every_days=12),
)


@dataclass(frozen=True, kw_only=True)
class Scenes:
    """A simulated archive that was published."""

    catalogue: Path
    archive: Archive
    parcels: Json


def some_scenes(folder: Path, months: tuple[str, ...], **changed: Any) -> Scenes:
    """Months of three missions over four parcels of forest."""
    scenes = _unpublished(folder, months, **changed)
    simulate(folder, scenes.archive)
    return scenes


def _unpublished(folder: Path, months: tuple[str, ...], **changed: Any) -> Scenes:
    archive, parcels = asking(a_patch(months=months, window=GROUND, **{"observers": OBSERVERS, **changed}))
    return Scenes(catalogue=folder, archive=archive, parcels=parcels)


def the_scenes(once: Once) -> Scenes:
    """All four months, published once a session."""
    catalogue = once("fused-scenes", lambda folder: some_scenes(folder / "catalogue", MONTHS)) / "catalogue"
    return _unpublished(catalogue, MONTHS)


def the_months(once: Once) -> Deployment:
    """All four months after all stages, with fusion, run once a session; to be copied by who changes them."""

    def run(folder: Path) -> None:
        run_months(a_programme(folder / "programme", the_scenes(once)), MONTHS)

    return a_deployment(once("fused", run) / "programme" / "program.yaml")


def a_programme(folder: Path, scenes: Scenes, order: tuple[str, ...] = ORDER, **changed: Any) -> Deployment:
    """A programme of some of the missions, with fusion where nothing else is said."""
    program = a_program(
        folder,
        parcels=scenes.parcels,
        missions={name: {"catalog": str(scenes.catalogue), "collection": COLLECTIONS[name]} for name in order},
        substitution=list(order),
        months={"start": min(scenes.archive.months), "end": max(scenes.archive.months)},
        **{"fusion": True, "gate": {"min_coverage": MIN_COVERAGE}, **changed},
    )
    return a_deployment(program)


def a_changed(deployment: Deployment, folder: Path, **fields: Any) -> Deployment:
    """A copy of a programme and its lake, under other fields."""
    shutil.copytree(deployment.program_path.parent, folder)
    path = folder / deployment.program_path.name
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), **fields}))
    return replace(deployment, program_path=path, lake_path=folder / deployment.lake_path.name)


def product(deployment: Deployment, month: str) -> Record:
    """The month's product, materialized alone."""
    return deployment.materialize(PRODUCT, deployment.plan(TILE, month)).record


def statuses(deployment: Deployment, month: str) -> list[str]:
    """The gate's current decision on each mission."""
    gated = [
        deployment.lake.current(Partition(f"{mission.name}/gated_tiles", TILE, month))
        for mission in deployment.missions
    ]
    return [decision_of(record)["status"] for record in gated]


@dataclass(frozen=True, kw_only=True)
class Stored:
    """What the lake holds of one mission's month, or of the product, as plain arrays over one window."""

    data: Path
    window: tuple[slice, slice]

    def read(self, name: str) -> NDArray[Any]:
        """Stored values."""
        array = zarr.open_group(self.data, mode="r")[name]
        assert isinstance(array, zarr.Array)
        return np.asarray(array[(..., *self.window)])


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A mission's month: what its observations that count saw, and what they measured."""

    clear: NDArray[np.bool_]
    """Dims (time, y, x)."""
    times_us: list[int]
    indices: Stored
    used: list[int]

    @property
    def counts(self) -> NDArray[np.int64]:
        """Clear observations, dims (y, x)."""
        return self.clear.sum(axis=0)

    def mean(self, name: str) -> NDArray[np.float32]:
        """The month's mean of an index, by whole numbers; NaN where there is none."""
        values = self.indices.read(name)[self.used].astype(np.int64)
        valid = values != -32768
        count, total = valid.sum(axis=0), np.where(valid, values, 0).sum(axis=0)
        mean = np.full(count.shape, np.nan)
        np.divide(total, count, out=mean, where=count > 0)
        return np.where(count > 0, mean * 1e-4, np.nan).astype(np.float32)


def seen_by(deployment: Deployment, mission: str, month: str, window: tuple[slice, slice]) -> Seen:
    """What the lake holds of a mission's month."""
    current = {
        stage: deployment.lake.current(Partition(f"{mission}/{stage}", TILE, month))
        for stage in ("masked_tiles", "indices")
    }
    observations = decision_of(deployment.lake.current(Partition(f"{mission}/gated_tiles", TILE, month)))[
        "observations"
    ]
    used = [step for step, one in enumerate(observations) if one["used"]]
    flags = Stored(data=current["masked_tiles"].data, window=window).read("unclear_flags")[used]
    return Seen(
        clear=flags == 0,
        times_us=[observations[step]["time_us"] for step in used],
        indices=Stored(data=current["indices"].data, window=window),
        used=used,
    )
