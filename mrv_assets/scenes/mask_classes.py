"""The meaning of a published mask's values, which publishers number differently."""

import math
import re
from collections.abc import Collection, Mapping, Sequence

from mrv_assets.missions.mission import ClassQuality, Mission
from mrv_assets.scenes.bands import Files, is_jp2
from mrv_assets.scenes.conditions import UnusableError
from mrv_assets.scenes.item import Item, item_id, levels_of

Classes = Mapping[int, int]
"""The mission's class of each value that the publisher uses."""

MASK_UNKNOWN = "mask_unknown"
"""Code of an item with a mask whose values have no known meaning."""


_MASK = re.compile(r"mask|layover|shadow")
_NOT_A_MASK = re.compile(r"image/(png|jpe?g|webp|gif)|text/|application/(geo\+)?(json|xml|pdf)|html")
_ROLES_OF_OTHERS = frozenset({"thumbnail", "overview", "metadata", "visual"})


def mask_key(
    files: Files, taken: Collection[str], quality: ClassQuality, item_assets: Mapping[str, object]
) -> str | None:
    """Key of the file that holds a mask whose values have no meaning of their own; None where there is none.

    Publishers call it as they like: it is a file that its key, its role, its title or stated classes call one, in the
    item or in the collection. A mask that is passed over would let pixels count that its publisher calls invalid.

    Args:
        files: The item's files by key.
        taken: Keys of the files that hold measured bands.
        quality: The mission's mask.
        item_assets: The collection's description of its items' STAC assets, by key.

    Raises:
        UnusableError: With mask_unknown, where there are several, or the only one is JPEG 2000.
    """
    keys = [
        key
        for key, asset in files.items()
        if key not in taken and (key in quality.names or _is_mask(key, (asset, item_assets.get(key))))
    ]
    # One file may stand under two keys.
    by_link = {
        files[key]["href"]: key for key in sorted(keys, key=lambda key: (key not in quality.names, key), reverse=True)
    }
    masks = sorted(by_link.values())
    if len(masks) > 1:
        raise UnusableError(
            MASK_UNKNOWN,
            f"it has several masks ({', '.join(masks)}), and one is read. Take a collection whose items have one",
        )
    if masks and is_jp2(files[masks[0]]):
        raise UnusableError(MASK_UNKNOWN, f"{masks[0]} is published only as JPEG 2000, which is not read")
    return masks[0] if masks else None


def _is_mask(key: str, described: Sequence[object]) -> bool:
    levels = [level for one in described for level in levels_of(one)]
    roles = {str(role).lower() for level in levels if isinstance(listed := level.get("roles"), list) for role in listed}
    types = [str(level.get("type", "")).lower() for level in levels]
    if roles & _ROLES_OF_OTHERS or any(_NOT_A_MASK.search(type_) for type_ in types):
        return False
    titles = [str(level.get("title", "")).lower() for level in levels]
    if any(_MASK.search(name) for name in (key.lower(), *roles, *titles)):
        return True
    return any(f"classification:{what}" in level for level in levels for what in ("classes", "bitfields"))


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
        UnusableError: With mask_unknown, where nothing tells the meaning, or a statement of it is not understood or
            contradicts itself.
    """
    found: dict[str, Classes] = {}
    for name, quality in mission.quality.items():
        if name in keys and isinstance(quality, ClassQuality) and quality.words:
            key = keys[name]
            found[name] = _stated(item["assets"][key], key, quality) or _stated(item_assets.get(key), key, quality)
            found[name] = found[name] or _known(item, quality)
            if not found[name]:
                raise UnusableError(
                    MASK_UNKNOWN,
                    f"nothing tells what the values of {key} mean: neither classification:classes of the item nor of "
                    f"its collection, and the publisher of the collection {item.get('collection')} is not known. State "
                    "the classes in the catalogue, or take a collection that does",
                )
    return found


def _known(item: Item, quality: ClassQuality) -> Classes:
    stated = item.get("collection")
    collection, own = stated.lower() if isinstance(stated, str) else "", item_id(item).lower()
    known = [
        dialect.classes
        for dialect in quality.dialects
        if re.fullmatch(dialect.collection, collection) or re.match(dialect.item, own)
    ]
    # An item that looks like those of two publishers is of neither.
    return known[0] if len(known) == 1 else {}


def _stated(asset: object, key: str, quality: ClassQuality) -> Classes:
    """The classes that a STAC asset states; empty where it states none.

    Raises:
        UnusableError: With mask_unknown, where a statement is not understood, or one value has two meanings.
    """
    classes: dict[int, int] = {}
    for level in levels_of(asset):
        listed = level.get("classification:classes")
        if listed is None:
            if level.get("classification:bitfields") is not None:
                raise UnusableError(
                    MASK_UNKNOWN,
                    f"{key} states bit fields, which are not read. Take a collection with a mask of classes",
                )
            continue
        for entry in listed if isinstance(listed, list) else (listed,):
            value, meaning = _entry(entry, key, quality)
            if classes.setdefault(value, meaning) != meaning:
                raise UnusableError(
                    MASK_UNKNOWN, f"value {value} of {key} is stated twice, with two meanings. Correct the catalogue"
                )
    return classes


def _entry(entry: object, key: str, quality: ClassQuality) -> tuple[int, int]:
    """A published value and the mission's class of it."""
    stated = entry.get("value") if isinstance(entry, Mapping) else None
    value = _whole(stated)
    if value is None or not isinstance(entry, Mapping):
        raise UnusableError(
            MASK_UNKNOWN, f"a class of {key} has the value {str(stated)[:80]!r}, which is not a whole number. "
            "Correct classification:classes in the catalogue"
        )  # fmt: skip
    names = [text for field in ("name", "title", "description") if isinstance(text := entry.get(field), str)]
    meanings = {quality.words[word] for name in names if (word := _plain(name)) in quality.words}
    if not meanings:
        raise UnusableError(
            MASK_UNKNOWN,
            f"value {value} of {key} is called {(names or ['nothing'])[0][:80]!r}; known are "
            f"{', '.join(quality.words)}. Name the classes so in the catalogue",
        )
    if len(meanings) > 1:
        called = " and ".join(repr(name[:40]) for name in names)
        raise UnusableError(MASK_UNKNOWN, f"value {value} of {key} is called {called}. Correct the catalogue")
    return value, meanings.pop()


def _whole(stated: object) -> int | None:
    """A whole number however JSON spells it, as 1, 1.0 or "1"; None for anything else."""
    if isinstance(stated, str) and re.fullmatch(r"-?[0-9]{1,9}(\.0+)?", stated.strip()):
        stated = float(stated)
    if not isinstance(stated, int | float) or isinstance(stated, bool) or not math.isfinite(stated):
        return None
    return int(stated) if stated == int(stated) else None


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", " ", name.lower()).strip()
