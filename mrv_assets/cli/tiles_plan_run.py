"""`mrv tiles`, `mrv plan` and `mrv run`: the verbs that fill a lake."""

import logging

import click

from mrv_assets.cli.shared import (
    as_json_option,
    checked_settings,
    chosen,
    month_option,
    open_deployment,
    print_answer,
    tile_option,
)


@click.command()
@as_json_option
def tiles(as_json: bool) -> None:
    """Find the tile of each parcel, and register the tiles as Dagster partitions. Run again at any time."""
    from mrv_assets.defs.partitions import register_tiles
    from mrv_assets.defs.runs import dagster_instance
    from mrv_assets.deployment import Deployment
    from mrv_assets.reports.tiles import answer, text

    settings = checked_settings()
    deployment = Deployment.of(settings)
    with dagster_instance(settings) as instance:
        new = register_tiles(instance, deployment.program, deployment.tiles)
    print_answer(answer(deployment, new), text, as_json)


@click.command()
@tile_option
@month_option
@as_json_option
def plan(tile: str | None, month: str | None, as_json: bool) -> None:
    """Estimate scenes, bytes and hours of a backfill before it runs. Fetches no pixel."""
    from mrv_assets.reports.plan import answer, text

    deployment = open_deployment()
    print_answer(answer(deployment, *chosen(deployment, tile, month)), text, as_json)


@click.command()
@click.option("--tile", required=True, help="MGRS tile, such as 34TER.")
@click.option("--month", required=True, help="UTC month, YYYY-MM.")
@click.option("--force", is_flag=True, help="Compute known requests again: repairs damage, reads refused scenes again.")
@as_json_option
def run(tile: str, month: str, force: bool, as_json: bool) -> None:
    """Materialize every asset of one tile and month, through Dagster, in this process."""
    from mrv_assets.defs.partitions import register_tiles
    from mrv_assets.defs.runs import dagster_instance, materialize_tile_month
    from mrv_assets.deployment import Deployment
    from mrv_assets.reports.run import answer, text

    settings = checked_settings()
    deployment = Deployment.of(settings)
    deployment.plan(tile, month)
    if not as_json:
        # Progress is the verb's own output here.
        logging.getLogger("mrv_assets").setLevel(logging.INFO)
    with dagster_instance(settings) as instance:
        register_tiles(instance, deployment.program, deployment.tiles)
        ran = materialize_tile_month(instance, settings, tile, month, force=force)
    print_answer(answer(deployment, tile, month, ran), text, as_json)
