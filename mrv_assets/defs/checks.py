"""Asset checks: the gate's decision on a tile-month, as Dagster shows it."""

from collections.abc import Mapping
from typing import Any

import dagster as dg

GATE_CHECK = "gate"
OPEN = ("PASSED", "APPROVED_MANUAL", "NOT_EVALUATED")
"""Decisions that pass the check: a mission that was not needed is not a failure."""
_SHOWN = ("gate_status", "reasons", "coverage", "min_coverage", "parcels_passed", "audit_hash")
"""Metadata of the materialization that the check repeats."""


def gate_check(key: dg.AssetKey) -> dg.AssetCheckSpec:
    """The check of gated_tiles. It blocks nothing, because the stages themselves refuse rejected data."""
    return dg.AssetCheckSpec(
        GATE_CHECK,
        asset=key,
        description="Clear area over the parcels reaches the programme's threshold.",
        blocking=False,
    )


def gate_check_result(tile: str, month: str, metadata: Mapping[str, Any]) -> dg.AssetCheckResult:
    """The result of the check for one tile and month.

    Args:
        tile: The tile, named because the check's tab shows the newest evaluation of all partitions without its key.
        month: The month, named for the same reason.
        metadata: Metadata of the materialization of gated_tiles.
    """
    return dg.AssetCheckResult(
        check_name=GATE_CHECK,
        passed=metadata["gate_status"] in OPEN,
        severity=dg.AssetCheckSeverity.ERROR,
        metadata={
            "tile_month": f"{tile} {month}",
            **{name: metadata[name] for name in _SHOWN if name in metadata},
        },
    )
