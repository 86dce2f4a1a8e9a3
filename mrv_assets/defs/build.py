"""The definitions of a programme: its assets, jobs, sensors, schedules, resource and executor."""

import dagster as dg

from mrv_assets.defs.assets import stage_assets
from mrv_assets.defs.jobs import record_qa_decision_job, register_tiles_job, tile_month_job
from mrv_assets.defs.resources import MrvResource
from mrv_assets.defs.schedules import monthly_schedule
from mrv_assets.defs.sensors import new_scenes_sensor
from mrv_assets.programme.file import load_program
from mrv_assets.settings import Settings


def build_definitions(settings: Settings) -> dg.Definitions:
    """The definitions of one programme.

    Raises:
        ProgramError: With every problem of the programme file.
    """
    program = load_program(settings.program_path)
    return dg.Definitions(
        assets=stage_assets(program),
        jobs=[register_tiles_job, record_qa_decision_job, tile_month_job],
        sensors=[new_scenes_sensor(program)],
        schedules=[monthly_schedule(program)],
        resources={"mrv": MrvResource.of(settings)},
        # A process for each step would import the numerical stack each time: 8 s of CPU a step.
        executor=dg.in_process_executor,
    )
