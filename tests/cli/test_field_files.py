"""Files, folders, links, terminals and numbers as people have them: what works the same everywhere, or is refused."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from demo_lake import BIN, mrv
from field_cases import a_field_case, field_month

from mrv_assets.errors import ProgramError, SettingError
from mrv_assets.programme.file import load_program
from mrv_assets.settings import current, ensure_dagster_home

CASE = "a40_item_collection_file"


def test_a_linked_programme_is_the_one_that_the_link_leads_to(tmp_path: Path) -> None:
    """Its lake, Dagster home and parcels lie beside the file itself, by name, by folder, and by the variable."""
    program = a_field_case(CASE, tmp_path / "real").program_path
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "program.yaml").symlink_to(program)

    direct = current({}, program.parent)
    for linked in (current({}, elsewhere), current({"MRV_PROGRAM": str(elsewhere / "program.yaml")}, tmp_path)):
        assert linked == direct
    assert direct.lake_path.parent == program.parent
    assert load_program(elsewhere / "program.yaml").parcels_path == load_program(program).parcels_path


def test_a_dead_link_is_an_error_and_never_the_demo(tmp_path: Path) -> None:
    """Nor is a file whose name is not quite right."""
    (tmp_path / "program.yaml").symlink_to(tmp_path / "gone.yaml")
    with pytest.raises(SettingError, match="is a link to a file that does not exist"):
        current({}, tmp_path)
    (tmp_path / "program.yaml").unlink()
    (tmp_path / "program.yml").write_text("program: p\n")
    with pytest.raises(SettingError, match=r"program\.yml is not read\. Rename it to program\.yaml"):
        current({}, tmp_path)


@pytest.mark.parametrize("name", ["a%20b", "what?"])
def test_a_folder_in_which_dagster_would_open_another_database_is_refused(name: str, tmp_path: Path) -> None:
    """At once, before any instance is written, beside this programme or another's."""
    program = a_field_case(CASE, tmp_path / name).program_path

    done = mrv("tiles", cwd=program.parent)

    assert done.returncode == 2
    assert "Rename the folder, or set DAGSTER_HOME to one without" in done.stderr
    assert sorted(path.name for path in program.parent.iterdir()) == ["catalogue", "parcels.geojson", "program.yaml"]
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", ["a b", "Wälder", "a#b", "a&b", "a'b"])
def test_other_folders_work(name: str, tmp_path: Path) -> None:
    """Spaces, letters, and signs that mean nothing to a database."""
    program = a_field_case(CASE, tmp_path / name).program_path

    done = mrv("tiles", cwd=program.parent)

    assert done.returncode == 0, done.stderr
    assert ensure_dagster_home(current({}, program.parent)).parent == program.parent
    assert list((program.parent / "dagster").rglob("*.db"))


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("gate: {min_coverage: 0,65}", ("0,65 is two entries to YAML", "Write 0.65")),
        ("gate:\n  min_coverage: 0,65", ("0,65 is a text to YAML", "Write 0.65")),
        ("gate: {dilation_px: 010}", ("010 is 8 to YAML", "Write 10")),
        ("tiles: {NO: 34TER}", ("NO is false to YAML", "'NO' in quotes")),
        ("gate: {dilation_px: 1:30}", ("1:30 is 90 to YAML", "base 60")),
        ("gate: {dilation_px: 0x10}", ("0x10 is 16 to YAML", "Write 16, or '0x10'")),
        ("gate: {dilation_px: 0b11}", ("0b11 is 3 to YAML", "Write 3")),
        ("gate: {min_coverage: 0_.65}", ("0_.65 is 0.65 to YAML", "Write 0.65")),
        ("gate: {dilation_px: 1_0}", ("1_0 is 10 to YAML", "Write 10, or '1_0'")),
    ],
)
def test_what_yaml_reads_otherwise_than_people_do_is_explained(
    written: str, words: tuple[str, ...], tmp_path: Path
) -> None:
    """What was written, what YAML makes of it, and how to write what is meant."""
    path = a_field_case(CASE, tmp_path).program_path
    document = yaml.safe_load(path.read_text())
    document.pop("gate")
    path.write_text(f"{yaml.safe_dump(document)}{written}\n")

    with pytest.raises(ProgramError) as caught:
        load_program(path)

    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_a_parcel_may_be_called_minus_one(tmp_path: Path) -> None:
    """It is an argument, not an option."""
    program = a_field_case(CASE, tmp_path).program_path
    parcels = program.parent / "parcels.geojson"
    parcels.write_text(parcels.read_text().replace('"P1"', '"-1"'))
    assert mrv("run", "--tile", "34TER", "--month", "2018-07", cwd=program.parent).returncode == 0

    done = mrv("explain", "-1", "2018-07", cwd=program.parent)

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("-1, 2018-07, tile 34TER: ok")


def test_what_a_terminal_cannot_show_is_escaped(tmp_path: Path) -> None:
    """Instead of a traceback in the middle of a page."""
    program = a_field_case(CASE, tmp_path).program_path
    parcels = program.parent / "parcels.geojson"
    parcels.write_text(parcels.read_text().replace('"P1"', '"森-\u0151"'))
    environment = {**os.environ, "PYTHONIOENCODING": "cp1252", "PYTHONUTF8": "0"}

    done = subprocess.run(
        [str(BIN / "mrv"), "tiles"], cwd=program.parent, env=environment, capture_output=True, check=False
    )

    assert done.returncode == 0, done.stderr
    assert rb"\u68ee-\u0151" in done.stdout


@pytest.mark.parametrize("begun", ["dagster", "lake/sentinel2/raw_tiles"], ids=["before the run", "within the run"])
def test_control_c_ends_with_130_and_one_line(begun: str, tmp_path: Path) -> None:
    """Nothing of a traceback, also where Dagster makes an exception of its own of it; the same command goes on."""
    program = a_field_case(CASE, tmp_path).program_path
    command = [str(BIN / "mrv"), "run", "--tile", "34TER", "--month", "2018-07"]
    # A process of a test may have been told to ignore it.
    script = "import os,signal,sys; signal.signal(2, signal.default_int_handler); os.execv(sys.argv[1], sys.argv[1:])"
    started = subprocess.Popen(
        [
            sys.executable,
            "-c",
            script,
            *command,
        ],
        cwd=program.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    until = time.monotonic() + 120
    while not (program.parent / begun).exists() and time.monotonic() < until and started.poll() is None:
        time.sleep(0.02)
    started.send_signal(signal.SIGINT)
    _, stderr = started.communicate(timeout=120)

    assert started.returncode == 130, stderr
    assert "Traceback" not in stderr
    assert stderr.strip().splitlines()[-1].startswith("Stopped.")
    assert mrv(*command[1:], cwd=program.parent).returncode == 0


def test_a_file_that_a_desktop_left_is_to_be_removed(tmp_path: Path) -> None:
    """The cure of a foreign file in the lake's data is not to compute the month again."""
    month = field_month(CASE, tmp_path)
    record = month.record("sentinel2/raw_tiles")
    (record.data / ".DS_Store").write_bytes(b"x")

    done = mrv("verify", cwd=month.deployment.program_path.parent)

    assert done.returncode == 1
    assert ".DS_Store" in done.stdout
    assert "No run wrote it: remove it." in done.stdout
    (record.data / ".DS_Store").unlink()
    assert mrv("verify", cwd=month.deployment.program_path.parent).returncode == 0
    shutil.rmtree(month.deployment.lake_path)
