"""The job `record_qa_decision`: what the UI can record without a key."""

import json
from typing import Any

import dagster as dg
import pytest
from block_scenes import MONTH, TILE
from reviewing import GATED, Rejected, rejected_months

from mrv_assets.audit.record import Partition
from mrv_assets.defs.build import build_definitions
from mrv_assets.errors import DecisionRefused
from mrv_assets.reports.qa_list import answer as queue
from mrv_assets.settings import current


@pytest.fixture(scope="module")
def rejected(tmp_path_factory: pytest.TempPathFactory) -> Rejected:
    """A month that the gate rejected."""
    return rejected_months(tmp_path_factory.mktemp("rejected") / "programme")


def run(of: Rejected, **changed: Any) -> dg.ExecuteInProcessResult:
    """Start the job as the UI does."""
    job = build_definitions(current(of.environment(), of.folder)).resolve_job_def("record_qa_decision")
    config = {
        "tile": TILE,
        "month": MONTH,
        "verdict": "approve",
        "reviewer": "Ana Pop",
        "role": "lead reviewer",
        "reason": "Typical.",
        "evidence": ["field report 7"],
        **changed,
    }
    with dg.DagsterInstance.ephemeral() as instance:
        return job.execute_in_process(
            run_config={"ops": {"write_asserted_decision": {"config": config}}}, instance=instance
        )


def test_what_the_ui_records_is_asserted_and_not_authenticated(rejected: Rejected) -> None:
    """It is kept as a document without a signature, shown as asserted, and two of them open nothing."""
    done = [run(rejected), run(rejected, reviewer="Dan Ilie", role="reviewer")]

    assert all(one.success for one in done)
    documents = [json.loads(path.read_bytes()) for path in rejected.decisions().iterdir()]
    assert [document["signature"] for document in documents] == [None, None]
    [item] = queue(rejected.deployment)["waiting"]
    [mission] = item["missions"]
    assert {(one["reviewer"], one["authenticated"]) for one in mission["decisions"]} == {
        ("Ana Pop", False),
        ("Dan Ilie", False),
    }
    assert mission["approvals_missing"] == 2
    rejected.deployment.materialize(
        "gated_tiles", rejected.deployment.plan(TILE, MONTH, rejected.deployment.missions[0])
    )
    assert rejected.deployment.lake.current(Partition(GATED, TILE, MONTH)).output["status"] == "REJECTED"


def test_the_same_name_is_asserted_once(rejected: Rejected) -> None:
    """Twice by the same name is refused, as it is with a key."""
    run(rejected, reviewer="Eva Rus")

    with pytest.raises(DecisionRefused, match="has decided on record"):
        run(rejected, reviewer="Eva Rus")
