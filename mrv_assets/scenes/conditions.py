"""The conditions under which an item can be used, by its own statements: tier, direction, scale and offset."""

import math
from collections.abc import Mapping, Sequence

from mrv_assets.missions.mission import Mission, Reflectance
from mrv_assets.scenes.item import Item, stated_number, text


class UnusableError(Exception):
    """An item that cannot be used as a scene."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(code, detail)
        self.code, self.detail = code, detail


def check_conditions(item: Item, mission: Mission, orbit_direction: str) -> None:
    """Check an item against its mission's conditions and against the orbit direction of its series.

    Args:
        item: The STAC item.
        mission: Its mission.
        orbit_direction: ``ascending`` or ``descending``, for a mission whose series has only one of them.

    Raises:
        UnusableError: With the condition's code where a condition is not met, or with orbit_other.
    """
    for condition in mission.conditions:
        stated = text(item, condition.property)
        if stated in condition.values or (not stated and not condition.required):
            continue
        statement = f"its {condition.property} is {stated}" if stated else f"it states no {condition.property}"
        detail = f"{statement}; only {' and '.join(condition.values)} of {mission.title} is used"
        raise UnusableError(condition.code, detail)
    if mission.one_orbit_direction and text(item, "sat:orbit_state").lower() != orbit_direction:
        stated = text(item, "sat:orbit_state") or "not stated"
        detail = f"its orbit is {stated}, and the programme's orbit_direction is {orbit_direction}"
        raise UnusableError("orbit_other", detail)


def check_scale(assets: Mapping[str, object], keys: Sequence[str], expected: float) -> None:
    """Check the scale that an item or its collection states for some STAC assets, by key, against the expected scale.

    Raises:
        UnusableError: With code scale_unexpected, when a stated scale differs.
    """
    for key in keys:
        asset = assets.get(key)
        stated = stated_number(asset, "scale") if isinstance(asset, Mapping) else None
        if stated is not None and not math.isclose(stated, expected, rel_tol=1e-6):
            raise UnusableError("scale_unexpected", f"{key} states a scale of {stated:g}, not {expected:g}")


def dn_shift_of(offset: float, radiometry: Reflectance) -> int:
    """The number that brings published digital numbers with this offset to the mission's convention, when added.

    Raises:
        UnusableError: With code offset_unexpected, when no whole number does so.
    """
    steps = (offset - radiometry.offset) / radiometry.scale
    # A whole shift upwards loses nothing; any other shift would round, reach nodata, or saturate every pixel.
    if not -0.5 < steps < radiometry.saturated or not math.isclose(steps, round(steps), abs_tol=1e-3):
        detail = f"an offset of {offset:g} is not a whole number of steps above {radiometry.offset:g}"
        raise UnusableError("offset_unexpected", detail)
    return round(steps)
