"""Audit hashes that were kept elsewhere: what was removed, rolled back or replaced since is found."""

import json
import shutil
from pathlib import Path

import pytest
from demo_lake import TILE, Demo, mrv
from tampering import INDICES, PASSED, REJECTED, Json, a_copy, partition, put, quiet

from mrv_assets.audit.canonical import canonical
from mrv_assets.reports.hashes import answer as hashes
from mrv_assets.reports.hashes import text
from mrv_assets.reports.verify import answer as verify
from mrv_assets.stages.table import PRODUCT
from mrv_assets.verify.expected import NotAListOfHashes, read_expected
from mrv_assets.verify.verification import NotALake, Options


@pytest.fixture
def lake(demo: Demo, tmp_path: Path) -> Path:
    """Two months of the demo's lake, to be changed."""
    return a_copy(demo.folder / "lake", tmp_path / "lake", PASSED, REJECTED)


@pytest.fixture
def kept(lake: Path, tmp_path: Path) -> Path:
    """The list of its audit hashes, kept elsewhere."""
    path = tmp_path / "kept.txt"
    path.write_text(text(hashes(lake, Options())))
    return path


def verified(lake: Path, kept: Path, **wanted: str) -> Json:
    """What `mrv verify --expect` says."""
    answer: Json = verify(lake, Options(**wanted), again=False, progress=quiet, expected=kept)
    return answer


def test_an_unchanged_lake_has_what_was_kept(lake: Path, kept: Path, tmp_path: Path) -> None:
    """As lines, as bare hashes, and as a former answer; in the lake and in a part of it."""
    bare, former = tmp_path / "bare.txt", tmp_path / "former.json"
    bare.write_text("# kept in the contract\n" + "\n".join(line[:64] for line in kept.read_text().splitlines()))
    former.write_text(json.dumps(verify(lake, Options(), again=False, progress=quiet)))

    for path in (kept, bare, former):
        answer = verified(lake, path)
        assert (answer["verdict"], answer["expected"]) == ("VERIFIED", 12)
    assert verified(lake, kept, month=PASSED)["verdict"] == "VERIFIED"
    # Whether bare hashes are of another part of the lake, or were of this part, cannot be told.
    part = verified(lake, bare, month=PASSED)
    assert (part["verdict"], part["findings"]) == ("INCOMPLETE", [])
    assert "6 of the kept audit hashes say no partition" in part["incomplete"][0]


def test_a_month_that_was_taken_away_is_missed(lake: Path, kept: Path) -> None:
    """Nothing else would tell of it."""
    for asset in ("sentinel2/*", PRODUCT):
        for folder in lake.glob(f"{asset}/{TILE}/{REJECTED}"):
            shutil.rmtree(folder)
    assert verify(lake, Options(), again=False, progress=quiet)["verdict"] == "VERIFIED"

    answer = verified(lake, kept)

    assert answer["verdict"] == "NOT VERIFIED"
    assert {finding["object"].rpartition("/")[2] for finding in answer["findings"]} == {REJECTED}
    assert len(answer["findings"]) == 6


def test_heads_that_were_rolled_back_are_found(lake: Path, tmp_path: Path) -> None:
    """The list says which record was current; a head before it is not its successor."""
    slot = partition(lake, INDICES, PASSED)
    [first] = (slot / "records").iterdir()
    document = json.loads(first.read_bytes())
    second = put(slot / "records", {**document, "code": "0" * 64})
    (slot / "heads" / "000002.json").write_bytes(canonical({"record": second.stem, "previous": first.stem}))
    kept = tmp_path / "kept.txt"
    kept.write_text(text(hashes(lake, Options())))
    (slot / "heads" / "000002.json").unlink()

    found = [one for one in verified(lake, kept)["findings"] if one["check"] == "is current, or has been followed"]

    assert [one["expected"] for one in found] == [second.stem]


@pytest.mark.parametrize("content", ["", "no hash", "0" * 63, "{}", '{"hashes": [{"audit_hash": "x"}]}', "[1]"])
def test_a_file_of_something_else_is_refused(content: str, lake: Path, tmp_path: Path) -> None:
    """With what is wrong and what to give; nothing is verified."""
    (tmp_path / "kept.txt").write_text(content)

    with pytest.raises(NotAListOfHashes, match="mrv hashes"):
        verified(lake, tmp_path / "kept.txt")
    with pytest.raises(NotAListOfHashes):
        read_expected(tmp_path / "nothing.txt")


def test_the_command_prints_lines_that_it_takes_back(lake: Path, tmp_path: Path) -> None:
    """`mrv hashes > kept.txt`, `mrv verify --expect kept.txt`; exit codes 0 and 1, and 2 where there is no lake."""
    listed = mrv("hashes", str(lake), cwd=tmp_path)
    (tmp_path / "kept.txt").write_text(listed.stdout)
    shutil.rmtree(lake / INDICES / TILE / REJECTED)

    done = mrv("verify", str(lake), "--expect", "kept.txt", cwd=tmp_path)

    assert listed.returncode == 0
    assert len(listed.stdout.splitlines()) == 12
    assert done.returncode == 1
    assert "has the record that was kept" in done.stdout
    with pytest.raises(NotALake):
        hashes(tmp_path / "none", Options())
