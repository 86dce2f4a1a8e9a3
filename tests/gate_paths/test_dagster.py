"""Runs that leave the gate out, go around it, or pick up after a failure: what it rejected stays out of each."""

import json
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import dagster as dg
import executor_driver
import forked
import pytest
from block_scenes import TILE
from demo_lake import dagster, evidence, mrv
from shut_months import (
    GATED,
    IN_OPEN,
    IN_SHUT,
    MISSION_ASSETS,
    OPEN,
    SHUT,
    a_copy,
    current,
    edited,
    folder_of,
    leaves_nothing,
    materialized,
    refused,
    republished,
    shut_and_open,
    values,
    without_product,
)

from mrv_assets.defs.build import build_definitions
from mrv_assets.defs.partitions import MONTH, partition_key, register_tiles
from mrv_assets.defs.partitions import TILE as TILE_KEY
from mrv_assets.defs.runs import materialize_tile_month
from mrv_assets.deployment import Deployment
from mrv_assets.errors import NotMaterialized, StaleUpstream
from mrv_assets.settings import Settings
from mrv_assets.settings import current as settings_of
from mrv_assets.stages.table import PRODUCT

CLOUDED_OPEN = replace(IN_OPEN, id="reprocessed", scl=IN_SHUT.scl)
"""What the catalogue offers of the open month once its scene has been processed again: half of it under cloud."""


def where(deployment: Deployment) -> dict[str, str]:
    """The variables that name a programme and its lake."""
    return {"MRV_PROGRAM": str(deployment.program_path), "MRV_LAKE": str(deployment.lake_path)}


def settings(deployment: Deployment) -> Settings:
    """A programme's deployment."""
    return settings_of(where(deployment), deployment.program_path.parent)


@pytest.fixture
def instance(untouched: Deployment) -> Iterator[dg.DagsterInstance]:
    """A Dagster instance that knows the programme's tile."""
    with dg.DagsterInstance.ephemeral() as made:
        register_tiles(made, untouched.program, untouched.tiles)
        yield made


def select(deployment: Deployment, instance: dg.DagsterInstance, *assets: str, month: str = SHUT) -> None:
    """Materialize a selection of assets, as the UI and Dagster's command do; an error is raised as it is."""
    materialize_tile_month(instance, settings(deployment), TILE, month, only=assets)


# --- selections -------------------------------------------------------------------------------------------------------


def test_the_product_alone_of_a_rejected_month_has_no_values(
    deployment: Deployment, instance: dg.DagsterInstance
) -> None:
    """The run succeeds: that there are none is what it says."""
    select(without_product(deployment), instance, PRODUCT)

    assert values(deployment) == {}
    record = current(deployment, PRODUCT)
    assert (record.output["mission"], record.output["decisions"]) == (None, {"sentinel2": "REJECTED"})


def test_the_product_alone_behind_another_threshold_is_refused(
    deployment: Deployment, instance: dg.DagsterInstance
) -> None:
    """The programme was edited to let the month pass: the decision is of the old one, and the run says what to do."""
    edited(without_product(deployment), gate={"min_coverage": 0.1})

    with refused(deployment, StaleUpstream, r"another gate than the programme has now.*mrv run --tile 34TER --month"):
        select(deployment, instance, PRODUCT)


def test_dagsters_own_command_says_why_it_was_refused(deployment: Deployment, tmp_path: Path) -> None:
    """`dagster asset materialize --select monthly_proxies` after the edit: a failure, with the cure in its output."""
    edited(without_product(deployment), gate={"min_coverage": 0.1})
    deployed = {**where(deployment), "DAGSTER_HOME": str(tmp_path / "home")}
    told = mrv("tiles", cwd=tmp_path, **deployed)
    selected = ("--select", PRODUCT, "--partition", f"{SHUT}|{TILE}", "-m", "mrv_assets.definitions")

    with leaves_nothing(deployment):
        done = dagster("asset", "materialize", *selected, cwd=tmp_path, **deployed)

    assert (told.returncode, done.returncode) == (0, 1), told.stderr
    assert "another gate than the programme has now" in done.stderr
    assert f"mrv run --tile {TILE} --month {SHUT}" in done.stderr


def test_a_month_whose_gate_was_left_out_is_refused(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    """Everything but the decision is there: without it there is nothing to go by."""
    deployment = shut_and_open(tmp_path / "programme", run=())
    select(deployment, instance, *MISSION_ASSETS[:-1])

    with refused(deployment, NotMaterialized, r"sentinel2/gated_tiles 34TER 2018-07 is not in the lake\. Run: mrv run"):
        select(deployment, instance, PRODUCT)


def test_a_selection_without_the_gate_brings_in_no_new_pixel(
    deployment: Deployment, instance: dg.DagsterInstance
) -> None:
    """The sky was clear when the gate passed it; now it is not, and nobody has asked the gate.

    Without the gate between them nothing orders product and indices: if it comes first, it is what it was; if it comes
    last, it is refused, as it is alone.
    """
    before = current(deployment, PRODUCT, OPEN)
    republished(deployment, IN_SHUT, CLOUDED_OPEN)

    with suppress(StaleUpstream):
        select(deployment, instance, *MISSION_ASSETS[:-1], PRODUCT, month=OPEN)

    assert current(deployment, PRODUCT, OPEN) == before
    with refused(
        deployment, StaleUpstream, r"gated_tiles 34TER 2018-08: .*sentinel2/indices that has since been replaced"
    ):
        select(deployment, instance, PRODUCT, month=OPEN)
    select(deployment, instance, GATED, PRODUCT, month=OPEN)
    assert (current(deployment, GATED, OPEN).output["status"], values(deployment, OPEN)) == ("REJECTED", {})


@pytest.mark.parametrize("stages", range(1, 5), ids=lambda count: MISSION_ASSETS[count - 1])
def test_upstream_that_changed_since_shuts_the_product(deployment: Deployment, stages: int) -> None:
    """Whichever of a passed month's assets was made anew alone: its decision is no longer on what the month is."""
    republished(deployment, IN_SHUT, CLOUDED_OPEN)
    materialized(deployment, *MISSION_ASSETS[:stages], month=OPEN)

    with refused(deployment, StaleUpstream, f"a record of {MISSION_ASSETS[stages - 1]} that has since been replaced"):
        materialized(deployment, PRODUCT, month=OPEN)


# --- runs that pick up after a failure --------------------------------------------------------------------------------


def the_job() -> dg.JobDefinition:
    """The job of every asset; Dagster keeps the first that it is given, so a run says itself where its lake is."""
    return build_definitions(settings_of({})).resolve_job_def("tile_month")


def executed(
    deployment: Deployment, instance: dg.DagsterInstance, month: str, options: Any = None
) -> tuple[str, bool, list[str]]:
    """Execute the job, or a run of it again; gives the run, whether it succeeded, and what it materialized."""
    deployed = {"program_path": str(deployment.program_path), "lake_path": str(deployment.lake_path)}
    tags = {
        "dagster/partition": str(partition_key(TILE, month)),
        f"dagster/partition/{MONTH}": month,
        f"dagster/partition/{TILE_KEY}": TILE,
    }
    with dg.execute_job(
        dg.reconstructable(the_job),
        instance=instance,
        tags=tags,
        run_config={"resources": {"mrv": {"config": deployed}}},
        reexecution_options=options,
    ) as result:
        made = [event.asset_key for event in result.all_events if event.is_step_materialization]
        return result.run_id, result.success, [key.to_user_string() for key in made if key]


@pytest.fixture
def failed(untouched: Deployment, tmp_path: Path) -> Iterator[tuple[Deployment, dg.DagsterInstance, str]]:
    """A run of the open month that passed the gate and failed at the product, whose folder could not be made."""
    deployment = without_product(a_copy(untouched, tmp_path / "programme"), OPEN)
    in_the_way = folder_of(deployment, PRODUCT, OPEN)
    in_the_way.write_text("no folder")
    (tmp_path / "home").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "home"), {"telemetry": {"enabled": False}}) as instance:
        register_tiles(instance, deployment.program, deployment.tiles)
        run, success, made = executed(deployment, instance, OPEN)
        assert (success, made) == (False, list(MISSION_ASSETS))
        in_the_way.unlink()
        yield deployment, instance, run


def test_a_run_executed_again_from_its_failure_asks_the_gate_of_today(
    failed: tuple[Deployment, dg.DagsterInstance, str],
) -> None:
    """It passed in the run that failed and was rejected since: the step that is executed again lets nothing in."""
    deployment, instance, run = failed
    materialized(republished(deployment, IN_SHUT, CLOUDED_OPEN), *MISSION_ASSETS, month=OPEN)

    _, success, made = executed(deployment, instance, OPEN, dg.ReexecutionOptions.from_failure(run, instance))

    assert (success, made) == (True, [PRODUCT])
    assert (current(deployment, GATED, OPEN).output["status"], values(deployment, OPEN)) == ("REJECTED", {})


def test_a_step_of_a_failed_run_alone_is_refused_where_the_sky_has_changed(
    failed: tuple[Deployment, dg.DagsterInstance, str],
) -> None:
    """Only the product is executed again, behind new raw tiles that the gate has not seen."""
    deployment, instance, run = failed
    materialized(republished(deployment, IN_SHUT, CLOUDED_OPEN), MISSION_ASSETS[0], month=OPEN)
    only = dg.ReexecutionOptions(parent_run_id=run, step_selection=[PRODUCT])

    with leaves_nothing(deployment):
        again, success, made = executed(deployment, instance, OPEN, only)

    assert (success, made) == (False, [])
    said = [str(entry.dagster_event.event_specific_data) for entry in instance.all_logs(again) if entry.dagster_event]
    assert any("sentinel2/raw_tiles that has since been replaced" in one for one in said)


def test_a_run_executed_again_from_its_failure_lets_in_what_passed(
    failed: tuple[Deployment, dg.DagsterInstance, str],
) -> None:
    """Where nothing has changed the values come in: nothing here is shut by accident."""
    deployment, instance, run = failed

    _, success, made = executed(deployment, instance, OPEN, dg.ReexecutionOptions.from_failure(run, instance))

    assert (success, made) == (True, [PRODUCT])
    assert values(deployment, OPEN) != {}


# --- executors --------------------------------------------------------------------------------------------------------


def by_executors(deployment: Deployment, month: str, *names: str) -> dict[str, Any]:
    """What each executor did with the gate and the product of a month."""
    home = deployment.program_path.parent / "home"
    home.mkdir()
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    # Steps in processes of their own find the jobs by their module's name.
    found = {"PYTHONPATH": str(Path(executor_driver.__file__).parent), "DAGSTER_HOME": str(home), **where(deployment)}
    done = forked.run(executor_driver.main, month, *names, cwd=deployment.program_path.parent, **found)
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def test_no_executor_lets_a_rejected_month_in(deployment: Deployment) -> None:
    """In one process, in processes of their own, on dask workers, with blocks on a cluster: computed, and no value."""
    names = ("in_process", "multiprocess", "dask", "blocks_on_a_cluster")
    before = evidence(deployment.lake_path)

    answer = by_executors(deployment, SHUT, *names)

    assert {name: one["status"] for name, one in answer.items()} == dict.fromkeys(names, "SUCCESS"), answer
    assert {name: one["materialized"] for name, one in answer.items()} == {name: [GATED, PRODUCT] for name in names}
    assert deployment.lake.reproductions(current(deployment, PRODUCT)) == len(names)
    assert values(deployment) == {}
    assert evidence(deployment.lake_path) == before


def test_an_executor_that_goes_on_behind_a_failed_gate_lets_nothing_in(tmp_path: Path) -> None:
    """Dask's executor starts the product though the gate's step failed: the product finds no decision, and says so."""
    deployment = shut_and_open(tmp_path / "programme", run=())
    materialized(deployment, *MISSION_ASSETS[:-1])
    shutil.rmtree(current(deployment, "sentinel2/masked_tiles").data)

    with leaves_nothing(deployment):
        done = by_executors(deployment, SHUT, "dask")["dask"]

    assert (done["status"], done["materialized"]) == ("FAILURE", [])
    assert set(done["failed"]) == {"sentinel2__gated_tiles", PRODUCT}
    assert "sentinel2/gated_tiles 34TER 2018-07 is not in the lake" in done["failed"][PRODUCT]
