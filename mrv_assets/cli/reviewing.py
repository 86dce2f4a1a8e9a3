"""Verbs of reviewers: `keys new`, `qa list`, `qa decide`."""

from pathlib import Path

import click

from mrv_assets.cli.shared import as_json_option, checked_settings, open_deployment, print_json


@click.group()
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

    from mrv_assets.review.keys import new_key, programme_lines

    reviewer = new_key(file, name, role)
    if as_json:
        return print_json({"file": str(file), **asdict(reviewer), "key_id": reviewer.key_id})
    click.echo(f"Private key: {file}. Whoever has it decides as {name}. For the programme file:", err=True)
    click.echo(programme_lines(reviewer), nl=False)
    return None


@click.group()
def qa() -> None:
    """Months that the gate rejected, and manual decisions on them."""


@qa.command("list")
@as_json_option
def waiting(as_json: bool) -> None:
    """Months in the lake without an open mission, and what would make each pass."""
    from mrv_assets.reports.qa_list import shown
    from mrv_assets.review.queue import queue

    answer = queue(open_deployment(checked_settings()))
    if as_json:
        return print_json(answer)
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
    from mrv_assets.defs.partitions import register_tiles
    from mrv_assets.defs.runs import dagster_instance, materialize_tile_month
    from mrv_assets.reports.answers import decide_answer
    from mrv_assets.review.decide import Verdict, decide_signed, follows

    if verdict is None:
        raise click.UsageError("Say either --approve or --reject.")
    settings = checked_settings()
    deployment = open_deployment(settings)
    wanted = Verdict(
        tile=tile, month=month, mission=mission, verdict=verdict, reason=reason, evidence=evidence, record=record
    )
    recorded = decide_signed(deployment, wanted, key)
    done = []
    if recorded.approved:
        with dagster_instance(settings) as instance:
            register_tiles(instance, deployment.program, deployment.tiles)
            done = materialize_tile_month(instance, settings, tile, month, only=follows(deployment, recorded))
    answer = decide_answer(recorded, done)
    if as_json:
        return print_json(answer)
    click.echo(f"{recorded.statement.verdict} by {recorded.statement.reviewer}: decision {recorded.decision}")
    for ran in done:
        click.echo(f"{ran.asset:<28} {ran.outcome:<10} {ran.audit_hash}")
    if not recorded.approved:
        missing = recorded.approvals_missing
        click.echo(
            "Still REJECTED: " + ("a reviewer has rejected it." if missing is None else f"{missing} to approve.")
        )
    return None
