"""Jobs: what the UI starts that is no asset."""

from typing import Literal

import dagster as dg
from pydantic import Field

from mrv_assets.assets.partitions import register_tiles
from mrv_assets.assets.resources import MrvResource


@dg.op(description="Find the tiles that own the programme's parcels and register them as partitions.")
def find_and_register_tiles(context: dg.OpExecutionContext, mrv: MrvResource) -> None:
    """Register the programme's tiles; those already registered stay."""
    place = mrv.workplace()
    new = register_tiles(context.instance, place.program, place.tiles)
    context.log.info("%d tiles, %d new: %s", len(place.tiles), len(new), ", ".join(new) or "-")


@dg.job(name="register_tiles", description="Parcels to tiles; needed once before the first backfill.")
def register_tiles_job() -> None:
    """The same as `mrv tiles`."""
    find_and_register_tiles()


class QaDecision(dg.Config):
    """What somebody states on a tile-month that the gate rejected."""

    tile: str
    month: str
    mission: str | None = Field(default=None, description="The first that is REJECTED unless named.")
    verdict: Literal["approve", "reject"]
    reviewer: str
    role: str
    reason: str
    evidence: list[str] = Field(default_factory=list)


@dg.op(description="Write a manual decision that nobody signed: asserted, not authenticated.")
def write_asserted_decision(context: dg.OpExecutionContext, mrv: MrvResource, config: QaDecision) -> None:
    """Record what is stated; nothing is approved by it."""
    from mrv_assets.qa.deciding import Verdict, decide_asserted

    wanted = Verdict(
        tile=config.tile,
        month=config.month,
        mission=config.mission,
        verdict=config.verdict,
        reason=config.reason,
        evidence=tuple(config.evidence),
    )
    recorded = decide_asserted(mrv.workplace(), wanted, config.reviewer, config.role)
    context.log.info(
        "%s by %s is asserted, not authenticated, and counts for nothing until signed: decision %s",
        config.verdict,
        config.reviewer,
        recorded.decision,
    )


@dg.job(
    name="record_qa_decision",
    description="A manual decision on a rejected tile-month, asserted and not authenticated: it is shown in "
    "`mrv qa list`, and approves nothing. `mrv qa decide` signs one.",
)
def record_qa_decision_job() -> None:
    """`mrv qa decide` without a key."""
    write_asserted_decision()
