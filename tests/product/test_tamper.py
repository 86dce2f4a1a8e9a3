"""The tamper matrix: whatever is changed in a finished lake is found, and the finding names it."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from block_scenes import CORNER, MONTH, Box, SceneSpec, a_programme_of
from demo_lake import TILE, Demo, mrv, run_months
from tampering import (
    ALIGNED,
    GATED,
    INDICES,
    MASKED,
    PASSED,
    RAW,
    REJECTED,
    a_copy,
    data_of,
    findings,
    flip,
    kind,
    names,
    partition,
    put,
    the_only,
)

from mrv_assets.audit.canonical import canonical
from mrv_assets.deployment import Deployment
from mrv_assets.lake.layout import LAKE
from mrv_assets.stages.table import PRODUCT

MONTHS = (PASSED, REJECTED)


@pytest.fixture
def lake(demo: Demo, tmp_path: Path) -> Path:
    """A month of the demo's lake, to be changed."""
    return a_copy(demo.folder / "lake", tmp_path / "lake", PASSED)


@pytest.fixture
def both(demo: Demo, tmp_path: Path) -> Path:
    """Two months of the demo's lake, to be changed."""
    return a_copy(demo.folder / "lake", tmp_path / "both", *MONTHS)


Tamper = Callable[[Path], list[Path]]
"""Changes a lake, and gives what it changed."""


def flipped(asset: str, pattern: str, offset: int | None = None) -> Tamper:
    """Change one byte of the first file of a partition that a pattern finds."""
    return lambda lake: [flip(sorted(partition(lake, asset, PASSED).glob(pattern))[0], offset)]


def removed(asset: str, pattern: str) -> Tamper:
    """Remove the first file or folder that a pattern finds."""

    def tamper(lake: Path) -> list[Path]:
        path = sorted(partition(lake, asset, PASSED).glob(pattern))[0]
        shutil.rmtree(path) if path.is_dir() else path.unlink()
        return [path]

    return tamper


def edited(asset: str, pattern: str, old: str, new: str) -> Tamper:
    """Replace words in a file's text."""

    def tamper(lake: Path) -> list[Path]:
        path = sorted(partition(lake, asset, PASSED).glob(pattern))[0]
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))
        return [path]

    return tamper


def swapped(asset: str, first: str, *also: str) -> Tamper:
    """Swap folders of a partition between the two months; what lies in the first of them is to be named."""

    def tamper(lake: Path) -> list[Path]:
        passed, rejected = (partition(lake, asset, month) for month in MONTHS)
        moved = [passed / first / path.name for path in (rejected / first).iterdir()]
        moved += [rejected / first / path.name for path in (passed / first).iterdir()]
        for folder in (first, *also):
            exchange(passed / folder, rejected / folder)
        return moved

    return tamper


def exchange(first: Path, second: Path) -> None:
    """Give each of two files or folders the other's name."""
    aside = first.with_name("aside")
    for old, new in ((first, aside), (second, first), (aside, second)):
        old.rename(new)


def data_under_each_others_names(lake: Path) -> list[Path]:
    """Swap two months' data, and let each have the name of the other."""
    first, second = (data_of(lake, ALIGNED, month) for month in MONTHS)
    exchange(first, second)
    return [first, second]


def records_under_each_others_names(lake: Path) -> list[Path]:
    """Swap two months' records, and let each have the name of the other."""
    first, second = (the_only(partition(lake, GATED, month) / "records") for month in MONTHS)
    exchange(first, second)
    return [first, second]


def an_unreferenced_record(lake: Path) -> list[Path]:
    """Put a record beside the others that is sound by itself: another threshold, a name that fits."""
    folder = partition(lake, GATED, PASSED) / "records"
    document = json.loads(the_only(folder).read_bytes())
    document["plan"]["gate"]["min_coverage"] = 0.1
    return [put(folder, document)]


def a_head_that_names_another_partitions_record(lake: Path) -> list[Path]:
    """Point the gate's head at the record of the indices."""
    head = partition(lake, GATED, PASSED) / "heads" / "000001.json"
    head.write_bytes((partition(lake, INDICES, PASSED) / "heads" / "000001.json").read_bytes())
    return [head]


def a_request_that_names_another_record(lake: Path) -> list[Path]:
    """Answer the gate's request by the record of the indices."""
    request = the_only(partition(lake, GATED, PASSED) / "requests")
    request.write_bytes(the_only(partition(lake, INDICES, PASSED) / "requests").read_bytes())
    return [request]


def a_run_that_was_counted_twice(lake: Path) -> list[Path]:
    """Copy a run record under another time: as if the record had been reproduced."""
    run = the_only(partition(lake, INDICES, PASSED) / "runs")
    return [Path(shutil.copy(run, run.with_name(f"20270101T000000.000000Z-{run.stem.rpartition('-')[2]}.json")))]


def a_file_too_many(lake: Path) -> list[Path]:
    """Put a chunk where none was written: it would be read."""
    chunk = sorted(data_of(lake, INDICES, PASSED).glob("ndvi/c/0/*/*"))[0]
    other = chunk.parents[1] / "0" / "0"
    other.parent.mkdir()
    shutil.copy(chunk, other)
    return [other]


def a_file_without_a_place(lake: Path) -> list[Path]:
    """Leave a note in a partition."""
    note = partition(lake, INDICES, PASSED) / "note.txt"
    note.write_text("approved")
    return [note]


def a_link_instead_of_a_record(lake: Path) -> list[Path]:
    """Keep a record's bytes elsewhere, where they can change after they were verified."""
    record = the_only(partition(lake, INDICES, PASSED) / "records")
    record.rename(lake.parent / "elsewhere.json")
    record.symlink_to(lake.parent / "elsewhere.json")
    return [record]


def the_lakes_name_edited(lake: Path) -> list[Path]:
    """Give the lake to another programme."""
    (lake / LAKE).write_text('{"format":"mrv-lake/2","programme":"another"}')
    return [lake / LAKE]


def the_lakes_name_removed(lake: Path) -> list[Path]:
    """Take lake.json away."""
    (lake / LAKE).unlink()
    return [lake / LAKE]


ATTRS = "data/*/ndvi/zarr.json"

MATRIX: dict[str, Tamper] = {
    "byte flipped in a chunk": flipped(ALIGNED, "data/*/red/c/0/*/*"),
    "byte flipped in a GeoTIFF": flipped(RAW, "data/*/*/nir.tif", 3000),
    "byte flipped in a sidecar": flipped(RAW, "data/*/scenes.json"),
    "byte flipped in an item": flipped(RAW, "data/*/*/item.json"),
    "byte flipped in a parquet": flipped(PRODUCT, "data/*/parcels.parquet"),
    "byte flipped in a decision": flipped(GATED, "data/*/decision.json"),
    "byte flipped in a picture": flipped(GATED, "data/*/preview.png"),
    "byte flipped in a record": flipped(MASKED, "records/*"),
    "byte flipped in a head": flipped(MASKED, "heads/*", 25),
    "byte flipped in a request": flipped(MASKED, "requests/*"),
    "byte flipped in a run record": flipped(MASKED, "runs/*"),
    "chunk deleted": removed(INDICES, "data/*/ndvi/c/0/*/*"),
    "coordinate deleted": removed(INDICES, "data/*/x/c/0"),
    "data deleted": removed(INDICES, "data/*"),
    "GeoTIFF deleted": removed(RAW, "data/*/*/nir.tif"),
    "attrs edited, scale": edited(INDICES, ATTRS, "0.0001", "0.0002"),
    "attrs edited, long name": edited(INDICES, ATTRS, "normalized difference", "normalised difference"),
    "attrs edited, of the group": edited(INDICES, "data/*/zarr.json", "sentinel2", "sentinel3"),
    "attrs edited, CRS": edited(INDICES, "data/*/spatial_ref/zarr.json", "34N", "35N"),
    "fill value edited": edited(INDICES, ATTRS, '"fill_value":-32768', '"fill_value":5000'),
    "upstream record deleted": removed(RAW, "records/*"),
    "head removed": removed(GATED, "heads/*"),
    "request removed": removed(GATED, "requests/*"),
    "an extra unreferenced record": an_unreferenced_record,
    "a head of another partition": a_head_that_names_another_partitions_record,
    "an answer of another request": a_request_that_names_another_record,
    "a run counted twice": a_run_that_was_counted_twice,
    "a file too many in data": a_file_too_many,
    "a file without a place": a_file_without_a_place,
    "a link instead of a record": a_link_instead_of_a_record,
    "lake.json edited": the_lakes_name_edited,
    "lake.json removed": the_lakes_name_removed,
}
SWAPS: dict[str, Tamper] = {
    "data only": swapped(ALIGNED, "data"),
    "data under the other's name": data_under_each_others_names,
    "data with records": swapped(ALIGNED, "records", "data"),
    "all of a partition": swapped(ALIGNED, "records", "data", "heads", "requests", "runs"),
    "records only": swapped(GATED, "records"),
    "records under the other's name": records_under_each_others_names,
}
BY_COMMAND = ("chunk deleted", "head removed")


def test_an_untouched_copy_verifies(both: Path) -> None:
    """What the matrix finds, it finds because of what was changed."""
    assert findings(both) == []


@pytest.mark.parametrize("tamper", MATRIX.values(), ids=MATRIX)
def test_it_is_found_and_named(tamper: Tamper, lake: Path) -> None:
    """Each object that was changed is named by a finding, with what was expected and a cure."""
    check(lake, tamper(lake))


@pytest.mark.parametrize("swap", SWAPS.values(), ids=SWAPS)
def test_months_that_were_swapped_are_found_and_named(swap: Tamper, both: Path) -> None:
    """Both of them, whatever was swapped: data only, data with records, or all there is."""
    check(both, swap(both))


def check(lake: Path, changed: list[Path]) -> None:
    """Verify a lake, and want everything named that was changed in it."""
    found = findings(lake)

    assert [path for path in changed if not names(found, path.relative_to(lake).as_posix())] == []
    assert all(one["expected"] != one["found"] and one["cure"] for one in found)


@pytest.mark.parametrize("change", BY_COMMAND)
def test_the_command_says_so(change: str, lake: Path) -> None:
    """`mrv verify` ends with exit code 1, shows the object's path and says NOT VERIFIED."""
    [path] = MATRIX[change](lake)

    done = mrv("verify", "lake", "--month", PASSED, cwd=lake.parent)

    assert done.returncode == 1, done.stderr
    assert f"\n{path.relative_to(lake).as_posix()}" in f"\n{done.stdout}"
    assert done.stdout.splitlines()[-1].startswith("NOT VERIFIED")


# Heads of a partition whose decision was replaced, and brought back.


@pytest.fixture(scope="module")
def replaced(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake in which a threshold was changed, then changed back: heads 1, 2 and 3, the last told by a run."""
    folder = tmp_path_factory.mktemp("replaced")
    for threshold in (0.5, 0.6, 0.5):
        run_months(with_gate(folder, threshold), [MONTH])
    assert len(list(partition(folder / "lake", GATED, MONTH).glob("heads/*"))) == 3
    return folder / "lake"


def with_gate(folder: Path, threshold: float) -> Deployment:
    """A programme of one scene and one parcel, under a threshold."""
    box = Box(row=CORNER - 50, col=CORNER - 50, height=10, width=10)
    return a_programme_of(folder, [SceneSpec(id="s")], {"a": box}, gate={"min_coverage": threshold})


@pytest.fixture
def history(replaced: Path, tmp_path: Path) -> Path:
    """A copy of it, to be changed."""
    return shutil.copytree(replaced, tmp_path / "lake")


@pytest.mark.parametrize("gone", [(1,), (2,), (3,), (1, 2), (2, 3), (1, 2, 3)], ids=str)
def test_a_head_that_went_missing_is_named(gone: tuple[int, ...], history: Path) -> None:
    """First, middle or last: the first of those that are gone is named."""
    heads = partition(history, GATED, MONTH) / "heads"
    for number in gone:
        (heads / f"{number:06d}.json").unlink()

    found = findings(history)

    assert names(found, (heads / f"{gone[0]:06d}.json").relative_to(history).as_posix())


def test_a_head_that_does_not_say_what_its_run_says_is_found(history: Path) -> None:
    """The third head brought the first decision back; pointed at the second again, all else fits."""
    second, third = (partition(history, GATED, MONTH) / "heads" / f"{number:06d}.json" for number in (2, 3))
    replacing = json.loads(second.read_bytes())["record"]
    third.write_bytes(canonical({"previous": replacing, "record": replacing}))

    check(history, [third])


def test_answers_that_were_exchanged_are_found(history: Path) -> None:
    """Each request names a sound record of its partition, which answers the other: the wrong one would be reused."""
    first, second = partition(history, GATED, MONTH).glob("requests/*")
    exchange(first, second)

    check(history, [first, second])


def test_the_last_head_is_missed_though_no_run_tells_of_it(history: Path) -> None:
    """The record that it named answers its request, and was never current: that is a head too few."""
    folder = partition(history, GATED, MONTH)
    restoring = [path for path in folder.glob("runs/*") if json.loads(path.read_bytes())["head"]]
    for path in (*restoring, folder / "heads" / "000003.json", folder / "heads" / "000002.json"):
        path.unlink()

    found = findings(history)

    assert names(found, f"{GATED}/{TILE}/{MONTH}/heads/000002.json")


def test_a_head_and_the_run_that_tells_of_it_leave_no_trace(history: Path) -> None:
    """What docs/audit.md says that nothing in a lake can prove; so keep audit hashes elsewhere."""
    for asset in (GATED, PRODUCT):
        folder = partition(history, asset, MONTH)
        [restoring] = [path for path in folder.glob("runs/*") if json.loads(path.read_bytes())["head"]]
        restoring.unlink()
        (folder / "heads" / "000003.json").unlink()

    assert findings(history) == []


def test_every_kind_of_file_is_in_the_matrix(lake: Path) -> None:
    """A new kind of file in the lake wants a row of its own."""
    kinds = {kind(lake, path) for path in lake.rglob("*") if path.is_file()}

    assert kinds == {
        *("lake.json", "records", "heads", "requests", "runs"),
        *("data chunk", "data .json", "data .tif", "data .parquet", "data .png"),
    }
