"""Whether a scene's pixels look as its offset says: a cross-check that finds and never decides."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from mrv_assets.missions.mission import OffsetEvidence, Reflectance

Counts = NDArray[np.int64]
"""How often each digital number from 0 to 65535 occurs; counts of parts of a band add up to the band's."""


class Look(Enum):
    """What pixels look like."""

    SHIFTED = "shifted"
    """As published with the product's newer offset."""
    NOT_SHIFTED = "not shifted"
    """As published before there was one, or with it taken away again."""
    UNDECIDED = "undecided"
    """Too few, too bright, or the bands disagree."""


@dataclass(frozen=True, kw_only=True)
class OffsetLook:
    """What a scene's pixels say of its offset."""

    look: Look
    shown: str
    """The numbers it follows from, band by band."""


def dn_counts(dn: NDArray[np.uint16]) -> Counts:
    """How often each digital number occurs.

    Args:
        dn: Published digital numbers, uint16, any dims; nodata and all.
    """
    return np.bincount(dn.ravel(), minlength=1 << 16)


def offset_look(counts: Mapping[str, Counts], radiometry: Reflectance) -> OffsetLook:
    """What a scene's pixels look like, by the darkest of them.

    A month's darkest ground (water, shade, plants) reflects next to nothing. Published with an offset, nothing is
    left of the digital numbers that next to nothing has without one; published without, they are there. Even haze,
    or grey ground that reflects a tenth all over, passes for dark ground with an offset: a reason to look, no proof.

    Args:
        counts: For each band, how often each of its digital numbers occurs; bands not looked at are ignored.
        radiometry: The mission's convention; its offset change says what to look for.

    Returns:
        Undecided where the bands disagree, one of them is missing, or the mission has nothing to tell it by.
    """
    evidence = None if radiometry.offset_change is None else radiometry.offset_change.evidence
    if evidence is None:
        return OffsetLook(look=Look.UNDECIDED, shown="nothing to tell it by")
    looks = [_band_look(name, counts.get(name), evidence, radiometry.nodata) for name in evidence.bands]
    agreed = {one.look for one in looks}
    return OffsetLook(
        look=agreed.pop() if len(agreed) == 1 else Look.UNDECIDED,
        shown="; ".join(one.shown for one in looks),
    )


def offset_finding(look: OffsetLook, offset: float, rule: str, radiometry: Reflectance) -> str | None:
    """What to note where the pixels contradict the offset that was decided; None where they do not.

    Args:
        look: What the scene's pixels look like.
        offset: The offset decided, unitless.
        rule: What decided it.
        radiometry: The mission's convention.
    """
    change = radiometry.offset_change
    if change is None or look.look is Look.UNDECIDED:
        return None
    decided = {radiometry.offset: Look.SHIFTED, change.before: Look.NOT_SHIFTED}.get(offset)
    if decided in (None, look.look):
        return None
    return (
        f"offset_pixels: they look {look.look.value} ({look.shown}), but an offset of {offset:g} was decided; "
        f"{rule} decided"
    )


def _band_look(name: str, counts: Counts | None, evidence: OffsetEvidence, nodata: int) -> OffsetLook:
    if counts is None:
        return OffsetLook(look=Look.UNDECIDED, shown=f"no {name}")
    running = counts.cumsum()
    running[nodata:] -= counts[nodata]
    pixels = int(running[-1])
    if pixels < evidence.min_pixels:
        return OffsetLook(look=Look.UNDECIDED, shown=f"{name}: {pixels} pixels")
    below = int(running[evidence.floor_dn - 1])
    dark = int(running.searchsorted(math.ceil(evidence.dark_share * pixels)))
    shown = (
        f"{name}: {below / pixels:.2%} of {pixels} pixels below DN {evidence.floor_dn}, "
        f"darkest {evidence.dark_share:.0%} up to DN {dark}"
    )
    if below >= evidence.below_share * pixels:
        return OffsetLook(look=Look.NOT_SHIFTED, shown=shown)
    if below <= evidence.floor_share * pixels and dark <= evidence.dark_dn:
        return OffsetLook(look=Look.SHIFTED, shown=shown)
    return OffsetLook(look=Look.UNDECIDED, shown=shown)
