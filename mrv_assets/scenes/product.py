"""The product of a scene: which scene it is a copy of, and the processing that generated this copy."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from mrv_assets.scenes.baseline import LONGEST, Baseline, baseline_of
from mrv_assets.scenes.item import Item, instant, properties, text, whole_number

_PRODUCT = re.compile(
    r"S2(?P<platform>[A-Z])_MSIL2A_(?P<start>\d{8}T\d{6})_N\d{4}_R(?P<orbit>\d{3})"
    r"_T(?P<tile>\d{2}[A-Z]{3})_(?P<generated>\d{8}T\d{6})"
)
_DATATAKE = re.compile(r"GS2(?P<platform>[A-Z])_(?P<start>\d{8}T\d{6})_(?P<orbit>\d{6})_N\d{2}\.\d{2}")
_DATASTRIP = re.compile(
    r"S2[A-Z]_OPER_\w{1,80}?_DS_\w{1,80}?_(?P<generated>\d{8}T\d{6})_S(?P<sensed>\d{8}T\d{6})(?:_|$)"
)
_TILE = re.compile(r"\d{1,2}[A-Z]{3}")
_LANDSAT = re.compile(
    r"L[COTEM]0(?P<satellite>\d)_L2\w{2}_(?P<path>\d{3})(?P<row>\d{3})_(?P<day>\d{8})(?:_(?P<generated>\d{8}))?_\d{2}_(?:T1|T2|RT)"
)
_SENTINEL1 = re.compile(
    r"S1(?P<platform>[A-D])_(?P<mode>IW|EW|S\d|WV)_\w{4}_\w{4}_(?P<start>\d{8}T\d{6})_(?P<stop>\d{8}T\d{6})_(?P<orbit>\d{6})_"
)
_OPERA = re.compile(
    r"OPERA_L2_RTC-S1_(?P<burst>T\d{3}-\d{6}-\w{3})_(?P<start>\d{8}T\d{6})Z_(?P<generated>\d{8}T\d{6})Z"
    r"_S1(?P<platform>[A-D])_\d+_v(?P<version>[\d.]+)"
)


_GENERATED = ("s2:generation_time", "landsat:product_generated", "s1:processing_datetime", "processing:datetime")

Version = tuple[tuple[int, ...], bool]
"""The numbers of a version, and whether it is more than a candidate for them."""


@dataclass(frozen=True, kw_only=True)
class Product:
    """Place, time and processing of a product by its item; None or empty where the item does not state them."""

    platform: str
    """Such as ``sentinel-2a``."""
    constellation: str
    """Such as ``sentinel-2``."""
    datatake: str
    """Sensing start of the datatake."""
    datastrip: str
    """Sensing time of the datastrip."""
    tile: str
    """MGRS name, such as ``34TER``."""
    relative_orbit: int | None
    absolute_orbit: int | None
    look: "Look | None"
    """The scene by its product's name; None for Sentinel-2, and where the name is not known."""
    baseline: Baseline | None
    release: Version
    """Version of the processor by the product's name, where names have it and time of generation does not tell."""
    generated: datetime | None
    """Time at which this copy was generated, UTC."""
    version: Version
    """Version of this copy."""
    created: datetime | None
    """Time at which the item was put into its catalogue, UTC."""
    deprecated: bool
    """Whether its catalogue calls it deprecated."""


@dataclass(frozen=True, kw_only=True)
class Look:
    """One scene of Landsat or Sentinel-1, by the parts of its product's name."""

    named: tuple[str, ...]
    """Parts that all its copies have in common, the satellite first."""
    times: tuple[datetime, ...] = ()
    """Times that copies have in common to some seconds: a processor may cut a scene a little otherwise."""


def product_of(item: Item) -> Product:
    """The product of an item, by its own fields or by the publisher's names that it quotes."""
    name, datatake = _fields(_PRODUCT, item), _fields(_DATATAKE, item)
    landsat, sentinel1, opera = (_fields(pattern, item) for pattern in (_LANDSAT, _SENTINEL1, _OPERA))
    letter = name.get("platform") or datatake.get("platform")
    relative, absolute = (whole_number(item, f"sat:{kind}_orbit") for kind in ("relative", "absolute"))
    platform = _slug(text(item, "platform")) or (f"sentinel-2{letter.lower()}" if letter else "")
    datastrip = _fields(_DATASTRIP, item)
    generated = (
        *(text(item, key) for key in _GENERATED),
        *(part.get("generated", "") for part in (name, opera, landsat, datastrip)),
    )
    return Product(
        platform=platform,
        constellation=_slug(text(item, "constellation")),
        # The ids of datatake and datastrip contain the baseline, in which copies differ; their times are equal.
        datatake=datatake.get("start") or name.get("start", ""),
        datastrip=datastrip.get("sensed", ""),
        tile=_tile(item) or name.get("tile", ""),
        relative_orbit=int(name["orbit"]) if relative is None and name else relative,
        absolute_orbit=int(datatake["orbit"]) if absolute is None and datatake else absolute,
        look=_landsat_look(item, platform, landsat) or _sentinel1_look(sentinel1, opera),
        baseline=baseline_of(item),
        release=_version(opera.get("version")),
        generated=next((moment for stated in generated if (moment := instant(stated)) is not None), None),
        version=_version(properties(item).get("version", item.get("version"))),
        created=instant(text(item, "created")),
        deprecated=str(properties(item).get("deprecated", item.get("deprecated"))).lower() == "true",
    )


def _landsat_look(item: Item, platform: str, name: dict[str, str]) -> Look | None:
    """A satellite looks at one path and row at most once a day."""
    if name:
        return Look(named=(f"landsat-{name['satellite']}", f"{name['path']}{name['row']}", name["day"]))
    path, row = (_number(properties(item).get(f"landsat:wrs_{part}")) for part in ("path", "row"))
    sensed = instant(text(item, "datetime"))
    if not platform.startswith("landsat") or path is None or row is None or sensed is None:
        return None
    return Look(named=(platform, f"{path:03d}{row:03d}", f"{sensed:%Y%m%d}"))


def _number(stated: object) -> int | None:
    """A whole number in any spelling: 29, 29.0, "029"."""
    match = re.fullmatch(r"\s*(\d{1,9})(?:\.0*)?\s*", str(stated)) if not isinstance(stated, bool) else None
    return int(match[1]) if match else None


def _sentinel1_look(name: dict[str, str], opera: dict[str, str]) -> Look | None:
    if opera:
        sensed = instant(opera["start"])
        platform = f"sentinel-1{opera['platform'].lower()}"
        return Look(named=(platform, opera["burst"]), times=(sensed,)) if sensed else None
    if name:
        times = tuple(moment for part in ("start", "stop") if (moment := instant(name[part])) is not None)
        return Look(named=(f"sentinel-1{name['platform'].lower()}", name["mode"], name["orbit"]), times=times)
    return None


def _version(stated: object) -> Version:
    """The whole numbers of a version's text, and whether it is final; empty where there is none.

    ``1.0.0-rc1`` comes before ``1.0.0``.
    """
    text = str(stated) if isinstance(stated, str | int | float) and not isinstance(stated, bool) else ""
    numbers, _, rest = text.partition("-")
    early = re.search(r"(?:alpha|beta|rc|dev|pre|a|b)\.?\d*$", rest or numbers, re.IGNORECASE)
    parts = tuple(int(part) for part in re.findall(r"\d{1,9}", numbers if rest and early else text))
    return parts, early is None


def _fields(pattern: re.Pattern[str], item: Item) -> dict[str, str]:
    """The parts of a publisher's name, from the first place of an item that is one; empty where none is."""
    matches = (pattern.match(stated) for stated in _names(item))
    return next((match.groupdict(default="") for match in matches if match), {})


def _names(item: Item) -> Iterator[str]:
    """The texts of an item that may be its product's name or a path to it: its own id first, then its properties.

    A text that only speaks of a product somewhere may speak of another one.
    """
    for stated in (item.get("id"), *properties(item).values()):
        if isinstance(stated, str) and len(stated) <= LONGEST:
            yield stated
            if "/" in stated:
                yield stated.rstrip("/").rpartition("/")[2]


def _slug(stated: str) -> str:
    """A name in one spelling: ``sentinel-2a`` for ``Sentinel-2A``, and ``sentinel-2`` for ``Sentinel 2``."""
    return re.sub(r"[^a-z0-9]+", "-", stated.lower()).strip("-")


def _tile(item: Item) -> str:
    parts = [
        "".join(
            str(properties(item).get(f"{prefix}:{part}", "")) for part in ("utm_zone", "latitude_band", "grid_square")
        )
        for prefix in ("mgrs", "sentinel")
    ]
    for stated in (text(item, "s2:mgrs_tile"), text(item, "grid:code").removeprefix("MGRS-"), *parts):
        name = stated.upper().removeprefix("T")
        if _TILE.fullmatch(name):
            return name.zfill(5)
    return ""
