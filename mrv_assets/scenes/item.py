"""Reading a STAC item someone else wrote: every field may be absent, or of another type than it should be."""

import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import rfc8785

from mrv_assets.missions.mission import FoundBy
from mrv_assets.scenes.links import without_query

Item = Mapping[str, Any]
"""A STAC item, or a part of one, as published: plain JSON values; never modified."""

# The largest real items have 3000 values and are 60 kB; ids have 80 characters at most. Records quote them.
MAX_VALUES = 20_000
MAX_CHARACTERS = 1 << 20
MAX_NAME = 512
MAX_QUOTED = 500
EXCESS = "mrv:excess"
"""Where an object of an item that was changed while it was read says why the item is not to be worked on."""


def item_id(item: object) -> str:
    """Its id; empty where it has none."""
    found = item.get("id") if isinstance(item, Mapping) else None
    return found if isinstance(found, str) else ""


def recordable(stated: str) -> str:
    """Text as a record can hold it: JSON may spell half a character, which has no UTF-8."""
    return stated.encode(errors="backslashreplace").decode()


def quoted(stated: str) -> str:
    """The beginning of a text that someone else wrote, as a record can hold it."""
    text = recordable(stated[: MAX_QUOTED + 1])
    return text if len(text) <= MAX_QUOTED else f"{text[:MAX_QUOTED]}..."


def excess(item: Item) -> str:
    """What of an item is too much to work on, such as ``it has more than 20000 values``; empty where nothing is."""
    for key, stated in (
        *((key, item.get(key)) for key in ("id", "collection")),
        *((key, text(item, key)) for key in ("platform", "constellation")),
    ):
        if isinstance(stated, str) and len(stated) > MAX_NAME:
            return f"its {key} has {len(stated)} characters"
    values, characters = 0, 0
    pending: list[Any] = [item]
    while pending:
        part = pending.pop()
        if isinstance(part, str):
            characters += len(part)
        elif isinstance(part, dict) and isinstance(said := part.get(EXCESS), str):
            return quoted(said)
        elif isinstance(part, dict | list):
            values += len(part)
            if values > MAX_VALUES:
                return f"it has more than {MAX_VALUES} values"
            pending += part.values() if isinstance(part, dict) else part
            characters += sum(map(len, part)) if isinstance(part, dict) else 0
        if characters > MAX_CHARACTERS:
            return f"it has more than {MAX_CHARACTERS >> 20} MB of text"
    return ""


def properties(item: Item) -> Item:
    """Its properties; empty where it has none."""
    found = item.get("properties")
    return found if isinstance(found, Mapping) else {}


def text(item: Item, key: str) -> str:
    """A text property; empty where it is absent or no text."""
    found = properties(item).get(key)
    return found if isinstance(found, str) else ""


def whole_number(item: Item, key: str) -> int | None:
    """A property that is a whole number; None where it is absent or anything else."""
    found = properties(item).get(key)
    return found if isinstance(found, int) and not isinstance(found, bool) else None


def is_misplaced(item: Item) -> bool:
    """Whether it states a bbox that is neither four numbers nor six with heights."""
    bbox = item.get("bbox")
    if bbox is None:
        return False
    return not (isinstance(bbox, list) and len(bbox) in (4, 6) and all(isinstance(v, int | float) for v in bbox))


def instant(stated: str) -> datetime | None:
    """An instant in UTC as ISO 8601 or RFC 3339 spells it; None where the text is none.

    A missing zone means UTC. A leap second counts as the second before: its month is the one that it ends.
    """
    try:
        found = datetime.fromisoformat(re.sub(r"([T ]\d\d:\d\d):60", r"\1:59", stated.upper()))
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def band_label(asset: Item, where: FoundBy) -> str | None:
    """What an asset calls its one band; None for assets of several bands, such as previews.

    Args:
        asset: The STAC asset.
        where: The band's name or common name; an asset does not know its key.
    """
    # STAC 1.1 calls it bands; 1.0, with the eo extension, eo:bands. Both may be present.
    for listed, prefix in (("bands", "eo:"), ("eo:bands", "")):
        bands = asset.get(listed)
        if isinstance(bands, list) and len(bands) == 1 and isinstance(bands[0], Mapping):
            found = bands[0].get("name" if where is FoundBy.NAME else f"{prefix}common_name")
            if isinstance(found, str):
                return found
    return None


def stated_number(asset: Item, what: str) -> float | None:
    """The scale, offset or such that an asset states of its one band; None where it states none.

    The raster extension 1 keeps it in ``raster:bands``, STAC 1.1 in ``bands`` or on the asset itself.
    """
    found: list[object] = []
    for key, name in (("raster:bands", what), ("bands", f"raster:{what}")):
        entries = asset.get(key)
        if isinstance(entries, list) and len(entries) == 1 and isinstance(entries[0], Mapping):
            found.append(entries[0].get(name))
    for value in (*found, asset.get(f"raster:{what}")):
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
    return None


def item_digest(item: Item) -> str:
    """SHA-256 of an item's canonical JSON (RFC 8785), without what ``without_queries`` leaves out; lower-case hex.

    Raises:
        rfc8785.CanonicalizationError: For NaN, infinities and integers that JSON readers would round.
        RecursionError: For an item nested hundreds of levels deep.
    """
    return hashlib.sha256(rfc8785.dumps(without_queries(item))).hexdigest()


def without_queries(item: Item) -> Item:
    """An item without what opens its links, which is secret and soon stale.

    Queries, fragments and passwords of links are cut off, wherever they stand; how else a link is asked (``headers``,
    ``body``, ``storage_options``) is left out.
    """
    stripped: Item = _without_queries(item)
    return stripped


def _without_queries(value: Any, key: str = "") -> Any:
    if isinstance(value, Mapping):
        return {
            name: _without_queries(inner, name)
            for name, inner in value.items()
            if name.rpartition(":")[2] not in _ASKED_WITH
        }
    if isinstance(value, list | tuple):
        return [_without_queries(inner) for inner in value]
    if not isinstance(value, str):
        return value
    # A link may be relative where one is expected; elsewhere, in a title say, it may stand among words.
    return _AFTER_SCHEME.sub(_shown, without_query(value) if key == "href" else value)


def _shown(link: re.Match[str]) -> str:
    # Links to a proxy have a second one within.
    return re.sub("://[^/]*@", "://", without_query(f"//{link[0]}"))[2:]


_ASKED_WITH = frozenset({"headers", "body", "storage_options"})
_AFTER_SCHEME = re.compile(r"(?<=://)\S+")


def is_multihash(stated: str) -> bool:
    """Whether hex text is a multihash: a function code, a length, and that many bytes of digest."""
    return _multihash(stated) is not None


def published_digest(multihash: str) -> tuple[str, str] | None:
    """What a multihash says, in a form that can be compared.

    Args:
        multihash: Hex text, as STAC's ``file:checksum`` has it.

    Returns:
        hashlib's name of the function, and the digest in lower-case hex; None where it is no multihash, or one of a
        function or a length that is not verified here.
    """
    read = _multihash(multihash)
    if read is None or read[0] not in _MULTIHASH_FUNCTIONS:
        return None
    algorithm, size = _MULTIHASH_FUNCTIONS[read[0]]
    return (algorithm, read[1].hex()) if len(read[1]) == size else None


# https://github.com/multiformats/multicodec, table.csv: hashlib's name, and bytes of a whole digest.
_MULTIHASH_FUNCTIONS = {0x12: ("sha256", 32), 0x13: ("sha512", 64), 0x16: ("sha3_256", 32), 0xD5: ("md5", 16)}


def _multihash(stated: str) -> tuple[int, bytes] | None:
    """The function code and digest of a multihash; None where the text is none."""
    try:
        data = bytes.fromhex(stated)
    except ValueError:
        return None
    fields = []
    for _ in range(2):
        # Unsigned varints: seven bits a byte, lowest first; the high bit says that more follow.
        used = next((i + 1 for i, byte in enumerate(data[:9]) if byte < 0x80), 0)
        if not used:
            return None
        fields.append(sum((byte & 0x7F) << 7 * i for i, byte in enumerate(data[:used])))
        data = data[used:]
    return (fields[0], data) if len(data) == fields[1] > 0 else None
