"""The types that describe a mission: bands, radiometry, quality. Each mission itself is data, in a file of its own."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from mrv_assets.missions.flags import Flag
from mrv_assets.missions.indices import INDICES, RadarIndex, SpectralIndex


class Resample(Enum):
    """Methods to resample source pixels to analysis pixels."""

    NEAREST = "nearest"
    """For classes and bit fields: the source pixel that holds the centre of the target pixel."""
    BILINEAR = "bilinear"
    """For reflectance and backscatter: weighted mean of four neighbours when refining, area mean when coarsening."""


class FoundBy(Enum):
    """Fields of a STAC item that identify the band of a STAC asset."""

    NAME = "name"
    """``bands[].name``; before STAC 1.1 ``eo:bands[].name``."""
    COMMON_NAME = "common_name"
    """``bands[].eo:common_name``; before STAC 1.1 ``eo:bands[].common_name``."""
    KEY = "key"
    """The STAC asset key."""


@dataclass(frozen=True, kw_only=True)
class Band:
    """One band of a mission's measurement: reflectance, or backscatter."""

    names: tuple[str, ...]
    """Names of the band in catalogues, in any of the fields, most trusted first."""
    resolution_m: int
    """Native pixel size in metres."""
    resample: Resample = Resample.BILINEAR
    found_by: tuple[FoundBy, ...] = (FoundBy.NAME, FoundBy.KEY)
    """Fields to search for the names, most trusted first; the first field with a match decides."""


@dataclass(frozen=True, kw_only=True)
class OffsetEvidence:
    """Thresholds that tell a product's newer offset from its older one by its darkest pixels.

    Digital numbers published with the newer offset are larger by the same step everywhere: they look *shifted*.
    """

    bands: tuple[str, ...]
    """The mission's bands that are examined; they have to agree."""
    floor_dn: int
    """Digital number below which almost no shifted pixel lies: its reflectance would be clearly negative."""
    floor_share: float
    """Pixels look shifted only where at most this share of them, in [0, 1], is below the floor."""
    below_share: float
    """Pixels look not shifted where at least this share of them, in [0, 1], is below the floor."""
    dark_share: float
    """The dark end is the digital number that this share of pixels, in [0, 1], does not exceed."""
    dark_dn: int
    """Pixels look shifted only where the dark end is at most this: ground that is bright all over may have either."""
    min_pixels: int
    """Fewest pixels with data for a result; with fewer, a band is undecided."""


@dataclass(frozen=True, kw_only=True)
class OffsetChange:
    """The change of a product's offset to that of its mission's convention."""

    baseline: tuple[int, int]
    """First processing baseline with the new offset."""
    since: datetime
    """First day on which the new offset was in use, UTC."""
    before: float
    """Offset of older baselines, unitless."""
    evidence: OffsetEvidence | None = None
    """Thresholds to tell the two offsets apart by the pixels; None where none are known."""


@dataclass(frozen=True, kw_only=True)
class Reflectance:
    """The storage convention of a mission's aligned digital numbers."""

    scale: float
    offset: float
    """reflectance = DN * scale + offset, unitless."""
    nodata: int
    """The digital number of a missing pixel."""
    saturated: int
    """The digital number of a pixel that is too bright to store."""
    clipped: int | None = None
    """The digital number at which a product cuts off what is darker, as published and as stored: the pixel was seen,
    and its value in this band is not known. None where the product does not cut off."""
    dtype: str = "uint16"
    offset_change: OffsetChange | None = None
    """None where the product always had this offset."""

    @property
    def fill(self) -> int:
        """What is stored where nothing was measured."""
        return self.nodata


@dataclass(frozen=True, kw_only=True)
class Power:
    """The storage convention of a radar mission's aligned backscatter: linear power, NaN where missing."""

    quantity: str
    """The quantity that is stored: ``gamma0``."""
    floor: float
    ceiling: float
    """Smallest and largest power that is a measurement; any other number, zero and below included, is nodata."""
    bright: float
    """Power that the ground returns only from single points; a share of larger numbers is not measured ground."""
    decibels: tuple[float, float]
    """Interval, open below and closed above, of numbers that ground has in decibels and never as power."""
    fills_in_decibels: tuple[float, ...]
    """Numbers in that interval that publishers write where nothing was measured."""
    implausible_share: float
    """A file is not power where at least this share of its numbers, in [0, 1], is too bright or looks like decibels."""
    looks: float
    """Equivalent number of looks of a published pixel; the variance of speckle is the squared mean divided by it."""
    dtype: str = "float32"

    @property
    def fill(self) -> float:
        """What is stored where nothing was measured."""
        return float("nan")


Radiometry = Reflectance | Power


UNNAMED = 254
"""Class of a mask's pixel that its publisher calls invalid without a reason, or by a value that it does not explain."""


@dataclass(frozen=True, kw_only=True)
class ClassDialect:
    """The values of a mask that a publisher uses without stating what they mean."""

    collection: str
    """Regular expression for the whole id of a collection, in lower case."""
    item: str
    """Regular expression for the beginning of an item's id, in lower case; one that nothing matches where items have no
    common name."""
    classes: Mapping[int, int]
    """The mission's class of each published value."""


@dataclass(frozen=True, kw_only=True)
class ClassQuality:
    """A quality band whose value is a class, such as Sentinel-2 SCL."""

    names: tuple[str, ...]
    """STAC asset keys, most trusted first; catalogues do not agree on other names for quality bands."""
    clear: frozenset[int]
    """Classes in which the ground was seen."""
    flags: Mapping[int, Flag]
    """Reason by unclear class; a class neither here nor in ``clear`` is unclassified."""
    severity: tuple[int, ...]
    """Classes from worst to best: a coarse pixel takes the worst class it holds."""
    words: Mapping[str, int] = field(default_factory=dict)
    """Class by the name that catalogues give it in ``classification:classes``, in lower case; empty where the values
    mean the same at every publisher. A band with words is looked for under any key."""
    dialects: tuple[ClassDialect, ...] = ()
    """What is known of publishers that do not state their classes."""
    nodata: int | None = 0
    dtype: str = "uint8"
    required: bool = True


@dataclass(frozen=True, kw_only=True)
class BitQuality:
    """A quality band of bits, such as QA60."""

    names: tuple[str, ...]
    bits: Mapping[int, Flag]
    """Reason by bit number."""
    nodata: int | None = None
    dtype: str = "uint16"
    required: bool = False


@dataclass(frozen=True, kw_only=True)
class ProbabilityQuality:
    """A quality band of cloud probability; at or above the programme's threshold a pixel is unclear."""

    names: tuple[str, ...]
    scale: float
    """probability = DN * scale, in [0, 1]."""
    flag: Flag
    nodata: int | None = None
    dtype: str = "uint8"
    required: bool = False


Quality = ClassQuality | BitQuality | ProbabilityQuality


@dataclass(frozen=True, kw_only=True)
class Condition:
    """A statement that an item must make to be used."""

    property: str
    """Property of the item, such as ``landsat:collection_category``."""
    values: tuple[str, ...]
    """Values of the property with which an item is used."""
    code: str
    """Code of the exclusion of an item with another value, such as ``tier_other``."""
    required: bool
    """Whether an item without the property is left out too."""


@dataclass(frozen=True, kw_only=True)
class Mission:
    """An instrument's product as published in STAC collections."""

    name: str
    title: str
    platforms: tuple[str, ...]
    """Beginnings of the names of its platforms or constellation, in lower case with hyphens: ``sentinel-2``."""
    bands: Mapping[str, Band]
    """Reflectance bands by STAC common name, radar bands by polarization."""
    radiometry: Radiometry
    quality: Mapping[str, Quality]
    """Quality bands by their name in the lake."""
    resolution_m: int
    """The finest native pixel size, in metres."""
    stand_ins: Mapping[str, str] = field(default_factory=dict)
    """The mission's band to use instead of a band that an index names and the mission lacks, by the named band."""
    conditions: tuple[Condition, ...] = ()
    """Further conditions that its items must meet."""
    one_orbit_direction: bool = False
    """Whether a series must not mix ascending and descending orbits, which see the ground from different sides."""
    strips: bool = False
    """Whether files with strips instead of COG tiles are read too."""
    dilated: tuple[Flag, ...] = (Flag.CLOUD, Flag.SHADOW)
    """Reasons whose edges the product misses; the programme's dilation applies to them."""

    @property
    def radar(self) -> bool:
        """Whether the mission is a radar, whose indices are not comparable with optical ones."""
        return isinstance(self.radiometry, Power)

    @property
    def indices(self) -> tuple[str, ...]:
        """Names of the indices whose bands the mission measures, in the order of storage."""
        kind = RadarIndex if self.radar else SpectralIndex
        return tuple(
            name
            for name, index in INDICES.items()
            if isinstance(index, kind) and all(self.stand_ins.get(band, band) in self.bands for band in index.bands)
        )

    @property
    def offset_evidence(self) -> OffsetEvidence | None:
        """Thresholds to tell its offsets apart by the pixels; None where there is only one offset or no thresholds."""
        change = self.radiometry.offset_change if isinstance(self.radiometry, Reflectance) else None
        return None if change is None else change.evidence

    def needs_halo(self, name: str) -> bool:
        """Whether pixels around a block affect pixels in it: quality is dilated, and speckle is filtered.

        Args:
            name: The mission's name for the band, reflectance, radar or quality.
        """
        return name in self.quality or self.radar


def described(value: object) -> Any:
    """A mission, or any part of one, as JSON, for a record's parameter manifest.

    It has every field, so that no field can change an output without being part of the request.

    Raises:
        TypeError: For a value of a type that does not occur in missions.
    """
    match value:
        case None | bool() | str():
            return value
        case Enum():
            return value.name
        case int() | float():
            return value
        case datetime():
            return value.isoformat()
        case frozenset():
            return sorted(described(item) for item in value)
        case tuple():
            return [described(item) for item in value]
        case Mapping():
            return {str(key): described(item) for key, item in value.items()}
    if is_dataclass(value):
        # The type's name is part of it: a class and a bit field may have the same fields.
        parts = {field.name: described(getattr(value, field.name)) for field in fields(value)}
        return {"type": type(value).__name__, **parts}
    raise TypeError(f"{value!r} is not part of a mission: give a mission, or the value of one of its fields")
