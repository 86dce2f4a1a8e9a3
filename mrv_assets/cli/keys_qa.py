"""`mrv keys new`, `mrv qa list` and `mrv qa decide`: the verbs of reviewers."""

from pathlib import Path

import click

from mrv_assets.cli.shared import as_json_option, checked_settings, open_deployment, print_answer


@click.group()
def keys() -> None:
    """Keys of reviewers."""


@keys.command("new")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--name", required=True, help="The reviewer's name.")
@click.option("--role", required=True, help="The reviewer's role, such as lead reviewer.")
@as_json_option
def new(file: Path, name: str, role: str, as_json: bool) -> None:
    """Write a reviewer's private key to a new FILE; print the lines for the programme file."""
    from mrv_assets.reports.keys_new import answer, text
    from mrv_assets.review.keys import new_key

    reviewer = new_key(file, name, role)
    if not as_json:
        click.echo(f"Private key: {file}. Anyone who has it can decide as {name}. For the programme file:", err=True)
    print_answer(answer(file, reviewer), text, as_json)


@click.group()
def qa() -> None:
    """Months that the gate rejected, and manual decisions on them."""


@qa.command("list")
@as_json_option
def waiting(as_json: bool) -> None:
    """Months in the lake without an open mission, and what would make each pass."""
    from mrv_assets.reports.qa_list import answer, text

    print_answer(answer(open_deployment()), text, as_json)


@qa.command()
@click.argument("tile")
@click.argument("month")
@click.option("--approve", "verdict", flag_value="approve", help="Let its values in; two reviewers have to.")
@click.option("--reject", "verdict", flag_value="reject", help="Keep them out.")
@click.option("--reason", required=True, help="Reason of the decision, for auditors.")
@click.option("--evidence", multiple=True, help="Evidence for the reason; may be given again.")
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
    from mrv_assets.deployment import Deployment
    from mrv_assets.reports.qa_decide import answer, below_text, text
    from mrv_assets.review.decide import Verdict, decide_signed, follows, hardly_seen

    if verdict is None:
        raise click.UsageError("Say either --approve or --reject.")
    settings = checked_settings()
    deployment = Deployment.of(settings)
    stated = Verdict(
        tile=tile, month=month, mission=mission, verdict=verdict, reason=reason, evidence=evidence, record=record
    )
    below = hardly_seen(deployment, stated)
    if verdict == "approve" and below:
        # Before the signature: what is approved is known.
        click.echo(below_text(below, deployment.program.gate.min_coverage), err=True)
    recorded = decide_signed(deployment, stated, key)
    ran = []
    if recorded.approved:
        with dagster_instance(settings) as instance:
            register_tiles(instance, deployment.program, deployment.tiles)
            ran = materialize_tile_month(instance, settings, tile, month, only=follows(deployment, recorded))
    print_answer(answer(recorded, ran, below), text, as_json)
