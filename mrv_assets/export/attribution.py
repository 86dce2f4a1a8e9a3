"""Attributions: the credits to publish with an export, as the owners of the satellite data ask."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from mrv_assets.missions.registry import CREDITS

if TYPE_CHECKING:
    from mrv_assets.export.months import SourceScene

SIMULATED = "Contains simulated scenes, which show no real ground"
"""Credit of simulated scenes, which must not be taken for a publisher's data."""


def attributions(scenes: Iterable["SourceScene"]) -> list[str]:
    """The credits that scenes ask for, sorted, each with the years of its scenes; empty without scenes."""
    years: dict[str, set[int]] = {}
    for scene in scenes:
        text = SIMULATED if scene.simulated else CREDITS[scene.mission]
        years.setdefault(text, set()).add(scene.year)
    return sorted(text.format(years=", ".join(map(str, sorted(of_text)))) for text, of_text in years.items())
