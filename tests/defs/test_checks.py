"""The gate's check in Dagster: which decisions pass it, and which partition it speaks of."""

import pytest

from mrv_assets.defs.checks import gate_check_result
from mrv_assets.science.gate import GateStatus


@pytest.mark.parametrize(
    ("status", "passed"),
    [
        (GateStatus.PASSED, True),
        (GateStatus.APPROVED_MANUAL, True),
        # A mission that was not needed is not an alarm in every good month.
        (GateStatus.NOT_EVALUATED, True),
        (GateStatus.REJECTED, False),
    ],
)
def test_a_check_fails_only_where_the_gate_rejected(status: GateStatus, passed: bool) -> None:
    """Its tab shows the newest evaluation of all partitions, so the result names the tile and month."""
    result = gate_check_result("34TER", "2018-07", {"gate_status": status.value, "reasons": "none"})

    assert result.passed is passed
    assert result.metadata["tile_month"].value == "34TER 2018-07"
