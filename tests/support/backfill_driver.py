"""A backfill without daemon and UI: launched as the UI does, run by the daemon's own loop, its runs in this process.

``forked.run(backfill_driver.main, "ASSET,...", "PARTITION,...")`` with DAGSTER_HOME and MRV_PROGRAM set; prints one
JSON document.
A process of its own, since Dagster's loops leave warnings behind that the tests would take for ours.
"""

import json
import logging
import sys

import dagster as dg
from dagster._core.remote_origin import InProcessCodeLocationOrigin
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import InProcessWorkspaceLoadTarget
from dagster._daemon.backfill import execute_backfill_iteration
from dagster_graphql.test.utils import execute_dagster_graphql

LAUNCH = """
mutation Launch($backfillParams: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $backfillParams) {
    __typename
    ... on LaunchBackfillSuccess { backfillId }
    ... on PythonError { message }
  }
}
"""


def backfill(assets: list[str], partitions: list[str]) -> dict[str, object]:
    """Run a backfill to its end; its id, status, and what went wrong in the loop."""
    origin = InProcessCodeLocationOrigin(
        LoadableTargetOrigin(executable_path=sys.executable, module_name="mrv_assets.definitions")
    )
    asked = {"assetSelection": [{"path": asset.split("/")} for asset in assets], "partitionNames": partitions}
    with (
        dg.DagsterInstance.get() as instance,
        WorkspaceProcessContext(instance, InProcessWorkspaceLoadTarget(origin)) as workspace,
    ):
        answer = execute_dagster_graphql(workspace.create_request_context(), LAUNCH, {"backfillParams": asked})
        launched = answer.data["launchPartitionBackfill"]
        errors: list[str] = []
        # Once to start the runs, which are over then; again to see that they are.
        for _ in range(3):
            loop = execute_backfill_iteration(workspace, logging.getLogger("backfill"))
            errors += [str(error) for error in loop if error is not None]
        found = instance.get_backfill(launched["backfillId"])
        return {
            "id": launched["backfillId"],
            "status": found.status.value if found else None,
            "errors": errors,
        }


def main(assets: str, partitions: str) -> None:
    """Run a backfill of some assets and partitions, each a list with commas."""
    print(json.dumps(backfill(assets.split(","), partitions.split(","))))
