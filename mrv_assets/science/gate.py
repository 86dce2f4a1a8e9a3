"""The gate: the decision whether a tile-month, and each of its parcels, was seen well enough to count."""

from dataclasses import dataclass
from enum import Enum


class GateStatus(Enum):
    """The decision on a tile-month."""

    PASSED = "PASSED"
    REJECTED = "REJECTED"
    APPROVED_MANUAL = "APPROVED_MANUAL"
    NOT_EVALUATED = "NOT_EVALUATED"

    @property
    def open(self) -> bool:
        """True when the tile-month's data may enter the inventory."""
        return self in (GateStatus.PASSED, GateStatus.APPROVED_MANUAL)


@dataclass(frozen=True, kw_only=True)
class Decision:
    """The gate's decision and its reasons."""

    status: GateStatus
    reasons: tuple[str, ...]
    """Reason codes; empty when passed."""


def tile_decision(coverage: float, min_coverage: float, *, scenes: int, observations: int) -> Decision:
    """Decide on a tile-month.

    Args:
        coverage: Clear area over parcel area, [0, 1], rounded to 1e-9.
        min_coverage: Threshold, [0, 1]; equality passes.
        scenes: Scenes the catalogue offered for the month, refused ones included.
        observations: Observations that count.

    Returns:
        REJECTED with ``no_scenes``, ``all_scenes_refused`` or ``below_tile_coverage``; else PASSED.
    """
    if scenes == 0:
        return Decision(status=GateStatus.REJECTED, reasons=("no_scenes",))
    if observations == 0:
        return Decision(status=GateStatus.REJECTED, reasons=("all_scenes_refused",))
    if not reaches(coverage, min_coverage):
        return Decision(status=GateStatus.REJECTED, reasons=("below_tile_coverage",))
    return Decision(status=GateStatus.PASSED, reasons=())


def reaches(coverage: float, min_coverage: float) -> bool:
    """True when a coverage meets a threshold; both are compared at 1e-9."""
    return round(coverage, 9) >= round(min_coverage, 9)
