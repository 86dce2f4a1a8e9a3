"""The lake keeps every record, points to one, and never confuses or loses any."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from lake_builders import PARTITION, a_request, a_run, committed

from mrv_assets.audit.canonical import canonical, digest, sha256
from mrv_assets.errors import DamagedLake, LakeMismatch, NotMaterialized, NotReproducible
from mrv_assets.lake.documents import RecordDocument
from mrv_assets.lake.layout import Slot
from mrv_assets.lake.store import Lake


def test_a_partition_that_was_never_run_says_how_to_run_it(tmp_path: Path) -> None:
    """Nothing there is not an empty answer but an error with its cure."""
    lake = Lake.at(tmp_path, "p")

    with pytest.raises(NotMaterialized, match=r"mrv run --tile 34TER --month 2018-07"):
        lake.current(PARTITION)


def test_the_audit_hash_is_the_sha256_of_the_stored_record(tmp_path: Path) -> None:
    """Anyone with sha256sum can check it."""
    lake = Lake.at(tmp_path, "p")

    record = committed(lake, a_request())

    stored = (Slot(tmp_path, PARTITION).folder / "records" / f"{record.audit_hash}.json").read_bytes()
    assert sha256(stored) == record.audit_hash
    assert json.loads(stored)["schema"] == "mrv-record/1"
    assert record.data.name == digest(record.output)
    assert (record.data / "values").read_bytes() == b"data"


def test_an_answered_request_is_known_before_computing(tmp_path: Path) -> None:
    """The request finds its record; another request does not."""
    lake = Lake.at(tmp_path, "p")

    record = committed(lake, a_request())

    found = lake.answer(a_request())
    assert found is not None
    assert found.audit_hash == record.audit_hash
    assert lake.answer(a_request(0.7)) is None


def test_a_threshold_changed_and_changed_back_adds_a_head_and_no_record(tmp_path: Path) -> None:
    """History stays: three heads, two records, the last head names the first record."""
    lake = Lake.at(tmp_path, "p")
    first = committed(lake, a_request(0.65), b"a")
    second = committed(lake, a_request(0.7), b"b")

    moved = lake.restore(first, a_run())

    head = lake.head(PARTITION)
    assert moved
    assert head is not None
    assert (head.number, head.record, head.previous) == (3, first.audit_hash, second.audit_hash)
    assert not lake.restore(first, a_run())


def test_another_output_for_the_same_request_is_an_error_and_both_are_kept(tmp_path: Path) -> None:
    """What does not reproduce is a finding; neither the old nor the new evidence is thrown away."""
    lake = Lake.at(tmp_path, "p")
    first = committed(lake, a_request(), b"a")

    with pytest.raises(NotReproducible, match=first.audit_hash[:12]):
        committed(lake, a_request(), b"b")

    records = list((Slot(tmp_path, PARTITION).folder / "records").glob("*.json"))
    assert len(records) == 2
    assert lake.current(PARTITION).audit_hash == first.audit_hash


def test_racing_runs_of_one_partition_agree_on_one_record_and_one_head(tmp_path: Path) -> None:
    """Eight runs commit the same output at once: same record means done."""
    lake = Lake.at(tmp_path, "p")

    with ThreadPoolExecutor(8) as pool:
        records = list(pool.map(lambda _: committed(lake, a_request(), b"same"), range(8)))

    assert len({record.audit_hash for record in records}) == 1
    assert len(list((Slot(tmp_path, PARTITION).folder / "heads").glob("*.json"))) == 1
    assert len(lake.runs(PARTITION)) == 8


def test_an_edited_record_is_found_when_it_is_read(tmp_path: Path) -> None:
    """Reading checks the bytes against the name: an edit cannot pass for evidence."""
    lake = Lake.at(tmp_path, "p")
    record = committed(lake, a_request())
    path = lake.slot(PARTITION).record(record.audit_hash)
    document = json.loads(path.read_bytes())
    path.write_bytes(canonical({**document, "plan": {"t": 0.5}}))

    with pytest.raises(DamagedLake, match="audit hash"):
        lake.current(PARTITION)


def test_looking_into_a_folder_makes_no_lake_of_it(tmp_path: Path) -> None:
    """Only a record begins a lake."""
    lake = Lake.at(tmp_path / "lake", "p")

    assert lake.head(PARTITION) is None
    assert not (tmp_path / "lake").exists()


@pytest.mark.parametrize("added", [{"more": 1}, {"output": {"text": "x" * RecordDocument.largest}}])
def test_a_record_that_no_reader_takes_is_not_written(added: dict[str, object], tmp_path: Path) -> None:
    """Written first, it would be current, and computing again would give the same one."""
    lake = Lake.at(tmp_path / "lake", "p")
    record = json.loads(a_request().record({"sha256": "0" * 64}))

    with lake.staging() as folder, pytest.raises(ValueError, match=r"more|record of \d+ bytes"):
        lake.commit(folder, canonical({**record, **added}), a_run())

    assert list(lake.partitions(PARTITION.asset)) == []


def test_a_lake_belongs_to_one_programme(tmp_path: Path) -> None:
    """Another programme is refused, with both names; its own opens it again."""
    committed(Lake.at(tmp_path, "forest-a"), a_request())

    with pytest.raises(LakeMismatch, match=r"'forest-a'.*'forest-b'"):
        Lake.at(tmp_path, "forest-b")
    Lake.at(tmp_path, "forest-a")
