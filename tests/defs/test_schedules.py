"""The schedule: it runs the month that has ended, for every registered tile."""

from datetime import UTC, datetime

import dagster as dg
import pytest
from three_months import AUGUST, JUNE, keys_of

from mrv_assets.defs.schedules import monthly_schedule
from mrv_assets.deployment import Deployment


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

    result = monthly_schedule(deployment.program)(context)

    if asked:
        assert isinstance(result, list)
        assert [request.partition_key for request in result] == keys_of(*asked)
    else:
        assert isinstance(result, dg.SkipReason)
        assert "2018-" in str(result.skip_message)
