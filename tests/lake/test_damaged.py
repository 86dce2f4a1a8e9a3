"""A lake whose documents are damaged: reading it says which file, and why, and never fails in another way."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lake_builders import PARTITION, a_request, a_run, committed

from mrv_assets.audit.canonical import canonical, sha256
from mrv_assets.audit.record import Record
from mrv_assets.errors import DamagedLake, LakeMismatch
from mrv_assets.lake.store import Lake

HASH = "0" * 64

GARBAGE = {
    "empty": b"",
    "no JSON": b"{",
    "no UTF-8": b"\xff\xfe",
    "null": b"null",
    "a list": b"[]",
    "an object": b"{}",
    "deeply nested": b"[" * 100_000,
    "a field too many": canonical({"record": HASH, "previous": None, "more": 1}),
    "no hash": canonical({"record": "latest", "previous": None}),
    "a path": canonical({"record": "../../../lake", "previous": None}),
    "objects for hashes": canonical({"record": {}, "previous": []}),
    "another spelling": json.dumps({"record": HASH, "previous": None}, indent=1).encode(),
}


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """A lake of one record."""
    lake = Lake.at(tmp_path / "lake", "p")
    committed(lake, a_request())
    return lake


def the_file(lake: Lake, kind: str) -> Path:
    """The one document of a kind."""
    [path] = (lake.slot(PARTITION).folder / kind).glob("*.json")
    return path


READERS: dict[str, tuple[Callable[[Lake, Record], Any], ...]] = {
    "heads": (
        lambda lake, record: lake.head(PARTITION),
        lambda lake, record: lake.current(PARTITION),
        lambda lake, record: lake.is_current(record),
        lambda lake, record: lake.open(*PARTITION.names),
        lambda lake, record: lake.restore(record, a_run()),
    ),
    "records": (
        lambda lake, record: lake.record(PARTITION, record.audit_hash),
        lambda lake, record: lake.current(PARTITION),
        lambda lake, record: lake.answer(a_request()),
        lambda lake, record: lake.open(*PARTITION.names),
    ),
    "requests": (lambda lake, record: lake.answer(a_request()),),
    "runs": (
        lambda lake, record: lake.runs(PARTITION),
        lambda lake, record: lake.reproductions(record),
        lambda lake, record: lake.require_sound(record),
    ),
}


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE)
@pytest.mark.parametrize("kind", READERS)
def test_garbage_in_the_place_of_a_document_is_damage(kind: str, garbage: bytes, lake: Lake) -> None:
    """Whatever a file holds and whoever reads it: an error that names the file, and says what to do."""
    record = lake.current(PARTITION)
    path = the_file(lake, kind)
    path.write_bytes(garbage)

    for reader in READERS[kind]:
        with pytest.raises(DamagedLake, match="Restore this object from a backup") as raised:
            reader(lake, record)

        assert raised.value.object_name == path.relative_to(lake.root).as_posix()
        assert len(raised.value.reason) < 1000


@pytest.mark.parametrize("kind", READERS)
def test_a_pipe_in_the_place_of_a_document_is_not_waited_for(kind: str, lake: Lake) -> None:
    """Reading one would never end."""
    record = lake.current(PARTITION)
    path = the_file(lake, kind)
    path.unlink()
    os.mkfifo(path)

    for reader in READERS[kind]:
        with pytest.raises(DamagedLake, match="no file"):
            reader(lake, record)


def test_an_empty_head_says_what_it_lacks(lake: Lake) -> None:
    """The reason is readable: what the file is not, and which field is wrong."""
    the_file(lake, "heads").write_bytes(b"{}")

    with pytest.raises(DamagedLake, match=r"heads/000001\.json: it is not a head \(record: Field required\)"):
        lake.head(PARTITION)


@pytest.mark.parametrize("name", ["abc.json", "1.json", "0000001.json", "-00001.json", "000001.json.json"])
@pytest.mark.parametrize(("kind", "read"), [("heads", Lake.current), ("runs", Lake.runs)])
def test_a_file_under_another_name_is_damage(kind: str, read: Callable[..., object], name: str, lake: Lake) -> None:
    """No version writes such a name, so somebody else did."""
    stranger = lake.slot(PARTITION).folder / kind / name
    stranger.write_bytes(the_file(lake, kind).read_bytes())

    with pytest.raises(DamagedLake, match="has such a name") as raised:
        read(lake, PARTITION)

    assert raised.value.object_name == stranger.relative_to(lake.root).as_posix()


def test_listing_partitions_tells_of_a_stranger_among_heads(lake: Lake) -> None:
    """The fallback queue lists them first."""
    (lake.slot(PARTITION).folder / "heads" / "abc.json").write_bytes(b"{}")

    with pytest.raises(DamagedLake, match=r"heads/abc\.json"):
        list(lake.partitions(PARTITION.asset))


def test_folders_of_other_names_are_not_partitions(lake: Lake) -> None:
    """Nothing reads them; `mrv verify` names what lies there."""
    (lake.root / PARTITION.asset / "34ter" / "2018-07" / "heads").mkdir(parents=True)
    (lake.root / PARTITION.asset / PARTITION.tile / "2018-13" / "heads").mkdir(parents=True)

    assert list(lake.partitions(PARTITION.asset)) == [PARTITION]


def test_an_edited_run_record_vouches_for_nothing(lake: Lake) -> None:
    """Its name ends with its digest: whoever edits bytes and the run that wrote them is found out."""
    record = lake.current(PARTITION)
    path = the_file(lake, "runs")
    document = json.loads(path.read_bytes())
    path.write_bytes(canonical({**document, "stored": {}}))

    with pytest.raises(DamagedLake, match="bytes whose SHA-256 is"):
        lake.require_sound(record)


@pytest.mark.parametrize(("field", "value"), [("started", "yesterday"), ("finished", "2018-07-01T00:00:00")])
def test_a_run_record_without_its_times_is_damage(field: str, value: str, lake: Lake) -> None:
    """Times without an offset from UTC cannot be compared."""
    path = the_file(lake, "runs")
    data = canonical({**json.loads(path.read_bytes()), field: value})
    path.unlink()
    (path.parent / f"20180901T000000.000000Z-{sha256(data)}.json").write_bytes(data)

    with pytest.raises(DamagedLake, match=f"it is not a run record \\({field}"):
        lake.runs(PARTITION)


@pytest.mark.parametrize("garbage", [b"", b"{}", b"[]", b"null", b"\xff", canonical({"format": 1, "programme": "p"})])
def test_a_lake_that_does_not_say_whose_it_is_is_damaged(garbage: bytes, lake: Lake) -> None:
    """It is not another programme's: nobody can say whose it is."""
    (lake.root / "lake.json").write_bytes(garbage)

    with pytest.raises(DamagedLake, match=r"lake\.json: it is not a lake's identity"):
        Lake.at(lake.root, "p")


def test_a_lake_of_another_format_is_refused_and_not_damaged(lake: Lake) -> None:
    """A later version's lake is whole; the error names both formats."""
    (lake.root / "lake.json").write_bytes(canonical({"format": "mrv-lake/3", "programme": "p"}))

    with pytest.raises(LakeMismatch, match=r"mrv-lake/3.*mrv-lake/2"):
        Lake.at(lake.root, "p")


def test_computing_again_repairs_what_blocks_a_name(lake: Lake) -> None:
    """A record and a request that cannot be read are moved aside, and written anew."""
    record = lake.current(PARTITION)
    for kind in ("records", "requests"):
        the_file(lake, kind).write_bytes(b"{}")

    again = committed(lake, a_request())

    assert again.audit_hash == record.audit_hash
    assert lake.current(PARTITION) == lake.answer(a_request()) == record


@pytest.mark.parametrize(
    ("name", "cure"),
    [
        ("monthly_proxies/34TER/2018-07/records/a.json", "Restore this object from a backup, or derive it again"),
        ("monthly_proxies/34TER/2018-07/heads/000001.json", "Restore this object from a backup: it cannot be derived"),
        ("monthly_proxies/34TER/2018-07/runs/a.json", "Restore this object from a backup: it cannot be derived"),
        ("sentinel2/gated_tiles/34TER/2018-07/decisions/a.json", "Restore this object from a backup: it cannot be"),
        ("lake.json", "Restore this object from a backup: it cannot be derived again"),
    ],
)
def test_the_cure_is_one_that_exists(name: str, cure: str) -> None:
    """Data and records are derived again; the order of heads, runs and signed decisions are not."""
    assert cure in str(DamagedLake(name, "it is not whole"))
