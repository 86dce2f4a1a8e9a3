"""The unit of radar power, by the statements of catalogues and files: linear, or decibels."""

import re
from collections.abc import Iterator, Mapping, Sequence

from mrv_assets.scenes.conditions import UnusableError
from mrv_assets.scenes.item import Item, levels_of, stated_number

POWER_CURE = "Take a collection that publishes gamma0 in linear power"

_DB = r"(?<![a-z])(?:db|decibels?)(?![a-z])"
_DECIBELS = re.compile(_DB, re.IGNORECASE)
# Texts that speak of decibels without being in them: "not dB", "to convert to dB: 10 log10(x)".
_OF_ANOTHER = re.compile(
    rf"\b(?:not|non|no|never|without)\b[\s-]+(?:\w+\s+){{0,2}}{_DB}"
    rf"|\b(?:convert|transform|conversion|can be converted|may be converted|to (?:get|obtain))\b[^.;]*?{_DB}",
    re.IGNORECASE,
)
_UNITS, _TEXTS = ("unit", "raster:unit"), ("title", "description")


def check_power(item: Item, keys: Sequence[str], item_assets: Mapping[str, object]) -> None:
    """Check that neither an item nor its collection states decibels or scaled numbers for some STAC assets.

    A stated unit decides before titles, descriptions and names of files, which are read where no unit is stated.

    Args:
        item: The STAC item.
        keys: Keys of the STAC assets that should hold power.
        item_assets: The collection's description of its items' STAC assets, by key.

    Raises:
        UnusableError: With decibels or scale_unexpected.
    """
    for key in keys:
        asset = item["assets"].get(key)
        units = [*_said(asset, _UNITS), *_said(item_assets.get(key), _UNITS)]
        texts = [*_said(asset, _TEXTS), *_said(item_assets.get(key), _TEXTS), *_file_name(asset)]
        for described in (asset, item_assets.get(key)):
            if not isinstance(described, Mapping):
                continue
            scale, offset = (stated_number(described, what) for what in ("scale", "offset"))
            if scale not in (None, 1.0) or offset not in (None, 0.0):
                detail = f"{key} states a scale of {scale} and an offset of {offset}"
                raise UnusableError("scale_unexpected", f"{detail}, and power has neither. {POWER_CURE}")
        # A unit of the whole item may be that of other files of it, which it says nothing of.
        of_item = [*_said(item.get("properties"), _UNITS)]
        if told := in_decibels(of_item, ()) or in_decibels(units, texts):
            raise UnusableError("decibels", f"{key} is in decibels by its {told}. {POWER_CURE}")


def in_decibels(units: Sequence[tuple[str, str]], texts: Sequence[tuple[str, str]]) -> str | None:
    """The statement that says decibels, in words; None where none does.

    Args:
        units: Stated units, each after the name of the field that states it.
        texts: Free texts, each after the name of its field; they count where no unit is stated.
    """
    stated = units or [(field, _OF_ANOTHER.sub(" ", text)) for field, text in texts]
    return next((f"{field} {text.strip()[:80]!r}" for field, text in stated if _DECIBELS.search(text)), None)


def _said(described: object, fields: Sequence[str]) -> Iterator[tuple[str, str]]:
    for level in levels_of(described):
        for field in fields:
            if isinstance(stated := level.get(field), str) and stated.strip():
                yield field, stated


def _file_name(asset: object) -> Iterator[tuple[str, str]]:
    if isinstance(asset, Mapping) and isinstance(href := asset.get("href"), str):
        yield "file's name", re.split(r"[?#]", href)[0].rpartition("/")[2].replace("_", " ")
