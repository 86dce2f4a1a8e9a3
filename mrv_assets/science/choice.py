"""The choice of a month's missions: by their order, their gates and the programme's rules."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mrv_assets.missions.mission import Mission
from mrv_assets.science.gate import GateStatus


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The missions whose pixels a month holds; the gate of each of them is open."""

    chosen: Mission | None
    """The month's mission; None where no mission that may be chosen has an open gate."""
    fillers: tuple[Mission, ...] = ()
    """Optical missions whose pixels fill the gaps that the missions before them leave, in the order of substitution."""
    beside: Mission | None = None
    """The radar mission whose indices are stored beside the optical indices; None where there is none."""

    @property
    def sources(self) -> tuple[Mission, ...]:
        """The missions that a pixel of the month may come from, first choice first."""
        return () if self.chosen is None else (self.chosen, *self.fillers)

    @property
    def used(self) -> tuple[Mission, ...]:
        """All missions whose data are read: the sources and the radar beside them."""
        return self.sources if self.beside is None else (*self.sources, self.beside)


def choose(missions: Sequence[Mission], statuses: Mapping[str, GateStatus], *, fusion: bool, allow_sar: bool) -> Choice:
    """Choose the missions of a month. A mission whose gate is not open never takes part.

    Args:
        missions: The programme's missions, in the order of substitution.
        statuses: The gate's decision on each mission, by name.
        fusion: Whether later optical missions fill gaps and a radar mission is used beside them.
        allow_sar: Whether a radar mission that is not the first may be chosen where no optical mission is open.
    """
    opened = [mission for mission in missions if statuses[mission.name].open]
    may_be_chosen = [
        mission for mission in opened if not mission.radar or allow_sar or mission.name == missions[0].name
    ]
    optical = [mission for mission in opened if not mission.radar]
    if not fusion or not optical:
        return Choice(chosen=next(iter(may_be_chosen), None))
    radar = next((mission for mission in opened if mission.radar), None)
    return Choice(chosen=optical[0], fillers=tuple(optical[1:]), beside=radar)
