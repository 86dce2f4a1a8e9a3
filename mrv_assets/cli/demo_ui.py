"""`mrv demo` and `mrv ui`: the demo's lakes, and Dagster's UI over a lake."""

import os
import sys
from pathlib import Path

import click

from mrv_assets.audit.canonical import Json
from mrv_assets.cli.shared import as_json_option, prefix, print_answer
from mrv_assets.settings import current, demo_settings, ensure_dagster_home, simulated_settings


@click.command()
@click.option(
    "--into",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for the demo's lake [./mrv-demo].",
)
@as_json_option
def demo(into: Path | None, as_json: bool) -> None:
    """Run the main job on real Sentinel-2 pixels shipped with the project, then on simulated ones.

    Twelve real months of six parcels. Then four simulated months: Sentinel-2 is enough, Landsat stands in, two
    reviewers approve, and one stays refused.
    """
    from mrv_assets.demo.report import text
    from mrv_assets.demo.run import run_demo

    settings = demo_settings(into)
    # Asked for before the runs, which set this process's DAGSTER_HOME.
    real_prefix, simulated_prefix = prefix(settings), prefix(simulated_settings(settings))
    answer = run_demo(settings, lambda line: click.echo(line, err=True))

    def page(answer: Json) -> str:
        return "\n" + text(answer, real_prefix, simulated_prefix)

    print_answer(answer, page, as_json)


@click.command()
@click.option("--port", default=3000, show_default=True, help="Port on 127.0.0.1.")
def ui(port: int) -> None:
    """Open the Dagster UI over the programme's lake, on http://127.0.0.1:3000."""
    settings = current()
    home = ensure_dagster_home(settings)
    os.environ.update(MRV_PROGRAM=str(settings.program_path), MRV_LAKE=str(settings.lake_path))
    click.echo(f"Lake: {settings.lake_path}\nDAGSTER_HOME: {home}\nOpen http://127.0.0.1:{port}", err=True)
    module = ("-m", "dagster", "dev", "-m", "mrv_assets.definitions")
    os.execv(sys.executable, [sys.executable, *module, "-h", "127.0.0.1", "-p", str(port)])
