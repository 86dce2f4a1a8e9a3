"""The numbers of one band's file: whether they are what its mission measures, and how often each occurs."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mrv_assets.cog.header import Header
from mrv_assets.cog.sparse_tiff import decode_tile
from mrv_assets.errors import HeaderRefused
from mrv_assets.missions.mission import ClassQuality, Mission, Power
from mrv_assets.scenes.offset_check import Counts, dn_counts
from mrv_assets.scenes.power import POWER_CURE, in_decibels
from mrv_assets.scenes.select import Scene

LOOKED_AT, LOOK_STEP = 4, 4
"""COG tiles of a band whose numbers are looked at to check its offset or its unit, and the step between pixels."""


def check_power(header: Header, tiles: Mapping[int, bytes], band_name: str, mission: Mission) -> None:
    """Check by a few tiles that a radar's numbers are power, which land returns within narrow limits.

    Raises:
        HeaderRefused: When they are decibels, when too many are too bright, or when a tile does not decode.
    """
    power = mission.radiometry
    if not isinstance(power, Power) or band_name not in mission.bands:
        return
    low, high = power.decibels
    fills = np.array([*power.fills_in_decibels, *([] if header.nodata is None else [header.nodata])], np.float32)
    power_like = decibels = bright = 0
    fullest = sorted(tiles, key=lambda i: (-len(tiles[i]), i))
    # A tile of one number, which is the fill value, has the fewest bytes.
    for pixels in _decoded(header, tiles, sorted({*fullest[:LOOKED_AT], *fullest[-1:]})):
        values = pixels[np.isfinite(pixels) & ~np.isin(pixels, fills)]
        power_like += int(((values >= power.floor) & (values <= power.bright)).sum())
        decibels += int(((values > low) & (values <= high)).sum())
        bright += int(((values > power.bright) & (values <= power.ceiling)).sum())
    if decibels and decibels >= power.implausible_share * (power_like + decibels):
        raise HeaderRefused(
            "decibels",
            f"{decibels / (power_like + decibels):.0%} of its numbers lie between {low:g} and {high:g}, as decibels do "
            f"and power does not. {POWER_CURE}",
        )
    if bright and bright >= power.implausible_share * (power_like + bright):
        raise HeaderRefused(
            "power_unexpected",
            f"{bright / (power_like + bright):.0%} of its numbers are above {power.bright:g}, more than land returns: "
            "a fill value that the file does not state, or another quantity. State the fill value as the file's nodata "
            f"value, or else: {POWER_CURE}",
        )


def check_meaning(header: Header, scene: Scene, band_name: str, mission: Mission) -> None:
    """Check that a header does not contradict what is known of the meaning of the band's numbers.

    Raises:
        HeaderRefused: When power is in decibels by its file, or a class that was seen is the file's nodata value.
    """
    if band_name in mission.bands:
        if isinstance(mission.radiometry, Power):
            _check_statements(header)
        return
    quality, classes = mission.quality[band_name], scene.classes.get(band_name, {})
    if isinstance(quality, ClassQuality) and header.nodata is not None and header.nodata in classes:
        meaning = classes[int(header.nodata)]
        if meaning in quality.clear and meaning != quality.nodata:
            raise HeaderRefused(
                "nodata_conflict",
                f"its nodata value {header.nodata:g} is a class in which the ground was seen, by its catalogue or its "
                "known publisher. Correct one of them",
            )


def _check_statements(header: Header) -> None:
    """Check what a radar's file states of its numbers.

    Raises:
        HeaderRefused: When they are decibels, or scaled.
    """
    if told := in_decibels(header.units, header.texts):
        raise HeaderRefused("decibels", f"it is in decibels by its file's {told}. {POWER_CURE}")
    if (header.scale, header.offset) not in itertools.product((None, 1.0), (None, 0.0)):
        raise HeaderRefused(
            "scale_unexpected",
            f"its file states a scale of {header.scale} and an offset of {header.offset}, and power has neither. "
            f"{POWER_CURE}",
        )


def _looked_at(header: Header, tiles: Mapping[int, bytes]) -> Iterator[NDArray[Any]]:
    """A few decoded tiles of a band, thinned out: those with the most compressed bytes, which show the most ground.

    Raises:
        HeaderRefused: When a tile does not decode.
    """
    return _decoded(header, tiles, sorted(tiles, key=lambda i: (-len(tiles[i]), i))[:LOOKED_AT])


def _decoded(header: Header, tiles: Mapping[int, bytes], indices: Sequence[int]) -> Iterator[NDArray[Any]]:
    for index in indices:
        try:
            yield decode_tile(header, index, tiles[index])[::LOOK_STEP, ::LOOK_STEP]
        except (ValueError, RuntimeError) as error:
            raise HeaderRefused("undecodable", f"COG tile {index} does not decode ({error})") from None


def counts_of(header: Header, tiles: Mapping[int, bytes], band_name: str, mission: Mission) -> Counts | None:
    """Occurrences of each digital number in a few tiles; None for bands that tell nothing of an offset.

    Raises:
        HeaderRefused: When a tile does not decode.
    """
    evidence = mission.offset_evidence
    if evidence is None or band_name not in evidence.bands or header.dtype != "uint16":
        return None
    total = np.zeros(1 << 16, np.int64)
    for pixels in _looked_at(header, tiles):
        total += dn_counts(pixels)
    return total
