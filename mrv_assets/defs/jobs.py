"""Jobs: the run of a tile and month, the registration of tiles, and asserted decisions."""

from typing import Literal

import dagster as dg
from pydantic import Field

from mrv_assets.defs.partitions import partition_key, register_tiles
from mrv_assets.defs.resources import MrvResource

TILE_MONTH = "tile_month"
"""Name of the job that backfills, the sensor and the schedule run."""
tile_month_job = dg.define_asset_job(
    TILE_MONTH, selection=dg.AssetSelection.all(), description="Every asset of one tile and month."
)


@dg.op(description="Find the tiles that own the programme's parcels and register them as partitions.")
def find_and_register_tiles(context: dg.OpExecutionContext, mrv: MrvResource) -> None:
    """Register the programme's tiles; registered ones stay."""
    deployment = mrv.deployment()
    new = register_tiles(context.instance, deployment.program, deployment.tiles)
    context.log.info("%d tiles, %d new: %s", len(deployment.tiles), len(new), ", ".join(new) or "-")


@dg.job(name="register_tiles", description="Parcels to tiles; needed once before the first backfill.")
def register_tiles_job() -> None:
    """Find and register the programme's tiles, as `mrv tiles` does."""
    find_and_register_tiles()


class QaDecision(dg.Config):
    """A statement on a tile-month that the gate rejected."""

    tile: str = Field(description="MGRS tile, such as 34TER.")
    month: str = Field(description="UTC month, YYYY-MM, in quotes.")
    mission: str | None = Field(default=None, description="The first mission that is REJECTED unless named.")
    verdict: Literal["approve", "reject"] = Field(description="Neither changes the month: nobody signs here.")
    reviewer: str = Field(description="Name of the person who states it.")
    role: str = Field(description="The reviewer's role, such as lead reviewer.")
    reason: str = Field(description="Reason of the statement, for auditors.")
    evidence: list[str] = Field(default_factory=list, description="Evidence for the reason, such as field report 7.")


@dg.op(description="Write a manual decision that nobody signed: asserted, not authenticated.")
def write_asserted_decision(context: dg.OpExecutionContext, mrv: MrvResource, config: QaDecision) -> None:
    """Record the statement. It approves nothing."""
    from mrv_assets.review.decide import Verdict, decide_asserted

    stated = Verdict(
        tile=config.tile,
        month=config.month,
        mission=config.mission,
        verdict=config.verdict,
        reason=config.reason,
        evidence=tuple(config.evidence),
    )
    recorded = decide_asserted(mrv.deployment(), stated, config.reviewer, config.role)
    statement = recorded.statement
    context.log_event(
        dg.AssetObservation(
            asset_key=statement.asset.split("/"),
            partition=partition_key(config.tile, config.month),
            # Dagster shows it above the gate's own metadata: few rows, and none that could be taken for the gate's.
            metadata={
                "asserted": f"{statement.verdict} by {statement.reviewer}, {statement.role}: "
                "not authenticated, counts for nothing",
                "asserted_reason": "; ".join([statement.reason, *statement.evidence]),
                "asserted_decision": recorded.decision,
            },
        )
    )
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
    """Record an asserted decision: `mrv qa decide` without a key."""
    write_asserted_decision()
