"""Which missions a month is made of: all ways in which three gates can stand, with and without each option."""

import itertools

import pytest

from mrv_assets.missions.mission import Mission
from mrv_assets.missions.registry import MISSIONS
from mrv_assets.science.choice import choose
from mrv_assets.science.gate import GateStatus

S2, LANDSAT, S1 = (MISSIONS[name] for name in ("sentinel2", "landsat", "sentinel1"))
ORDER = (S2, LANDSAT, S1)
PASSED, REJECTED, APPROVED = GateStatus.PASSED, GateStatus.REJECTED, GateStatus.APPROVED_MANUAL
OPTIONS = [(fusion, allow_sar) for fusion in (False, True) for allow_sar in (False, True)]


def gates(*statuses: GateStatus) -> dict[str, GateStatus]:
    """The decision on each mission."""
    return {mission.name: status for mission, status in zip(ORDER, statuses, strict=True)}


@pytest.mark.parametrize(("fusion", "allow_sar"), OPTIONS)
def test_only_open_gates_let_anything_in(fusion: bool, allow_sar: bool) -> None:
    """Whatever three gates decide, in whichever order missions stand: no mission is used whose gate is closed."""
    for order in itertools.permutations(ORDER):
        for statuses in itertools.product(GateStatus, repeat=3):
            decided = dict(zip((mission.name for mission in order), statuses, strict=True))

            found = choose(order, decided, fusion=fusion, allow_sar=allow_sar)

            assert all(decided[mission.name] in (PASSED, APPROVED) for mission in found.used)
            assert len({mission.name for mission in found.used}) == len(found.used)


@pytest.mark.parametrize("statuses", list(itertools.product(GateStatus, repeat=3)))
def test_without_fusion_one_mission_gives_the_month(statuses: tuple[GateStatus, ...]) -> None:
    """The first in order whose gate is open, and nothing beside it."""
    found = choose(ORDER, gates(*statuses), fusion=False, allow_sar=True)

    opened = [mission for mission, status in zip(ORDER, statuses, strict=True) if status.open]
    assert found.used == tuple(opened[:1])


@pytest.mark.parametrize(
    ("statuses", "allow_sar", "chosen", "fillers", "beside"),
    [
        ((PASSED, PASSED, PASSED), False, S2, (LANDSAT,), S1),
        ((APPROVED, APPROVED, REJECTED), False, S2, (LANDSAT,), None),
        ((PASSED, REJECTED, PASSED), False, S2, (), S1),
        ((REJECTED, PASSED, PASSED), False, LANDSAT, (), S1),
        ((REJECTED, REJECTED, PASSED), True, S1, (), None),
        ((REJECTED, REJECTED, PASSED), False, None, (), None),
        ((REJECTED, REJECTED, REJECTED), True, None, (), None),
    ],
)
def test_with_fusion(
    statuses: tuple[GateStatus, ...],
    allow_sar: bool,
    chosen: Mission | None,
    fillers: tuple[Mission, ...],
    beside: Mission | None,
) -> None:
    """Optical missions fill, a radar stands beside, and is the month's only where there is no other and it may."""
    found = choose(ORDER, gates(*statuses), fusion=True, allow_sar=allow_sar)

    assert (found.chosen, found.fillers, found.beside) == (chosen, fillers, beside)


def test_fillers_are_in_the_order_of_substitution() -> None:
    """Landsat first, then Sentinel-2: Sentinel-2 fills Landsat's gaps, wherever the radar stands."""
    found = choose((LANDSAT, S1, S2), gates(PASSED, PASSED, PASSED), fusion=True, allow_sar=True)

    assert (found.chosen, found.fillers, found.beside) == (LANDSAT, (S2,), S1)


def test_a_radar_needs_leave_unless_it_comes_first() -> None:
    """It stands in for nobody then."""
    opened = gates(REJECTED, REJECTED, PASSED)

    assert choose(ORDER, opened, fusion=False, allow_sar=False).chosen is None
    assert choose((S1, S2, LANDSAT), opened, fusion=False, allow_sar=False).chosen is S1
