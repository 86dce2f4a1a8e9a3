"""``python -m bench.contender NAME ...``: one contender, once, in a process of its own; its cost as JSON on stdout."""

import argparse
import json
import os
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.cost import cost_of, cost_so_far
from bench.month import Month

ODC_STAC = "odc-stac"
ODC_STAC_EVERY_BAND = "odc-stac, every band"
STAGES = "mrv stages"
DAGSTER = "mrv through Dagster"

PEERS = (ODC_STAC, ODC_STAC_EVERY_BAND)
OURS = (STAGES, DAGSTER)
CONTENDERS = PEERS + OURS

Rasters = dict[str, NDArray[np.float32]]


def main() -> None:
    """Run the contender named on the command line."""
    options = _options()
    if hasattr(os, "sched_setaffinity"):
        # No contender gets more CPUs than the others, whatever pools its libraries start.
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.threads])
    month = Month.at(options.month)
    rasters: list[Callable[[], Rasters]] = []

    def work() -> None:
        rasters.append(run(options.name, month, options.scratch / "timed", options.threads))

    if options.warm_up is None:
        work()
        cost = cost_so_far()
    else:
        run(options.name, Month.at(options.warm_up), options.scratch / "warm-up", options.threads)
        cost = cost_of(work)
    if options.save is not None:
        options.save.mkdir(parents=True, exist_ok=True)
        for name, values in rasters[0]().items():
            np.save(options.save / f"{name}.npy", values)
    print(json.dumps(asdict(cost)))


def run(name: str, month: Month, scratch: Path, threads: int) -> Callable[[], Rasters]:
    """Run a contender on the month.

    Args:
        name: One of :data:`CONTENDERS`.
        month: The month that it reads.
        scratch: Folder for the files that it stores; empty, or not yet there.
        threads: Number of threads that it may use.

    Returns:
        A function that gives its monthly indices: float32, dims (y, x), NaN where missing.
    """
    # Each contender imports only its own libraries: a cold start pays for no others.
    if name in PEERS:
        from bench.peer import odc_stac

        indices = odc_stac(month, threads, every_band=name == ODC_STAC_EVERY_BAND)
        return lambda: indices
    from bench.ours import monthly_rasters, stages, through_dagster

    work = {STAGES: stages, DAGSTER: through_dagster}[name]
    work(month, scratch / "lake", threads)
    return lambda: monthly_rasters(month, scratch / "lake")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.contender")
    parser.add_argument("name", choices=CONTENDERS)
    parser.add_argument("--month", type=Path, required=True, help="folder of the month that is timed")
    parser.add_argument(
        "--warm-up", type=Path, help="folder of the month that is run first, untimed; without it the start is cold"
    )
    parser.add_argument("--scratch", type=Path, required=True, help="folder for the files that are stored")
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--save", type=Path, help="folder that gets the monthly indices, after the timing")
    return parser.parse_args()


if __name__ == "__main__":
    main()
