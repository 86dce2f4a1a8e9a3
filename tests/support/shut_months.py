"""Builders of a month that the gate rejected beside one that it passed, and of attempts to get its values out."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from block_scenes import CLOUD, CORNER, PLAIN, TILE, Box, SceneSpec, a_programme_of, publish, shaded
from demo_lake import Json, evidence, rows, run_months
from stage_names import PRODUCT, STAGES

from mrv_assets.audit.record import Partition, Record
from mrv_assets.deployment import Deployment
from mrv_assets.reports.verify import answer as verify
from mrv_assets.verify.verification import Options

SHUT, OPEN = "2018-07", "2018-08"
"""Half of its parcels' area is under cloud, and the gate rejected it; a clear sky, and the gate passed it."""
MISSION_ASSETS = tuple(f"sentinel2/{stage}" for stage in STAGES)
GATED = MISSION_ASSETS[-1]

SEEN = Box(row=CORNER + 20, col=CORNER + 20, height=60, width=60)
PARCELS = {
    "clear": Box(row=CORNER + 30, col=CORNER + 30, height=10, width=20),
    "hidden": Box(row=CORNER + 50, col=CORNER + 30, height=10, width=20),
}
CLOUDED = shaded(SEEN, (PARCELS["hidden"], CLOUD))
IN_SHUT = SceneSpec(id="shut", when=f"{SHUT}-10T09:30:00Z", box=SEEN, scl=CLOUDED)
IN_OPEN = SceneSpec(id="open", when=f"{OPEN}-10T09:30:00Z", box=SEEN, dn={"nir": PLAIN["nir"] - 1000})


def shut_and_open(folder: Path, *scenes: SceneSpec, run: Sequence[str] = (SHUT, OPEN)) -> Deployment:
    """A programme of both months, run; with other scenes where they are given.

    Args:
        folder: Where to.
        scenes: Those published, instead of the usual.
        run: Which of its months are run.
    """
    deployment = a_programme_of(folder, scenes or (IN_SHUT, IN_OPEN), PARCELS)
    edited(deployment, months={"start": SHUT, "end": OPEN})
    run_months(deployment, run)
    return replace(deployment)


def a_copy(of: Deployment, folder: Path) -> Deployment:
    """The same in another folder, to be changed."""
    shutil.copytree(of.program_path.parent, folder)
    return replace(of, program_path=folder / "program.yaml", lake_path=folder / "lake")


def edited(deployment: Deployment, **fields: Any) -> Deployment:
    """The same lake under a programme with other fields; of ``gate`` only what is named."""
    document = yaml.safe_load(deployment.program_path.read_text())
    gate = {**document["gate"], **fields.pop("gate", {})}
    deployment.program_path.write_text(yaml.safe_dump({**document, **fields, "gate": gate}))
    return replace(deployment)


def republished(deployment: Deployment, *scenes: SceneSpec) -> Deployment:
    """Let the catalogue offer other scenes from now on."""
    shutil.rmtree(deployment.program_path.parent / "catalogue")
    publish(deployment.program_path.parent / "catalogue", scenes)
    return replace(deployment)


def materialized(deployment: Deployment, *assets: str, month: str = SHUT, **changed: Any) -> None:
    """Materialize some assets of a month, each alone and by hand, without Dagster.

    Args:
        place: The programme and its lake.
        assets: Which.
        month: Of which month.
        changed: Fields of the plan instead of the programme's.
    """
    fresh = replace(deployment)
    missions = {mission.name: mission for mission in fresh.missions}
    for asset in assets:
        mission, _, stage = asset.rpartition("/")
        plan = replace(fresh.plan(TILE, month, missions.get(mission)), **changed)
        fresh.materialize(stage, plan)


def current(deployment: Deployment, asset: str, month: str = SHUT) -> Record:
    """The current record of an asset's month."""
    return deployment.lake.current(Partition(asset, TILE, month))


def values(deployment: Deployment, month: str = SHUT) -> dict[str, float]:
    """Every value that monthly_proxies has of a month, by parcel and column; none where no value got in."""
    return {
        f"{parcel} {name}": row[name]
        for parcel, row in rows(deployment, month).items()
        for name in row
        if name.endswith(("_mean", "_std", "_valid_area_ha")) and row[name] is not None
    }


def folder_of(deployment: Deployment, asset: str, month: str = SHUT) -> Path:
    """The folder of an asset's month in the lake."""
    return deployment.lake.slot(Partition(asset, TILE, month)).folder


def without_product(deployment: Deployment, month: str = SHUT) -> Deployment:
    """The lake without monthly_proxies of a month, so that whoever materializes them computes them."""
    shutil.rmtree(folder_of(deployment, PRODUCT, month))
    return deployment


@contextmanager
def leaves_nothing(deployment: Deployment) -> Iterator[None]:
    """What happens within leaves the lake as it was: no record, head or data, nothing half-written."""
    before = evidence(deployment.lake_path)
    yield
    assert evidence(deployment.lake_path) == before
    staging = deployment.lake_path / ".staging"
    assert not (staging.exists() and any(staging.iterdir()))


@contextmanager
def refused(deployment: Deployment, error: type[Exception], says: str) -> Iterator[None]:
    """What happens within ends with an error that says what is wrong, and leaves nothing."""
    with leaves_nothing(deployment), pytest.raises(error, match=says):
        yield


def verified(deployment: Deployment, *, again: bool = False, **wanted: str) -> Json:
    """What `mrv verify` answers."""
    found: Json = verify(deployment.lake_path, Options(**wanted), again=again, progress=lambda *_: None)
    return found


def checks(deployment: Deployment) -> set[str]:
    """By which checks `mrv verify` finds something."""
    return {finding["check"] for finding in verified(deployment)["findings"]}


def compared(deployment: Deployment, month: str = SHUT) -> dict[str, str]:
    """What `mrv verify --rerun` says of each asset of a month."""
    return {one["asset"]: one["answer"] for one in verified(deployment, again=True, month=month)["rerun"]}
