"""Our side: every stage of the month, stored and hashed, without Dagster and through it."""

import contextlib
import os
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.month import MONTH, TILE, Month
from mrv_assets.deployment import Deployment


def stages(month: Month, lake: Path, threads: int) -> None:
    """Run the stages one after the other, from the search to the parcels' table, into a new lake."""
    for _ in a_deployment(month, lake, threads).run(TILE, MONTH):
        pass


def through_dagster(month: Month, lake: Path, threads: int) -> None:
    """Run the stages as a user does: by ``mrv run``, which is Dagster's own materialize on an instance on disk."""
    from mrv_assets.cli.main import verbs

    os.environ.update(
        MRV_PROGRAM=str(month.program),
        MRV_LAKE=str(lake),
        MRV_WORKERS=str(threads),
        DAGSTER_HOME=str(lake.parent / "dagster"),
    )
    # The verb's answer is not needed here, and stdout belongs to the cost.
    with contextlib.redirect_stdout(sys.stderr):
        verbs.main(["run", "--tile", TILE, "--month", MONTH, "--json"], standalone_mode=False)


def monthly_rasters(month: Month, lake: Path) -> dict[str, NDArray[np.float32]]:
    """The month's mean of each index, from the lake: float32, dims (y, x), NaN where missing."""
    opened = a_deployment(month, lake, 1).lake.open("monthly_proxies", TILE, MONTH)
    scenes = opened.isel(y=slice(month.pixels), x=slice(month.pixels))
    return {name: scenes[name].values for name in ("ndvi", "evi", "nbr") if name in scenes}


def a_deployment(month: Month, lake: Path, threads: int) -> Deployment:
    """The month's programme over a lake."""
    return Deployment(program_path=month.program, lake_path=lake, workers=threads)
