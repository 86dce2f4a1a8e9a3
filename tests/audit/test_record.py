"""Records: a request known before anything is computed, its output, and the audit hash of both."""

import hashlib
import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
import rfc8785

from mrv_assets.audit.record import SCHEMA, Partition, Record, Request, audit_hash

REQUEST = Request(
    asset="sentinel2/indices",
    tile="34TER",
    month="2018-07",
    plan={"crs": "EPSG:32634", "limits": {"evi": 2.0, "ndvi": 1.0}},
    graph="a" * 64,
    code="b" * 64,
    inputs={"sentinel2/masked_tiles": "c" * 64},
)
OUTPUT = {"arrays": {}, "attrs": {"mission": "sentinel2"}}
OTHER: dict[str, Any] = {
    "asset": "sentinel2/masked_tiles",
    "tile": "34TES",
    "month": "2018-08",
    "plan": {"crs": "EPSG:32634", "limits": {"evi": 2.0, "ndvi": 1.5}},
    "graph": "d" * 64,
    "code": "d" * 64,
    "inputs": {"sentinel2/masked_tiles": "d" * 64},
}


def test_a_record_is_its_request_and_its_output() -> None:
    """And the schema it is written in; nothing else, and no clock among it."""
    record = json.loads(REQUEST.record(OUTPUT))

    assert record.pop("output") == OUTPUT
    assert record == REQUEST.document
    assert set(record) == {"schema", *(field.name for field in fields(Request))}
    assert record["schema"] == SCHEMA == "mrv-record/1"


def test_the_audit_hash_is_the_sha256_of_the_records_bytes() -> None:
    """Canonical JSON by RFC 8785: anyone can write the document down anew and find the same hash."""
    stored = REQUEST.record(OUTPUT)

    assert stored == rfc8785.dumps(json.loads(stored))
    assert audit_hash(stored) == hashlib.sha256(stored).hexdigest()


@pytest.mark.parametrize("field", [field.name for field in fields(Request)])
def test_every_field_of_a_request_counts(field: str) -> None:
    """For the request's digest and for the audit hash."""
    other = replace(REQUEST, **{field: OTHER[field]})

    assert other.digest != REQUEST.digest
    assert audit_hash(other.record(OUTPUT)) != audit_hash(REQUEST.record(OUTPUT))


def test_an_output_is_no_part_of_the_request() -> None:
    """Else nobody could know before computing that it was computed before; the audit hash covers both."""
    assert REQUEST.digest == hashlib.sha256(rfc8785.dumps(REQUEST.document)).hexdigest()
    assert "output" not in REQUEST.document
    assert audit_hash(REQUEST.record(OUTPUT)) != audit_hash(REQUEST.record({**OUTPUT, "more": None}))


def test_the_order_of_keys_says_nothing() -> None:
    """In parameters and outputs."""
    plan = {"limits": {"ndvi": 1.0, "evi": 2.0}, "crs": "EPSG:32634"}
    shuffled = dict(reversed(OUTPUT.items()))

    assert replace(REQUEST, plan=plan).record(shuffled) == REQUEST.record(OUTPUT)
    assert replace(REQUEST, plan=plan).digest == REQUEST.digest


@pytest.mark.parametrize("value", [float("nan"), 2**60])
def test_a_record_holds_no_number_that_readers_round(value: float) -> None:
    """It is refused before it is stored."""
    with pytest.raises(rfc8785.CanonicalizationError):
        REQUEST.record({"coverage": value})
    with pytest.raises(rfc8785.CanonicalizationError):
        replace(REQUEST, plan={"threshold": value}).digest  # noqa: B018


# --- partitions ---------------------------------------------------------------------------------------------------


def test_a_request_and_its_record_are_of_one_partition() -> None:
    """Asset, tile and month, as both documents state them."""
    stored = REQUEST.record(OUTPUT)

    record = Record(audit_hash(stored), json.loads(stored), Path("data"))

    assert record.partition == REQUEST.partition == Partition("sentinel2/indices", "34TER", "2018-07")


@pytest.mark.parametrize(
    ("asset", "mission", "stage"),
    [("sentinel2/raw_tiles", "sentinel2", "raw_tiles"), ("monthly_proxies", "", "monthly_proxies")],
)
def test_an_asset_is_a_stage_of_a_mission_or_of_all(asset: str, mission: str, stage: str) -> None:
    """Assets of all missions name none."""
    partition = Partition(asset, "34TER", "2018-07")

    assert (partition.mission, partition.stage) == (mission, stage)


def test_another_assets_partition_is_of_the_same_tile_and_month() -> None:
    """From a product to what it was made from."""
    monthly = Partition("monthly_proxies", "34TER", "2018-07")

    assert monthly.of("landsat/gated_tiles") == Partition("landsat/gated_tiles", "34TER", "2018-07")
    assert str(monthly.of("landsat/gated_tiles")) == "landsat/gated_tiles 34TER 2018-07"


def test_partitions_sort_by_asset_tile_and_month() -> None:
    """Listings have one order."""
    names = [("b/x", "34TER", "2018-01"), ("a/x", "35TLK", "2018-01"), ("a/x", "34TER", "2018-02")]

    assert [partition.names for partition in sorted(Partition(*each) for each in names)] == names[::-1]
