"""`mrv explain`, `mrv verify`, `mrv hashes` and `mrv drift`: the verbs that read a lake and change nothing in it."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mrv_assets.cli.shared import (
    DONE,
    FINDING,
    INCOMPLETE,
    Progress,
    as_json_option,
    chosen,
    month_option,
    open_deployment,
    print_answer,
    tile_option,
)
from mrv_assets.settings import Settings, current

if TYPE_CHECKING:
    from mrv_assets.verify.source import Publisher


# A parcel may be called -1.
@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("parcel")
@click.argument("month")
@click.option(
    "--proof", type=click.Path(path_type=Path, dir_okay=False), help="Write a proof of the number to this new file."
)
@as_json_option
def explain(parcel: str, month: str, proof: Path | None, as_json: bool) -> None:
    """Follow one number of PARCEL in MONTH back to its scenes."""
    from mrv_assets.reports.explain import answer, text

    deployment = open_deployment()
    explanation = answer(deployment, parcel, month)
    if proof is not None:
        from mrv_assets.verify.proof import write_proofs

        for path, audit_hash in write_proofs(deployment.lake, explanation, proof):
            click.echo(f"Proof of record {audit_hash}: {path}", err=True)
    print_answer(explanation, text, as_json)


@click.command()
@click.argument("lake", required=False, type=click.Path(path_type=Path))
@tile_option
@month_option
@click.option("--asset", help="Only this asset, such as sentinel2/indices.")
@click.option("--rerun", is_flag=True, help="Compute again from the raw tiles, and compare.")
@click.option(
    "--expect",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Audit hashes that were kept elsewhere: one a line, or a former --json.",
)
@click.option("--source", is_flag=True, help="Read again from the publisher what the raw tiles were made from.")
@click.option("--sample", type=click.IntRange(min=1), help="With --source: draw this many byte ranges, not all.")
@as_json_option
def verify(
    lake: Path | None,
    tile: str | None,
    month: str | None,
    asset: str | None,
    rerun: bool,
    expect: Path | None,
    source: bool,
    sample: int | None,
    as_json: bool,
) -> None:
    """Compare every object in LAKE with its record. Needs the lake only; changes nothing.

    Without LAKE the programme's own lake is compared. Exit code 0 is VERIFIED, 1 NOT VERIFIED, and 3 INCOMPLETE:
    something that was asked for could not be looked at.
    """
    from mrv_assets.reports.verify import answer, text
    from mrv_assets.verify.isolated import apart
    from mrv_assets.verify.verification import Options

    if sample is not None and not source:
        raise click.UsageError("--sample draws from what --source reads again. Add --source")
    settings = current()
    root = lake or settings.lake_path
    options = Options(tile=tile, month=month, asset=asset)
    verification = answer(
        root,
        options,
        again=rerun,
        progress=Progress(),
        expected=expect,
        compute=apart,
        publisher=_publishers(settings) if source else None,
        sample=sample,
    )
    print_answer(verification, text, as_json)
    code = {"VERIFIED": DONE, "NOT VERIFIED": FINDING, "INCOMPLETE": INCOMPLETE}[verification["verdict"]]
    if code != DONE:
        raise click.exceptions.Exit(code)


def _publishers(settings: Settings) -> "Publisher":
    from mrv_assets.deployment import Deployment
    from mrv_assets.verify.source import publishers

    return publishers(Deployment.of(settings))


@click.command()
@click.argument("lake", required=False, type=click.Path(path_type=Path))
@tile_option
@month_option
@click.option("--asset", help="Only this asset, such as monthly_proxies.")
@as_json_option
def hashes(lake: Path | None, tile: str | None, month: str | None, asset: str | None, as_json: bool) -> None:
    """List every audit hash in LAKE, to be kept where its owner cannot change it; see `mrv verify --expect`."""
    from mrv_assets.reports.hashes import answer, text
    from mrv_assets.verify.verification import Options

    root = lake or current().lake_path
    print_answer(answer(root, Options(tile=tile, month=month, asset=asset)), text, as_json)


@click.command()
@tile_option
@month_option
@click.option(
    "--compute", is_flag=True, help="Compute stale months in a temporary folder, and list the values that would move."
)
@as_json_option
def drift(tile: str | None, month: str | None, compute: bool, as_json: bool) -> None:
    """List scenes that came, changed or went, stale partitions, and values that moved. Changes nothing.

    Exit code 1 when the list is not empty.
    """
    from mrv_assets.reports.drift import answer, text

    deployment = open_deployment()
    tiles, months = chosen(deployment, tile, month)
    deployment.plan(tiles[0], months[0])
    drifted = answer(deployment, tiles, months, compute=compute, progress=Progress())
    print_answer(drifted, text, as_json)
    if drifted["scenes"] or drifted["stale"] or drifted["values"]:
        raise click.exceptions.Exit(FINDING)
