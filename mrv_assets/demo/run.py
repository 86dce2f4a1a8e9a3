"""The demo's run: the real programme, then the simulated one with its reviewers' decisions."""

import time
from collections.abc import Callable

from mrv_assets.audit.canonical import Json
from mrv_assets.defs.runs import dagster_instance, materialize_all, materialize_tile_month
from mrv_assets.demo import report, simulated_report
from mrv_assets.demo.ground import APPROVED, TILE
from mrv_assets.demo.inputs import check_inputs, make_inputs, sole_user
from mrv_assets.demo.picture import store_picture
from mrv_assets.demo.reviewers import review
from mrv_assets.deployment import Deployment
from mrv_assets.settings import Settings, simulated_settings

NOTE = "simulated, "


def run_demo(settings: Settings, say: Callable[[str], None]) -> Json:
    """Run the months of both programmes that are not in their lakes. Returns the answer of `mrv demo`.

    Args:
        settings: Settings of the real programme.
        say: Called with each line of progress.

    Raises:
        DemoFolderError: When another version made the folder of the simulated programme; nothing is run then.
        MrvError: As the stages raise them.
    """
    simulated = simulated_settings(settings)
    check_inputs(simulated.program_path.parent)
    started = time.monotonic()
    say(f"Programme: {settings.program_path}\nLake: {settings.lake_path}")
    reused = materialize_all(settings, say)
    answer = report.answer(Deployment.of(settings), time.monotonic() - started, reused)
    return {**answer, "simulated": run_simulated(simulated, say)}


def run_simulated(settings: Settings, say: Callable[[str], None]) -> Json:
    """Make the simulated programme unless it is there, run it, and let its reviewers decide. Returns its answer."""
    started = time.monotonic()
    folder = settings.program_path.parent
    say(f"Programme, simulated: {settings.program_path}\nLake, simulated: {settings.lake_path}")
    with sole_user(folder):
        make_inputs(folder)
        reused = materialize_all(settings, say, NOTE)
        deployment = Deployment.of(settings)
        todo = review(deployment, folder, TILE, APPROVED.month)
        if todo:
            with dagster_instance(settings) as instance:
                materialize_tile_month(instance, settings, TILE, APPROVED.month, only=todo)
            say(f"{TILE} {APPROVED.month} {NOTE}approved by two reviewers, materialized again")
        answer = simulated_report.answer(deployment, folder, time.monotonic() - started, reused)
        picture = store_picture(
            deployment, answer["months"], folder, again=bool(todo) or reused < len(answer["months"])
        )
    return {**answer, "picture": str(picture)}
