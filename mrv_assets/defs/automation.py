"""Automation: what starts runs by itself: a sensor for new scenes, and a schedule for months that are over."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING

import dagster as dg

from mrv_assets.audit.canonical import digest
from mrv_assets.defs.partitions import MONTH, TILE, partition_key, tile_partitions_name
from mrv_assets.defs.resources import MrvResource
from mrv_assets.errors import MrvError
from mrv_assets.programme.model import Program

if TYPE_CHECKING:
    from mrv_assets.deployment import Deployment

JOB = "tile_month"
TILES_PER_TICK = 8
"""Searches of a mission's catalogue that one tick makes at most; the next tick goes on behind them."""
RUNS_PER_TICK = 24
"""Runs that one tick asks for at most."""


def new_scenes_sensor(program: Program) -> dg.SensorDefinition:
    """A sensor that asks each mission's catalogue, tile by tile, and runs months whose scenes are others now.

    Its cursor is the last tile and month it looked at. A run's key is made of the scenes it is for, so a month is run
    once for each state of its catalogue, however often it is looked at.
    """

    @dg.sensor(
        name="new_scenes",
        job_name=JOB,
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
        for tile, group in groupby([*todo[position:], *todo[:position]], key=lambda one: one[0]):
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
                # The tiles behind it are looked at all the same; this one, when all have been.
                position = todo.index((tile, months[-1])) + 1
                failures.append(f"Tile {tile} could not be looked at. {error}")
                context.log.error(failures[-1])
        last = todo[(position - 1) % len(todo)]
        return dg.SensorResult(
            run_requests=requests,
            cursor=json.dumps({TILE: last[0], MONTH: last[1]}),
            skip_reason=None if requests else _nothing_new(searched, failures),
        )

    return new_scenes


def _nothing_new(searched: int, failures: list[str]) -> str:
    return "\n".join([*failures, f"{searched - len(failures)} tiles looked at: no scene is new."])


def _after(cursor: str | None, todo: list[tuple[str, str]]) -> int:
    """Where to go on: behind the tile and month of the cursor; at the beginning where it names none of these."""
    if not cursor:
        return 0
    seen = json.loads(cursor)
    last = (seen[TILE], seen[MONTH])
    return (todo.index(last) + 1) % len(todo) if last in todo else 0


def _requests(deployment: "Deployment", tile: str, months: list[str]) -> Iterator[tuple[str, dg.RunRequest | None]]:
    """Each month of a tile with the run it needs; None where the lake has its scenes."""
    # Definitions load without the numerical stack; a tick needs it.
    from mrv_assets.verify.drift import drifted_scenes

    drifted = [one for mission in deployment.missions for one in drifted_scenes(deployment, tile, months, mission)]
    for month in months:
        found = [one for one in drifted if one.month == month]
        if not any(one.any for one in found):
            yield month, None
            continue
        key = digest([[one.mission, one.offered_sha256] for one in found])[:16]
        yield month, dg.RunRequest(run_key=f"{tile}/{month}/{key}", partition_key=partition_key(tile, month))


def monthly_schedule(program: Program) -> dg.ScheduleDefinition:
    """A schedule that runs the month that has ended, for every registered tile.

    On the fifth: the last scenes of a month are published some days after it is over.
    """

    @dg.schedule(
        name="month_that_ended",
        job_name=JOB,
        cron_schedule="0 6 5 * *",
        execution_timezone="UTC",
        description="On the fifth of each month: the month before, for every registered tile.",
    )
    def month_that_ended(context: dg.ScheduleEvaluationContext) -> list[dg.RunRequest] | dg.SkipReason:
        now = (context.scheduled_execution_time or datetime.now(UTC)).astimezone(UTC)
        month = f"{now.replace(day=1) - timedelta(days=1):%Y-%m}"
        if month not in program.months_before(now.date()):
            return dg.SkipReason(f"{month} is none of the programme's months.")
        tiles = context.instance.get_dynamic_partitions(tile_partitions_name(program))
        if not tiles:
            return dg.SkipReason("No tile is registered. Run: mrv tiles")
        return [
            dg.RunRequest(run_key=f"{tile}/{month}", partition_key=partition_key(tile, month)) for tile in sorted(tiles)
        ]

    return month_that_ended
