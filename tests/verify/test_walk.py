"""The walk over a lake: every file has a place, or is named as one that has none."""

from pathlib import Path

import pytest
from tampering import ASSETS, INDICES, PASSED, findings, names, partition

from mrv_assets.lake.layout import LAKE
from mrv_assets.verify.walk import Contents


def test_what_a_walk_counts_is_what_is_there(lake: Path) -> None:
    """Every file has a place, and is counted with its size."""
    contents = Contents.of(lake)

    files = [path for path in lake.rglob("*") if path.is_file() and path.name != LAKE]
    assert sum(one.files for one in contents.partitions) == len(files)
    assert sum(one.bytes for one in contents.partitions) == sum(path.stat().st_size for path in files)
    assert [one.partition.asset for one in contents.partitions] == sorted(ASSETS)


@pytest.mark.parametrize(
    "path",
    [
        "notes.txt",
        "lake.json.bak",
        f"{INDICES}/34TER/2018-13/records/{'0' * 64}.json",
        f"{INDICES}/34ter/{PASSED}/records/{'0' * 64}.json",
        f"{INDICES}/34TER/{PASSED}/records/{'0' * 63}.json",
        f"{INDICES}/34TER/{PASSED}/records/{'0' * 64}.json~",
        f"{INDICES}/34TER/{PASSED}/heads/1.json",
        f"{INDICES}/34TER/{PASSED}/runs/{'0' * 64}.json",
        f"{INDICES}/34TER/{PASSED}/data/{'0' * 64}",
        f"a/b/c/34TER/{PASSED}/heads/000001.json",
    ],
)
def test_a_file_that_has_no_place_is_named(path: str, lake: Path) -> None:
    """Nearly a record is no record; nothing that a lake does not know lies in it unseen."""
    (lake / path).parent.mkdir(parents=True, exist_ok=True)
    (lake / path).write_text("{}")

    contents = Contents.of(lake)

    assert contents.unexpected == (path,)
    assert names(findings(lake), path)


def test_a_linked_folder_is_named_and_not_walked(lake: Path, tmp_path: Path) -> None:
    """What lies elsewhere can change after it was verified, or have no end."""
    folder = partition(lake, INDICES, PASSED)
    folder.rename(tmp_path / "elsewhere")
    folder.symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "up").symlink_to(lake)

    found = findings(lake)

    assert names(found, folder.relative_to(lake).as_posix())
    assert len(Contents.of(lake).partitions) == len(ASSETS) - 1
