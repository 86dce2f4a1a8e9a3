"""The plan of the products that all missions of a tile and month are reduced to."""

from dataclasses import dataclass

from mrv_assets.audit.canonical import Json
from mrv_assets.audit.manual_decisions import Reviewer
from mrv_assets.stages.mission_plan import MissionPlan, Substitution
from mrv_assets.stages.options import DEFAULT, RunOptions
from mrv_assets.stages.tile_month import TileMonth


@dataclass(frozen=True, kw_only=True)
class MonthPlan:
    """One tile and month for the products of all missions.

    Raises:
        ValueError: When the plans are not of all the programme's missions in the order of substitution; a substitute
            would enter unmarked.
    """

    missions: tuple[MissionPlan, ...]
    """A plan for each mission of the programme, in the order of substitution."""
    composite: str
    """How a month's observations become one value: ``mean`` or ``median``."""
    min_native_pixels: int
    """A parcel with fewer native pixels of a substitute than this gets no value from it."""
    optical: tuple[str, ...]
    """Names of all optical missions, in the programme or not: all tables have the same columns."""
    options: RunOptions = DEFAULT

    def __post_init__(self) -> None:
        names = tuple(plan.mission.name for plan in self.missions)
        if not names:
            raise ValueError("a month needs the plan of at least one mission")
        if names != self.substitution.order:
            raise ValueError(
                f"the missions {', '.join(names)} are not the plan's: {', '.join(self.substitution.order)}. "
                "Give all of them, in this order"
            )

    @property
    def at(self) -> TileMonth:
        """The tile and month."""
        return self.missions[0].at

    @property
    def substitution(self) -> Substitution:
        """Rules by which missions stand in for one another."""
        return self.missions[0].substitution

    @property
    def product_rules(self) -> Json:
        """The programme's rules for a month's products: monthly_proxies record them."""
        return {
            "composite": self.composite,
            **self.substitution.rules,
            "min_native_pixels": self.min_native_pixels,
            "optical": list(self.optical),
        }

    @property
    def reviewers(self) -> tuple[Reviewer, ...]:
        """Reviewers who may approve a month that the gate rejected."""
        return self.missions[0].reviewers

    def asset(self, stage: str) -> str:
        """The asset path of a stage of this plan: a product has no mission in its path."""
        return stage
