"""Documents that nobody vouches for: whatever stands in the place of one is a finding, never a failure."""

import json
import os
import time
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from data_edits import chunk_of
from demo_lake import Demo
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tampering import (
    ALIGNED,
    ASSETS,
    GATED,
    INDICES,
    PASSED,
    a_copy,
    accept,
    data_of,
    findings,
    names,
    partition,
    put,
    rewrite_run,
    the_only,
)

from mrv_assets.audit.canonical import canonical
from mrv_assets.lake.documents import RecordDocument
from mrv_assets.lake.layout import LAKE

HASH = "0" * 64

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
    "hundreds of kilobytes": b'{"record":[' + b"[]," * 100_000 + b"0]}",
    "an object": b"{}",
    "a field too many": b'{"more":1}',
    "objects for hashes": b'{"previous":{},"record":[]}',
    "a name of a file": b'{"previous":null,"record":"../../../lake"}',
}
DOCUMENTS = ("lake.json", "records", "heads", "requests", "runs")


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE)
def test_garbage_in_every_document_is_found(garbage: bytes, lake: Path) -> None:
    """In the place of each document, and beside it under the name that it would have: a finding, never a failure."""
    documents = [lake / LAKE, *(the_only(partition(lake, INDICES, PASSED) / kind) for kind in DOCUMENTS[1:])]
    for path in documents:
        path.write_bytes(garbage)
    named = [as_named(partition(lake, GATED, PASSED), kind, garbage) for kind in ("records", "runs")]

    found = findings(lake)

    missed = [path for path in [*documents, *named] if not names(found, path.relative_to(lake).as_posix())]
    assert missed == []
    assert all(len(one["found"]) < 1000 for one in found)


def as_named(folder: Path, kind: str, data: bytes) -> Path:
    """Bytes under the name that is their digest, as a record or a run record."""
    name = sha256(data).hexdigest()
    path = folder / kind / (f"{name}.json" if kind == "records" else f"20180901T000000.000000Z-{name}.json")
    path.write_bytes(data)
    return path


def test_a_document_of_any_size_is_not_read(lake: Path) -> None:
    """A file larger than any document is a finding, and takes neither memory nor time."""
    paths = [the_only(partition(lake, INDICES, PASSED) / kind) for kind in DOCUMENTS[1:]]
    for path in paths:
        os.truncate(path, RecordDocument.largest * 1000)
    started = time.monotonic()

    found = findings(lake)

    assert [path for path in paths if not names(found, path.relative_to(lake).as_posix())] == []
    assert time.monotonic() - started < 20


def test_what_is_no_file_is_found_and_not_waited_for(lake: Path) -> None:
    """A pipe under a record's name would be read for ever; a folder there cannot be read at all."""
    record = the_only(partition(lake, INDICES, PASSED) / "records")
    record.unlink()
    os.mkfifo(record)
    head = partition(lake, GATED, PASSED) / "heads" / "000001.json"
    head.unlink()
    head.mkdir()
    chunk = chunk_of(data_of(lake, ALIGNED, PASSED), "red")
    chunk.unlink()
    os.mkfifo(chunk)
    accept(lake, ALIGNED, PASSED)

    found = findings(lake)

    for path in (record, head, chunk):
        assert names(found, path.relative_to(lake).as_posix())


def test_a_record_in_another_spelling_is_found(lake: Path) -> None:
    """Its name is its digest, and still it is not the one spelling of what it says."""
    record = the_only(partition(lake, GATED, PASSED) / "records")
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
    return a_copy(demo.folder / "lake", tmp_path_factory.mktemp("fuzzed") / "lake", PASSED)


@settings(
    max_examples=40, deadline=None, derandomize=True, database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
@given(data=st.data())
def test_no_record_makes_verifying_fail(data: st.DataObject, fuzzed: Path) -> None:
    """Any part of a record replaced by anything, its name, head, request and run made to fit: no failure."""
    asset = data.draw(st.sampled_from(ASSETS))
    folder = partition(fuzzed, asset, PASSED)
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
