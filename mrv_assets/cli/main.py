"""The `mrv` command: what Dagster has no word for. Results on stdout, logs on stderr; exit codes 0, 1, 2."""

import gc
import logging
import sys

import click

from mrv_assets import __version__
from mrv_assets.cli import looking, reviewing, working
from mrv_assets.cli.shared import DONE, FINDING, MISUSE
from mrv_assets.errors import BadInputError, MrvError, NotMaterialized
from mrv_assets.reports.terminal import plain_lines


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="mrv")
@click.option("-v", "--verbose", is_flag=True, help="Say what each stage does, on stderr.")
def verbs(verbose: bool) -> None:
    """Satellite MRV: from scenes to monthly proxies with an audit trail.

    MRV_PROGRAM names the programme file, MRV_LAKE the lake. Everything else is Dagster's own:
    `dagster dev`, `dagster asset materialize`, backfills.
    """
    logging.basicConfig(format="%(message)s", stream=sys.stderr)
    logging.getLogger("mrv_assets").setLevel(logging.INFO if verbose else logging.WARNING)


def main() -> None:
    """Run a verb; every known error is one message and its exit code, never a stack trace."""
    # Imports make millions of objects that live to the end: a sixth of a month's CPU went into looking through them.
    gc.set_threshold(50_000, 20, 50)
    try:
        # Without standalone mode click returns the exit code that a verb, --help or --version asks for.
        sys.exit(verbs(standalone_mode=False) or DONE)
    except click.Abort:
        sys.exit(130)
    except click.ClickException as misuse:
        misuse.show()
        sys.exit(MISUSE)
    except (BadInputError, NotMaterialized) as bad:
        click.echo(plain_lines(str(bad)), err=True)
        sys.exit(MISUSE)
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        cure = "Check that the folder is writable, has space, and is on a file system with hard links."
        click.echo(plain_lines(f"{place}{error.strerror or error}. {cure}"), err=True)
        sys.exit(MISUSE)
    except MrvError as finding:
        click.echo(plain_lines(str(finding)), err=True)
        sys.exit(FINDING)


for verb in (
    *(working.tiles, working.plan, working.run, working.demo, working.ui),
    *(looking.explain, looking.verify, looking.drift, looking.export, reviewing.keys, reviewing.qa),
):
    verbs.add_command(verb)
