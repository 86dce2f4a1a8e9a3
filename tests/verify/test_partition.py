"""Checking a partition's documents: names, places, what each names, and what is missing."""

import json
import shutil
from pathlib import Path
from typing import Any

import data_edits as edits
import pytest
from demo_lake import TILE
from tampering import (
    ALIGNED,
    GATED,
    INDICES,
    MASKED,
    PASSED,
    RAW,
    Json,
    data_of,
    findings,
    forge,
    names,
    partition,
    put,
    rewrite_run,
    the_only,
)

from mrv_assets.audit.canonical import canonical, digest
from mrv_assets.audit.record import Partition
from mrv_assets.lake.layout import LAKE, Slot
from mrv_assets.lake.runs import run_id
from mrv_assets.stages.table import PRODUCT

HASH = "0" * 64


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("record", HASH),
        ("request", HASH),
        ("data", HASH),
        ("asset", GATED),
        ("tile", "34TEQ"),
        ("month", "2018-10"),
        ("schema", "mrv-run/0"),
        ("programme", "another"),
        ("head", 7),
        ("head", -1),
        ("stored", {}),
        ("started", "yesterday"),
        ("started", None),
    ],
)
def test_a_run_record_that_is_not_of_its_record_is_found(field: str, value: Any, lake: Path) -> None:
    """Edited and named anew by its digest, it still has to fit the record, the data and the heads."""
    path = the_only(partition(lake, INDICES, PASSED) / "runs")
    document = {**json.loads(path.read_bytes()), field: value}
    path.unlink()
    made = put(path.parent, document)
    made.rename(made.with_name(f"{path.stem.rpartition('-')[0]}-{made.name}"))

    found = findings(lake)

    told = names(found, path.parent.relative_to(lake).as_posix())
    in_head, in_data = (names(found, f"{INDICES}/{TILE}/{PASSED}/{part}") for part in ("heads", "data"))
    assert {"programme": names(found, LAKE), "head": told or in_head, "stored": in_data}.get(field, told)


@pytest.mark.parametrize(
    ("part", "value"),
    [("record", HASH), ("previous", HASH), ("more", 1)],
)
def test_a_head_is_of_its_partition(part: str, value: Any, lake: Path) -> None:
    """It names a sound record of the partition and the head before it, and holds nothing else."""
    head = partition(lake, GATED, PASSED) / "heads" / "000001.json"
    head.write_bytes(canonical({**json.loads(head.read_bytes()), part: value}))

    found = findings(lake, asset=GATED)

    assert names(found, head.relative_to(lake).as_posix())


@pytest.mark.parametrize(("number", "named"), [("000000", "000000"), ("999999", "000002")])
def test_numbers_of_heads_start_at_one_and_have_no_gap(number: str, named: str, lake: Path) -> None:
    """A gap of a million is one finding."""
    folder = partition(lake, GATED, PASSED) / "heads"
    shutil.copy(folder / "000001.json", folder / f"{number}.json")

    found = findings(lake, asset=GATED)

    assert 1 <= len(found) <= 3
    assert names(found, f"{GATED}/{TILE}/{PASSED}/heads/{named}.json")


def test_a_run_that_tells_of_a_head_far_away_is_one_finding(lake: Path) -> None:
    """Whoever writes a large number takes no time of the one who verifies."""
    run = the_only(partition(lake, GATED, PASSED) / "runs")
    rewrite_run(run, lambda document: document.update(head=10**12, stored={}))

    found = findings(lake, asset=GATED)

    assert [one["found"] for one in found if "heads/000002" in one["object"]] == ["no file"]
    assert len(found) < 5


def test_a_record_that_no_run_tells_of_is_found(lake: Path) -> None:
    """Nothing says which bytes were written for it."""
    the_only(partition(lake, INDICES, PASSED) / "runs").unlink()

    [found] = findings(lake, asset=INDICES)

    record = the_only(partition(lake, INDICES, PASSED) / "records")
    assert (found["object"], found["check"]) == (record.relative_to(lake).as_posix(), "has a run record")


def test_a_record_that_was_not_reproducible_is_found(lake: Path) -> None:
    """The same request with another output, its data and its run beside the first's: only no head ever named it."""
    slot = Slot(lake, Partition(MASKED, TILE, PASSED))
    first, run = the_only(slot.folder / "records"), the_only(slot.folder / "runs")
    document = json.loads(first.read_bytes())
    document["output"]["unclear_pixels"][0]["cloud"] += 1
    second = put(first.parent, document)
    data = slot.data(digest(document["output"]))
    shutil.copytree(data_of(lake, MASKED, PASSED), data)
    other = json.loads(run.read_bytes()) | {"record": second.stem, "data": data.name}
    slot.run(run_id(other)).write_bytes(canonical(other))

    [found] = findings(lake, asset=MASKED)

    assert (found["object"], found["check"]) == (second.relative_to(lake).as_posix(), "was once current")


@pytest.mark.parametrize(
    "inputs", [{}, {"sentinel2/gated_tiles": HASH}, {"../../etc/x": HASH}, {"a/b": "../x"}, {"a/b": 1}]
)
def test_a_record_whose_upstream_lies_is_found(inputs: Json, lake: Path) -> None:
    """A forged record fits its name, its head, its request and its run; what it was made from is not there."""

    def other_inputs(data: Path, document: Json) -> None:
        document["inputs"] = inputs

    forge(lake, PRODUCT, PASSED, other_inputs)

    found = findings(lake)

    record = the_only(partition(lake, PRODUCT, PASSED) / "records").relative_to(lake).as_posix()
    upstream = f"{GATED}/{TILE}/{PASSED}/records/{HASH}.json"
    assert names(found, upstream if HASH in inputs.values() and GATED in inputs else record)


def test_a_forged_month_that_fits_in_everything_is_not_found(lake: Path) -> None:
    """What docs/audit.md says that a lake cannot prove: computing again can, and audit hashes kept elsewhere."""

    def higher(data: Path, document: Json) -> None:
        edits.another_value(data)

    forge(lake, INDICES, PASSED, higher)

    assert findings(lake) == []


def checks(found: list[Json]) -> set[str]:
    """What was compared in each finding."""
    return {finding["check"] for finding in found}


def test_a_plan_unlike_its_neighbours_is_found(lake: Path) -> None:
    """A stage's parameters are those of what it was made from, in all that both state."""

    def another_mission(data: Path, document: Json) -> None:
        document["plan"]["mission"]["title"] = "Sentinel-2 by somebody else"

    forge(lake, MASKED, PASSED, another_mission)

    found = findings(lake)

    assert checks(found) == {
        f"has the parameters of {ALIGNED}, which it was made from",
        f"has the parameters of {MASKED}, which it was made from",
    }
    assert all("mission" in finding["expected"] for finding in found)


def test_an_item_unlike_its_digest_is_found(lake: Path) -> None:
    """The record names the item by what it says."""

    def another_item(data: Path, document: Json) -> None:
        document["inputs"]["items"][0]["item_sha256"] = "0" * 64

    forge(lake, RAW, PASSED, another_item)

    assert checks(findings(lake)) == {"is the item of the record"}


def test_a_cog_tile_unlike_its_digest_is_found(lake: Path) -> None:
    """The list of fetched tiles is compared with the file that holds them."""

    def another_tile(data: Path, document: Json) -> None:
        scenes = json.loads((data / "scenes.json").read_bytes())
        scenes[0]["scenes"][0]["bands"]["red"]["sha256"][0] = "0" * 64
        (data / "scenes.json").write_bytes(canonical(scenes))

    forge(lake, RAW, PASSED, another_tile)

    assert checks(findings(lake)) == {"COG tiles"}


def a_second(lake: Path, asset: str) -> tuple[Path, Path]:
    """A second record of an asset that a second head names; gives the first and the second."""
    slot = partition(lake, asset, PASSED)
    first = the_only(slot / "records")
    second = put(slot / "records", {**json.loads(first.read_bytes()), "code": "0" * 64})
    (slot / "heads" / "000002.json").write_bytes(canonical({"record": second.stem, "previous": first.stem}))
    return first, second


def test_a_head_that_repeats_the_one_before_is_found(lake: Path) -> None:
    """No run makes current what is so already."""
    slot = partition(lake, INDICES, PASSED)
    first = the_only(slot / "records").stem
    (slot / "heads" / "000002.json").write_bytes(canonical({"record": first, "previous": first}))

    assert checks(findings(lake)) == {"names another record than the one before"}


def test_heads_in_another_order_than_their_runs_are_found(lake: Path) -> None:
    """The second head names a record that was computed long before the first one's."""
    _, second = a_second(lake, INDICES)
    runs = partition(lake, INDICES, PASSED) / "runs"
    run = json.loads(the_only(runs).read_bytes())
    run |= {"record": second.stem, "started": "2000-01-01T00:00:00+00:00", "finished": "2000-01-01T00:00:01+00:00"}
    (runs / f"{run_id(run)}.json").write_bytes(canonical(run))

    assert "comes after the heads of records that were computed before" in checks(findings(lake))


@pytest.mark.parametrize("asset", [GATED, INDICES, RAW])
def test_a_current_product_of_a_replaced_record_is_found(asset: str, lake: Path) -> None:
    """The gate decided anew, or what it decided on was made anew, and the month was not made again."""
    _, second = a_second(lake, asset)

    found = findings(lake, asset=PRODUCT)

    [stale] = [finding for finding in found if finding["check"] == f"was made from the current record of {asset}"]
    assert stale["expected"] == second.stem
    assert f"mrv run --tile {TILE} --month {PASSED}" in stale["cure"]
