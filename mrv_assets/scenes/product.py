"""The product of a Sentinel-2 scene: its datatake, datastrip and tile, and the processing that generated it."""

import re
from dataclasses import dataclass
from datetime import datetime

from mrv_assets.scenes.baseline import Baseline, baseline_of
from mrv_assets.scenes.item import Item, instant, text, whole_number

_PRODUCT = re.compile(
    r"S2(?P<platform>[A-Z])_MSIL\w{2}_(?P<start>\d{8}T\d{6})_N\d{4}_R(?P<orbit>\d{3})"
    r"_T(?P<tile>\d{2}[A-Z]{3})_(?P<generated>\d{8}T\d{6})"
)
_DATATAKE = re.compile(r"GS2(?P<platform>[A-Z])_(?P<start>\d{8}T\d{6})_(?P<orbit>\d{6})_N\d{2}\.\d{2}")
_DATASTRIP = re.compile(r"_S(?P<sensed>\d{8}T\d{6})(?:_|$)")
_TILE = re.compile(r"\d{1,2}[A-Z]{3}")


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
    baseline: Baseline | None
    generated: datetime | None
    """Time at which this copy was generated, UTC."""

    @property
    def identity(self) -> tuple[str, str, str, int | None, str] | None:
        """The fields that all copies of one scene share; None where the item does not state enough of them.

        Without the datastrip, the two halves of a split datatake would be taken for copies of each other.
        """
        if not (self.platform and self.datatake and self.datastrip and self.tile):
            return None
        return self.platform, self.datatake, self.tile, self.relative_orbit, self.datastrip


def product_of(item: Item) -> Product:
    """The product of an item, by its own fields or by the ESA names that it quotes."""
    name = _fields(_PRODUCT, item, "s2:product_uri")
    datatake = _fields(_DATATAKE, item, "s2:datatake_id", "eopf:datatake_id")
    letter = name.get("platform") or datatake.get("platform")
    relative, absolute = (whole_number(item, f"sat:{kind}_orbit") for kind in ("relative", "absolute"))
    return Product(
        platform=_slug(text(item, "platform")) or (f"sentinel-2{letter.lower()}" if letter else ""),
        constellation=_slug(text(item, "constellation")),
        # The ids of datatake and datastrip contain the baseline, in which copies differ; their times are equal.
        datatake=datatake.get("start") or name.get("start", ""),
        datastrip=_fields(_DATASTRIP, item, "s2:datastrip_id", "eopf:datastrip_id").get("sensed", ""),
        tile=_tile(item) or name.get("tile", ""),
        relative_orbit=int(name["orbit"]) if relative is None and name else relative,
        absolute_orbit=int(datatake["orbit"]) if absolute is None and datatake else absolute,
        baseline=baseline_of(item),
        generated=instant(text(item, "s2:generation_time"))
        or instant(text(item, "processing:datetime"))
        or instant(name.get("generated", ""))
        or instant(text(item, "created")),
    )


def _fields(pattern: re.Pattern[str], item: Item, *keys: str) -> dict[str, str]:
    """The parts of an ESA name, from the first of the properties that holds one; empty where none does."""
    matches = (pattern.search(text(item, key)) for key in keys)
    return next((match.groupdict() for match in matches if match), {})


def _slug(stated: str) -> str:
    """A name in one spelling: ``sentinel-2a`` for ``Sentinel-2A``, and ``sentinel-2`` for ``Sentinel 2``."""
    return re.sub(r"[^a-z0-9]+", "-", stated.lower()).strip("-")


def _tile(item: Item) -> str:
    for stated in (text(item, "s2:mgrs_tile"), text(item, "grid:code").removeprefix("MGRS-")):
        name = stated.upper().removeprefix("T")
        if _TILE.fullmatch(name):
            return name.zfill(5)
    return ""
