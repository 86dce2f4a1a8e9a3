"""The schedule: it runs the month that has ended, for every registered tile."""

from datetime import UTC, datetime

import dagster as dg
import pytest
from three_months import AUGUST, JUNE, keys_of

from mrv_assets.defs.partitions import register_tiles, tile_partitions_name
from mrv_assets.defs.resources import MrvResource
from mrv_assets.defs.schedules import monthly_schedule
from mrv_assets.deployment import Deployment


def resource_of(deployment: Deployment) -> MrvResource:
    """What a run is given of the deployment."""
    return MrvResource(program_path=str(deployment.program_path), lake_path=str(deployment.lake_path))


@pytest.mark.parametrize(
    ("day", "asked"), [("2018-07-05", [JUNE]), ("2018-09-05", [AUGUST]), ("2018-10-05", []), ("2018-06-05", [])]
)
def test_the_schedule_runs_the_month_that_ended(
    deployment: Deployment, instance: dg.DagsterInstance, day: str, asked: list[str]
) -> None:
    """For each registered tile; months outside the programme are skipped with the reason."""
    context = dg.build_schedule_context(
        instance=instance, scheduled_execution_time=datetime.fromisoformat(day).replace(tzinfo=UTC)
    )

    result = monthly_schedule(deployment.program)(context, mrv=resource_of(deployment))

    if asked:
        assert isinstance(result, list)
        assert [request.partition_key for request in result] == keys_of(*asked)
    else:
        assert isinstance(result, dg.SkipReason)
        assert "2018-" in str(result.skip_message)


def test_a_tile_that_left_the_programme_is_not_run(deployment: Deployment, instance: dg.DagsterInstance) -> None:
    """Not by the schedule, before `mrv tiles` has run again; afterwards it is no partition that a backfill asks for."""
    name = tile_partitions_name(deployment.program)
    instance.add_dynamic_partitions(name, ["35ULR"])
    ended = datetime(2018, 7, 5, tzinfo=UTC)
    context = dg.build_schedule_context(instance=instance, scheduled_execution_time=ended)

    result = monthly_schedule(deployment.program)(context, mrv=resource_of(deployment))

    assert [request.partition_key for request in result] == keys_of(JUNE)
    assert register_tiles(instance, deployment.program, deployment.tiles) == ()
    assert instance.get_dynamic_partitions(name) == list(deployment.tiles)
