"""The tamper matrix where missions stand in for one another: what was not needed, and what stands in."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from demo_lake import run_months
from stage_names import PRODUCT, STAGES
from standing_in import ASSETS, months_of
from tampering import data_of, findings, flip, names, partition, put, the_only

Json = dict[str, Any]
MONTH = "2018-07"
SUBSTITUTE, NOT_NEEDED = "landsat", "sentinel1"
"""Which mission stands in for Sentinel-2, which saw clouds; and which one was not needed then."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The lake of a month in which Landsat stands in."""
    deployment = months_of(tmp_path_factory.mktemp("programme"), {MONTH: SUBSTITUTE})
    run_months(deployment, [MONTH])
    assert findings(deployment.lake_path) == []
    return deployment.lake_path


@pytest.fixture
def lake(made: Path, tmp_path: Path) -> Path:
    """A copy of it, to be changed."""
    return shutil.copytree(made, tmp_path / "lake")


Tamper = Callable[[Path], Path | list[Path]]
"""Changes a lake, and gives what it changed."""


def flipped(*places: tuple[str, str]) -> Tamper:
    """Change one byte of the first file that a pattern finds, in each of some assets; no two are the same."""
    return lambda lake: [flip(sorted(partition(lake, asset, MONTH).glob(pattern))[0]) for asset, pattern in places]


def removed(asset: str, pattern: str) -> Tamper:
    """Remove the first file or folder that a pattern finds."""

    def tamper(lake: Path) -> Path:
        path = sorted(partition(lake, asset, MONTH).glob(pattern))[0]
        shutil.rmtree(path) if path.is_dir() else path.unlink()
        return path

    return tamper


def decided_otherwise(asset: str, **changed: object) -> Tamper:
    """Edit the document that says why there was nothing to decide."""

    def tamper(lake: Path) -> Path:
        path = data_of(lake, asset, MONTH) / "decision.json"
        path.write_text(json.dumps({**json.loads(path.read_bytes()), **changed}))
        return path

    return tamper


def recorded_otherwise(asset: str, edit: Callable[[Json], object]) -> Tamper:
    """Put a record beside the one there is, sound by itself, that says something else."""

    def tamper(lake: Path) -> Path:
        records = partition(lake, asset, MONTH) / "records"
        document = json.loads(the_only(records).read_bytes())
        edit(document)
        return put(records, document)

    return tamper


def the_decision_of_another_mission(lake: Path) -> Path:
    """Let the radar's gate have the decision of the one that passed."""
    path = data_of(lake, f"{NOT_NEEDED}/gated_tiles", MONTH) / "decision.json"
    shutil.copy(data_of(lake, f"{SUBSTITUTE}/gated_tiles", MONTH) / "decision.json", path)
    return path


RAW, GATED = f"{NOT_NEEDED}/raw_tiles", f"{NOT_NEEDED}/gated_tiles"
KINDS = ("data/*/decision.json", "records/*", "heads/*", "requests/*", "runs/*")

MATRIX: dict[str, Tamper] = {
    **{f"byte flipped in {kind} of each asset": flipped(*((f"{NOT_NEEDED}/{stage}", kind) for stage in STAGES))
       for kind in KINDS},
    **{f"{kind} of {asset} removed": removed(asset, kind)
       for asset in (RAW, GATED) for kind in ("data/*", "records/*", "heads/*")},
    "a mission that was not needed has passed": decided_otherwise(GATED, status="PASSED"),
    "another reason": decided_otherwise(RAW, reasons=["sar_not_allowed"], earlier=None),
    "another mission's gate was open": decided_otherwise(
        RAW, earlier={"mission": "sentinel2", "status": "PASSED", "audit_hash": "0" * 64}
    ),
    "the decision of another mission": the_decision_of_another_mission,
    "a record of another gate": recorded_otherwise(
        RAW, lambda document: document["inputs"].update({f"{SUBSTITUTE}/gated_tiles": "0" * 64})
    ),
    "a record made from nothing": recorded_otherwise(GATED, lambda document: document["inputs"].clear()),
    "a record that says it was evaluated": recorded_otherwise(
        GATED, lambda document: document["output"].update(status="PASSED", reasons=[])
    ),
    "byte flipped in band, quality, flags, index and decision of the substitute, and in what is beside it": flipped(
        (f"{SUBSTITUTE}/raw_tiles", "data/*/*/nir08.tif"),
        (f"{SUBSTITUTE}/aligned_tiles", "data/*/qa_pixel/c/0/*/*"),
        (f"{SUBSTITUTE}/masked_tiles", "data/*/unclear_flags/c/0/*/*"),
        (f"{SUBSTITUTE}/indices", "data/*/ndvi/c/0/*/*"),
        (f"{SUBSTITUTE}/gated_tiles", "data/*/decision.json"),
        ("sentinel2/gated_tiles", "data/*/decision.json"),
        (PRODUCT, "data/*/rasters.zarr/ndvi/c/*/*"),
    ),
    "the substitute's decision removed": removed(f"{SUBSTITUTE}/gated_tiles", "data/*"),
    "the substitute's record removed": removed(f"{SUBSTITUTE}/gated_tiles", "records/*"),
}  # fmt: skip


@pytest.mark.parametrize("tamper", MATRIX.values(), ids=MATRIX)
def test_it_is_found_and_named(tamper: Tamper, lake: Path) -> None:
    """Each object that was changed is named by a finding, with what was expected and a cure."""
    changed = tamper(lake)

    found = findings(lake)

    for path in changed if isinstance(changed, list) else [changed]:
        assert names(found, path.relative_to(lake).as_posix())
    assert all(one["expected"] != one["found"] and one["cure"] for one in found)


def test_every_asset_is_in_the_lake(made: Path) -> None:
    """What the matrix stands on: sixteen assets, of which the last mission's say that they were not needed."""
    said = {asset: [path.name for path in data_of(made, asset, MONTH).iterdir()] for asset in ASSETS}

    assert [asset for asset, files in said.items() if files == ["decision.json"]] == [
        f"{NOT_NEEDED}/{stage}" for stage in STAGES
    ]
