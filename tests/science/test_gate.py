"""The gate: equality passes, and every refusal has its reason."""

import pytest

from mrv_assets.science.gate import GateStatus, reaches, tile_decision


@pytest.mark.parametrize(
    ("coverage", "scenes", "observations", "status", "reasons"),
    [
        (0.65, 2, 2, GateStatus.PASSED, ()),
        (0.650000001, 2, 2, GateStatus.PASSED, ()),
        (0.649999999, 2, 2, GateStatus.REJECTED, ("below_tile_coverage",)),
        (0.0, 0, 0, GateStatus.REJECTED, ("no_scenes",)),
        (0.0, 3, 0, GateStatus.REJECTED, ("all_scenes_refused",)),
    ],
)
def test_the_decision_and_its_reason(
    coverage: float, scenes: int, observations: int, status: GateStatus, reasons: tuple[str, ...]
) -> None:
    """A tile-month passes at its threshold; below it, or with nothing to look at, it is rejected and says why."""
    decision = tile_decision(coverage, 0.65, scenes=scenes, observations=observations)

    assert (decision.status, decision.reasons) == (status, reasons)


def test_only_passed_and_approved_open_the_gate() -> None:
    """What was not evaluated is not verified."""
    assert {status for status in GateStatus if status.open} == {GateStatus.PASSED, GateStatus.APPROVED_MANUAL}


def test_a_threshold_is_met_to_a_billionth() -> None:
    """0.1 + 0.2 reaches 0.3, and 0.3 reaches 0.1 + 0.2."""
    assert reaches(0.3, 0.1 + 0.2)
    assert reaches(0.1 + 0.2, 0.3)
    assert not reaches(0.3 - 2e-9, 0.3)
