"""Processes that do the same at the same moment, and what each of them saw."""

import sys
import traceback
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from multiprocessing.synchronize import Barrier
from pathlib import Path
from threading import BrokenBarrierError
from typing import Any

from block_scenes import MONTH, TILE
from demo_lake import a_deployment
from stage_names import PRODUCT, STAGES

ASSETS = (*(f"sentinel2/{stage}" for stage in STAGES), PRODUCT)
TIMEOUT_S = 60.0
GAVE_UP = "gave up: another process had an error, or was too late"


@dataclass(frozen=True, kw_only=True)
class Racer:
    """What one of the processes saw."""

    outcomes: dict[str, str]
    """By asset."""
    hashes: dict[str, str]
    """Audit hash of each asset."""
    error: str | None
    """What went wrong, with its traceback."""


def race(
    server: ForkServerContext,
    program: Path,
    lake: Path,
    *,
    processes: int,
    force: bool = False,
    in_step: tuple[str, ...] = (),
) -> tuple[Racer, ...]:
    """Materialize a programme's month in some processes, each asset at once, and wait for all of them.

    Args:
        server: Where they come from.
        program: The programme file.
        lake: Where to.
        processes: How many.
        force: Compute what is known, too.
        in_step: They also wait for one another before each name they give in these folders of a partition; they
            all have to give the same ones.
    """
    line = server.Barrier(processes)
    started = []
    for _ in range(processes):
        ours, theirs = server.Pipe(duplex=False)
        process = server.Process(target=_run, args=(program, lake, force, in_step, line, theirs))
        process.start()
        # Ours is closed, so that a process that dies is the end of the pipe.
        theirs.close()
        started.append((process, ours))
    racers = tuple(ours.recv() for _, ours in started)
    for process, _ in started:
        process.join()
    return racers


def _run(program: Path, lake: Path, force: bool, in_step: tuple[str, ...], line: Barrier, told: Connection) -> None:
    outcomes, hashes, error = {}, {}, None
    try:
        deployment = a_deployment(program, lake)
        # Parcels are read now: at the line everyone is ready.
        assert deployment.tiles == (TILE,)
        stages = deployment.run(TILE, MONTH, force=force)
        if in_step:
            sys.addaudithook(lambda event, args: _wait(line) if _gives_a_name(event, args, lake, in_step) else None)
        for _ in ASSETS:
            _wait(line)
            asset, done = next(stages)
            outcomes[asset], hashes[asset] = done.outcome.value, done.audit_hash
    except BrokenBarrierError:
        error = GAVE_UP
    except Exception:
        error = traceback.format_exc()
        # The others shall not wait for this one.
        line.abort()
    told.send(Racer(outcomes=outcomes, hashes=hashes, error=error))


def _wait(line: Barrier) -> None:
    line.wait(TIMEOUT_S)


def _gives_a_name(event: str, args: tuple[Any, ...], lake: Path, folders: tuple[str, ...]) -> bool:
    """Whether an audit event is a file or folder getting its final name in one of some folders of a partition."""
    if event not in ("os.link", "os.rename"):
        return False
    final = Path(args[1])
    return final.is_relative_to(lake) and final.parent.name in folders
