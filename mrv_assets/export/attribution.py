"""What whoever publishes an export has to say with it: whose data it was made of."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from mrv_assets.missions.registry import CREDITS

if TYPE_CHECKING:
    from mrv_assets.export.months import SourceScene

SIMULATED = "Contains simulated scenes, which show no real ground"
"""Of scenes whose items say so: they are nobody's data, and must not pass for somebody's."""


def attributions(scenes: Iterable["SourceScene"]) -> list[str]:
    """The credits that scenes ask for, sorted, each with the years of its scenes; none for no scene."""
    years: dict[str, set[int]] = {}
    for scene in scenes:
        text = SIMULATED if scene.simulated else CREDITS[scene.mission]
        years.setdefault(text, set()).add(scene.year)
    return sorted(text.format(years=", ".join(map(str, sorted(found)))) for text, found in years.items())
