"""Builders of months that the gate rejects and reviewers decide on: one small block, reviewers with keys."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from block_scenes import CLOUD, CORNER, MONTH, TILE, Box, SceneSpec, a_programme_of, shaded
from demo_lake import a_deployment
from once import Once
from stage_names import PRODUCT, STAGES

from mrv_assets.audit.record import Partition, Record
from mrv_assets.deployment import Deployment
from mrv_assets.review.decide import Recorded, Verdict, decide_signed, follows
from mrv_assets.review.keys import new_key, programme_lines

NEXT = "2018-08"
GATED = "sentinel2/gated_tiles"
SEEN = Box(row=CORNER + 20, col=CORNER + 20, height=60, width=60)
"""Where scenes lie: in one block."""
PARCELS = {
    "half": Box(row=CORNER + 30, col=CORNER + 30, height=10, width=20),
    "hidden": Box(row=CORNER + 50, col=CORNER + 30, height=10, width=20),
}
"""Half under cloud, and wholly: a quarter of the area is seen."""
_CLOUDS = [(Box(row=CORNER + 30, col=CORNER + 40, height=10, width=10), CLOUD), (PARCELS["hidden"], CLOUD)]
PEOPLE = {"Ana Pop": "lead reviewer", "Dan Ilie": "reviewer", "Eva Rus": "reviewer"}


@dataclass(frozen=True, kw_only=True)
class Rejected:
    """A programme whose months the gate rejects."""

    folder: Path

    @property
    def deployment(self) -> Deployment:
        """The programme and its lake."""
        return a_deployment(self.folder / "program.yaml")

    def key(self, name: str) -> Path:
        """The file of somebody's private key."""
        return self.folder / f"{name}.pem"

    def gated(self, month: str = MONTH) -> Record:
        """The current decision on a month."""
        return self.deployment.lake.current(Partition(GATED, TILE, month))

    def decisions(self, month: str = MONTH) -> Path:
        """The folder of the decisions on a month."""
        return self.deployment.lake.slot(Partition(GATED, TILE, month)).folder / "decisions"

    def environment(self) -> dict[str, str]:
        """What makes the `mrv` command work here."""
        return {"MRV_PROGRAM": str(self.deployment.program_path), "MRV_LAKE": str(self.deployment.lake_path)}

    def change(self, **fields: Any) -> None:
        """Write fields of the programme anew."""
        path = self.deployment.program_path
        path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), **fields}))


def months_to_reject(folder: Path, months: Sequence[str] = (MONTH,), **changed: Any) -> Rejected:
    """Months of which a quarter was seen, not yet materialized, in a programme that knows three reviewers."""
    scenes = [
        SceneSpec(id=f"{month}-10", when=f"{month}-10T09:30:00Z", box=SEEN, scl=shaded(SEEN, *_CLOUDS))
        for month in months
    ]
    a_programme_of(folder, scenes, PARCELS, **changed)
    made = Rejected(folder=folder)
    reviewers = [
        reviewer
        for name, role in PEOPLE.items()
        for reviewer in yaml.safe_load(programme_lines(new_key(made.key(name), name, role)))["reviewers"]
    ]
    made.change(reviewers=reviewers, months={"start": months[0], "end": months[-1]})
    return made


def rejected_months(folder: Path, months: Sequence[str] = (MONTH,), **changed: Any) -> Rejected:
    """The same, and the gate has rejected them."""
    made = months_to_reject(folder, months, **changed)
    for month in months:
        for _ in made.deployment.run(TILE, month):
            pass
    assert made.deployment.lake_path.is_dir()
    return made


def two_rejected_months(once: Once) -> Rejected:
    """Two of them, on which nobody has decided; to be copied."""
    return Rejected(folder=once("rejected", lambda folder: rejected_months(folder, (MONTH, NEXT))))


def a_copy(of: Rejected, folder: Path) -> Rejected:
    """The same in another folder, to be changed."""
    shutil.copytree(of.folder, folder)
    return Rejected(folder=folder)


def decided(of: Rejected, name: str, verdict: str = "approve", month: str = MONTH, **wanted: Any) -> Recorded:
    """Let a reviewer decide on a month, and materialize what follows, without Dagster."""
    asked = {"mission": None, "reason": "The quarter that was seen is typical.", **wanted}
    recorded = decide_signed(of.deployment, Verdict(tile=TILE, month=month, verdict=verdict, **asked), of.key(name))
    again(of, month, follows(of.deployment, recorded))
    return recorded


def again(of: Rejected, month: str = MONTH, assets: Sequence[str] = (GATED, PRODUCT)) -> None:
    """Materialize some assets of a month."""
    missions = {mission.name: mission for mission in of.deployment.missions}
    for asset in assets:
        mission, _, stage = asset.rpartition("/")
        assert stage in (*STAGES, PRODUCT)
        of.deployment.materialize(stage, of.deployment.plan(TILE, month, missions.get(mission)))
