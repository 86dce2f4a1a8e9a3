"""Programmes materialized in a process of their own, computed and not looked up, and what came of it.

``python materialize_driver.py --lakes FOLDER [--workers N] [--cluster N] [--assembly FOLDER] PROGRAM...`` prints one
JSON document. Each programme's one month goes into the lake named as its folder, and is computed even where that
lake knows it. It imports none of the builders, so that it runs with whichever package ``PYTHONPATH`` names.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dask.callbacks import Callback

import mrv_assets
from mrv_assets.errors import NotReproducible
from mrv_assets.workplace import Workplace

TASK = "mrv_assets.stages.aligned_tiles"
"""A process that has imported it has run a stage, or one of its tasks."""


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

    It ends at an asset that came out otherwise than the lake has it; that record is then the new one.
    """
    lake = lakes / program.parent.name
    place = Workplace(program_path=program, lake_path=lake, workers=workers, dask_address=dask_address)
    (tile,), (month,) = place.tiles, place.months
    done: dict[str, tuple[str, str]] = {}
    try:
        for asset, one in place.run(tile, month, force=True):
            done[asset] = one.outcome.value, one.audit_hash
    except NotReproducible as finding:
        done[finding.asset] = "not reproducible", finding.second
    return {
        asset: {
            "outcome": outcome,
            "audit_hash": audit_hash,
            "record": (lake / asset / tile / month / "records" / f"{audit_hash}.json").read_text(),
        }
        for asset, (outcome, audit_hash) in done.items()
    }


@contextmanager
def scheduler(processes: int) -> Iterator[Any]:
    """A cluster of worker processes on this machine, of one thread each, and a client of it; None without any."""
    if not processes:
        yield None
        return
    from distributed import Client, LocalCluster

    with (
        LocalCluster(
            n_workers=processes, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address=None
        ) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        yield client


def has_run_tasks() -> bool:
    """Whether this process has run a task of ours."""
    return TASK in sys.modules


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
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--cluster", type=int, default=0)
    parser.add_argument("--assembly", type=Path)
    asked = parser.parse_args()
    with scheduler(asked.cluster) as client, ThreadsAtWork() as threads:
        address = client and client.scheduler.address
        programmes = {
            program.parent.name: materialized(program, asked.lakes, asked.workers, address)
            for program in asked.programs
        }
        spread = sum(client.run(has_run_tasks).values()) if client else threads.most
    if asked.assembly:
        write_assembly(asked.assembly)
    print(json.dumps({"package": str(Path(mrv_assets.__file__).parent), "spread": spread, "programmes": programmes}))


if __name__ == "__main__":
    main()
