"""What the verbs share: exit codes, the deployment's settings and programme, answers and progress."""

import json
import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mrv_assets.audit.canonical import Json
from mrv_assets.settings import Settings, current, variables_for

if TYPE_CHECKING:
    from mrv_assets.deployment import Deployment

DONE, FINDING, MISUSE = 0, 1, 2
"""Exit codes."""

as_json_option = click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")


class Progress:
    """Says on stderr what is done, at most once a second, so that a log stays readable."""

    def __init__(self) -> None:
        self._said = time.monotonic()

    def __call__(self, name: str, done: int, of: int) -> None:
        if time.monotonic() - self._said >= 1 or (done == of and of > 1):
            self._said = time.monotonic()
            click.echo(f"[{done}/{of}] {name}", err=True)


def prefix(settings: Settings) -> str:
    """What to write before a command so that it works on these settings, in this folder."""
    return "".join(f"{name}={shlex.quote(value)} " for name, value in variables_for(settings).items())


def checked_settings() -> Settings:
    """The deployment's settings, its programme checked whole: every problem in one answer."""
    from mrv_assets.programme.file import check_program

    settings = current()
    check_program(settings.program_path)
    return settings


def open_deployment(settings: Settings) -> "Deployment":
    from mrv_assets.deployment import Deployment

    return Deployment(
        program_path=settings.program_path,
        lake_path=Path(settings.lake),
        workers=settings.workers,
        dask_address=settings.dask_address,
        hosts=settings.hosts,
        buckets=settings.buckets,
        loopback=settings.loopback,
    )


def print_json(answer: Json) -> None:
    click.echo(json.dumps(answer, indent=2, sort_keys=False, allow_nan=False))
