"""The demo's run: the real programme, then the simulated one, with its reviewers' decisions between."""

import time
from collections.abc import Callable

from mrv_assets.audit.canonical import Json
from mrv_assets.defs.resources import MrvResource
from mrv_assets.defs.runs import dagster_instance, materialize_all, materialize_tile_month
from mrv_assets.demo.ground import APPROVED, TILE
from mrv_assets.demo.inputs import check_inputs, make_inputs, sole_user
from mrv_assets.demo.picture import store_picture
from mrv_assets.demo.reviewing import reviewed
from mrv_assets.demo.simulated_text import simulated_answer
from mrv_assets.demo.text import demo_answer
from mrv_assets.settings import Settings, simulated_settings

NOTE = "simulated, "


def run_demo(settings: Settings, say: Callable[[str], None]) -> Json:
    """Run both programmes, as far as they are not in their lakes; gives what `mrv demo` answers.

    Args:
        settings: Of the real programme.
        say: Told of what is done.

    Raises:
        DemoFolderError: When the folder of the simulated programme is another version's, before anything is run.
        MrvError: As the stages raise them.
    """
    simulated = simulated_settings(settings)
    check_inputs(simulated.program_path.parent)
    started = time.monotonic()
    say(f"Programme: {settings.program_path}\nLake: {settings.lake}")
    reused = materialize_all(settings, say)
    answer = demo_answer(MrvResource.of(settings).deployment(), time.monotonic() - started, reused)
    return {**answer, "simulated": run_simulated(simulated, say)}


def run_simulated(settings: Settings, say: Callable[[str], None]) -> Json:
    """Make the simulated programme where it is not there yet, run it, and let its reviewers decide."""
    started = time.monotonic()
    folder = settings.program_path.parent
    say(f"Programme, simulated: {settings.program_path}\nLake, simulated: {settings.lake}")
    with sole_user(folder):
        make_inputs(folder)
        reused = materialize_all(settings, say, NOTE)
        deployment = MrvResource.of(settings).deployment()
        todo = reviewed(deployment, folder, TILE, APPROVED.month)
        if todo:
            with dagster_instance(settings) as instance:
                materialize_tile_month(instance, settings, TILE, APPROVED.month, only=todo)
            say(f"{TILE} {APPROVED.month} {NOTE}approved by two reviewers, materialized again")
        answer = simulated_answer(deployment, folder, time.monotonic() - started, reused)
        picture = store_picture(
            deployment, answer["months"], folder, again=bool(todo) or reused < len(answer["months"])
        )
    return {**answer, "picture": str(picture)}
