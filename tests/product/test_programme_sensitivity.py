"""Sensitivity: each field of a programme moves the records that rest on it, and no others."""

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from block_scenes import TILE
from demo_lake import a_deployment, run_months
from reviewing import PEOPLE
from stage_names import PRODUCT, STAGES
from standing_in import ASSETS, ORDER, months_of

from mrv_assets.audit.record import Partition
from mrv_assets.deployment import Deployment
from mrv_assets.formats.artifacts import decision_of
from mrv_assets.programme.model import Program
from mrv_assets.review.keys import new_key, programme_lines
from mrv_assets.verify.present import stale_months

CLEAR, DARK = "2018-07", "2018-08"
CHOSEN = {CLEAR: "sentinel2", DARK: "sentinel1"}
"""In July the others are not needed; in August a radar stands in for both, which were looked at."""

Hashes = dict[str, dict[str, str]]
"""By month and asset."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Deployment, Hashes]:
    """Both months, materialized."""
    deployment = months_of(tmp_path_factory.mktemp("made") / "programme", CHOSEN)
    return deployment, hashes(deployment)


def hashes(deployment: Deployment) -> Hashes:
    """The audit hash of each month's assets, after all stages."""
    return {
        month: {asset: one.audit_hash for asset, one in done.items()}
        for month, done in run_months(deployment, list(CHOSEN)).items()
    }


def from_stage(first: str, *missions: str) -> tuple[str, ...]:
    """The assets of some missions from a stage on, and the product."""
    stages = STAGES[STAGES.index(first) :]
    return (*(f"{mission}/{stage}" for mission in missions for stage in stages), PRODUCT)


NOT_NEEDED = from_stage("raw_tiles", "landsat", "sentinel1")
"""What says, in July, that another mission's gate is open: it names that gate's record."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """Another value of some field, and what it moves."""

    fields: dict[str, Any] = field(default_factory=dict)
    clear: tuple[str, ...] = ()
    """Assets whose audit hash is another in July."""
    dark: tuple[str, ...] = ()
    """And in August."""


CHANGES = {
    "bandpass": Change(
        fields={"bandpass": "hls-s2a"},
        clear=(*from_stage("indices", "sentinel2"), *NOT_NEEDED),
        dark=from_stage("indices", "sentinel2"),
    ),
    "speckle": Change(fields={"speckle": "none"}, dark=from_stage("indices", "sentinel1")),
    "orbit_direction": Change(fields={"orbit_direction": "ascending"}, dark=from_stage("raw_tiles", "sentinel1")),
    "snow_is_clear": Change(
        fields={"snow_is_clear": True},
        clear=(*from_stage("masked_tiles", "sentinel2"), *NOT_NEEDED),
        dark=from_stage("masked_tiles", *ORDER),
    ),
    "gate": Change(
        fields={"gate": {"min_coverage": 0.66, "dilation_px": 0}},
        clear=(*from_stage("gated_tiles", "sentinel2"), *NOT_NEEDED),
        dark=from_stage("gated_tiles", *ORDER),
    ),
    "min_native_pixels": Change(fields={"min_native_pixels": 10}, clear=(PRODUCT,), dark=(PRODUCT,)),
    "composite": Change(fields={"composite": "median"}, clear=(PRODUCT,), dark=(PRODUCT,)),
    "allow_sar": Change(fields={"allow_sar": False}, clear=NOT_NEEDED, dark=from_stage("raw_tiles", "sentinel1")),
    "fusion": Change(fields={"fusion": True}, clear=NOT_NEEDED, dark=(PRODUCT,)),
    "substitution": Change(
        fields={"substitution": ["sentinel2", "sentinel1", "landsat"]},
        clear=NOT_NEEDED,
        dark=from_stage("raw_tiles", "landsat"),
    ),
    # An item that no catalogue has is left out of nothing.
    "exclude": Change(fields={"exclude": [{"item": "none", "reason": "r"}]}),
    "reviewers": Change(),
    "baseline": Change(fields={"baseline": {"start": "2017-08", "end": "2017-09"}}),
    "reporting": Change(fields={"reporting": {"scope": "3"}}),
}
ELSEWHERE = {"program", "parcels", "months", "grid", "missions", "tiles"}
"""Fields that say which months of which ground there are, and from where."""


@pytest.mark.parametrize("name", CHANGES)
def test_a_field_moves_what_rests_on_it_and_nothing_else(
    name: str, made: tuple[Deployment, Hashes], tmp_path: Path
) -> None:
    """In a month in which it is used, and in one in which the mission that it concerns is not needed."""
    (deployment, before), change = made, CHANGES[name]
    folder = shutil.copytree(deployment.program_path.parent, tmp_path / "programme")
    fields = {"reviewers": reviewers(tmp_path)} if name == "reviewers" else change.fields
    program = yaml.safe_load((folder / "program.yaml").read_text())
    (folder / "program.yaml").write_text(yaml.safe_dump({**program, **fields}))

    changed = a_deployment(folder / "program.yaml")
    named = {each.month for each in stale_months(changed, [TILE], list(CHOSEN))}
    after = hashes(changed)

    moved = {month: {asset for asset in ASSETS if after[month][asset] != before[month][asset]} for month in CHOSEN}
    assert moved == {CLEAR: set(change.clear), DARK: set(change.dark)}
    # Before it is run, the old month is named as what the programme would not make any more; afterwards it is not.
    assert named == {month for month in CHOSEN if moved[month]}
    assert stale_months(changed, [TILE], list(CHOSEN)) == []


def test_every_field_has_its_row() -> None:
    """A new field of the programme wants one."""
    assert set(CHANGES) | ELSEWHERE == set(Program.model_fields)
    assert not set(CHANGES) & ELSEWHERE


def test_the_months_are_what_the_rows_rest_on(made: tuple[Deployment, Hashes]) -> None:
    """A radar stands in in August, and in July nobody has to."""
    deployment, _ = made

    statuses = {
        month: [
            decision_of(deployment.lake.current(Partition(f"{name}/gated_tiles", TILE, month)))["status"]
            for name in ORDER
        ]
        for month in CHOSEN
    }

    assert statuses == {
        CLEAR: ["PASSED", "NOT_EVALUATED", "NOT_EVALUATED"],
        DARK: ["REJECTED", "REJECTED", "PASSED"],
    }


def reviewers(folder: Path) -> list[dict[str, str]]:
    """People who may decide, as the programme states them."""
    stated = [programme_lines(new_key(folder / f"{name}.pem", name, role)) for name, role in PEOPLE.items()]
    return [one for lines in stated for one in yaml.safe_load(lines)["reviewers"]]
