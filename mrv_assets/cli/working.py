"""Verbs that fill a lake, and those that say beforehand what that takes: `tiles`, `plan`, `run`, `demo`, `ui`."""

import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from mrv_assets.audit.canonical import Json
from mrv_assets.cli.shared import as_json_option, checked_settings, open_deployment, prefix, print_json
from mrv_assets.reports.terminal import plain
from mrv_assets.settings import current, demo_settings, ensure_dagster_home, simulated_settings


@click.command()
@as_json_option
def tiles(as_json: bool) -> None:
    """Parcels to tiles; registers the tiles as Dagster partitions. Run again at any time."""
    from tabulate import tabulate

    from mrv_assets.defs.partitions import register_tiles
    from mrv_assets.defs.runs import dagster_instance
    from mrv_assets.reports.answers import tiles_answer

    settings = checked_settings()
    deployment = open_deployment(settings)
    with dagster_instance(settings) as instance:
        answer = tiles_answer(deployment, register_tiles(instance, deployment.program, deployment.tiles))
    if as_json:
        return print_json(answer)
    rows = [
        [t["tile"], len(t["parcels"]), "now" if t["registered_now"] else "before", _some(t["parcels"])]
        for t in answer["tiles"]
    ]
    click.echo(tabulate(rows, headers=["tile", "parcels", "registered", "parcel ids"], disable_numparse=True))
    for overlap in answer["overlaps"]:
        click.echo(
            f"Parcels {' and '.join(overlap['parcels'])} share {overlap['area_ha']:.4f} ha: "
            "the tile gate counts it once, each parcel's row counts it whole."
        )
    months = answer["months"]
    extent = f"{_count(len(rows), 'tile')} x {_count(months['count'], 'month')}"
    click.echo(f"\nPartitions: {extent}, {months['first']} to {months['last']}.")
    return None


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _some(parcels: Sequence[Json]) -> str:
    shown = [p["parcel_id"] for p in parcels[:4]]
    return ", ".join(shown) + (f", and {len(parcels) - 4} more" if len(parcels) > 4 else "")


@click.command()
@click.option("--tile", help="Only this tile.")
@click.option("--month", help="Only this month, YYYY-MM.")
@as_json_option
def plan(tile: str | None, month: str | None, as_json: bool) -> None:
    """Scenes, bytes and hours of a backfill, before it runs. Fetches no pixel."""
    from tabulate import tabulate

    from mrv_assets.reports.answers import plan_answer

    deployment = open_deployment(checked_settings())
    chosen_tiles, chosen_months = (tile,) if tile else deployment.tiles, (month,) if month else deployment.months
    answer = plan_answer(deployment, chosen_tiles, chosen_months)
    if as_json:
        return print_json(answer)
    rows = [
        [
            p["tile"],
            p["month"],
            p["mission"],
            p["scenes"],
            p["observations"],
            p["excluded"],
            "unknown" if p["bytes"] is None else f"{p['bytes'] / 1e6:.2f}",
        ]
        for p in answer["partitions"]
    ]
    headers = ["tile", "month", "mission", "scenes", "observations", "excluded", "MB at most"]
    click.echo(tabulate(rows, headers=headers, disable_numparse=True))
    totals = answer["totals"]
    hours = "unknown" if totals["hours"] is None else f"{totals['hours']:.2f} h"
    size = "an unknown size" if totals["bytes"] is None else f"at most {totals['bytes'] / 1e6:.1f} MB"
    click.echo(
        f"\n{_count(totals['partitions'], 'tile-month')}, {totals['materialized']} already in the lake; "
        f"{totals['scenes']} scenes, {size}. To go: {hours} ({totals['hours_basis']})."
    )
    for owner in answer["owners_without_scenes"]:
        others = ", ".join(owner["alternatives"]) or "none"
        click.echo(
            f"Parcel {owner['parcel_id']}: no scene covers it in these months. Tile {owner['tile']} owns it; "
            f"others that contain it: {others}."
        )
    return None


@click.command()
@click.option("--tile", required=True, help="MGRS tile, such as 34TER.")
@click.option("--month", required=True, help="UTC month, YYYY-MM.")
@click.option("--force", is_flag=True, help="Compute even what is known: mends damage, reads refused scenes again.")
@as_json_option
def run(tile: str, month: str, force: bool, as_json: bool) -> None:
    """Materialize every asset of one tile and month, through Dagster, in this process."""
    from mrv_assets.defs.partitions import register_tiles
    from mrv_assets.defs.runs import dagster_instance, materialize_tile_month
    from mrv_assets.reports.answers import run_answer

    settings = checked_settings()
    deployment = open_deployment(settings)
    deployment.plan(tile, month)
    if not as_json:
        # Progress is the verb's own output here.
        logging.getLogger("mrv_assets").setLevel(logging.INFO)
    with dagster_instance(settings) as instance:
        register_tiles(instance, deployment.program, deployment.tiles)
        done = materialize_tile_month(instance, settings, tile, month, force=force)
    answer = run_answer(deployment, tile, month, done)
    if as_json:
        return print_json(answer)
    for ran in done:
        click.echo(f"{ran.asset:<28} {ran.outcome:<10} {ran.audit_hash}")
    for item in answer["left_out"]:
        click.echo(plain(f"Left out {item['id']}: {item['code']}, {item['detail']}."))
    return None


@click.command()
@click.option(
    "--into",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for the demo's lake [./mrv-demo].",
)
@as_json_option
def demo(into: Path | None, as_json: bool) -> None:
    """The main job on real Sentinel-2 pixels shipped with the project, and a month on each way out on simulated ones.

    Twelve months, six parcels. Then four simulated months: Sentinel-2 is enough, Landsat stands in, two reviewers
    approve, and one stays refused.
    """
    from mrv_assets.demo.running import run_demo
    from mrv_assets.demo.text import demo_page

    settings = demo_settings(into)
    # What a command needs is what it needs before a run names its own Dagster home.
    before, before_simulated = prefix(settings), prefix(simulated_settings(settings))
    answer = run_demo(settings, lambda text: click.echo(text, err=True))
    if as_json:
        return print_json(answer)
    click.echo("\n" + demo_page(answer, before, before_simulated))
    return None


@click.command()
@click.option("--port", default=3000, show_default=True, help="Port on 127.0.0.1.")
def ui(port: int) -> None:
    """Dagster UI over the programme's lake, on http://127.0.0.1:3000."""
    settings = current()
    home = ensure_dagster_home(settings)
    os.environ.update(MRV_PROGRAM=str(settings.program_path), MRV_LAKE=str(settings.lake))
    click.echo(f"Lake: {settings.lake}\nDAGSTER_HOME: {home}\nOpen http://127.0.0.1:{port}", err=True)
    command = [
        sys.executable,
        "-m",
        "dagster",
        "dev",
        "-m",
        "mrv_assets.definitions",
        "-h",
        "127.0.0.1",
        "-p",
        str(port),
    ]
    os.execv(sys.executable, command)
