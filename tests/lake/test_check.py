"""Checking: what a partition's documents and data are compared with, and that nothing found there makes it fail."""

import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zarr
from demo_lake import TILE, Demo
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from tampering import (
    ASSETS,
    BLOCK_COLS,
    BLOCK_ROWS,
    Json,
    a_copy,
    accept,
    data_of,
    findings,
    flip,
    forge,
    names,
    partition,
    put,
    rewrite_run,
    the_only,
)

from mrv_assets.audit.canonical import canonical
from mrv_assets.lake.contents import LAKE, Contents
from mrv_assets.lake.documents import RecordDocument
from mrv_assets.workplace import PRODUCT

MONTH = "2018-09"
RAW, ALIGNED, MASKED, INDICES, GATED = ASSETS[:5]
HASH = "0" * 64


@pytest.fixture
def lake(demo: Demo, tmp_path: Path) -> Path:
    """A month of the demo's lake that the gate passed, to be changed."""
    return a_copy(demo.folder / "lake", tmp_path / "lake", MONTH)


def chunk_of(data: Path, variable: str) -> Path:
    """A chunk of a variable."""
    return sorted(data.glob(f"{variable}/c/**/[0-9]*"))[-1]


def described(data: Path, variable: str, edit: Callable[[Json], None]) -> None:
    """Edit the description of an array or, without a name, of the group."""
    path = data / variable / "zarr.json"
    document = json.loads(path.read_bytes())
    edit(document)
    path.write_text(json.dumps(document))


# What data says. Each edit is made as someone would who knows how a lake is checked: the run record is edited too, so
# that every stored byte is as it says, and it has the name that it must have.


def another_value(data: Path) -> None:
    """Add one unit to one pixel."""
    array = zarr.open_group(data, mode="r+")["ndvi"]
    values = array[:, BLOCK_ROWS, BLOCK_COLS]
    seen = np.argwhere(values != -32768)
    values[tuple(seen[len(seen) // 2])] += 1
    array[:, BLOCK_ROWS, BLOCK_COLS] = values


def no_chunk(data: Path) -> None:
    """Lose a chunk: it reads as fill."""
    chunk_of(data, "ndvi").unlink()


def a_chunk_elsewhere(data: Path) -> None:
    """Write a chunk where there was none."""
    target = data / "ndvi" / "c" / "0" / "0" / "0"
    target.parent.mkdir(parents=True)
    shutil.copy(chunk_of(data, "ndvi"), target)


def another_scale(data: Path) -> None:
    """Halve every index."""
    described(data, "ndvi", lambda one: one["attributes"].update(scale_factor=0.00005))


def another_fill(data: Path) -> None:
    """Let gaps read as values."""
    described(data, "ndvi", lambda one: one.update(fill_value=5000))


def another_type(data: Path) -> None:
    """Read the same bytes as another type."""
    described(data, "ndvi", lambda one: one.update(data_type="uint16", fill_value=32768))


def dims_swapped(data: Path) -> None:
    """Turn the map over its diagonal."""
    described(data, "ndvi", lambda one: one.update(dimension_names=["time", "x", "y"]))


def an_endless_coordinate(data: Path) -> None:
    """Ask whoever reads it for terabytes."""
    described(data, "time", lambda one: one.update(shape=[10**12]))


def another_time(data: Path) -> None:
    """Move the first observation by a day."""
    array = zarr.open_group(data, mode="r+")["time"]
    array[0] = array[0] + 86_400_000_000


def another_column(data: Path) -> None:
    """Move the map by a pixel."""
    array = zarr.open_group(data, mode="r+")["x"]
    array[:] = array[:] + 10


def another_unit(data: Path) -> None:
    """Call metres kilometres."""
    described(data, "x", lambda one: one["attributes"].update(units="km"))


def another_crs(data: Path) -> None:
    """Move the map to another zone."""
    described(data, "spatial_ref", lambda one: one["attributes"].update(crs_wkt=_utm(35)))


def a_second_crs(data: Path) -> None:
    """Say another CRS in the words that some readers look for first."""
    described(data, "spatial_ref", lambda one: one["attributes"].update(spatial_ref=_utm(35)))


def _utm(zone: int) -> str:
    from pyproj import CRS

    return str(CRS.from_epsg(32600 + zone).to_wkt())


def another_corner(data: Path) -> None:
    """Move the map's corner."""
    described(data, "spatial_ref", lambda one: one["attributes"].update(GeoTransform="0.0 10.0 0.0 0.0 0.0 -10.0"))


def another_mission(data: Path) -> None:
    """Edit an attribute of the group."""
    described(data, "", lambda one: one["attributes"].update(mission="landsat"))


def a_variable_too_many(data: Path) -> None:
    """Add an index that nobody computed."""
    shutil.copytree(data / "ndvi", data / "evi2")


def a_variable_too_few(data: Path) -> None:
    """Take an index away."""
    shutil.rmtree(data / "evi")


def no_group(data: Path) -> None:
    """Leave arrays without the group that they are in."""
    (data / "zarr.json").write_text("{}")


def a_broken_chunk(data: Path) -> None:
    """Make a chunk that no codec reads."""
    chunk_of(data, "ndvi").write_bytes(b"no blosc")


def table(data: Path, edit: Callable[[pa.Table], pa.Table]) -> None:
    """Edit the table."""
    pq.write_table(edit(pq.read_table(data / "parcels.parquet")), data / "parcels.parquet")


def another_mean(data: Path) -> None:
    """Raise a parcel's NDVI by 0.01."""

    def edit(rows: pa.Table) -> pa.Table:
        values = rows["ndvi_mean"].to_pylist()
        at = rows.column_names.index("ndvi_mean")
        return rows.set_column(at, rows.field(at), pa.array([values[0] + 0.01, *values[1:]], pa.float64()))

    table(data, edit)


def a_row_less(data: Path) -> None:
    """Drop a parcel."""
    table(data, lambda rows: rows.slice(1))


def outlines_changed(data: Path) -> None:
    """Move the parcels, and keep their rows."""
    frame = gpd.read_parquet(data / "parcels.parquet")
    frame["geometry"] = frame.geometry.translate(0.001, 0)
    frame.to_parquet(data / "parcels.parquet", index=False, schema_version="1.1.0")


def outlines_in_another_crs(data: Path) -> None:
    """Say that degrees are metres."""
    frame = gpd.read_parquet(data / "parcels.parquet").set_crs("EPSG:3857", allow_override=True)
    frame.to_parquet(data / "parcels.parquet", index=False, schema_version="1.1.0")


def another_composite(data: Path) -> None:
    """Change the last bit of a pixel of the month."""
    array = zarr.open_group(data / "rasters.zarr", mode="r+")["ndvi"]
    values = array[BLOCK_ROWS, BLOCK_COLS]
    place = tuple(np.argwhere(~np.isnan(values))[0])
    values[place] = np.nextafter(values[place], np.float32(2))
    array[BLOCK_ROWS, BLOCK_COLS] = values


def another_picture(data: Path) -> None:
    """Colour a pixel."""
    with Image.open(data / "preview.png") as opened:
        pixels = np.array(opened)
    pixels[0, 0] = 0
    Image.fromarray(pixels).save(data / "preview.png")


def another_decision(data: Path) -> None:
    """Say that the threshold was another."""
    text = (data / "decision.json").read_text()
    (data / "decision.json").write_text(text.replace('"min_coverage":0.65', '"min_coverage":0.05'))


def another_scene(data: Path) -> None:
    """Change a published byte."""
    flip(sorted(data.glob("*/red.tif"))[0])


def another_file(data: Path) -> None:
    """Add a scene that was not published."""
    folder = sorted(path for path in data.iterdir() if path.is_dir())[0]
    shutil.copytree(folder, folder.with_name("S2_made_up"))


FORGED_DATA: dict[str, tuple[str, Callable[[Path], None], str]] = {
    "value": (INDICES, another_value, "ndvi"),
    "chunk lost": (INDICES, no_chunk, "ndvi"),
    "chunk added": (INDICES, a_chunk_elsewhere, "ndvi"),
    "chunk broken": (INDICES, a_broken_chunk, ""),
    "scale": (INDICES, another_scale, "ndvi"),
    "fill": (INDICES, another_fill, "ndvi"),
    "type": (INDICES, another_type, "ndvi"),
    "dims": (INDICES, dims_swapped, "ndvi"),
    "endless coordinate": (INDICES, an_endless_coordinate, "time"),
    "time": (INDICES, another_time, ""),
    "column": (INDICES, another_column, ""),
    "unit": (INDICES, another_unit, ""),
    "CRS": (INDICES, another_crs, "spatial_ref"),
    "second CRS": (INDICES, a_second_crs, "spatial_ref"),
    "corner": (INDICES, another_corner, "spatial_ref"),
    "attribute of the group": (INDICES, another_mission, ""),
    "variable too many": (INDICES, a_variable_too_many, "evi2"),
    "variable too few": (INDICES, a_variable_too_few, "evi"),
    "no group": (INDICES, no_group, ""),
    "row": (PRODUCT, another_mean, "parcels.parquet"),
    "rows": (PRODUCT, a_row_less, "parcels.parquet"),
    "outlines": (PRODUCT, outlines_changed, "parcels.parquet"),
    "CRS of outlines": (PRODUCT, outlines_in_another_crs, "parcels.parquet"),
    "composite": (PRODUCT, another_composite, "rasters.zarr/ndvi"),
    "picture": (GATED, another_picture, "preview.png"),
    "decision": (GATED, another_decision, "decision.json"),
    "GeoTIFF": (RAW, another_scene, ""),
    "scene": (RAW, another_file, ""),
}


@pytest.mark.parametrize(("asset", "edit", "place"), FORGED_DATA.values(), ids=FORGED_DATA)
def test_data_is_found_out_though_its_run_record_was_forged(
    asset: str, edit: Callable[[Path], None], place: str, lake: Path
) -> None:
    """A run record that agrees with altered data is worth nothing: the record says what the data says."""
    data = data_of(lake, asset, MONTH)
    edit(data)
    accept(lake, asset, MONTH)

    found = findings(lake, asset=asset)

    assert found
    assert names(found, (data / place).relative_to(lake).as_posix())


def in_another_codec(data: Path) -> None:
    """Store the same values in smaller chunks and without compression."""
    group = zarr.open_group(data, mode="r+")
    old = group["ndvi"]
    values, shape, attrs = old[:, BLOCK_ROWS, BLOCK_COLS], old.shape, dict(old.attrs)
    shutil.rmtree(data / "ndvi")
    array = group.create_array(
        "ndvi",
        shape=shape,
        dtype=values.dtype,
        chunks=(shape[0], 512, 512),
        fill_value=-32768,
        compressors=None,
        dimension_names=("time", "y", "x"),
        attributes=attrs,
    )
    array[:, BLOCK_ROWS, BLOCK_COLS] = values


def as_another_png(data: Path) -> None:
    """Store the same pixels in other bytes."""
    with Image.open(data / "preview.png") as opened:
        pixels = np.array(opened)
    Image.fromarray(pixels).save(data / "preview.png", compress_level=0)


def another_host(run: Json) -> None:
    """Say that it ran elsewhere, later, on another processor."""
    run.update(host="another", finished="2030-01-01T00:00:00+00:00")
    run["environment"]["cpu"] = "another"


def test_what_a_record_does_not_cover_is_not_found(lake: Path) -> None:
    """As docs/audit.md has it: codec, chunking and PNG bytes say nothing; who computed it, and when, nobody signs."""
    in_another_codec(data_of(lake, INDICES, MONTH))
    as_another_png(data_of(lake, GATED, MONTH))
    assert len(findings(lake)) >= 2
    for asset in (INDICES, GATED):
        accept(lake, asset, MONTH)
    rewrite_run(the_only(partition(lake, ALIGNED, MONTH) / "runs"), another_host)

    assert findings(lake) == []


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
    path = the_only(partition(lake, INDICES, MONTH) / "runs")
    document = {**json.loads(path.read_bytes()), field: value}
    path.unlink()
    made = put(path.parent, document)
    made.rename(made.with_name(f"{path.stem.rpartition('-')[0]}-{made.name}"))

    found = findings(lake)

    told = names(found, path.parent.relative_to(lake).as_posix())
    in_head, in_data = (names(found, f"{INDICES}/{TILE}/{MONTH}/{part}") for part in ("heads", "data"))
    assert {"programme": names(found, LAKE), "head": told or in_head, "stored": in_data}.get(field, told)


@pytest.mark.parametrize(
    ("part", "value"),
    [("record", HASH), ("previous", HASH), ("more", 1)],
)
def test_a_head_is_of_its_partition(part: str, value: Any, lake: Path) -> None:
    """It names a sound record of the partition and the head before it, and holds nothing else."""
    head = partition(lake, GATED, MONTH) / "heads" / "000001.json"
    head.write_bytes(canonical({**json.loads(head.read_bytes()), part: value}))

    found = findings(lake, asset=GATED)

    assert names(found, head.relative_to(lake).as_posix())


@pytest.mark.parametrize("number", ["000000", "999999"])
def test_numbers_of_heads_start_at_one_and_have_no_gap(number: str, lake: Path) -> None:
    """A gap of a million is one finding."""
    folder = partition(lake, GATED, MONTH) / "heads"
    shutil.copy(folder / "000001.json", folder / f"{number}.json")

    found = findings(lake, asset=GATED)

    assert 1 <= len(found) <= 3
    assert names(found, f"{GATED}/{TILE}/{MONTH}/heads")


def test_a_run_that_tells_of_a_head_far_away_is_one_finding(lake: Path) -> None:
    """Whoever writes a large number takes no time of the one who verifies."""
    run = the_only(partition(lake, GATED, MONTH) / "runs")
    rewrite_run(run, lambda document: document.update(head=10**12, stored={}))

    found = findings(lake, asset=GATED)

    assert [one["found"] for one in found if "heads/000002" in one["object"]] == ["no file"]
    assert len(found) < 5


# Records that are sound by themselves.


@pytest.mark.parametrize(
    "inputs", [{}, {"sentinel2/gated_tiles": HASH}, {"../../etc/x": HASH}, {"a/b": "../x"}, {"a/b": 1}]
)
def test_a_record_whose_upstream_lies_is_found(inputs: Json, lake: Path) -> None:
    """A forged record fits its name, its head, its request and its run; what it was made from is not there."""

    def other_inputs(data: Path, document: Json) -> None:
        document["inputs"] = inputs

    forge(lake, PRODUCT, MONTH, other_inputs)

    found = findings(lake)

    record = the_only(partition(lake, PRODUCT, MONTH) / "records").relative_to(lake).as_posix()
    upstream = f"{GATED}/{TILE}/{MONTH}/records/{HASH}.json"
    assert names(found, upstream if HASH in inputs.values() and GATED in inputs else record)


def test_a_record_that_says_nothing_of_its_data_is_found(lake: Path) -> None:
    """Data that no digest covers could be anything."""

    def no_output(data: Path, document: Json) -> None:
        document["output"] = {"status": "PASSED"}

    forge(lake, GATED, MONTH, no_output)

    found = findings(lake, asset=GATED)

    assert [one["check"] for one in found] == ["its record says what it is"]


def test_a_record_that_speaks_of_another_decision_than_its_data_is_found(lake: Path) -> None:
    """Whoever reads the record alone is told what the data says."""

    def rejected(data: Path, document: Json) -> None:
        document["output"].update(status="REJECTED", reasons=["below_coverage"])

    forge(lake, GATED, MONTH, rejected)

    found = findings(lake, asset=GATED)

    assert {one["check"] for one in found} == {"status as in the record", "reasons as in the record"}


def test_a_forged_month_that_fits_in_everything_is_not_found(lake: Path) -> None:
    """What docs/audit.md says that a lake cannot prove: computing again can, and audit hashes kept elsewhere."""

    def higher(data: Path, document: Json) -> None:
        another_value(data)

    forge(lake, INDICES, MONTH, higher)

    assert findings(lake) == []


# Garbage.


GARBAGE = {
    "empty": b"",
    "truncated": b'{"record":"00',
    "no UTF-8": b'{"record":"\xff\xfe"}',
    "a byte order mark": b"\xef\xbb\xbf{}",
    "null": b"null",
    "a list": b"[]",
    "a number": b"1e999",
    "not a number": b'{"record":NaN}',
    "an endless number": b'{"record":' + b"9" * 10_000 + b"}",
    "half a surrogate": b'{"record":"\\ud800"}',
    "deeply nested": b"[" * 100_000,
    "deeply nested objects": b'{"record":' * 100_000 + b"1" + b"}" * 100_000,
    "more than a megabyte": b'{"record":[' + b"[]," * 400_000 + b"0]}",
    "an object": b"{}",
    "a field too many": b'{"more":1}',
    "objects for hashes": b'{"previous":{},"record":[]}',
    "a name of a file": b'{"previous":null,"record":"../../../lake"}',
}
DOCUMENTS = ("lake.json", "records", "heads", "requests", "runs")


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE)
def test_garbage_in_every_document_is_found(garbage: bytes, lake: Path) -> None:
    """In the place of each document, and beside it under the name that it would have: a finding, never a failure."""
    documents = [lake / LAKE, *(the_only(partition(lake, INDICES, MONTH) / kind) for kind in DOCUMENTS[1:])]
    for path in documents:
        path.write_bytes(garbage)
    named = [as_named(partition(lake, GATED, MONTH), kind, garbage) for kind in ("records", "runs")]

    found = findings(lake)

    missed = [path for path in [*documents, *named] if not names(found, path.relative_to(lake).as_posix())]
    assert missed == []
    assert all(len(one["found"]) < 1000 for one in found)


def as_named(folder: Path, kind: str, data: bytes) -> Path:
    """Bytes under the name that is their digest, as a record or a run record."""
    from hashlib import sha256

    name = sha256(data).hexdigest()
    path = folder / kind / (f"{name}.json" if kind == "records" else f"20180901T000000.000000Z-{name}.json")
    path.write_bytes(data)
    return path


def test_a_document_of_any_size_is_not_read(lake: Path) -> None:
    """A file larger than any document is a finding, and takes neither memory nor time."""
    paths = [the_only(partition(lake, INDICES, MONTH) / kind) for kind in DOCUMENTS[1:]]
    for path in paths:
        os.truncate(path, RecordDocument.largest * 1000)
    started = time.monotonic()

    found = findings(lake)

    assert [path for path in paths if not names(found, path.relative_to(lake).as_posix())] == []
    assert time.monotonic() - started < 20


def test_what_is_no_file_is_found_and_not_waited_for(lake: Path) -> None:
    """A pipe under a record's name would be read for ever; a folder there cannot be read at all."""
    record = the_only(partition(lake, INDICES, MONTH) / "records")
    record.unlink()
    os.mkfifo(record)
    head = partition(lake, GATED, MONTH) / "heads" / "000001.json"
    head.unlink()
    head.mkdir()
    chunk = chunk_of(data_of(lake, ALIGNED, MONTH), "red")
    chunk.unlink()
    os.mkfifo(chunk)
    accept(lake, ALIGNED, MONTH)

    found = findings(lake)

    for path in (record, head, chunk):
        assert names(found, path.relative_to(lake).as_posix())


def test_a_record_in_another_spelling_is_found(lake: Path) -> None:
    """Its name is its digest, and still it is not the one spelling of what it says."""
    record = the_only(partition(lake, GATED, MONTH) / "records")
    spelled = json.dumps(json.loads(record.read_bytes()), indent=1).encode()
    made = as_named(record.parents[1], "records", spelled)

    found = findings(lake, asset=GATED)

    [one] = [one for one in found if one["object"] == made.relative_to(lake).as_posix()]
    assert "spelling" in one["found"]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8) | st.just(HASH),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


@pytest.fixture(scope="module")
def fuzzed(demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A month that is forged again and again."""
    return a_copy(demo.folder / "lake", tmp_path_factory.mktemp("fuzzed") / "lake", MONTH)


@settings(
    max_examples=60, deadline=None, derandomize=True, database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
@given(data=st.data())
def test_no_record_makes_verifying_fail(data: st.DataObject, fuzzed: Path) -> None:
    """Any part of a record replaced by anything, its name, head, request and run made to fit: no failure."""
    asset = data.draw(st.sampled_from(ASSETS))
    folder = partition(fuzzed, asset, MONTH)
    before = {path: path.read_bytes() for path in folder.rglob("*.json") if "/data/" not in path.as_posix()}
    document = json.loads(the_only(folder / "records").read_bytes())
    forged = replaced(document, data)
    try:
        made = put(folder / "records", forged)
        head = folder / "heads" / "000001.json"
        head.write_bytes(canonical({"record": made.stem, "previous": None}))
        rewrite_run(the_only(folder / "runs"), lambda run: run.update(record=made.stem))

        found = findings(fuzzed, asset=asset)

        assert found or forged == document
    finally:
        for path in folder.rglob("*.json"):
            if "/data/" not in path.as_posix() and path not in before:
                path.unlink()
        for path, content in before.items():
            path.write_bytes(content)


def replaced(document: Any, data: st.DataObject) -> Any:
    """A document with one part, at any depth, replaced by anything."""
    if isinstance(document, dict | list) and document and data.draw(st.integers(0, 3)):
        keys = sorted(document) if isinstance(document, dict) else range(len(document))
        key = data.draw(st.sampled_from(keys))
        copy = document.copy()
        copy[key] = replaced(document[key], data)
        return copy
    return data.draw(json_values)


def test_what_a_walk_counts_is_what_is_there(lake: Path) -> None:
    """Every file has a place, and is counted with its size."""
    contents = Contents.of(lake)

    files = [path for path in lake.rglob("*") if path.is_file() and path.name != LAKE]
    assert sum(one.files for one in contents.partitions) == len(files)
    assert sum(one.bytes for one in contents.partitions) == sum(path.stat().st_size for path in files)
    assert [one.slot.asset for one in contents.partitions] == sorted(ASSETS)
