"""The programme, as frozen models; a field's description says what to write there."""

import os
import re
import unicodedata
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    model_validator,
)
from pydantic_core import PydanticCustomError

from mrv_assets.audit.manual_decisions import Reviewer, public_key
from mrv_assets.errors import TileError
from mrv_assets.science.blocks import HALO_PX
from mrv_assets.science.grid import tile_grid

CATALOGUES = ("earth-search", "planetary-computer", "usgs")
"""Preset names of public STAC APIs."""
_LOOPBACK = ("127.0.0.1", "localhost", "::1")

_FROZEN = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)


def _month(value: object) -> object:
    if isinstance(value, str) and re.fullmatch(r"[12][0-9]{3}-(0[1-9]|1[0-2])", value):
        return value
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d{1,2}-\d{1,2}([Tt ].*)?", value):
        raise _wrong("it is a day, not a month")
    raise _wrong("it is not a month")


def _catalogue(value: str) -> str:
    if "://" not in value:
        if not value.strip():
            raise _wrong("it is empty")
        return value
    try:
        url = urlsplit(value)
        host, userinfo = url.hostname, url.username or url.password
    except ValueError:
        raise _wrong("it is not a URL") from None
    if userinfo:
        raise _wrong("it holds a user name or password", "Keep secrets out of the programme file, which records repeat")
    # Only this machine may be read over http, and only where the deployment allows it.
    if not host or url.scheme not in (("http", "https") if host in _LOOPBACK else ("https",)):
        raise _wrong("it is not an https URL")
    return value


def _reason(value: object) -> object:
    return value.strip() if isinstance(value, str) else value


def _spelled_once(tiles: dict[str, str]) -> dict[str, str]:
    seen: dict[str, str] = {}
    for parcel_id in tiles:
        plain = unicodedata.normalize("NFC", parcel_id)
        if plain in seen:
            raise _wrong(f"{parcel_id[:80]!r} stands twice, in two Unicode forms", "Keep one of them")
        seen[plain] = parcel_id
    return tiles


def _tile(value: str) -> str:
    try:
        tile_grid(value)
    except TileError as error:
        raise _wrong(f"it is {error.reason}" if error.reason.startswith("not") else error.reason) from None
    return value


def _wrong(reason: str, cure: str | None = None) -> PydanticCustomError:
    return PydanticCustomError("mrv", "{reason}", {"reason": reason, "cure": cure})


Month = Annotated[str, BeforeValidator(_month)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Text = Annotated[str, Field(min_length=1)]

# A field's description says what to write there: it ends every error's message.


class Months(BaseModel):
    """Months from the first to the last, both included."""

    model_config = _FROZEN
    start: Month = Field(description="the first month, such as 2018-01")
    end: Month = Field(description="the last month, such as 2018-12")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.start > self.end:
            raise _wrong(f"it starts with {self.start}, after its end {self.end}", "Swap them, or correct one")
        return self


class AnalysisGrid(BaseModel):
    """The grid of all computations, in each tile's own UTM zone."""

    model_config = _FROZEN
    crs: Literal["utm"] = Field(
        default="utm",
        description="utm, each tile's own UTM zone. A grid in degrees such as EPSG:4326 is an export grid: "
        "compute in utm, then export",
    )
    resolution_m: Literal[10, 20, 30, 60] = Field(
        default=10, description="the pixel size in metres: 10, 20, 30 or 60, so that pixels divide a tile"
    )


class MissionSource(BaseModel):
    """The catalogue and collection of a mission's scenes."""

    model_config = _FROZEN
    catalog: Annotated[str, AfterValidator(_catalogue)] = Field(
        description=f"one of {', '.join(CATALOGUES)}, an https address of a STAC API, or the path of a static "
        "catalogue's folder or catalog.json, as seen from the programme file"
    )
    collection: Text = Field(description="the id of a STAC collection, such as sentinel-2-c1-l2a")
    integrity: Literal["ranges", "full"] = Field(
        default="ranges",
        description="ranges, which reads what is needed, or full, which also reads every file whole and compares "
        "it with the checksum its publisher states",
    )
    offset: float | None = Field(
        default=None,
        description="the offset of reflectance that all its scenes have, such as 0 or -0.1, where catalogue and files "
        "do not settle it; leave it out otherwise",
    )

    @property
    def on_disk(self) -> bool:
        """Whether it is a static catalogue on disk."""
        return self.catalog not in CATALOGUES and "://" not in self.catalog


class ExcludedItem(BaseModel):
    """An item that the programme leaves out."""

    model_config = _FROZEN
    item: Text = Field(description="the id of a STAC item, as its catalogue has it")
    reason: Annotated[str, Field(min_length=1, max_length=500), BeforeValidator(_reason)] = Field(
        description="why it is left out, for auditors"
    )


def _each_item_once(excluded: tuple[ExcludedItem, ...]) -> tuple[ExcludedItem, ...]:
    ids = [each.item for each in excluded]
    if twice := next((item for number, item in enumerate(ids) if item in ids[:number]), None):
        raise _wrong(f"{twice[:80]!r} stands twice", "Name each item once")
    return excluded


class Gate(BaseModel):
    """Thresholds of the gate for a tile's month."""

    model_config = _FROZEN
    min_coverage: Fraction = Field(
        default=0.65, description="the least share of the parcels' area seen clear, from 0 to 1, such as 0.65"
    )
    cloud_probability: Fraction = Field(
        default=0.15, description="the cloud probability from which a pixel is unclear, from 0 to 1, such as 0.15"
    )
    dilation_px: int = Field(
        default=3,
        ge=0,
        le=HALO_PX,
        description=f"by how many whole pixels cloud and shadow grow, from 0 to {HALO_PX}, such as 3",
    )
    min_scene_clear: Fraction = Field(
        default=0.0, description="the least clear share for a scene to be used, from 0 to 1, such as 0.0"
    )


def _one_line(value: str) -> str:
    if not value.isprintable() or value != value.strip():
        raise _wrong("it is not one plain line")
    return value


def _public_key(value: str) -> str:
    if "PRIVATE" in value:
        raise _wrong("it is a private key", "Make another with `mrv keys new`: this one is not secret any more")
    try:
        public_key(value)
    except ValueError:
        raise _wrong("it is not an Ed25519 public key in PEM") from None
    return value


class ProgramReviewer(BaseModel):
    """A reviewer, who may decide on months that the gate rejected."""

    model_config = _FROZEN
    name: Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_one_line)] = Field(
        description="the reviewer's name, as decisions have it"
    )
    role: Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_one_line)] = Field(
        description="the reviewer's role, such as lead reviewer"
    )
    public_key: Annotated[str, AfterValidator(_public_key)] = Field(
        description="the public key that `mrv keys new` printed, with its BEGIN and END lines"
    )

    @property
    def reviewer(self) -> Reviewer:
        """The reviewer in the form that decisions are checked with."""
        return Reviewer(name=self.name, role=self.role, public_key=self.public_key)


def _each_once(reviewers: tuple[ProgramReviewer, ...]) -> tuple[ProgramReviewer, ...]:
    known = [stated.reviewer for stated in reviewers]
    for what, values in (("name", [each.name for each in known]), ("public key", [each.key_id for each in known])):
        if len(set(values)) < len(values):
            raise _wrong(f"two of them have the same {what}", "Each reviewer is one person with one key")
    return reviewers


class Program(BaseModel):
    """A programme: parcels, months, missions and thresholds."""

    model_config = _FROZEN
    program: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")] = Field(
        description="a name of up to 63 small letters, digits, - and _, such as sw-romania-forest"
    )
    parcels: Text = Field(description="the path of a GeoJSON or GeoParquet file, as seen from the programme file")
    months: Months = Field(description="the months to report, such as {start: 2018-01, end: 2018-12}")
    baseline: Months | None = Field(
        default=None, description="the months to compare with, such as {start: 2017-01, end: 2017-12}"
    )
    reporting: dict[str, str] = Field(
        default_factory=dict,
        description='texts that records repeat as they stand, such as {scope: "3"}; numbers go in quotes',
    )
    grid: AnalysisGrid = Field(
        default_factory=AnalysisGrid, description="the analysis grid, such as {crs: utm, resolution_m: 10}"
    )
    missions: dict[str, MissionSource] = Field(
        min_length=1,
        description="each mission's source, such as sentinel2: {catalog: earth-search, collection: sentinel-2-c1-l2a}",
    )
    exclude: Annotated[tuple[ExcludedItem, ...], Field(strict=False), AfterValidator(_each_item_once)] = Field(
        default=(),
        description="items that are not used, whatever the catalogue says, such as - {item: S2A_1, reason: smoke}",
    )
    gate: Gate = Field(default_factory=Gate, description="the thresholds, such as {min_coverage: 0.65}")
    # load_program fills it in where there is one mission.
    substitution: Annotated[tuple[str, ...], Field(strict=False)] = Field(
        description="the missions in the order they stand in for one another, such as [sentinel2, landsat]"
    )
    allow_sar: bool = Field(
        default=False, description="whether a radar may stand in where no optical mission saw enough: true or false"
    )
    fusion: bool = Field(
        default=False,
        description="whether gaps of an optical mission are filled from the next one, pixel by pixel, and a radar's "
        "indices stand beside: true or false",
    )
    min_native_pixels: int = Field(
        default=9,
        ge=0,
        le=10_000,
        description="how many of a substitute's own pixels a parcel must span to get a value from it, such as 9",
    )
    composite: Literal["mean", "median"] = Field(
        default="mean", description="how a month's observations become one value: mean or median"
    )
    bandpass: Literal["none", "hls-s2a"] = Field(
        default="none",
        description="none, or hls-s2a, which makes Sentinel-2 comparable with Landsat before indices",
    )
    speckle: Literal["none", "lee7"] = Field(
        default="lee7", description="the filter of Sentinel-1's speckle: lee7, or none"
    )
    orbit_direction: Literal["ascending", "descending"] = Field(
        default="descending",
        description="from which side Sentinel-1 looks, for all months: descending or ascending",
    )
    snow_is_clear: bool = Field(default=False, description="true, if snow counts as ground that was seen, or false")
    tiles: Annotated[dict[str, Annotated[str, AfterValidator(_tile)]], AfterValidator(_spelled_once)] = Field(
        default_factory=dict,
        description="parcel ids with the tile that shall own them, such as {plot-7: 34VFM}; numbers go in quotes",
    )
    reviewers: Annotated[tuple[ProgramReviewer, ...], Field(strict=False), AfterValidator(_each_once)] = Field(
        default=(), description="a list of reviewers, each as `mrv keys new` prints it"
    )
    _path: Path = PrivateAttr()

    @property
    def the_reviewers(self) -> tuple[Reviewer, ...]:
        """The reviewers who may decide on months that the gate rejected."""
        return tuple(stated.reviewer for stated in self.reviewers)

    def placed(self, path: Path) -> Self:
        """This programme, with the path of the file it was read from."""
        self._path = path.resolve()
        return self

    @property
    def path(self) -> Path:
        """The programme file."""
        return self._path

    @property
    def parcels_path(self) -> Path:
        """The parcels file."""
        # Not resolved: the ending of the name that the programme has says what the file is.
        return Path(os.path.abspath(self._path.parent / self.parcels))  # noqa: PTH100

    def catalog_at(self, mission: str) -> str:
        """A mission's catalogue: a preset's name, an address, or the absolute path of a static catalogue on disk."""
        source = self.missions[mission]
        return str((self._path.parent / source.catalog).resolve()) if source.on_disk else source.catalog

    @property
    def first_month(self) -> str:
        """The first month of the partitions, ``YYYY-MM``: the baseline's first month, if that is earlier."""
        return min(months.start for months in (self.months, self.baseline) if months is not None)

    @property
    def last_month(self) -> str:
        """The last month of the partitions, ``YYYY-MM``, whether it is over or not."""
        return self.months.end

    @property
    def partition_months(self) -> tuple[str, ...]:
        """The months of the partitions that are over today (UTC), ``YYYY-MM``."""
        return self.months_before(datetime.now(UTC).date())

    def months_before(self, day: date) -> tuple[str, ...]:
        """The months of the partitions that are over on a day, ``YYYY-MM``."""
        start, end = _counted(self.first_month), _counted(self.last_month)
        return tuple(
            f"{n // 12:04d}-{n % 12 + 1:02d}" for n in range(start, min(end, day.year * 12 + day.month - 2) + 1)
        )


def _counted(month: str) -> int:
    """Months since the year 0."""
    return int(month[:4]) * 12 + int(month[5:]) - 1
