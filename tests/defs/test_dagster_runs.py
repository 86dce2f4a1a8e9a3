"""Runs: Dagster's own commands, a backfill over tiles and months, and what each materialization tells."""

import base64
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import backfill_driver
import dagster as dg
import forked
import pytest
from demo_lake import TILE, Demo, a_deployment, a_program, dagster, decision, mrv, rows

from mrv_assets.audit.record import Partition
from mrv_assets.lake.store import Lake
from mrv_assets.settings import DEMO_PROGRAM

MONTHS = ("2018-06", "2018-07", "2018-12")
MISSION = ("raw_tiles", "aligned_tiles", "masked_tiles", "indices", "gated_tiles")
ASSETS = (*(f"sentinel2/{stage}" for stage in MISSION), "monthly_proxies")

# A parcel 170 km to the east: its tile has no scenes in the demo's catalogue.
FAR_TILE = "34TGR"
FAR_PARCEL = {
    "type": "Feature",
    "properties": {"parcel_id": "far-1"},
    "geometry": {
        "type": "Polygon",
        "coordinates": [[[24.3, 45.2], [24.301, 45.2], [24.301, 45.201], [24.3, 45.201], [24.3, 45.2]]],
    },
}


def two_tiles(folder: Path) -> Path:
    """A programme of three months whose parcels lie in two tiles."""
    parcels = json.loads((DEMO_PROGRAM.parent / "parcels.geojson").read_bytes())
    parcels["features"].append(FAR_PARCEL)
    return a_program(folder, program="two-tiles", parcels=parcels, months={"start": "2018-06", "end": "2018-12"})


@dataclass(frozen=True, kw_only=True)
class Told:
    """What Dagster was told in one run of a tile and month."""

    materializations: dict[str, dg.AssetMaterialization]
    checks: list[dg.AssetCheckEvaluation]
    status: dg.DagsterRunStatus

    def metadata(self, asset: str) -> dict[str, Any]:
        """The metadata of one asset's materialization, values as Dagster stores them."""
        return dict(self.materializations[asset].metadata)


def told(instance: dg.DagsterInstance, tile: str, month: str) -> Told:
    """The newest run of a tile and month."""
    partition = f"{month}|{tile}"
    record = instance.get_run_records(dg.RunsFilter(tags={"dagster/partition": partition}), limit=1)[0]
    events = [entry.dagster_event for entry in instance.all_logs(record.dagster_run.run_id) if entry.dagster_event]
    materialized = [
        event.step_materialization_data.materialization
        for event in events
        if event.event_type == dg.DagsterEventType.ASSET_MATERIALIZATION
    ]
    return Told(
        materializations={one.asset_key.to_user_string(): one for one in materialized},
        checks=[
            event.asset_check_evaluation_data
            for event in events
            if event.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION
        ],
        status=record.dagster_run.status,
    )


@contextmanager
def instance_at(home: Path) -> Iterator[dg.DagsterInstance]:
    """The Dagster instance of a home."""
    with dg.DagsterInstance.from_config(str(home)) as instance:
        yield instance


@pytest.fixture(scope="module")
def july(demo: Demo) -> Told:
    """What the demo told Dagster of July 2018, a month that passed."""
    with instance_at(demo.home) as instance:
        return told(instance, TILE, "2018-07")


@pytest.fixture(scope="module")
def june(demo: Demo) -> Told:
    """What the demo told Dagster of June 2018, a month the gate rejected."""
    with instance_at(demo.home) as instance:
        return told(instance, TILE, "2018-06")


# --- what a materialization tells ---------------------------------------------------------------------------------


def test_a_rejected_month_fails_its_check_and_not_its_run(june: Told, demo: Demo) -> None:
    """The check is an error that everyone sees; the run succeeds, and no row has a value."""
    [check] = june.checks

    assert (check.check_name, check.passed, check.severity) == ("gate", False, dg.AssetCheckSeverity.ERROR)
    assert june.status == dg.DagsterRunStatus.SUCCESS
    assert set(june.materializations) == set(ASSETS)
    found = rows(demo.deployment, "2018-06")
    assert {row["value_status"] for row in found.values()} == {"gate_closed", "no_data"}
    assert {value for row in found.values() for name, value in row.items() if name.endswith("_mean")} == {None}


def test_a_month_that_passed_passes_its_check(july: Told) -> None:
    """The check says by how much."""
    [check] = july.checks

    measured: dict[str, Any] = {name: value.value for name, value in check.metadata.items()}
    assert check.passed
    assert measured["coverage"] >= measured["min_coverage"]


def test_the_decision_comes_first(june: Told, july: Told) -> None:
    """On gated_tiles the first thing to read is the gate's status, then why."""
    for run, status in ((june, "REJECTED"), (july, "PASSED")):
        metadata = run.metadata("sentinel2/gated_tiles")
        assert list(metadata)[:2] == ["gate_status", "reasons"]
        assert metadata["gate_status"].value == status
    assert next(iter(july.metadata("monthly_proxies"))) == "gate_status"


@pytest.mark.parametrize("asset", ASSETS)
def test_the_audit_hash_is_the_data_version_and_the_lakes_head(asset: str, july: Told, demo: Demo) -> None:
    """Dagster's version, the metadata and the lake name one record."""
    audit_hash = july.metadata(asset)["audit_hash"].value

    assert (july.materializations[asset].tags or {})["dagster/data_version"] == audit_hash
    head = demo.lake.head(Partition(asset, TILE, "2018-07"))
    assert head is not None
    assert head.record == audit_hash


def test_upstream_hashes_are_shown_as_a_table(july: Told) -> None:
    """The chain can be followed by eye: each asset shows the audit hash of the one it was made from."""
    for before, after in pairwise(ASSETS):
        shown = {record.data["asset"]: record.data["audit_hash"] for record in july.metadata(after)["upstream"].records}
        assert shown == {before: july.metadata(before)["audit_hash"].value}


def test_metadata_is_small_and_pictures_are_inline(july: Told, june: Told) -> None:
    """A picture fits in an event: at most 6 kB of text that decodes to a PNG."""
    for run in (july, june):
        pictures = [
            run.metadata("sentinel2/gated_tiles")["coverage_picture"],
            run.metadata("monthly_proxies")["index_picture"],
        ]
        for picture in pictures:
            assert len(picture.value) <= 6000
            found = re.fullmatch(r"!\[[^]]*\]\(data:image/png;base64,([A-Za-z0-9+/=]+)\)", picture.value)
            assert found is not None
            assert base64.b64decode(found[1]).startswith(b"\x89PNG")


def test_every_run_record_names_its_dagster_run(demo: Demo) -> None:
    """From the lake one finds the run in Dagster."""
    with instance_at(demo.home) as instance:
        [record] = instance.get_run_records(dg.RunsFilter(tags={"dagster/partition": f"2018-07|{TILE}"}))

    [run] = demo.lake.runs(Partition("monthly_proxies", TILE, "2018-07"))

    assert run.dagster_run_id == record.dagster_run.run_id


# --- Dagster's own commands ---------------------------------------------------------------------------------------


def test_dagsters_own_command_materializes_a_tile_month(tmp_path: Path) -> None:
    """After ``mrv tiles``, plain ``dagster asset materialize`` works, with nothing set but where things are."""
    program = a_program(tmp_path / "programme")
    where = {"MRV_PROGRAM": str(program), "MRV_LAKE": str(tmp_path / "lake"), "DAGSTER_HOME": str(tmp_path / "home")}

    tiles = mrv("tiles", "--json", cwd=tmp_path, **where)
    done = dagster(
        *("asset", "materialize", "--select", "*", "--partition", f"2018-07|{TILE}", "-m", "mrv_assets.definitions"),
        cwd=tmp_path,
        **where,
    )

    assert tiles.returncode == 0, tiles.stderr
    assert [tile["tile"] for tile in json.loads(tiles.stdout)["tiles"]] == [TILE]
    assert done.returncode == 0, done.stderr
    deployment = a_deployment(program, tmp_path / "lake")
    assert {row["value_status"] for row in rows(deployment, "2018-07").values()} == {"ok"}
    with instance_at(tmp_path / "home") as instance:
        july = told(instance, TILE, "2018-07")
    assert july.status == dg.DagsterRunStatus.SUCCESS
    assert set(july.materializations) == set(ASSETS)


# --- a backfill ---------------------------------------------------------------------------------------------------

# The instance as dagster.yaml has it, but runs start at once and in one process: each in its own costs 8 s of CPU.
IN_ONE_PROCESS = """
telemetry: {enabled: false}
run_coordinator: {module: dagster._core.run_coordinator, class: DefaultRunCoordinator}
run_launcher: {module: dagster._core.launcher.sync_in_memory_run_launcher, class: SyncInMemoryRunLauncher}
"""


@dataclass(frozen=True, kw_only=True)
class Backfilled:
    """What a backfill left behind."""

    home: Path
    lake: Lake
    answer: dict[str, Any]
    """What the driver said: id, status, errors."""


@pytest.fixture(scope="module")
def backfilled(tmp_path_factory: pytest.TempPathFactory) -> Backfilled:
    """Two tiles x three months, after ``mrv tiles``."""
    folder = tmp_path_factory.mktemp("backfill")
    program, home = two_tiles(folder / "programme"), folder / "home"
    home.mkdir()
    (home / "dagster.yaml").write_text(IN_ONE_PROCESS)
    where = {"MRV_PROGRAM": str(program), "DAGSTER_HOME": str(home), "MRV_WORKERS": "1"}
    tiles = mrv("tiles", cwd=folder, **where)
    assert tiles.returncode == 0, tiles.stderr
    partitions = [f"{month}|{tile}" for month in MONTHS for tile in (TILE, FAR_TILE)]
    done = forked.run(backfill_driver.main, ",".join(ASSETS), ",".join(partitions), cwd=folder, **where)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout.splitlines()[-1])
    return Backfilled(home=home, lake=a_deployment(program).lake, answer=answer)


def test_a_backfill_materializes_every_tile_and_month(backfilled: Backfilled) -> None:
    """Three months by two tiles: six runs, all green, every asset of each in the lake."""
    with instance_at(backfilled.home) as instance:
        runs = instance.get_runs(dg.RunsFilter(tags={"dagster/backfill": backfilled.answer["id"]}))

    assert (backfilled.answer["status"], backfilled.answer["errors"]) == ("COMPLETED_SUCCESS", [])
    assert [run.status for run in runs] == [dg.DagsterRunStatus.SUCCESS] * 6
    wanted = {(tile, month) for tile in (TILE, FAR_TILE) for month in MONTHS}
    assert {run.tags["dagster/partition"] for run in runs} == {f"{month}|{tile}" for tile, month in wanted}
    for asset in ASSETS:
        assert {(partition.tile, partition.month) for partition in backfilled.lake.partitions(asset)} == wanted


def test_a_backfills_decisions_stand_by_tile_and_month(backfilled: Backfilled) -> None:
    """A tile without scenes is rejected in every month, beside one that passes; neither disturbs the other."""
    found = {(tile, month): decision(backfilled.lake, month, tile) for tile in (TILE, FAR_TILE) for month in MONTHS}

    assert {key: (gate["status"], gate["reasons"]) for key, gate in found.items()} == {
        (TILE, "2018-06"): ("REJECTED", ["below_tile_coverage"]),
        (TILE, "2018-07"): ("PASSED", []),
        (TILE, "2018-12"): ("REJECTED", ["no_scenes"]),
        **{(FAR_TILE, month): ("REJECTED", ["no_scenes"]) for month in MONTHS},
    }
