"""`mrv verify`: what is asked of it, what it answers, and to whom."""

import json
import os
import re
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from demo_lake import TILE, Demo, mrv, python
from tampering import (
    ASSETS,
    GATED,
    INDICES,
    PASSED,
    RAW,
    REJECTED,
    a_copy,
    data_of,
    flip,
    names,
    partition,
    quiet,
    the_only,
)

from mrv_assets.reports.verify import answer as verify
from mrv_assets.reports.verify import text
from mrv_assets.stages.table import PRODUCT
from mrv_assets.verify.verification import NotALake, Options

Json = dict[str, Any]

LIMIT_S = 30
"""Within which the demo's lake is verified."""


@pytest.fixture
def lake(demo: Demo, tmp_path: Path) -> Path:
    """Two months of the demo's lake, to be changed."""
    return a_copy(demo.folder / "lake", tmp_path / "lake", PASSED, REJECTED)


def answer(lake: Path, **wanted: str) -> Json:
    """What `verify` answers about a lake or a part of it."""
    return verify(lake, Options(**wanted), again=False, progress=quiet)


def snapshot(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """Everything below a folder: mode, time of change and bytes."""
    found = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        content = path.read_bytes() if path.is_file() else b""
        found[path.relative_to(folder).as_posix()] = (status.st_mode, status.st_mtime_ns, content)
    return found


def test_the_demo_verifies_in_time_and_is_left_as_it_is(demo: Demo) -> None:
    """Twelve months, six assets each; nothing is written, and nothing that was looked at is hidden in the answer."""
    root = demo.folder / "lake"
    before = snapshot(root)
    started = time.monotonic()

    found = answer(root)

    assert time.monotonic() - started < LIMIT_S
    assert (found["verified"], found["findings"], found["hidden"]) == (True, [], [])
    assert found["not_present"] == ["log", "signatures"]
    assert found["rerun"] is None
    counted = {kind: found["checked"][kind] for kind in ("partitions", "records", "heads", "requests", "runs", "data")}
    assert counted == dict.fromkeys(counted, 72)
    files = [path for path in root.rglob("*") if path.is_file()]
    assert found["checked"]["files"] == len(files) - len(["lake.json"])
    assert snapshot(root) == before


def test_a_moved_lake_verifies_without_its_programme(lake: Path, tmp_path: Path) -> None:
    """By the command, in a folder where there is nothing else, under another name."""
    moved = lake.rename(tmp_path / "elsewhere")

    done = mrv("verify", "elsewhere", "--json", cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["verified"], found["lake"]) == (True, moved.name)
    assert "[12/12]" in done.stderr


@pytest.mark.parametrize(
    ("wanted", "partitions", "sound"),
    [
        ({}, 12, False),
        ({"tile": TILE}, 12, False),
        ({"month": PASSED}, 6, True),
        ({"month": REJECTED}, 6, False),
        ({"asset": INDICES}, 2, True),
        ({"asset": GATED}, 2, False),
        ({"month": PASSED, "asset": GATED, "tile": TILE}, 1, True),
    ],
)
def test_a_part_is_verified_alone(wanted: dict[str, str], partitions: int, sound: bool, lake: Path) -> None:
    """Damage outside of what is asked for is not looked at; each way to ask narrows."""
    flip(the_only(partition(lake, GATED, REJECTED) / "records"))

    found = answer(lake, **wanted)

    assert (found["checked"]["partitions"], found["verified"]) == (partitions, sound)


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        ({"month": "2017-01"}, rf"month 2017-01.*the tiles {TILE}; the months {PASSED}, {REJECTED}"),
        ({"tile": "31TCJ"}, r"tile 31TCJ"),
        ({"asset": "sentinel2/nothing"}, r"asset sentinel2/nothing.*sentinel2/indices"),
        ({"asset": "../lake"}, r"asset \.\./lake"),
    ],
)
def test_what_is_not_there_is_a_misuse(wanted: dict[str, str], says: str, lake: Path) -> None:
    """Nothing verified is not verified: the message names what was asked for, and what there is."""
    with pytest.raises(NotALake, match=says):
        answer(lake, **wanted)


@pytest.mark.parametrize("made", ["nothing", "a file", "an empty folder", "another folder"])
def test_what_is_no_lake_is_a_misuse(made: str, tmp_path: Path) -> None:
    """A folder that holds no part of a lake is not one that has nothing wrong."""
    place = tmp_path / "place"
    if made == "a file":
        place.write_text("{}")
    elif made != "nothing":
        place.mkdir()
    if made == "another folder":
        (place / "notes.txt").write_text("no lake")

    with pytest.raises(NotALake, match=r"place: There is no lake\. Name the folder that holds lake\.json\."):
        answer(place)


def test_a_misuse_has_its_own_exit_code(tmp_path: Path) -> None:
    """2, one line on stderr and nothing on stdout."""
    done = mrv("verify", "nowhere", "--json", cwd=tmp_path)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "nowhere: There is no lake. Name the folder that holds lake.json.\n"


def test_progress_counts_partitions(lake: Path) -> None:
    """Each partition is told once it is done, of how many."""
    told: list[tuple[str, int, int]] = []

    verify(lake, Options(month=PASSED), again=False, progress=lambda name, done, of: told.append((name, done, of)))

    assert [(done, of) for _, done, of in told] == [(number, 6) for number in range(1, 7)]
    assert {name for name, *_ in told} == {f"{asset}/{TILE}/{PASSED}" for asset in ASSETS}


def test_what_a_crash_leaves_is_listed_and_is_no_finding(lake: Path) -> None:
    """Unfinished files, and damage that was set aside, carry no evidence: they are named, and never read."""
    hidden = [
        lake / ".staging" / "f00" / "zarr.json",
        partition(lake, INDICES, PASSED) / "records" / f".{'0' * 64}.json.f00.tmp",
        partition(lake, INDICES, PASSED) / "data" / f".damaged-{'0' * 64}-f00" / "zarr.json",
    ]
    for path in hidden:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"half a fi")
    (lake / ".staging" / "pipe").symlink_to("/dev/zero")

    found = answer(lake)

    assert found["verified"]
    listed = sorted(path.relative_to(lake).as_posix() for path in [*hidden, lake / ".staging" / "pipe"])
    assert sorted(found["hidden"]) == listed
    assert f"Never read: 4 hidden files, unfinished or set aside, such as {found['hidden'][0]}." in text(found)


def test_a_hidden_file_within_data_is_found(lake: Path) -> None:
    """There nothing is unfinished: data gets its name whole."""
    path = data_of(lake, INDICES, PASSED) / ".ndvi"
    path.write_bytes(b"more")

    found = answer(lake)

    assert names(found["findings"], path.relative_to(lake).as_posix())


def test_the_page_shows_each_finding_with_its_cure(lake: Path) -> None:
    """Object, what was expected and found, and what to do; the verdict is the last line."""
    path = flip(sorted(data_of(lake, INDICES, PASSED).glob("ndvi/c/*/*/*"))[0])

    page = text(answer(lake)).splitlines()

    at = page.index(path.relative_to(lake).as_posix())
    assert re.fullmatch(r"  stored bytes: expected [0-9a-f]{64}", page[at + 1])
    assert re.fullmatch(r"         found: [0-9a-f]{64}", page[at + 2])
    assert page[at + 3].endswith(f"mrv run --tile {TILE} --month {PASSED} --force")
    assert page[-1] == "NOT VERIFIED: 1 findings, 0 assets came out different."


HOSTILE = "\x1b[2J\rVERIFIED: everything\u202e\n"


def test_what_someone_wrote_into_a_lake_cannot_speak_for_us(lake: Path) -> None:
    """File names and contents reach the terminal as plain text: no colours, no lines of their own, no odd bytes."""
    (lake / f"{HOSTILE}.txt").write_text("")
    (Path(os.fsdecode(os.fsencode(lake) + b"/\xff\xfe"))).write_text("")
    (lake / "lake.json").write_text(json.dumps({"format": "mrv-lake/2", "programme": HOSTILE}, separators=(",", ":")))

    done = mrv("verify", "lake", cwd=lake.parent)

    assert done.returncode == 1, done.stderr
    assert "\x1b" not in done.stdout
    assert "\r" not in done.stdout
    assert [line for line in done.stdout.splitlines() if line.startswith("VERIFIED")] == []
    assert "\\xff" in done.stdout or "\\udcff" in done.stdout


# Permissions bind everyone here, whoever runs the tests.

WITHOUT_PRIVILEGE = """
import ctypes, os, sys
PR_CAPBSET_DROP, DAC_OVERRIDE, DAC_READ_SEARCH = 24, 1, 2
if os.geteuid() == 0:
    for capability in (DAC_OVERRIDE, DAC_READ_SEARCH):
        assert ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0
os.execv(sys.argv[1], sys.argv[1:])
"""

needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="privileges are dropped as Linux has it")


def verify_without_privilege(lake: Path) -> Json:
    """`mrv verify --json` by a process that permissions bind, even if it is root's."""
    command = str(Path(sys.executable).parent / "mrv")
    done = python("-c", WITHOUT_PRIVILEGE, command, "verify", str(lake), "--json", cwd=lake.parent)
    assert done.returncode in (0, 1), done.stderr
    found: Json = json.loads(done.stdout)
    assert done.returncode == (0 if found["verified"] else 1)
    return found


def each(folder: Path, change: Callable[[int], int]) -> None:
    """Change the permissions of a folder and everything in it."""
    for path in [folder, *folder.rglob("*")]:
        path.chmod(change(path.stat().st_mode))


@needs_linux
def test_a_lake_without_write_permission_verifies(lake: Path) -> None:
    """An auditor's copy is read-only: nothing is written, locked or put beside it."""
    each(lake, lambda mode: mode & ~0o222)
    before = snapshot(lake)

    found = verify_without_privilege(lake)

    assert found["findings"] == []
    assert snapshot(lake) == before
    each(lake, lambda mode: mode | 0o200)


@needs_linux
def test_what_cannot_be_read_is_a_finding(lake: Path) -> None:
    """A folder that cannot be listed, a record and a chunk that cannot be opened: each is named."""
    closed = [
        partition(lake, PRODUCT, REJECTED),
        the_only(partition(lake, RAW, PASSED) / "records"),
        sorted(data_of(lake, INDICES, PASSED).glob("ndvi/c/*/*/*"))[0],
    ]
    for path in closed:
        path.chmod(0)

    found = verify_without_privilege(lake)

    missed = [path for path in closed if not names(found["findings"], path.relative_to(lake).as_posix())]
    assert missed == []
    for path in closed:
        path.chmod(0o700)


def test_a_lake_whose_name_is_gone_is_still_looked_at(lake: Path) -> None:
    """Without lake.json, and with nothing but it: what is there is verified."""
    (lake / "lake.json").unlink()
    without = answer(lake)
    shutil.rmtree(lake)
    lake.mkdir()
    (lake / "lake.json").write_bytes(b'{"format":"mrv-lake/2","programme":"p"}')
    alone = answer(lake)

    assert [one["object"] for one in without["findings"]] == ["lake.json"]
    assert without["checked"]["records"] == 12
    assert (alone["verdict"], alone["findings"]) == ("INCOMPLETE", [])
    assert alone["checked"] == dict.fromkeys(alone["checked"], 0)


def test_only_part_of_a_month_computed_again_needs_the_rest(lake: Path) -> None:
    """Raw tiles that nobody asked to verify are damaged: that is a finding, not an answer and not a failure."""
    path = flip(sorted(data_of(lake, RAW, PASSED).glob("*/red.tif"))[0])

    found = verify(lake, Options(month=PASSED, asset=PRODUCT), again=True, progress=quiet)

    assert not found["verified"]
    assert [one["object"] for one in found["findings"]] == [path.relative_to(lake).as_posix()]
    assert found["rerun"] == []


def test_a_month_with_findings_is_not_computed_again(lake: Path) -> None:
    """Nothing is computed from evidence that is known to be altered; the other month is."""
    flip(the_only(partition(lake, GATED, PASSED) / "runs"))

    found = verify(lake, Options(), again=True, progress=quiet)

    assert {one["month"]: one["answer"] for one in found["rerun"]} == {PASSED: "NOT_RERUN", REJECTED: "IDENTICAL"}
    assert "NOT_RERUN" in text(found)
