"""The last two assets of a tile and month by one executor after another, as a deployment that changed it would.

``forked.run(executor_driver.main, MONTH, EXECUTOR, ...)`` with DAGSTER_HOME, MRV_PROGRAM and MRV_LAKE set, and this
folder in PYTHONPATH; prints one JSON document: of each executor's run its status, the assets that were materialized,
and what the steps that failed said. A process of its own, since executors start others, and leave warnings behind that
the tests would take for ours.
"""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import dagster as dg
from dagster_dask import dask_executor

from mrv_assets.defs.assets import FORCE_TAG
from mrv_assets.defs.build import build_definitions
from mrv_assets.defs.partitions import MONTH, TILE, partition_key, register_tiles
from mrv_assets.defs.resources import MrvResource
from mrv_assets.settings import current

ASSETS = (dg.AssetKey(["sentinel2", "gated_tiles"]), dg.AssetKey(["monthly_proxies"]))
LOCAL = {"n_workers": 1, "threads_per_worker": 1, "host": "127.0.0.1", "dashboard_address": None}


def _job(executor: dg.ExecutorDefinition) -> dg.JobDefinition:
    definitions = build_definitions(current())
    job = dg.define_asset_job("last_two", selection=dg.AssetSelection.assets(*ASSETS), executor_def=executor)
    whole = dg.Definitions(assets=definitions.assets, jobs=[job], resources=definitions.resources)
    return whole.resolve_job_def("last_two")


def in_process() -> dg.JobDefinition:
    """By the executor that the definitions have."""
    return _job(dg.in_process_executor)


def multiprocess() -> dg.JobDefinition:
    """Each step in a process of its own."""
    return _job(dg.multiprocess_executor)


def dask() -> dg.JobDefinition:
    """Each step on a dask worker; as published, it goes on behind steps that failed."""
    return _job(dask_executor)


def blocks_on_a_cluster() -> dg.JobDefinition:
    """Steps in one process, whose blocks go to a cluster: what MRV_DASK_ADDRESS says."""
    return _job(dg.in_process_executor)


JOBS = {job.__name__: job for job in (in_process, multiprocess, dask, blocks_on_a_cluster)}


@contextmanager
def _cluster(names: Sequence[str]) -> Iterator[str]:
    """A cluster of one worker process where an executor needs one, the same for all; gives its address."""
    if not {"dask", "blocks_on_a_cluster"} & set(names):
        yield ""
        return
    from distributed import LocalCluster

    with LocalCluster(**LOCAL) as cluster:
        yield cluster.scheduler_address


@contextmanager
def _environment(name: str, address: str) -> Iterator[None]:
    if name != "blocks_on_a_cluster":
        yield
        return
    os.environ["MRV_DASK_ADDRESS"] = address
    assert MrvResource.of(current()).dask_address == address
    yield
    del os.environ["MRV_DASK_ADDRESS"]


def run(name: str, address: str, tile: str, month: str, instance: dg.DagsterInstance) -> dict[str, Any]:
    """Run the last two assets by one executor, computing what is known too."""
    config = {"execution": {"config": {"cluster": {"existing": {"address": address}}}}} if name == "dask" else {}
    key = partition_key(tile, month)
    tags = {"dagster/partition": str(key), f"dagster/partition/{MONTH}": month, f"dagster/partition/{TILE}": tile}
    with (
        _environment(name, address),
        dg.execute_job(
            dg.reconstructable(JOBS[name]),
            instance=instance,
            tags={**tags, FORCE_TAG: "true"},
            run_config=config,
        ) as result,
    ):
        events = list(result.all_events)
        return {
            "status": instance.get_run_by_id(result.run_id).status.value,  # type: ignore[union-attr]
            "materialized": [
                event.asset_key.to_user_string()
                for event in events
                if event.event_type == dg.DagsterEventType.ASSET_MATERIALIZATION and event.asset_key
            ],
            "failed": {
                str(event.step_key): str(event.step_failure_data.error)
                for event in events
                if event.event_type == dg.DagsterEventType.STEP_FAILURE
            },
        }


def main(month: str, *names: str) -> None:
    """Run the last two assets of a month by some executors, one after another."""
    deployment = MrvResource.of(current()).deployment()
    (tile,) = deployment.tiles
    with dg.DagsterInstance.get() as instance, _cluster(names) as address:
        register_tiles(instance, deployment.program, deployment.tiles)
        answer = {name: run(name, address, tile, month, instance) for name in names}
    print(json.dumps(answer))
