"""Programmes materialized in a process of their own, computed and not looked up, and what came of it.

``python materialize_driver.py --lakes FOLDER [--threads N]... [--cluster N]... [--assembly FOLDER] PROGRAM...`` prints
one JSON document. Each programme's one month goes into the lake named as its folder, and is computed even where that
lake knows it; as often as ways to do it are named, each in a folder of its own, named ``2 threads`` or ``cluster of
1``. It imports none of the builders, so that it runs with whichever package ``PYTHONPATH`` names.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dask.callbacks import Callback
from stage_names import PRODUCT, STAGES

import mrv_assets
from mrv_assets.audit.manual_decisions import Statement, signed
from mrv_assets.audit.record import Partition
from mrv_assets.deployment import Deployment
from mrv_assets.errors import NotReproducible
from mrv_assets.lake.manual_decisions import keep_decision
from mrv_assets.review.keys import read_key
from mrv_assets.stages.materialize import Materialized
from mrv_assets.stages.options import RunOptions

Json = dict[str, Any]

GATED = "sentinel2/gated_tiles"
DECIDED = (GATED, PRODUCT)
"""What rests on a decision by hand."""


class ThreadsAtWork(Callback):
    """The most threads that shared one stage's blocks."""

    def __init__(self) -> None:
        super().__init__(start=self._begin, posttask=self._done)
        self.most = 0
        self._seen: set[object] = set()

    def _begin(self, graph: object) -> None:
        self._seen = set()

    def _done(self, key: object, result: object, graph: object, state: object, worker: object) -> None:
        self._seen.add(worker)
        self.most = max(self.most, len(self._seen))


def materialized(program: Path, lakes: Path, workers: int, dask_address: str | None) -> dict[str, Any]:
    """Every asset of a programme's month, computed: its outcome, audit hash, and record as it is stored.

    It ends at an asset that came out otherwise than the lake has it; that record is then the new one. Where keys lie
    beside the programme, their owners approve what the gate rejects; then it is what rests on that.
    """
    deployment = Deployment(
        program_path=program, lake_path=lakes / program.parent.name, workers=workers, dask_address=dask_address
    )
    (tile,), (month,) = deployment.tiles, deployment.months
    keys = sorted(program.parent.glob("*.pem"))
    if keys:
        approve(deployment, tile, month, keys)
    done: dict[str, tuple[str, str]] = {}
    try:
        for asset, one in decided_again(deployment, tile, month) if keys else deployment.run(tile, month, force=True):
            done[asset] = one.outcome.value, one.audit_hash
    except NotReproducible as finding:
        done[finding.asset] = "not reproducible", finding.second
    return {
        asset: {
            "outcome": outcome,
            "audit_hash": audit_hash,
            "record": (deployment.lake_path / asset / tile / month / "records" / f"{audit_hash}.json").read_text(),
        }
        for asset, (outcome, audit_hash) in done.items()
    }


def decided_again(deployment: Deployment, tile: str, month: str) -> Iterator[tuple[str, Materialized]]:
    """What rests on the decision, computed."""
    for asset, mission in zip(DECIDED, (deployment.missions[0], None), strict=True):
        plan = deployment.plan(tile, month, mission, RunOptions(force=True))
        yield asset, deployment.materialize(asset.rpartition("/")[2], plan)


def approve(deployment: Deployment, tile: str, month: str, keys: Sequence[Path]) -> None:
    """Let the gate reject a month, and the owners of some keys approve it, always at the same time."""
    mission = deployment.missions[0]
    for stage in STAGES:
        # Where the month is approved already, this is still what the gate measured.
        measured = deployment.materialize(stage, deployment.plan(tile, month, mission))
    rejected = measured.record.decided_on or measured.audit_hash
    record = deployment.lake.record(Partition(GATED, tile, month), rejected)
    roles = {who.name: who.role for who in deployment.program.the_reviewers}
    for key in keys:
        statement = Statement(
            programme=deployment.program.program,
            asset=GATED,
            tile=tile,
            month=month,
            record=rejected,
            verdict="approve",
            reviewer=key.stem,
            role=roles[key.stem],
            reason="Typical.",
            evidence=("field report 7",),
            decided_at="2026-01-01T00:00:00Z",
            before=(),
            reviewers=deployment.program.the_reviewers,
        )
        keep_decision(deployment.lake, signed(statement, read_key(key)), record)


@dataclass(frozen=True, kw_only=True)
class Way:
    """How programmes are materialized."""

    programs: Sequence[Path]
    lakes: Path
    threads: int = 1

    def done(self, dask_address: str | None = None) -> dict[str, dict[str, Any]]:
        """All of them, materialized; by the name of their folders."""
        self.lakes.mkdir(exist_ok=True)
        return {
            program.parent.name: materialized(program, self.lakes, self.threads, dask_address)
            for program in self.programs
        }


def by_threads(way: Way) -> Json:
    """What came of it, and how many threads shared the blocks."""
    with ThreadsAtWork() as threads:
        programmes = way.done()
    return {"spread": threads.most, "programmes": programmes}


def by_clusters(ways: Mapping[int, Way]) -> Iterator[tuple[int, Json]]:
    """What came of each on a cluster of so many worker processes, and how many of them shared the blocks.

    Processes are on this machine, of one thread each; from a smaller cluster to a larger some are added.
    """
    from distributed import Client, LocalCluster

    sizes = sorted(ways)
    with (
        LocalCluster(
            n_workers=sizes[0], threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address=None
        ) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        for size in sizes:
            cluster.scale(size)
            client.wait_for_workers(size, timeout=120)
            before = client.run(tasks_run)
            programmes = ways[size].done(client.scheduler.address)
            after = client.run(tasks_run)
            yield size, {"spread": sum(after[one] > before[one] for one in after), "programmes": programmes}


def tasks_run(dask_worker: Any) -> int:
    """How many tasks this process has run."""
    count: int = dask_worker.state.executed_count
    return count


def write_assembly(folder: Path) -> None:
    """The machine code of each kernel that was imported, one file a kernel; empty where it was not compiled."""
    from numba.core.registry import CPUDispatcher

    for name, module in sorted(sys.modules.items()):
        if not name.startswith("mrv_assets.science."):
            continue
        for kernel in vars(module).values():
            if isinstance(kernel, CPUDispatcher) and kernel.py_func.__module__ == name:
                text = "\n".join(kernel.inspect_asm().values())
                (folder / f"{name}.{kernel.py_func.__name__}.s").write_text(text)


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser()
    parser.add_argument("programs", type=Path, nargs="+")
    parser.add_argument("--lakes", type=Path, required=True)
    parser.add_argument("--threads", type=int, action="append", default=[])
    parser.add_argument("--cluster", type=int, action="append", default=[])
    parser.add_argument("--assembly", type=Path)
    asked = parser.parse_args()
    ways = {
        name: by_threads(Way(programs=asked.programs, lakes=asked.lakes / name, threads=number))
        for number in asked.threads
        for name in [f"{number} threads" if number > 1 else "1 thread"]
    }
    if asked.cluster:
        clusters = {
            size: Way(programs=asked.programs, lakes=asked.lakes / f"cluster of {size}") for size in asked.cluster
        }
        ways |= {f"cluster of {size}": done for size, done in by_clusters(clusters)}
    if asked.assembly:
        write_assembly(asked.assembly)
    print(json.dumps({"package": str(Path(mrv_assets.__file__).parent), "ways": ways}))


if __name__ == "__main__":
    main()
