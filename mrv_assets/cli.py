"""The `mrv` command: what Dagster has no word for. Results on stdout, logs on stderr; exit codes 0, 1, 2."""

import gc
import json
import logging
import os
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mrv_assets import __version__
from mrv_assets.audit.canonical import Json
from mrv_assets.errors import BadInputError, MrvError, NotMaterialized
from mrv_assets.plain import plain, plain_lines
from mrv_assets.settings import (
    Settings,
    current,
    demo_settings,
    ensure_dagster_home,
    simulated_settings,
    variables_for,
)

if TYPE_CHECKING:
    from mrv_assets.workplace import Workplace

DONE, FINDING, MISUSE = 0, 1, 2

as_json_option = click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")


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


@verbs.command()
@as_json_option
def tiles(as_json: bool) -> None:
    """Parcels to tiles; registers the tiles as Dagster partitions. Run again at any time."""
    from tabulate import tabulate

    from mrv_assets.answers import tiles_answer
    from mrv_assets.assets.partitions import register_tiles
    from mrv_assets.assets.runs import dagster_instance

    settings = _checked_settings()
    place = _workplace(settings)
    with dagster_instance(settings) as instance:
        answer = tiles_answer(place, register_tiles(instance, place.program, place.tiles))
    if as_json:
        return _print_json(answer)
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


@verbs.command()
@click.option("--tile", help="Only this tile.")
@click.option("--month", help="Only this month, YYYY-MM.")
@as_json_option
def plan(tile: str | None, month: str | None, as_json: bool) -> None:
    """Scenes, bytes and hours of a backfill, before it runs. Fetches no pixel."""
    from tabulate import tabulate

    from mrv_assets.answers import plan_answer

    place = _workplace(_checked_settings())
    chosen_tiles, chosen_months = (tile,) if tile else place.tiles, (month,) if month else place.months
    answer = plan_answer(place, chosen_tiles, chosen_months)
    if as_json:
        return _print_json(answer)
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


@verbs.command()
@click.option("--tile", required=True, help="MGRS tile, such as 34TER.")
@click.option("--month", required=True, help="UTC month, YYYY-MM.")
@click.option("--force", is_flag=True, help="Compute even what is known: mends damage, reads refused scenes again.")
@as_json_option
def run(tile: str, month: str, force: bool, as_json: bool) -> None:
    """Materialize every asset of one tile and month, through Dagster, in this process."""
    from mrv_assets.answers import run_answer
    from mrv_assets.assets.partitions import register_tiles
    from mrv_assets.assets.runs import dagster_instance, materialize_tile_month

    settings = _checked_settings()
    place = _workplace(settings)
    place.plan(tile, month)
    if not as_json:
        # Progress is the verb's own output here.
        logging.getLogger("mrv_assets").setLevel(logging.INFO)
    with dagster_instance(settings) as instance:
        register_tiles(instance, place.program, place.tiles)
        done = materialize_tile_month(instance, settings, tile, month, force=force)
    answer = run_answer(place, tile, month, done)
    if as_json:
        return _print_json(answer)
    for ran in done:
        click.echo(f"{ran.asset:<28} {ran.outcome:<10} {ran.audit_hash}")
    for item in answer["left_out"]:
        click.echo(plain(f"Left out {item['id']}: {item['code']}, {item['detail']}."))
    return None


@verbs.command()
@click.argument("parcel")
@click.argument("month")
@click.option("--proof", type=click.Path(path_type=Path, dir_okay=False), help="Write a proof of it to this new file.")
@as_json_option
def explain(parcel: str, month: str, proof: Path | None, as_json: bool) -> None:
    """One number of PARCEL in MONTH, back to its scenes."""
    from mrv_assets.answers import explain_answer
    from mrv_assets.explained import explained

    place = _workplace(_checked_settings())
    answer = explain_answer(place, parcel, month)
    if proof is not None:
        from mrv_assets.proof import write_proofs

        for path, audit_hash in write_proofs(place.lake, answer, proof):
            click.echo(f"Proof of record {audit_hash}: {path}", err=True)
    if as_json:
        return _print_json(answer)
    click.echo(explained(answer))
    return None


@verbs.command()
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
    from mrv_assets.demo.shown import demo_page

    settings = demo_settings(into)
    # What a command needs is what it needs before a run names its own Dagster home.
    before, before_simulated = _prefix(settings), _prefix(simulated_settings(settings))
    answer = run_demo(settings, lambda text: click.echo(text, err=True))
    if as_json:
        return _print_json(answer)
    click.echo("\n" + demo_page(answer, before, before_simulated))
    return None


@verbs.command()
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
    from mrv_assets.verification import Wanted, verify
    from mrv_assets.verified import verified

    root = lake or Path(current().lake)
    wanted = Wanted(tile=tile, month=month, asset=asset)
    answer = verify(root, wanted, again=rerun, progress=_Progress())
    if as_json:
        _print_json(answer)
    else:
        click.echo(verified(answer))
    if not answer["verified"]:
        raise click.exceptions.Exit(FINDING)


@verbs.command()
@click.option("--tile", help="Only this tile.")
@click.option("--month", help="Only this month, YYYY-MM.")
@click.option("--compute", is_flag=True, help="Compute stale months aside, and say which values would move.")
@as_json_option
def drift(tile: str | None, month: str | None, compute: bool, as_json: bool) -> None:
    """Scenes that came, changed or went; stale partitions; values that moved. Changes nothing.

    Exit code 1 when there is any of them.
    """
    from mrv_assets.drift import drift_answer
    from mrv_assets.drifted import drifted

    place = _workplace(_checked_settings())
    chosen_tiles, chosen_months = (tile,) if tile else place.tiles, (month,) if month else place.months
    place.plan(chosen_tiles[0], chosen_months[0])
    answer = drift_answer(place, chosen_tiles, chosen_months, compute=compute, progress=_Progress())
    if as_json:
        _print_json(answer)
    else:
        click.echo(drifted(answer))
    if answer["scenes"] or answer["stale"] or answer["values"]:
        raise click.exceptions.Exit(FINDING)


@verbs.command()
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
    from mrv_assets.export.answer import export_answer
    from mrv_assets.export.shown import shown
    from mrv_assets.export.wanted import wanted

    asked = wanted(format, tile=tile, month=month, indices=indices, crs=crs, step_deg=resolution, resampling=resampling)
    answer = export_answer(_workplace(_checked_settings()), asked, folder, _Progress())
    if as_json:
        _print_json(answer)
    else:
        click.echo(shown(answer))
    if answer["outcome"] == "nothing":
        raise click.exceptions.Exit(FINDING)


@verbs.group()
def keys() -> None:
    """Keys of reviewers."""


@keys.command("new")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--name", required=True, help="The reviewer's name.")
@click.option("--role", required=True, help="The reviewer's role, such as lead reviewer.")
@as_json_option
def new(file: Path, name: str, role: str, as_json: bool) -> None:
    """A reviewer's private key into a new FILE; prints the lines for the programme file."""
    from dataclasses import asdict

    from mrv_assets.qa.keys import new_key, programme_lines

    reviewer = new_key(file, name, role)
    if as_json:
        return _print_json({"file": str(file), **asdict(reviewer), "key_id": reviewer.key_id})
    click.echo(f"Private key: {file}. Whoever has it decides as {name}. For the programme file:", err=True)
    click.echo(programme_lines(reviewer), nl=False)
    return None


@verbs.group()
def qa() -> None:
    """Months that the gate rejected, and manual decisions on them."""


@qa.command("list")
@as_json_option
def waiting(as_json: bool) -> None:
    """Months in the lake without an open mission, and what would make each pass."""
    from mrv_assets.qa.queue import queue
    from mrv_assets.qa.shown import shown

    answer = queue(_workplace(_checked_settings()))
    if as_json:
        return _print_json(answer)
    click.echo(shown(answer))
    return None


@qa.command()
@click.argument("tile")
@click.argument("month")
@click.option("--approve", "verdict", flag_value="approve", help="Let its values in; two reviewers have to.")
@click.option("--reject", "verdict", flag_value="reject", help="Keep them out.")
@click.option("--reason", required=True, help="Why, for whoever audits it.")
@click.option("--evidence", multiple=True, help="What it rests on; may be given again.")
@click.option("--mission", help="The mission decided on [the first that is REJECTED].")
@click.option("--record", help="The record that was looked at; refused where it is not the current one.")
@click.option("--key", required=True, type=click.Path(path_type=Path, dir_okay=False), help="The private key's file.")
@as_json_option
def decide(
    tile: str,
    month: str,
    verdict: str | None,
    reason: str,
    evidence: tuple[str, ...],
    mission: str | None,
    record: str | None,
    key: Path,
    as_json: bool,
) -> None:
    """Decide by hand on a rejected TILE and MONTH, signed with a reviewer's key.

    When two reviewers approve, the month is materialized again with its values.
    """
    from mrv_assets.answers import decide_answer
    from mrv_assets.assets.partitions import register_tiles
    from mrv_assets.assets.runs import dagster_instance, materialize_tile_month
    from mrv_assets.qa.deciding import Verdict, decide_signed, follows

    if verdict is None:
        raise click.UsageError("Say either --approve or --reject.")
    settings = _checked_settings()
    place = _workplace(settings)
    wanted = Verdict(
        tile=tile, month=month, mission=mission, verdict=verdict, reason=reason, evidence=evidence, record=record
    )
    recorded = decide_signed(place, wanted, key)
    done = []
    if recorded.approved:
        with dagster_instance(settings) as instance:
            register_tiles(instance, place.program, place.tiles)
            done = materialize_tile_month(instance, settings, tile, month, only=follows(place, recorded))
    answer = decide_answer(recorded, done)
    if as_json:
        return _print_json(answer)
    click.echo(f"{recorded.statement.verdict} by {recorded.statement.reviewer}: decision {recorded.decision}")
    for ran in done:
        click.echo(f"{ran.asset:<28} {ran.outcome:<10} {ran.audit_hash}")
    if not recorded.approved:
        missing = recorded.approvals_missing
        click.echo(
            "Still REJECTED: " + ("a reviewer has rejected it." if missing is None else f"{missing} to approve.")
        )
    return None


@verbs.command()
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


class _Progress:
    """Says on stderr what is done, at most once a second, so that a log stays readable."""

    def __init__(self) -> None:
        self._said = time.monotonic()

    def __call__(self, name: str, done: int, of: int) -> None:
        if time.monotonic() - self._said >= 1 or (done == of and of > 1):
            self._said = time.monotonic()
            click.echo(f"[{done}/{of}] {name}", err=True)


def _prefix(settings: Settings) -> str:
    """What to write before a command so that it works on these settings, in this folder."""
    return "".join(f"{name}={shlex.quote(value)} " for name, value in variables_for(settings).items())


def _checked_settings() -> Settings:
    """The deployment's settings, its programme checked whole: every problem in one answer."""
    from mrv_assets.program_file import check_program

    settings = current()
    check_program(settings.program_path)
    return settings


def _workplace(settings: Settings) -> "Workplace":
    from mrv_assets.workplace import Workplace

    return Workplace(
        program_path=settings.program_path,
        lake_path=Path(settings.lake),
        workers=settings.workers,
        dask_address=settings.dask_address,
        hosts=settings.hosts,
        buckets=settings.buckets,
        loopback=settings.loopback,
    )


def _print_json(answer: Json) -> None:
    click.echo(json.dumps(answer, indent=2, sort_keys=False, allow_nan=False))
