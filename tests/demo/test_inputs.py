"""The folder of the simulated programme: whole or not there, never written over, and told when it is another's."""

import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from demo_driver import exit_code, make, run
from demo_lake import TILE, Demo, a_deployment, mrv, rows
from forked import a_server

from mrv_assets.cli.main import verbs
from mrv_assets.demo.ground import APPROVED
from mrv_assets.demo.inputs import KEYS, check_inputs, make_inputs, sole_user
from mrv_assets.errors import DemoFolderError

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


def test_a_folder_is_whole_or_not_there(demo: Demo, tmp_path: Path) -> None:
    """Killed -9 over the scenes, over the second key, and just before the folder gets its name; then made at last."""
    folder, context = tmp_path / "simulated", a_server()

    for before, part in ((40, "catalogue"), (2, ".pem"), (1, f"{tmp_path}/simulated")):
        assert exit_code(context, make, folder, before, part) == -9
        assert not folder.exists()
    folder.mkdir()
    check_inputs(folder)
    make_inputs(folder)

    check_inputs(folder)
    mine, theirs = made(folder), made(demo.folder / "simulated")
    assert sorted(mine) == sorted(theirs)
    assert {name for name in mine if mine[name] != theirs[name]} == {"program.yaml", *KEYS.values()}
    assert [path.name for path in tmp_path.iterdir()] == ["simulated"]


def test_nobody_decides_twice_and_what_was_decided_is_followed(demo: Demo, tmp_path: Path) -> None:
    """Killed -9 between the two decisions, and again when both are there and nothing has followed."""
    folder, context = Path(shutil.copytree(demo.folder / "simulated", tmp_path / "simulated")), a_server()
    decisions = folder / "lake" / "sentinel2" / "gated_tiles" / TILE / APPROVED.month / "decisions"
    shutil.rmtree(decisions)

    # Each decision is written under another name first: the second one's is the third such step.
    assert exit_code(context, run, folder, 3, "decisions/.") == -9
    first = {path.name for path in decisions.glob("[!.]*")}
    assert len(first) == 1
    assert exit_code(context, run, folder, 1, f"gated_tiles/{TILE}/{APPROVED.month}/heads") == -9
    both = {path.name for path in decisions.glob("[!.]*")}
    assert len(both) == 2
    assert exit_code(context, run, folder) == 0

    assert first < both == {path.name for path in decisions.glob("[!.]*")}
    assert made(folder) == made(demo.folder / "simulated")
    found = rows(a_deployment(folder / "program.yaml"), APPROVED.month).values()
    assert {(row["gate_status"], row["value_status"]) for row in found} == {
        ("APPROVED_MANUAL", "ok"),
        ("APPROVED_MANUAL", "approved_below_coverage"),
    }


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
        ("parcels.geojson", edited("parcels.geojson", "45.6", "45.7")),
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


def test_of_two_demos_one_waits(tmp_path: Path) -> None:
    """While one works on the folder another keeps out of it, and comes in when the first is done or dead."""
    folder, came_in = tmp_path / "simulated", threading.Event()

    def another() -> None:
        with sole_user(folder):
            came_in.set()

    waiting = threading.Thread(target=another)
    with sole_user(folder):
        waiting.start()
        before = came_in.wait(0.5)
    waiting.join(30)

    assert (before, came_in.is_set()) == (False, True)
