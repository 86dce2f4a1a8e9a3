"""Verbs that look at a lake and change nothing in it: `explain`, `verify`, `drift`, `export`."""

from pathlib import Path

import click

from mrv_assets.cli.shared import FINDING, Progress, as_json_option, checked_settings, open_deployment, print_json
from mrv_assets.settings import current


@click.command()
@click.argument("parcel")
@click.argument("month")
@click.option("--proof", type=click.Path(path_type=Path, dir_okay=False), help="Write a proof of it to this new file.")
@as_json_option
def explain(parcel: str, month: str, proof: Path | None, as_json: bool) -> None:
    """One number of PARCEL in MONTH, back to its scenes."""
    from mrv_assets.reports.answers import explain_answer
    from mrv_assets.reports.explain import explained

    deployment = open_deployment(checked_settings())
    answer = explain_answer(deployment, parcel, month)
    if proof is not None:
        from mrv_assets.verify.proof import write_proofs

        for path, audit_hash in write_proofs(deployment.lake, answer, proof):
            click.echo(f"Proof of record {audit_hash}: {path}", err=True)
    if as_json:
        return print_json(answer)
    click.echo(explained(answer))
    return None


@click.command()
@click.argument("lake", required=False, type=click.Path(path_type=Path))
@click.option("--tile", help="Only this tile.")
@click.option("--month", help="Only this month, YYYY-MM.")
@click.option("--asset", help="Only this asset, such as sentinel2/indices.")
@click.option("--rerun", is_flag=True, help="Compute again from the raw tiles, and compare.")
@as_json_option
def verify(
    lake: Path | None, tile: str | None, month: str | None, asset: str | None, rerun: bool, as_json: bool
) -> None:
    """Compare everything LAKE holds with what it says. Needs the lake only; changes nothing.

    Without LAKE it is the programme's own.
    """
    from mrv_assets.reports.verify import verified
    from mrv_assets.verify.verification import Wanted, verify

    root = lake or Path(current().lake)
    wanted = Wanted(tile=tile, month=month, asset=asset)
    answer = verify(root, wanted, again=rerun, progress=Progress())
    if as_json:
        print_json(answer)
    else:
        click.echo(verified(answer))
    if not answer["verified"]:
        raise click.exceptions.Exit(FINDING)


@click.command()
@click.option("--tile", help="Only this tile.")
@click.option("--month", help="Only this month, YYYY-MM.")
@click.option("--compute", is_flag=True, help="Compute stale months aside, and say which values would move.")
@as_json_option
def drift(tile: str | None, month: str | None, compute: bool, as_json: bool) -> None:
    """Scenes that came, changed or went; stale partitions; values that moved. Changes nothing.

    Exit code 1 when there is any of them.
    """
    from mrv_assets.reports.drift import drifted
    from mrv_assets.verify.drift import drift_answer

    deployment = open_deployment(checked_settings())
    chosen_tiles, chosen_months = (tile,) if tile else deployment.tiles, (month,) if month else deployment.months
    deployment.plan(chosen_tiles[0], chosen_months[0])
    answer = drift_answer(deployment, chosen_tiles, chosen_months, compute=compute, progress=Progress())
    if as_json:
        print_json(answer)
    else:
        click.echo(drifted(answer))
    if answer["scenes"] or answer["stale"] or answer["values"]:
        raise click.exceptions.Exit(FINDING)


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--as",
    "format",
    required=True,
    type=click.Choice(["cog", "geoparquet", "csv", "xlsx", "stac"]),
    help="What to write.",
)
@click.option("--tile", help="Only this tile.")
@click.option("--month", help="Only this month, YYYY-MM.")
@click.option("--index", "indices", multiple=True, help="Only this index, such as ndvi; may be given again.")
@click.option(
    "--crs",
    type=click.Choice(["utm", "EPSG:4326"], case_sensitive=False),
    help="Grid of the pixels: each tile's own, or degrees [utm].",
)
@click.option("--resolution", type=float, help="Pixel size in degrees, of EPSG:4326 [0.0001].")
@click.option(
    "--resampling", type=click.Choice(["nearest", "bilinear"]), help="How pixels come to EPSG:4326 [nearest]."
)
@as_json_option
def export(
    folder: Path,
    format: str,
    tile: str | None,
    month: str | None,
    indices: tuple[str, ...],
    crs: str | None,
    resolution: float | None,
    resampling: str | None,
    as_json: bool,
) -> None:
    """Monthly proxies into a new FOLDER, as files that other software reads.

    Everything is compared with its records first. What the gate rejected has no pixels and no values.
    """
    from mrv_assets.export.build import export_answer
    from mrv_assets.export.options import wanted
    from mrv_assets.reports.export import shown

    asked = wanted(format, tile=tile, month=month, indices=indices, crs=crs, step_deg=resolution, resampling=resampling)
    answer = export_answer(open_deployment(checked_settings()), asked, folder, Progress())
    if as_json:
        print_json(answer)
    else:
        click.echo(shown(answer))
    if answer["outcome"] == "nothing":
        raise click.exceptions.Exit(FINDING)
