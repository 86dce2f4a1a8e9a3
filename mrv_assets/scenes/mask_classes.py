"""The meaning of a published mask's values, which publishers number differently, and the units of radar power."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mrv_assets.missions.mission import ClassQuality, Mission
from mrv_assets.scenes.conditions import UnusableError
from mrv_assets.scenes.item import Item

Classes = Mapping[int, int]
"""The mission's class of each value that the publisher uses."""

_DECIBELS = re.compile(r"(?<![a-z])(db|decibels?)(?![a-z])", re.IGNORECASE)


def mask_classes(
    item: Item, keys: Mapping[str, str], mission: Mission, item_assets: Mapping[str, object]
) -> dict[str, Classes]:
    """The meaning of each mask of an item whose values have no meaning of their own, by the mission's name for it.

    It is stated by ``classification:classes`` of the STAC asset or of the collection's description of it, or known of
    the collection.

    Args:
        item: The STAC item.
        keys: STAC asset key by the mission's name of the band, quality included.
        mission: The mission, with the words and the collections that it knows.
        item_assets: The collection's description of its items' STAC assets, by key.

    Raises:
        UnusableError: With mask_unknown, where nothing tells the meaning, or a stated class has an unknown name.
    """
    found: dict[str, Classes] = {}
    for name, quality in mission.quality.items():
        if name in keys and isinstance(quality, ClassQuality) and quality.words:
            key = keys[name]
            found[name] = _stated(item["assets"][key], key, quality) or _stated(item_assets.get(key), key, quality)
            found[name] = found[name] or _known(item, quality)
            if not found[name]:
                collections = ", ".join(f"{dialect.collection}*" for dialect in quality.dialects)
                raise UnusableError(
                    "mask_unknown",
                    f"nothing tells what the values of {key} mean: neither classification:classes of the item nor of "
                    f"its collection, and the collection {item.get('collection')} is not one of {collections}. State "
                    "the classes in the catalogue, or take a collection that does",
                )
    return found


def check_power(assets: Mapping[str, object], keys: Sequence[str]) -> None:
    """Check that an item or its collection does not state decibels for some STAC assets, by key.

    Raises:
        UnusableError: With decibels.
    """
    for key in keys:
        for where, stated in _words(assets.get(key)):
            if _DECIBELS.search(stated):
                raise UnusableError("decibels", f"{key} is in decibels by its {where} {stated[:80]!r}. {POWER_CURE}")


POWER_CURE = "Take a collection that publishes gamma0 in linear power"


def _known(item: Item, quality: ClassQuality) -> Classes:
    names = [str(item.get(key, "")).lower() for key in ("collection", "id")]
    return next(
        (known.classes for known in quality.dialects if any(name.startswith(known.collection) for name in names)), {}
    )


def _stated(asset: object, key: str, quality: ClassQuality) -> Classes:
    """The classes that a STAC asset states; empty where it states none.

    Raises:
        UnusableError: With mask_unknown, where a name is unknown.
    """
    classes: dict[int, int] = {}
    for level in _levels(asset):
        listed = level.get("classification:classes")
        for entry in listed if isinstance(listed, list) else ():
            value = entry.get("value") if isinstance(entry, Mapping) else None
            if not isinstance(value, int) or isinstance(value, bool):
                continue
            names = [entry[field] for field in ("name", "title", "description") if isinstance(entry.get(field), str)]
            meanings = [quality.words[word] for name in names if (word := _plain(name)) in quality.words]
            if not meanings:
                raise UnusableError(
                    "mask_unknown",
                    f"value {value} of {key} is called {(names or ['nothing'])[0][:80]!r}; known are "
                    f"{', '.join(quality.words)}. Name the classes so in the catalogue",
                )
            classes[value] = meanings[0]
    return classes


def _levels(asset: object) -> Iterator[Mapping[str, Any]]:
    """A STAC asset, and its only band as either version of STAC writes it."""
    if isinstance(asset, Mapping):
        yield asset
        for field in ("raster:bands", "bands"):
            bands = asset.get(field)
            if isinstance(bands, list) and len(bands) == 1 and isinstance(bands[0], Mapping):
                yield bands[0]


def _words(asset: object) -> Iterator[tuple[str, str]]:
    for level in _levels(asset):
        for field in ("unit", "raster:unit", "title", "description"):
            if isinstance(stated := level.get(field), str):
                yield field, stated


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", " ", name.lower()).strip()
