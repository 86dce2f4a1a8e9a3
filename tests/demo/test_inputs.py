"""The folder of the simulated programme: whole or not there, never written over, and told when it is another's."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from demo_lake import REPOSITORY, TILE, Demo, a_place, mrv, python, rows

from mrv_assets.cli import verbs
from mrv_assets.demo.ground import APPROVED
from mrv_assets.demo.inputs import check_inputs, make_inputs
from mrv_assets.errors import DemoFolderError

DRIVER = REPOSITORY / "tests" / "demo_driver.py"
DECISIONS = "lake/**/decisions/[!.]*.json"
MADE = (*("program.yaml", "parcels.geojson", "truth.json", "made_by.json"), "catalogue", "keys")


def made(folder: Path) -> dict[str, bytes]:
    """Every file that was made before anything was run, by its path."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {
        name: path.read_bytes()
        for path in files
        if (name := path.relative_to(folder).as_posix()).partition("/")[0] in MADE
    }


@pytest.fixture
def copy(demo: Demo, tmp_path: Path) -> Path:
    """What the demo made for its simulated programme, without what it ran."""
    left_out = shutil.ignore_patterns("lake", "dagster")
    return Path(shutil.copytree(demo.folder / "simulated", tmp_path / "simulated", ignore=left_out))


# --- killed at any instant ----------------------------------------------------------------------------------------


def test_a_killed_demo_ends_well_when_it_is_run_again(tmp_path: Path) -> None:
    """Killed -9 over the scenes, over the second key, before the folder has its name, between the decisions and after.

    Each time the next one goes on: the folder is whole or not there, keys are made once, and nobody decides twice.
    """
    folder = tmp_path / "simulated"

    def killed(before: int, part: str) -> None:
        done = python(str(DRIVER), str(tmp_path), str(before), part, cwd=tmp_path)
        assert done.returncode == -9, done.stderr

    for before, part in ((40, "catalogue"), (2, ".pem"), (1, f"{tmp_path}/simulated")):
        killed(before, part)
        assert not folder.exists()
    # Each decision is written under another name first: the second one's is the third such step.
    killed(3, "decisions/.")
    keys = made(folder)
    decided = list(folder.glob(DECISIONS))
    assert len(decided) == 1
    killed(1, f"gated_tiles/{TILE}/{APPROVED.month}/heads")
    assert len(list(folder.glob(DECISIONS))) == 2
    done = python(str(DRIVER), str(tmp_path), "0", "", cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    assert made(folder) == keys
    assert {path.name for path in tmp_path.iterdir()} == {"simulated", ".simulated.lock"}
    decisions = list(folder.glob(DECISIONS))
    assert len(decisions) == 2
    assert set(decided) <= set(decisions)
    place = a_place(folder / "program.yaml")
    assert {row["gate_status"] for row in rows(place, APPROVED.month).values()} == {"APPROVED_MANUAL"}


# --- another's ----------------------------------------------------------------------------------------------------


def edited(name: str, old: str, new: str) -> Callable[[Path], None]:
    """A change to one of the folder's files."""

    def change(folder: Path) -> None:
        text = (folder / name).read_text()
        assert old in text
        (folder / name).write_text(text.replace(old, new, 1))

    return change


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("program.yaml", edited("program.yaml", "min_coverage: 0.65", "min_coverage: 0.05")),
        ("parcels.geojson", edited("parcels.geojson", "22.", "23.")),
        ("made_by.json", edited("made_by.json", '"demo.ground": "', '"demo.ground": "0')),
        ("keys/simulated-b.pem", lambda folder: (folder / "keys" / "simulated-b.pem").unlink()),
        ("program.yaml", lambda folder: shutil.copy(folder / "keys/simulated-a.pem", folder / "keys/simulated-b.pem")),
    ],
)
def test_what_another_version_made_is_told_with_its_cure(name: str, change: Callable[[Path], None], copy: Path) -> None:
    """Another programme, other parcels, other code, a key that is gone or another: nothing is run and nothing lost."""
    check_inputs(copy)
    change(copy)
    before = made(copy)

    result = CliRunner().invoke(verbs, ["demo", "--into", str(copy.parent)])

    error = result.exception
    assert isinstance(error, DemoFolderError)
    assert (error.folder, error.file) == (str(copy), name)
    assert "Move the folder away" in str(error)
    assert "PRIVATE" not in str(error)
    assert made(copy) == before
    assert not (copy.parent / "lake").exists()


def test_a_folder_of_that_name_that_is_not_the_demos_is_left_alone(tmp_path: Path) -> None:
    """Exit code 2, and a message that names the folder."""
    (tmp_path / "simulated").mkdir()
    (tmp_path / "simulated" / "mine.txt").write_text("mine")

    done = mrv("demo", "--into", str(tmp_path), cwd=tmp_path)

    assert done.returncode == 2
    assert str(tmp_path / "simulated") in done.stderr
    assert [path.name for path in tmp_path.rglob("*")] == ["simulated", "mine.txt"]


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    """As one that is not there."""
    (tmp_path / "simulated").mkdir()
    check_inputs(tmp_path / "simulated")

    make_inputs(tmp_path / "simulated")

    check_inputs(tmp_path / "simulated")
    assert json.loads((tmp_path / "simulated" / "truth.json").read_bytes())["rows"]
