"""The demo: one command, the main job on real pixels, and a page that says what was found."""

import json
import re
import subprocess
from pathlib import Path

import pytest
from demo_lake import BIN, GOLDEN, MONTHS, TILE, Demo, decision, evidence, golden_of, rows

from mrv_assets.audit.record import Partition

REJECTED = ("2018-01", "2018-02", "2018-03", "2018-06", "2018-11", "2018-12")


# --- the numbers --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("month", MONTHS)
def test_numbers_and_decisions_are_the_golden_ones(month: str, demo: Demo) -> None:
    """Values to 1e-4, decisions, reasons and counts of every parcel and month.

    The file is rewritten by ``python tests/support/demo_lake.py --write-golden``; the commit says why they moved.
    """
    golden = json.loads(GOLDEN.read_bytes())

    # Through JSON, as the golden file went.
    found = json.loads(json.dumps(golden_of(demo)))["months"][month]

    assert found == golden["months"][month]


# --- the page -----------------------------------------------------------------------------------------------------


def test_the_page_shows_every_parcel_and_month(demo: Demo) -> None:
    """72 lines: NDVI and EVI, observations and coverage, or a dash where nothing was verified."""
    lines = re.findall(r"^(north-\S+) +(2018-\d\d) +(\S+) +(\S+) +(\d+) +(\S+) +(\w+) +(\w+)$", demo.page, re.MULTILINE)

    assert len(lines) == 72
    july = rows(demo.deployment, "2018-07")["north-stable-1"]
    shown = next(line for line in lines if line[:2] == ("north-stable-1", "2018-07"))
    assert shown[2:4] == (f"{july['ndvi_mean']:.3f}", f"{july['evi_mean']:.3f}")
    assert {line[2] for line in lines if line[1] in REJECTED} == {"-"}


def test_the_page_shows_what_the_gate_refused_and_why(demo: Demo) -> None:
    """Each rejected month with its reason, what it had and what it needed."""
    for month in REJECTED:
        gate = decision(demo.lake, month)
        reason = "no_scenes" if month == "2018-12" else "below_tile_coverage"
        assert re.search(rf"^{TILE} +{month} +{reason} +{gate['coverage']:.3f} +0\.65 +\d", demo.page, re.MULTILINE)


def test_the_page_shows_the_audit_hash_of_every_month(demo: Demo) -> None:
    """In full, so that it can be compared with the lake's file names and with another machine's."""
    for month in MONTHS:
        head = demo.lake.head(Partition("monthly_proxies", TILE, month))
        assert head is not None
        assert re.search(rf"^{TILE} +{month} +(PASSED|REJECTED) +{head.record}$", demo.page, re.MULTILINE)


def test_the_page_says_what_is_unavailable(demo: Demo) -> None:
    """The demo's scenes have no B12: NBR is not computed, and that is said, not hidden."""
    assert "nbr: no scene of the month publishes swir22" in demo.page


def test_the_page_ends_with_two_commands_that_come_next(demo: Demo, tmp_path: Path) -> None:
    """One opens the lineage; the other explains a number, and works as it is printed, in the project's folder."""
    (tmp_path / ".venv").symlink_to(BIN.parent)

    ui, explain = re.findall(r"^  (\S.*)$", demo.page.rpartition("Next:")[2], re.MULTILINE)

    assert ui.endswith(" ui")
    done = subprocess.run(explain, shell=True, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    head = demo.lake.head(Partition("monthly_proxies", TILE, explain.split()[-1]))
    assert head is not None
    assert head.record in done.stdout


def test_progress_goes_to_stderr(demo: Demo) -> None:
    """The page is the result; where things are and how far it has come is not."""
    assert len(re.findall(r"^\[ ?\d+/12\] 34TER 2018-\d\d done", demo.progress, re.MULTILINE)) == 12
    assert "[12/12]" not in demo.page


# --- a second time ------------------------------------------------------------------------------------------------


def test_a_second_demo_computes_nothing(demo_again: tuple[Demo, dict[str, object]], demo: Demo) -> None:
    """Every month is reused, and the lake holds the same bytes under the same names; no run was added."""
    copy, answer = demo_again

    assert (answer["partitions"], answer["reused"]) == (12, 12)
    assert evidence(copy.folder / "lake") == evidence(demo.folder / "lake")
    runs = [sorted(p.name for p in one.folder.glob("**/lake/**/runs/*.json")) for one in (copy, demo)]
    assert runs[0] == runs[1]


def test_a_second_demo_simulates_and_decides_nothing(demo_again: tuple[Demo, dict[str, object]], demo: Demo) -> None:
    """The same scenes, keys, programme, decisions and picture; all four months are reused."""
    copy, answer = demo_again

    simulated = answer["simulated"]
    assert isinstance(simulated, dict)
    assert (simulated["partitions"], simulated["reused"]) == (4, 4)
    of_both = [
        {
            path.relative_to(one.folder).as_posix(): path.read_bytes()
            for path in (one.folder / "simulated").rglob("*")
            if path.is_file() and "dagster" not in path.parts
        }
        for one in (copy, demo)
    ]
    assert of_both[0] == of_both[1]


def test_the_json_answer_holds_what_the_page_shows(demo_again: tuple[Demo, dict[str, object]], demo: Demo) -> None:
    """One document: rows by parcel and month, and each month's decision with its audit hash."""
    _, answer = demo_again

    rows_, months = answer["rows"], answer["months"]
    assert isinstance(rows_, list)
    assert isinstance(months, list)
    assert len(rows_) == 72
    assert {row["parcel_id"]: row for row in rows_ if row["month"] == "2018-07"} == rows(demo.deployment, "2018-07")
    assert [month["month"] for month in months] == list(MONTHS)
    for month in months:
        head = demo.lake.head(Partition("monthly_proxies", TILE, month["month"]))
        assert head is not None
        assert month["audit_hash"] == head.record
        assert (month["status"] == "REJECTED") == (month["month"] in REJECTED)
    assert {"lake", "seconds", "partitions", "reused", "rows", "months"} <= set(answer)


def test_the_demo_leaves_nothing_outside_its_folder(demo: Demo) -> None:
    """Lakes and Dagster homes, all where ``--into`` says; the command ran in this folder."""
    assert {path.name for path in demo.folder.iterdir()} == {"lake", "dagster", "simulated", ".simulated.lock"}
    assert {path.name for path in (demo.folder / "simulated").iterdir()} == {
        *("program.yaml", "parcels.geojson", "truth.json", "made_by.json", "months.png"),
        *("catalogue", "keys", "lake", "dagster"),
    }
