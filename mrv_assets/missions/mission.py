"""The types a mission is written in: bands, radiometry, quality. A mission itself is data, in a file of its own."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from mrv_assets.missions.flags import Flag
from mrv_assets.missions.indices import INDICES, RadarIndex, SpectralIndex


class Resample(Enum):
    """How source pixels become analysis pixels."""

    NEAREST = "nearest"
    """Classes and bit fields: the source pixel that holds the target's centre."""
    BILINEAR = "bilinear"
    """Reflectance and backscatter: four neighbours when refining, area mean when coarsening."""


class FoundBy(Enum):
    """Where a STAC item says which band an asset is."""

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
    """What catalogues call it, most trusted first, wherever they say it."""
    resolution_m: int
    """Native pixel size in metres."""
    resample: Resample = Resample.BILINEAR
    found_by: tuple[FoundBy, ...] = (FoundBy.NAME, FoundBy.KEY)
    """Where to look for the names, most trusted first; the first place where one is found decides."""


@dataclass(frozen=True, kw_only=True)
class OffsetEvidence:
    """How pixels tell a product's newer offset from its older one: by how dark the darkest are.

    Digital numbers published with the newer offset are larger, by the same step everywhere: they look *shifted*.
    """

    bands: tuple[str, ...]
    """The mission's bands that are looked at; they have to agree."""
    floor_dn: int
    """Hardly a shifted pixel is below: its reflectance would be clearly negative."""
    floor_share: float
    """They look shifted only where at most this share of pixels, in [0, 1], is below the floor."""
    below_share: float
    """They look not shifted where at least this share of pixels, in [0, 1], is below the floor."""
    dark_share: float
    """The dark end is the digital number that this share of pixels, in [0, 1], does not exceed."""
    dark_dn: int
    """They look shifted only where the dark end is at most this: ground that is bright all over could be either."""
    min_pixels: int
    """With fewer pixels that are not nodata, nothing is said."""


@dataclass(frozen=True, kw_only=True)
class OffsetChange:
    """When a product's offset became the one of its mission's convention."""

    baseline: tuple[int, int]
    """First processing baseline with it."""
    since: datetime
    """First day on which it was in use, UTC."""
    before: float
    """Offset of older baselines, unitless."""
    evidence: OffsetEvidence | None = None
    """How the pixels tell which of the two they have; None where nothing is known to tell it by."""


@dataclass(frozen=True, kw_only=True)
class Reflectance:
    """The one storage convention of a mission's aligned digital numbers."""

    scale: float
    offset: float
    """reflectance = DN * scale + offset, unitless."""
    nodata: int
    """The digital number that means missing."""
    saturated: int
    """The digital number that means "too bright to store"."""
    dtype: str = "uint16"
    offset_change: OffsetChange | None = None
    """None where the product always had this offset."""

    @property
    def fill(self) -> int:
        """What is stored where nothing was measured."""
        return self.nodata


@dataclass(frozen=True, kw_only=True)
class Power:
    """The one storage convention of a radar mission's aligned backscatter: linear power, NaN where missing."""

    quantity: str
    """What the power is: ``gamma0``."""
    nodata: tuple[float, ...]
    """What publishers write where nothing was measured, besides NaN; the one that a file states counts in it."""
    looks: float
    """Equivalent number of looks of a published pixel: the variance of speckle is the mean's square over it."""
    dtype: str = "float32"

    @property
    def fill(self) -> float:
        """What is stored where nothing was measured."""
        return float("nan")


Radiometry = Reflectance | Power


@dataclass(frozen=True, kw_only=True)
class ClassQuality:
    """A quality band whose value is a class, such as Sentinel-2 SCL."""

    names: tuple[str, ...]
    """STAC asset keys, most trusted first; quality bands have no names that catalogues agree on."""
    clear: frozenset[int]
    """Classes in which the ground was seen."""
    flags: Mapping[int, Flag]
    """Why each other class is unclear; a class in neither is unclassified."""
    severity: tuple[int, ...]
    """Classes from worst to best: a coarse pixel takes the worst class it holds."""
    nodata: int = 0
    dtype: str = "uint8"
    required: bool = True


@dataclass(frozen=True, kw_only=True)
class BitQuality:
    """A quality band of bits, such as QA60."""

    names: tuple[str, ...]
    bits: Mapping[int, Flag]
    """Bit number to reason."""
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
    """What an item has to state to be used."""

    property: str
    """Of the item, such as ``landsat:collection_category``."""
    values: tuple[str, ...]
    """Those that are used."""
    code: str
    """Of the exclusion of all others, such as ``tier_other``."""
    required: bool
    """Whether an item that does not state it is left out too."""


@dataclass(frozen=True, kw_only=True)
class Mission:
    """An instrument's product as published in STAC collections."""

    name: str
    title: str
    platforms: tuple[str, ...]
    """How the names of its platforms or constellation begin, in lower case with hyphens: ``sentinel-2``."""
    bands: Mapping[str, Band]
    """Reflectance bands by STAC common name, radar bands by polarization."""
    radiometry: Radiometry
    quality: Mapping[str, Quality]
    """Quality bands by the name they have in the lake."""
    resolution_m: int
    """The finest native pixel size, in metres."""
    stand_ins: Mapping[str, str] = field(default_factory=dict)
    """For bands that formulas of indices name and the mission has not, which of its bands they take."""
    conditions: tuple[Condition, ...] = ()
    """What else its items have to state."""
    one_orbit_direction: bool = False
    """Whether looks from the other side, ascending and descending, cannot stand in one series."""
    strips: bool = False
    """Whether files cut into strips instead of COG tiles are read too."""
    dilated: tuple[Flag, ...] = (Flag.CLOUD, Flag.SHADOW)
    """Reasons whose edges the product misses, so that the programme's dilation is for them."""

    @property
    def radar(self) -> bool:
        """Whether it measures the echo of its own waves: its indices compare with no optical one."""
        return isinstance(self.radiometry, Power)

    @property
    def indices(self) -> tuple[str, ...]:
        """Names of the indices whose bands it measures, in the order they are stored."""
        kind = RadarIndex if self.radar else SpectralIndex
        return tuple(
            name
            for name, index in INDICES.items()
            if isinstance(index, kind) and all(self.stand_ins.get(band, band) in self.bands for band in index.bands)
        )

    @property
    def offset_evidence(self) -> OffsetEvidence | None:
        """How its pixels tell one offset from another; None where there is nothing to tell."""
        change = self.radiometry.offset_change if isinstance(self.radiometry, Reflectance) else None
        return None if change is None else change.evidence

    def needs_halo(self, name: str) -> bool:
        """Whether a band's pixels around a block decide about pixels in it: quality is dilated, speckle filtered."""
        return name in self.quality or self.radar


def described(value: object) -> Any:
    """A mission, or any part of one, as JSON: what a record's parameter manifest says of it.

    All of it, so that no field can decide an output without being part of the request.

    Raises:
        TypeError: For a value that missions are not made of.
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
        # The variant's name too: a class and a bit field may have the same fields.
        parts = {field.name: described(getattr(value, field.name)) for field in fields(value)}
        return {"type": type(value).__name__, **parts}
    raise TypeError(f"{value!r} is no part of a mission")
