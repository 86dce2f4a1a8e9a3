"""Builders of a lake to export from: months that passed, were rejected, lack an index, and were never run."""

import itertools
import os
import signal
import sys
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from block_scenes import AROUND, CLOUD, CORNER, PLAIN, TILE, Box, SceneSpec, a_programme_of, shaded
from demo_lake import Json, a_deployment
from tables import read_rows

from mrv_assets.audit.record import Partition
from mrv_assets.deployment import Deployment
from mrv_assets.export.options import checked_options
from mrv_assets.formats.table import TABLE
from mrv_assets.reports.export import answer
from mrv_assets.stages.table import PRODUCT

PASSED, REJECTED, NO_NBR, NOT_RUN = "2018-07", "2018-08", "2018-09", "2018-10"
HIDDEN = "-3 @home"
"""Under cloud while the others are seen."""
PARCELS = {
    "=1+1": Box(row=CORNER - 40, col=CORNER - 40, height=80, width=80),
    "007": Box(row=CORNER + 60, col=CORNER + 10, height=12, width=15),
    'O\'Neil "north", 2': Box(row=CORNER - 70, col=CORNER - 80, height=20, width=30),
    HIDDEN: Box(row=CORNER + 70, col=CORNER - 90, height=10, width=10),
}
"""The first lies in four blocks; their names are what a spreadsheet would make something else of."""


def a_programme(folder: Path) -> Deployment:
    """A programme of four months, not yet run."""
    deployment = a_programme_of(folder, list(_scenes()), PARCELS)
    program = yaml.safe_load(deployment.program_path.read_text())
    deployment.program_path.write_text(yaml.safe_dump({**program, "months": {"start": PASSED, "end": NOT_RUN}}))
    return deployment


def _scenes() -> Iterator[SceneSpec]:
    rows, cols = np.mgrid[: AROUND.height, : AROUND.width]
    for month, clouded in ((PASSED, False), (REJECTED, True), (NO_NBR, False)):
        for day, step in (("05", 3), ("15", 11)):
            scene = (PLAIN["nir"] + step * rows + 2 * cols + 10 * int(month[-1])).astype(np.uint16)
            yield SceneSpec(
                id=f"{month}-{day}",
                when=f"{month}-{day}T09:30:00Z",
                dn={"nir": scene},
                scl=CLOUD if clouded else shaded(AROUND, (PARCELS[HIDDEN], CLOUD)),
                without=("swir22",) if month == NO_NBR else (),
            )


Export = Callable[..., Json]
"""What the fixture ``export`` is."""

NOT_GIVEN: Json = {"tile": None, "month": None, "indices": (), "crs": None, "step_deg": None, "resampling": None}
"""The options of `mrv export` where none is given."""


def exported(deployment: Deployment, kind: str, folder: Path, **options: object) -> Json:
    """Export to a folder; gives the answer."""
    chosen = checked_options(kind, **{**NOT_GIVEN, **options})
    return answer(deployment, chosen, folder, lambda name, done, of: None)


def export_until(program: Path, folder: Path, tell: Connection, dies_at: int | None) -> None:
    """Export July's NDVI as a catalogue, as the target of a process; tells how many steps it took.

    Args:
        program: The programme file.
        folder: Where to; a step is whatever opens, makes, renames or removes something beside or in it.
        tell: Told at the end.
        dies_at: The step before which the process kills itself -9; None: it lives.
    """
    deployment, steps = a_deployment(program), itertools.count(1)
    sys.addaudithook(lambda event, args: _step(steps, dies_at) if _is_step(event, args, str(folder.parent)) else None)
    exported(deployment, "stac", folder, month=PASSED, indices=["ndvi"])
    tell.send(next(steps) - 1)


def _step(steps: Iterator[int], dies_at: int | None) -> None:
    if next(steps) == dies_at:
        os.kill(os.getpid(), signal.SIGKILL)


def _is_step(event: str, args: tuple[Any, ...], root: str) -> bool:
    gives_or_takes_names = event in ("open", "os.rename", "os.mkdir", "os.rmdir", "os.remove")
    return gives_or_takes_names and any(isinstance(path, str | Path) and str(path).startswith(root) for path in args)


def expected_rows(deployment: Deployment) -> list[Json]:
    """The rows of the lake's tables in the order of an export, each with its record's audit hash and no doubts."""
    rows = []
    for month in (PASSED, REJECTED, NO_NBR):
        record = deployment.lake.current(Partition(PRODUCT, TILE, month))
        rows += [
            {**row, "mrv_audit_hash": record.audit_hash, "mrv_doubts": None} for row in read_rows(record.data / TABLE)
        ]
    return sorted(rows, key=lambda row: (row["parcel_id"].encode(), row["month"]))
