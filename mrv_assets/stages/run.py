"""Running one stage: what precedes and what follows the stage itself."""

from mrv_assets.lake.store import Lake
from mrv_assets.stages.materialize import Materialized
from mrv_assets.stages.mission_plan import MissionPlan
from mrv_assets.stages.month_plan import MonthPlan
from mrv_assets.stages.table import GATED_TILES, Stage


def run_stage(lake: Lake, stage: Stage, plan: MissionPlan | MonthPlan) -> Materialized:
    """Run one stage on a lake.

    A mission that is not needed has its assets say so instead, and a decision of the gate is followed by the manual
    decisions on it.

    Args:
        lake: Where its upstream is, and where it goes.
        stage: A row of the table of stages.
        plan: A mission's plan for a mission's stage, the month's for a product of all missions.

    Raises:
        ValueError: When the plan is not of the kind that the stage needs.
    """
    # Kernels come with a stage; Dagster's definitions, which import this module, need none.
    if isinstance(plan, MissionPlan) != stage.of_mission:
        raise ValueError(f"{stage.name} needs the plan of {'one mission' if stage.of_mission else 'a month'}")
    if isinstance(plan, MissionPlan):
        from mrv_assets.stages.not_evaluated import not_evaluated

        if (excused := not_evaluated(lake, plan, stage.name, stage.upstream)) is not None:
            return excused
    done: Materialized = stage.function(lake, plan)
    if stage is GATED_TILES and isinstance(plan, MissionPlan):
        from mrv_assets.stages.manual_decisions import with_manual_decisions

        return with_manual_decisions(lake, plan, done)
    return done
