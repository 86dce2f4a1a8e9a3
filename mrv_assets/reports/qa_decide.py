"""`mrv qa decide`: the decision that was recorded, and the assets that were materialized because of it."""

from collections.abc import Sequence

from mrv_assets.audit.canonical import Json
from mrv_assets.deployment import Ran
from mrv_assets.reports.run import asset_lines, assets
from mrv_assets.reports.terminal import escape
from mrv_assets.review.decide import Recorded


def answer(recorded: Recorded, ran: Sequence[Ran], below: Sequence[tuple[str, float]]) -> Json:
    """The JSON document of `mrv qa decide`.

    Args:
        recorded: The decision, as it is in the lake now.
        ran: The assets that were materialized because of it.
        below: Parcels that were seen less than the gate asks for, with the share seen.
    """
    statement = recorded.statement.document
    del statement["schema"]
    return {
        "decision": recorded.decision,
        **statement,
        "mission": recorded.mission,
        "authenticated": recorded.authenticated,
        "approved": recorded.approved,
        "approvals_missing": recorded.approvals_missing,
        "below_coverage": [{"parcel_id": parcel_id, "valid_fraction": share} for parcel_id, share in below],
        "assets": assets(ran),
    }


def below_text(below: Sequence[tuple[str, float]], min_coverage: float) -> str:
    """What an approval would let in although it was hardly seen: shown before the decision is signed."""
    listed = [f"  {parcel_id}: {share:.4f} seen" for parcel_id, share in below]
    first = f"Parcels seen less than {min_coverage:.2f}; their rows will say approved_below_coverage:"
    return "\n".join([first, *map(escape, listed)])


def text(answer: Json) -> str:
    """The terminal page: the decision, a line for each asset, and what an approval still lacks."""
    missing = answer["approvals_missing"]
    lacking = "a reviewer has rejected it." if missing is None else f"{missing} to approve."
    return "\n".join(
        [
            f"{answer['verdict']} by {answer['reviewer']}: decision {answer['decision']}",
            *asset_lines(answer["assets"]),
            *([] if answer["approved"] else [f"Still REJECTED: {lacking}"]),
        ]
    )
