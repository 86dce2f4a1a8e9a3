"""Lineage: what a record was made from, followed by the names that records state."""

from dataclasses import asdict
from pathlib import Path

import pytest
from lake_builders import committed

from mrv_assets.audit.record import Partition, Record, Request
from mrv_assets.errors import DamagedLake
from mrv_assets.lake.store import Lake

MONTH = Partition("monthly_proxies", "34TER", "2018-07")


def made(lake: Lake, asset: str, *upstream: Record, **inputs: object) -> Record:
    """A record of an asset that was made from others."""
    named = {record.partition.asset: record.audit_hash for record in upstream}
    request = Request(**asdict(MONTH.of(asset)), plan={}, graph="a" * 64, code="b" * 64, inputs={**named, **inputs})
    return committed(lake, request, asset.encode())


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """A lake in which nothing is yet."""
    return Lake.at(tmp_path, "p")


def a_month(lake: Lake) -> dict[str, Record]:
    """A month of two missions, the second not needed because of the first's gate."""
    records: dict[str, Record] = {}
    first = made(lake, "sentinel2/raw_tiles", items=[])
    gated = made(lake, "sentinel2/gated_tiles", first)
    unneeded = made(lake, "landsat/raw_tiles", gated)
    closed = made(lake, "landsat/gated_tiles", unneeded)
    monthly = made(lake, "monthly_proxies", gated, closed)
    for record in (first, gated, unneeded, closed, monthly):
        records[record.partition.asset] = record
    return records


def test_a_lineage_has_every_record_once_the_nearest_first(lake: Lake) -> None:
    """Those that one record names come by asset; one that two records name comes where it was first named."""
    month = a_month(lake)

    lineage = [record.partition.asset for record in lake.lineage(month["monthly_proxies"])]

    assert lineage == ["landsat/gated_tiles", "sentinel2/gated_tiles", "landsat/raw_tiles", "sentinel2/raw_tiles"]


def test_a_missions_lineage_ends_where_another_missions_begins(lake: Lake) -> None:
    """The raw tiles of a mission that was not needed were made from another mission's decision."""
    month = a_month(lake)

    lineage = [record.partition.asset for record in lake.lineage(month["monthly_proxies"], mission="landsat")]

    assert lineage == ["landsat/gated_tiles", "landsat/raw_tiles"]


def test_raw_tiles_have_no_lineage(lake: Lake) -> None:
    """They were made from scenes."""
    month = a_month(lake)

    assert list(lake.lineage(month["sentinel2/raw_tiles"])) == []


def test_an_upstream_record_is_the_one_that_was_read_and_not_the_current_one(lake: Lake) -> None:
    """At any distance: a record says which of several it was made from."""
    month = a_month(lake)
    made(lake, "sentinel2/raw_tiles", items=["another"])

    raw = lake.upstream(month["sentinel2/gated_tiles"], "sentinel2/raw_tiles")
    through_others = lake.upstream(month["monthly_proxies"], "sentinel2/raw_tiles")

    assert raw.audit_hash == through_others.audit_hash == month["sentinel2/raw_tiles"].audit_hash
    assert not lake.is_current(raw)


def test_an_asset_that_is_not_upstream_is_said(lake: Lake) -> None:
    """The error names the record and the asset."""
    month = a_month(lake)

    with pytest.raises(DamagedLake, match=r"sentinel2/gated_tiles/34TER/2018-07/records/.*landsat/raw_tiles"):
        lake.upstream(month["sentinel2/gated_tiles"], "landsat/raw_tiles")


def test_a_missing_record_is_damage(lake: Lake) -> None:
    """A lineage that cannot be followed to its end is not shorter."""
    month = a_month(lake)
    lake.slot(month["sentinel2/raw_tiles"].partition).record(month["sentinel2/raw_tiles"].audit_hash).unlink()

    with pytest.raises(DamagedLake, match="sentinel2/raw_tiles"):
        list(lake.lineage(month["monthly_proxies"]))
    with pytest.raises(DamagedLake, match="sentinel2/raw_tiles"):
        lake.upstream(month["monthly_proxies"], "sentinel2/raw_tiles")


@pytest.mark.parametrize("name", [None, 1, [], {}, "", "../../lake", "0" * 63])
def test_an_upstream_name_of_any_shape_is_damage(name: object, lake: Lake) -> None:
    """A forged record may name anything; following it leads nowhere."""
    forged = made(lake, "sentinel2/gated_tiles", **{"sentinel2/indices": name})

    with pytest.raises(DamagedLake, match="sentinel2/gated_tiles"):
        lake.upstream(forged, "sentinel2/indices")
    with pytest.raises(DamagedLake, match="sentinel2/gated_tiles"):
        list(lake.lineage(forged))


@pytest.mark.parametrize("asset", ["../../etc/passwd", "a/b/c", "A/b"])
def test_an_upstream_asset_of_any_name_is_damage(asset: str, lake: Lake) -> None:
    """No path is made of it."""
    forged = made(lake, "sentinel2/gated_tiles", **{asset: "0" * 64})

    with pytest.raises(DamagedLake, match="sentinel2/gated_tiles"):
        list(lake.lineage(forged))
