"""The `mrv` command: its verbs, and the exit code of every error. Results on stdout, logs on stderr."""

import gc
import io
import logging
import sys

import click

from mrv_assets import __version__
from mrv_assets.cli.demo_ui import demo, ui
from mrv_assets.cli.explain_verify_drift import drift, explain, hashes, verify
from mrv_assets.cli.export import export
from mrv_assets.cli.keys_qa import keys, qa
from mrv_assets.cli.shared import DONE, FINDING, MISUSE
from mrv_assets.cli.tiles_plan_run import plan, run, tiles
from mrv_assets.errors import BadInputError, MrvError, NotMaterialized
from mrv_assets.reports.terminal import escape_lines


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="mrv")
@click.option("-v", "--verbose", is_flag=True, help="Log the work of each stage on stderr.")
def verbs(verbose: bool) -> None:
    """Satellite MRV: from scenes to monthly proxies with an audit trail.

    MRV_PROGRAM names the programme file, MRV_LAKE the lake. Everything else is Dagster's own:
    `dagster dev`, `dagster asset materialize`, backfills.
    """
    logging.basicConfig(format="%(message)s", stream=sys.stderr)
    logging.getLogger("mrv_assets").setLevel(logging.INFO if verbose else logging.WARNING)


def main() -> None:
    """Run a verb. Every error raised on purpose is printed as one message and ends with its exit code."""
    # Imports make millions of objects that live to the end: scanning them took a sixth of a month's CPU time.
    gc.set_threshold(50_000, 20, 50)
    for stream in (sys.stdout, sys.stderr):
        # What a terminal cannot show is escaped, instead of ending the command in the middle of its page.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        # Without standalone mode click returns the exit code that a verb, --help or --version asks for.
        sys.exit(verbs(standalone_mode=False) or DONE)
    except (click.Abort, KeyboardInterrupt):
        _stopped()
    except click.ClickException as misuse:
        misuse.show()
        sys.exit(MISUSE)
    except (BadInputError, NotMaterialized) as bad:
        click.echo(escape_lines(str(bad)), err=True)
        sys.exit(MISUSE)
    except OSError as error:
        file = f"{error.filename}: " if error.filename else ""
        cure = "Check that the folder is writable, has space, and is on a file system with hard links."
        click.echo(escape_lines(f"{file}{error.strerror or error}. {cure}"), err=True)
        sys.exit(MISUSE)
    except MrvError as finding:
        click.echo(escape_lines(str(finding)), err=True)
        sys.exit(FINDING)
    except BaseException as interrupted:
        # Within a run Dagster turns Ctrl-C into an exception of its own; most verbs never import Dagster.
        if type(interrupted).__name__ != "DagsterExecutionInterruptedError":
            raise
        _stopped()


def _stopped() -> None:
    click.echo("Stopped. What was finished is kept; run the same command again to go on.", err=True)
    sys.exit(130)


for verb in (tiles, plan, run, demo, ui, explain, verify, hashes, drift, export, keys, qa):
    verbs.add_command(verb)
