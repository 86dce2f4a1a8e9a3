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
_DATASTRIP = re.compile(r"_DS_\w{1,80}_S(?P<sensed>\d{8}T\d{6})(?:_|$)")
_TILE = re.compile(r"\d{1,2}[A-Z]{3}")
_LANDSAT = re.compile(
    r"L[COTEM]0(?P<satellite>\d)_L\w{3}_(?P<path>\d{3})(?P<row>\d{3})_(?P<day>\d{8})(?:_(?P<generated>\d{8}))?_\d{2}_(?:T1|T2|RT)"
)
_SENTINEL1 = re.compile(
    r"S1(?P<platform>[A-D])_(?P<mode>IW|EW|S\d|WV)_\w{4}_\w{4}_(?P<start>\d{8}T\d{6})_(?P<stop>\d{8}T\d{6})_(?P<orbit>\d{6})_"
)
_OPERA = re.compile(
    r"OPERA_L2_RTC-S1_(?P<burst>T\d{3}-\d{6}-\w{3})_(?P<start>\d{8}T\d{6})Z_(?P<generated>\d{8}T\d{6})Z"
    r"_S1(?P<platform>[A-D])_\d+_v(?P<version>[\d.]+)"
)


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
    scene: str
    """The scene by its product's name, such as ``landsat-8/185029/20180705``; empty for Sentinel-2, and where the name
    is not known."""
    baseline: Baseline | None
    generated: datetime | None
    """Time at which this copy was generated, UTC."""
    version: tuple[int, ...]
    """Version of this copy, part by part."""
    deprecated: bool
    """Whether its catalogue calls it deprecated."""

    @property
    def identity(self) -> tuple[object, ...] | None:
        """The fields that all copies of one scene share; None where the item does not state enough of them.

        Without the datastrip, the two halves of a split datatake would be taken for copies of each other.
        """
        if self.scene:
            return (self.scene,)
        return (*self.datatake_identity, self.datastrip) if self.datatake_identity and self.datastrip else None

    @property
    def datatake_identity(self) -> tuple[object, ...] | None:
        """The fields that all scenes of one datatake and tile share; None where the item does not state them."""
        if not (self.platform and self.datatake and self.tile):
            return None
        return self.platform, self.datatake, self.tile, self.relative_orbit


def product_of(item: Item) -> Product:
    """The product of an item, by its own fields or by the publisher's names that it quotes."""
    name, datatake = _fields(_PRODUCT, item), _fields(_DATATAKE, item)
    landsat, sentinel1, opera = (_fields(pattern, item) for pattern in (_LANDSAT, _SENTINEL1, _OPERA))
    letter = name.get("platform") or datatake.get("platform")
    relative, absolute = (whole_number(item, f"sat:{kind}_orbit") for kind in ("relative", "absolute"))
    platform = _slug(text(item, "platform")) or (f"sentinel-2{letter.lower()}" if letter else "")
    generated = (
        *(text(item, key) for key in ("s2:generation_time", "landsat:product_generated", "processing:datetime")),
        *(part.get("generated", "") for part in (name, opera, landsat)),
        text(item, "created"),
    )
    return Product(
        platform=platform,
        constellation=_slug(text(item, "constellation")),
        # The ids of datatake and datastrip contain the baseline, in which copies differ; their times are equal.
        datatake=datatake.get("start") or name.get("start", ""),
        datastrip=_fields(_DATASTRIP, item).get("sensed", ""),
        tile=_tile(item) or name.get("tile", ""),
        relative_orbit=int(name["orbit"]) if relative is None and name else relative,
        absolute_orbit=int(datatake["orbit"]) if absolute is None and datatake else absolute,
        scene=_landsat_scene(item, platform, landsat) or _sentinel1_scene(sentinel1, opera),
        baseline=baseline_of(item),
        generated=next((moment for stated in generated if (moment := instant(stated)) is not None), None),
        version=_version(opera.get("version") or properties(item).get("version", item.get("version"))),
        deprecated=str(properties(item).get("deprecated", item.get("deprecated"))).lower() == "true",
    )


def _landsat_scene(item: Item, platform: str, name: dict[str, str]) -> str:
    """A satellite looks at one path and row at most once a day."""
    if name:
        return f"landsat-{name['satellite']}/{name['path']}{name['row']}/{name['day']}"
    path, row = (str(properties(item).get(f"landsat:wrs_{part}", "")) for part in ("path", "row"))
    sensed = instant(text(item, "datetime"))
    if not (platform.startswith("landsat") and path.isdigit() and row.isdigit() and sensed):
        return ""
    return f"{platform}/{int(path):03d}{int(row):03d}/{sensed:%Y%m%d}"


def _sentinel1_scene(name: dict[str, str], opera: dict[str, str]) -> str:
    if opera:
        return f"sentinel-1{opera['platform'].lower()}/{opera['burst']}/{opera['start']}"
    if name:
        return f"sentinel-1{name['platform'].lower()}/{name['mode']}/{name['start']}/{name['stop']}/{name['orbit']}"
    return ""


def _version(stated: object) -> tuple[int, ...]:
    """The whole numbers of a version's text; empty where there is none."""
    text = str(stated) if isinstance(stated, str | int | float) and not isinstance(stated, bool) else ""
    return tuple(int(part) for part in re.findall(r"\d{1,9}", text))


def _fields(pattern: re.Pattern[str], item: Item) -> dict[str, str]:
    """The parts of a publisher's name, from the first place of an item that quotes one; empty where none does."""
    matches = (pattern.search(stated) for stated in _texts(item))
    return next((match.groupdict(default="") for match in matches if match), {})


def _texts(item: Item) -> Iterator[str]:
    """The texts of an item that may quote a product's name: its properties, and its id."""
    for stated in (*properties(item).values(), item.get("id")):
        if isinstance(stated, str) and len(stated) <= LONGEST:
            yield stated


def _slug(stated: str) -> str:
    """A name in one spelling: ``sentinel-2a`` for ``Sentinel-2A``, and ``sentinel-2`` for ``Sentinel 2``."""
    return re.sub(r"[^a-z0-9]+", "-", stated.lower()).strip("-")


def _tile(item: Item) -> str:
    for stated in (text(item, "s2:mgrs_tile"), text(item, "grid:code").removeprefix("MGRS-")):
        name = stated.upper().removeprefix("T")
        if _TILE.fullmatch(name):
            return name.zfill(5)
    return ""
