"""The offset of a scene's reflectance, which catalogues may state, omit, or state wrongly."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from mrv_assets.missions.mission import Reflectance
from mrv_assets.scenes.item import Item, properties, stated_number
from mrv_assets.scenes.product import baseline_of, baseline_text


@dataclass(frozen=True, kw_only=True)
class OffsetDecision:
    """A scene's offset and the rule that decided it."""

    offset: float | None
    """reflectance = published DN * scale + offset, unitless; None where no rule decides it."""
    rule: str
    """boa_offset_applied, stated, baseline, date, mission (the product never changed its offset) or unknown."""
    findings: tuple[str, ...]
    """Conflicts between the item's statements, ``code: detail``; they do not stop the scene."""


def boa_offset(item: Item, sensed: datetime, keys: Collection[str], radiometry: Reflectance) -> OffsetDecision:
    """The offset of a scene's reflectance, decided for this item.

    The first of these rules that applies decides: ``earthsearch:boa_offset_applied``, by which the offset is already
    applied to the pixels, whatever else is stated; the offset that its bands state, where they agree; the processing
    baseline; the date, for scenes sensed before the new offset was in use.

    Args:
        item: The STAC item.
        sensed: Sensing time, UTC.
        keys: STAC asset keys of its reflectance bands.
        radiometry: The mission's convention, and the product's change to it.
    """
    # Rounded, because some writers print -0.1 as float32.
    numbers = (stated_number(item["assets"][key], "offset") for key in keys)
    stated = sorted({round(number, 6) for number in numbers if number is not None})
    stated_text = ", ".join(f"{number:g}" for number in stated)
    baseline = baseline_of(item)
    change = radiometry.offset_change
    before = radiometry.offset if change is None else change.before
    derived = None if baseline is None else radiometry.offset
    if baseline is not None and change is not None and baseline < change.baseline:
        derived = before
    if properties(item).get("earthsearch:boa_offset_applied") is True:
        conflict = f"states {stated_text} and boa_offset_applied; boa_offset_applied decided"
        return _decision(0.0, "boa_offset_applied", conflict if any(stated) else None)
    if len(stated) == 1:
        conflict = f"states {stated_text}, baseline {baseline_text(baseline)} has {derived or 0:g}; stated decided"
        return _decision(stated[0], "stated", conflict if derived not in (None, stated[0]) else None)
    conflict_of_bands = f"bands state {stated_text}; none of them decided" if stated else None
    if change is None:
        return _decision(radiometry.offset, "mission", conflict_of_bands)
    if derived is not None:
        return _decision(derived, "baseline", conflict_of_bands)
    if sensed < change.since:
        return _decision(before, "date", conflict_of_bands)
    return _decision(None, "unknown", conflict_of_bands)


def _decision(offset: float | None, rule: str, conflict: str | None) -> OffsetDecision:
    findings = () if conflict is None else (f"offset_conflict: {conflict}",)
    return OffsetDecision(offset=offset, rule=rule, findings=findings)
