"""Which missions a month's values are from: by their order, their gates and what the programme allows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mrv_assets.missions.mission import Mission
from mrv_assets.science.gate import GateStatus


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The missions whose pixels a month holds; the gate of each is open."""

    chosen: Mission | None
    """The month's mission; None where no gate is open that may give the month."""
    fillers: tuple[Mission, ...] = ()
    """Optical missions whose pixels fill the gaps that those before them leave, in the order of substitution."""
    beside: Mission | None = None
    """The radar whose indices stand beside those of the others."""

    @property
    def sources(self) -> tuple[Mission, ...]:
        """Those that the month's pixels may be from, first choice first."""
        return () if self.chosen is None else (self.chosen, *self.fillers)

    @property
    def used(self) -> tuple[Mission, ...]:
        """All of which anything is read."""
        return self.sources if self.beside is None else (*self.sources, self.beside)


def choose(missions: Sequence[Mission], statuses: Mapping[str, GateStatus], *, fusion: bool, allow_sar: bool) -> Choice:
    """Choose the missions of a month. What is not open takes no part, whatever else there is.

    Args:
        missions: The programme's, in the order of substitution.
        statuses: The gate's decision on each, by name.
        fusion: Whether later optical missions fill gaps, and a radar stands beside.
        allow_sar: Whether a radar that is not the first mission may be the month's, where no optical one is open.
    """
    opened = [mission for mission in missions if statuses[mission.name].open]
    may_be_chosen = [one for one in opened if not one.radar or allow_sar or one.name == missions[0].name]
    optical = [one for one in opened if not one.radar]
    if not fusion or not optical:
        return Choice(chosen=next(iter(may_be_chosen), None))
    radar = next((one for one in opened if one.radar), None)
    return Choice(chosen=optical[0], fillers=tuple(optical[1:]), beside=radar)
