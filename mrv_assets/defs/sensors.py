"""Sensors: runs of the months whose catalogue offers other scenes than the lake has."""

import json
from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING

import dagster as dg

from mrv_assets.audit.canonical import digest
from mrv_assets.defs.jobs import TILE_MONTH
from mrv_assets.defs.partitions import MONTH, TILE, partition_key, tile_partitions_name
from mrv_assets.defs.resources import MrvResource
from mrv_assets.errors import MrvError
from mrv_assets.programme.model import Program

if TYPE_CHECKING:
    from mrv_assets.deployment import Deployment

TILES_PER_TICK = 8
"""Tiles that one tick searches for at most; the next tick continues behind them."""
RUNS_PER_TICK = 24
"""Runs that one tick requests at most."""


def new_scenes_sensor(program: Program) -> dg.SensorDefinition:
    """A sensor that searches each mission's catalogue, tile by tile, and runs months whose scenes have changed.

    Its cursor is the last tile and month that were searched. A run's key is made of the scenes it is for, so a month
    is run once for each state of its catalogue, however often it is searched.
    """

    @dg.sensor(
        name="new_scenes",
        job_name=TILE_MONTH,
        minimum_interval_seconds=3600,
        description="Looks for scenes that are new, processed again or withdrawn, a few tiles a tick, and runs their "
        "months. Register the tiles first.",
    )
    def new_scenes(context: dg.SensorEvaluationContext, mrv: MrvResource) -> dg.SensorResult:
        deployment = mrv.deployment()
        registered = set(context.instance.get_dynamic_partitions(tile_partitions_name(program)))
        todo = [(tile, month) for tile in deployment.tiles if tile in registered for month in deployment.months]
        if not todo:
            return dg.SensorResult(skip_reason="No tile is registered, or no month is over. Run: mrv tiles")
        requests: list[dg.RunRequest] = []
        failures: list[str] = []
        searched, position = 0, _after(context.cursor, todo)
        for tile, group in groupby([*todo[position:], *todo[:position]], key=itemgetter(0)):
            if searched >= TILES_PER_TICK or len(requests) >= RUNS_PER_TICK:
                break
            searched += 1
            months = [month for _, month in group]
            try:
                for month, request in _requests(deployment, tile, months):
                    position = todo.index((tile, month)) + 1
                    requests += [] if request is None else [request]
                    if len(requests) >= RUNS_PER_TICK:
                        break
            except MrvError as error:
                # The next tiles are searched all the same; this one again, once all have been searched.
                position = todo.index((tile, months[-1])) + 1
                failures.append(f"The search of tile {tile} failed. {error}")
                context.log.error(failures[-1])
        last = todo[(position - 1) % len(todo)]
        return dg.SensorResult(
            run_requests=requests,
            cursor=json.dumps({TILE: last[0], MONTH: last[1]}),
            skip_reason=None if requests else _nothing_new(searched, failures),
        )

    return new_scenes


def _nothing_new(searched: int, failures: list[str]) -> str:
    return "\n".join([*failures, f"{searched - len(failures)} tiles searched: no scene is new."])


def _after(cursor: str | None, todo: list[tuple[str, str]]) -> int:
    """Position in the list to continue at: behind the cursor's tile and month, or 0 where they are not in the list."""
    if not cursor:
        return 0
    searched = json.loads(cursor)
    last = (searched[TILE], searched[MONTH])
    return (todo.index(last) + 1) % len(todo) if last in todo else 0


def _requests(deployment: "Deployment", tile: str, months: list[str]) -> Iterator[tuple[str, dg.RunRequest | None]]:
    """Each month of a tile with the run that it needs; None where the lake has the scenes on offer."""
    # Definitions load without the numerical stack; a tick needs it.
    from mrv_assets.verify.drift import drifted_scenes

    drifts = [drift for mission in deployment.missions for drift in drifted_scenes(deployment, tile, months, mission)]
    for month in months:
        of_month = [drift for drift in drifts if drift.month == month]
        if not any(drift.any for drift in of_month):
            yield month, None
            continue
        key = digest([[drift.mission, drift.offered_sha256] for drift in of_month])[:16]
        yield month, dg.RunRequest(run_key=f"{tile}/{month}/{key}", partition_key=partition_key(tile, month))
