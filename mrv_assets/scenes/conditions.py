"""Whether an item can be used, by what it states of itself: tier, direction, scale and offset."""

import math
from collections.abc import Sequence

from mrv_assets.missions.mission import Mission, Reflectance
from mrv_assets.scenes.item import Item, stated_number, text


class UnusableError(Exception):
    """An item that cannot become a scene."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(code, detail)
        self.code, self.detail = code, detail


def check_conditions(item: Item, mission: Mission, orbit_direction: str) -> None:
    """Hold an item against what its mission wants it to state, and against the direction its series looks from.

    Args:
        item: The STAC item.
        mission: Its mission.
        orbit_direction: ``ascending`` or ``descending``, for a mission whose series has one of them.

    Raises:
        UnusableError: With the condition's code, or orbit_other.
    """
    for condition in mission.conditions:
        stated = text(item, condition.property)
        if stated in condition.values or (not stated and not condition.required):
            continue
        said = f"its {condition.property} is {stated}" if stated else f"it states no {condition.property}"
        detail = f"{said}, and of {mission.title} {' and '.join(condition.values)} is used"
        raise UnusableError(condition.code, detail)
    if mission.one_orbit_direction and text(item, "sat:orbit_state").lower() != orbit_direction:
        stated = text(item, "sat:orbit_state") or "not stated"
        detail = f"its orbit is {stated}, and the programme's orbit_direction is {orbit_direction}"
        raise UnusableError("orbit_other", detail)


def check_scale(item: Item, keys: Sequence[str], expected: float) -> None:
    """Hold the scale that an item's files state, by key, against the expected one.

    Raises:
        UnusableError: With code scale_unexpected.
    """
    for key in keys:
        stated = stated_number(item["assets"][key], "scale")
        if stated is not None and not math.isclose(stated, expected, rel_tol=1e-6):
            raise UnusableError("scale_unexpected", f"{key} states a scale of {stated:g}, not {expected:g}")


def dn_shift_of(offset: float, radiometry: Reflectance) -> int:
    """What is added to published digital numbers of an offset to bring them to the mission's convention.

    Raises:
        UnusableError: With code offset_unexpected.
    """
    steps = (offset - radiometry.offset) / radiometry.scale
    # A whole shift upwards loses nothing; any other would round, run into nodata, or saturate every pixel.
    if not -0.5 < steps < radiometry.saturated or not math.isclose(steps, round(steps), abs_tol=1e-3):
        detail = f"an offset of {offset:g} is no whole number of steps above {radiometry.offset:g}"
        raise UnusableError("offset_unexpected", detail)
    return round(steps)
