"""How a scene's pixels look: published with the product's newer offset, or without it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from mrv_assets.missions.mission import OffsetEvidence, Reflectance

Counts = NDArray[np.int64]
"""Number of pixels by digital number, 0 to 65535; the counts of a band are the sum of the counts of its parts."""


class Look(Enum):
    """The offset with which pixels appear to be published."""

    SHIFTED = "shifted"
    """Published with the product's newer offset."""
    NOT_SHIFTED = "not shifted"
    """Published with the older offset, or with the newer one removed again."""
    UNDECIDED = "undecided"
    """There are too few pixels, they are too bright, or the bands disagree."""


@dataclass(frozen=True, kw_only=True)
class OffsetLook:
    """The result of the cross-check for a scene, or for one of its bands."""

    look: Look
    text: str
    """The numbers that it follows from, band by band."""


def dn_counts(dn: NDArray[np.uint16]) -> Counts:
    """Number of pixels by digital number, int64, (65536,).

    Args:
        dn: Published digital numbers, uint16, any dims, nodata included.
    """
    return np.bincount(dn.ravel(), minlength=1 << 16)


def offset_look(counts: Mapping[str, Counts], radiometry: Reflectance) -> OffsetLook:
    """The offset with which a scene's pixels appear to be published, by the darkest of them.

    A month's darkest ground (water, shade, plants) has a reflectance near zero. Published with the newer offset, no
    pixel has the low digital numbers that such ground has without it; published without the offset, some pixels have
    them. Haze, or grey ground with a reflectance of 0.1 everywhere, also looks like dark ground with an offset: the
    result is a reason to inspect the scene, not a proof.

    Args:
        counts: Number of pixels by digital number, one array per band; bands that are not examined are ignored.
        radiometry: The mission's convention; its offset change holds the thresholds.

    Returns:
        The look and its numbers; undecided where the bands disagree, one of them is missing, or the mission has no
        thresholds.
    """
    evidence = None if radiometry.offset_change is None else radiometry.offset_change.evidence
    if evidence is None:
        return OffsetLook(look=Look.UNDECIDED, text="the mission has no thresholds for its offset")
    unmeasured = [radiometry.nodata] if radiometry.clipped is None else [radiometry.nodata, radiometry.clipped]
    looks = [_band_look(name, counts.get(name), evidence, unmeasured) for name in evidence.bands]
    agreed = {band.look for band in looks}
    return OffsetLook(
        look=agreed.pop() if len(agreed) == 1 else Look.UNDECIDED,
        text="; ".join(band.text for band in looks),
    )


def _band_look(name: str, counts: Counts | None, evidence: OffsetEvidence, unmeasured: Sequence[int]) -> OffsetLook:
    if counts is None:
        return OffsetLook(look=Look.UNDECIDED, text=f"no {name}")
    running = counts.cumsum()
    for number in unmeasured:
        running[number:] -= counts[number]
    pixels = int(running[-1])
    if pixels < evidence.min_pixels:
        return OffsetLook(look=Look.UNDECIDED, text=f"{name}: {pixels} pixels")
    below = int(running[evidence.floor_dn - 1])
    dark = int(running.searchsorted(math.ceil(evidence.dark_share * pixels)))
    text = (
        f"{name}: {below / pixels:.2%} of {pixels} pixels below DN {evidence.floor_dn}, "
        f"darkest {evidence.dark_share:.0%} up to DN {dark}"
    )
    if below >= evidence.below_share * pixels:
        return OffsetLook(look=Look.NOT_SHIFTED, text=text)
    if below <= evidence.floor_share * pixels and dark <= evidence.dark_dn:
        return OffsetLook(look=Look.SHIFTED, text=text)
    return OffsetLook(look=Look.UNDECIDED, text=text)
