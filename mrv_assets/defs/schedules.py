"""Schedules: the monthly run of every tile for the month that has ended."""

from datetime import UTC, datetime, timedelta

import dagster as dg

from mrv_assets.defs.jobs import TILE_MONTH
from mrv_assets.defs.partitions import partition_key, tile_partitions_name
from mrv_assets.defs.resources import MrvResource
from mrv_assets.programme.model import Program


def monthly_schedule(program: Program) -> dg.ScheduleDefinition:
    """A schedule that runs the month that has ended, for every registered tile that owns parcels.

    It ticks on the fifth, because the last scenes of a month are published some days after its end.
    """

    @dg.schedule(
        name="month_that_ended",
        job_name=TILE_MONTH,
        cron_schedule="0 6 5 * *",
        execution_timezone="UTC",
        description="On the fifth of each month: the month before, for every registered tile.",
    )
    def month_that_ended(
        context: dg.ScheduleEvaluationContext, mrv: MrvResource
    ) -> list[dg.RunRequest] | dg.SkipReason:
        now = (context.scheduled_execution_time or datetime.now(UTC)).astimezone(UTC)
        month = f"{now.replace(day=1) - timedelta(days=1):%Y-%m}"
        if month not in program.months_before(now.date()):
            return dg.SkipReason(f"{month} is not one of the programme's months.")
        registered = context.instance.get_dynamic_partitions(tile_partitions_name(program))
        # A tile that has left the programme stays registered until `mrv tiles` runs.
        tiles = set(registered) & set(mrv.deployment().tiles) if registered else set()
        if not tiles:
            return dg.SkipReason("No tile is registered. Run: mrv tiles")
        return [
            dg.RunRequest(run_key=f"{tile}/{month}", partition_key=partition_key(tile, month)) for tile in sorted(tiles)
        ]

    return month_that_ended
