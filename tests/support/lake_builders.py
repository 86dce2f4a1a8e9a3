"""Builders of small lakes: requests, runs, and records whose data is a single file."""

from dataclasses import asdict
from datetime import UTC, datetime

from mrv_assets.audit.canonical import sha256
from mrv_assets.audit.record import Partition, Record, Request
from mrv_assets.lake.runs import Run
from mrv_assets.lake.store import Lake

PARTITION = Partition("sentinel2/indices", "34TER", "2018-07")


def a_request(threshold: float = 0.65) -> Request:
    """A request of :data:`PARTITION`; another threshold makes another request."""
    return Request(**asdict(PARTITION), plan={"t": threshold}, graph="a" * 64, code="b" * 64, inputs={"up": "0" * 64})


def a_run() -> Run:
    """A run of this moment."""
    now = datetime.now(UTC)
    return Run(outcome="computed", started=now, finished=now, dagster_run_id=None, workers=1)


def committed(lake: Lake, request: Request, content: bytes = b"data") -> Record:
    """The record of a request, committed with data that is one file."""
    with lake.staging() as folder:
        (folder / "values").write_bytes(content)
        return lake.commit(folder, request.record({"sha256": sha256(content)}), a_run())
