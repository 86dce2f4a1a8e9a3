"""Parts that the verbs share: exit codes, options, the opened deployment, JSON and progress."""

import json
import shlex
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import click

from mrv_assets.audit.canonical import Json
from mrv_assets.settings import Settings, current, variables_for

if TYPE_CHECKING:
    from mrv_assets.deployment import Deployment

DONE, FINDING, MISUSE, INCOMPLETE = 0, 1, 2, 3
"""Exit codes."""

as_json_option = click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
tile_option = click.option("--tile", help="Only this tile.")
month_option = click.option("--month", help="Only this month, YYYY-MM.")


class Progress:
    """Finished steps on stderr, at most one line a second, so that a log stays readable."""

    def __init__(self) -> None:
        self._printed = time.monotonic()

    def __call__(self, name: str, done: int, total: int) -> None:
        if time.monotonic() - self._printed >= 1 or (done == total and total > 1):
            self._printed = time.monotonic()
            click.echo(f"[{done}/{total}] {name}", err=True)


def prefix(settings: Settings) -> str:
    """Assignments of variables to write before a command, so that it works on these settings in this folder."""
    return "".join(f"{name}={shlex.quote(value)} " for name, value in variables_for(settings).items())


def checked_settings() -> Settings:
    """The current settings, after the whole programme was checked.

    Raises:
        ProgramError: With every problem of the programme and its parcels.
    """
    from mrv_assets.programme.file import check_program

    settings = current()
    check_program(settings.program_path)
    return settings


def open_deployment() -> "Deployment":
    """The current programme and its lake.

    Raises:
        ProgramError: With every problem of the programme and its parcels.
    """
    # Importing it brings the numerical stack, which `mrv --help` does not need.
    from mrv_assets.deployment import Deployment

    return Deployment.of(checked_settings())


def chosen(deployment: "Deployment", tile: str | None, month: str | None) -> tuple[Sequence[str], Sequence[str]]:
    """Tiles and months that the options choose: the given one, or all of the programme."""
    return (tile,) if tile else deployment.tiles, (month,) if month else deployment.months


def print_answer(answer: Json, text: Callable[[Json], str], as_json: bool) -> None:
    """Print an answer on stdout, as its JSON document or as its terminal page."""
    click.echo(json.dumps(answer, indent=2, sort_keys=False, allow_nan=False) if as_json else text(answer))
