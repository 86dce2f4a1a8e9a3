"""Reading of STAC items from foreign catalogues: every field may be absent or of a wrong type."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import rfc8785

from mrv_assets.missions.mission import FoundBy
from mrv_assets.scenes.links import without_query

Item = Mapping[str, Any]
"""A STAC item, or a part of one, as published: plain JSON values; never modified."""

# The largest real items have 3000 values and 60 kB; their ids have at most 80 characters. Records quote them.
MAX_VALUES = 20_000
MAX_CHARACTERS = 1 << 20
MAX_NAME = 512
MAX_QUOTED = 500
EXCESS = "mrv:excess"
"""Key under which an object of an item, changed while it was read, holds the reason not to process the item."""


def item_id(item: object) -> str:
    """The id of an item; empty where it has none."""
    stated = item.get("id") if isinstance(item, Mapping) else None
    return stated if isinstance(stated, str) else ""


def recordable(stated: str) -> str:
    """The text as a record can hold it: JSON may spell a lone surrogate, which has no UTF-8 encoding."""
    return stated.encode(errors="backslashreplace").decode()


def quoted(stated: str) -> str:
    """The beginning of a text from a foreign catalogue, as a record can hold it."""
    text = recordable(stated[: MAX_QUOTED + 1])
    return text if len(text) <= MAX_QUOTED else f"{text[:MAX_QUOTED]}..."


def excess(item: Item) -> str:
    """The reason an item is too large to process, such as ``it has more than 20000 values``; empty where it is not."""
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
        elif isinstance(part, dict) and isinstance(reason := part.get(EXCESS), str):
            return quoted(reason)
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
    """The properties of an item; empty where it has none."""
    stated = item.get("properties")
    return stated if isinstance(stated, Mapping) else {}


def text(item: Item, key: str) -> str:
    """A text property of an item; empty where it is absent or not a text."""
    stated = properties(item).get(key)
    return stated if isinstance(stated, str) else ""


def whole_number(item: Item, key: str) -> int | None:
    """A whole-number property of an item; None where it is absent or not a whole number."""
    stated = properties(item).get(key)
    return stated if isinstance(stated, int) and not isinstance(stated, bool) else None


def instant(stated: str) -> datetime | None:
    """The instant of an ISO 8601 or RFC 3339 text, UTC; None where the text is not an instant.

    A missing time zone means UTC. A leap second counts as the second before it, so that it belongs to the month that
    it ends.
    """
    try:
        moment = datetime.fromisoformat(re.sub(r"([T ]\d\d:\d\d):60", r"\1:59", stated.upper()))
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def band_label(asset: Item, where: FoundBy) -> str | None:
    """The stated name of a STAC asset's only band; None for assets of several bands, such as previews.

    Args:
        asset: The STAC asset.
        where: The field to read, the band's name or its common name; an asset does not hold its own key.
    """
    # The field is bands in STAC 1.1, and eo:bands in 1.0 with the eo extension. Both may be present.
    for listed, prefix in (("bands", "eo:"), ("eo:bands", "")):
        bands = asset.get(listed)
        if isinstance(bands, list) and len(bands) == 1 and isinstance(bands[0], Mapping):
            label = bands[0].get("name" if where is FoundBy.NAME else f"{prefix}common_name")
            if isinstance(label, str):
                return label
    return None


def levels_of(asset: object) -> Iterator[Item]:
    """A STAC asset and each of its bands, as either version of STAC writes them; nothing for what is not an object."""
    if isinstance(asset, Mapping):
        yield asset
        for field in ("raster:bands", "bands"):
            bands = asset.get(field)
            yield from (band for band in (bands if isinstance(bands, list) else ()) if isinstance(band, Mapping))


def stated_number(asset: Item, what: str) -> float | None:
    """A number that a STAC asset states for its only band, such as the scale or offset; None where it states none.

    Version 1 of the raster extension holds it in ``raster:bands``, STAC 1.1 in ``bands`` or in the asset itself.
    """
    candidates: list[object] = []
    for key, name in (("raster:bands", what), ("bands", f"raster:{what}")):
        entries = asset.get(key)
        if isinstance(entries, list) and len(entries) == 1 and isinstance(entries[0], Mapping):
            candidates.append(entries[0].get(name))
    for value in (*candidates, asset.get(f"raster:{what}")):
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
    return None


def item_digest(item: Item) -> str:
    """SHA-256 of the canonical JSON (RFC 8785) of an item as ``without_queries`` gives it; lower-case hex.

    Raises:
        rfc8785.CanonicalizationError: For NaN, infinities, and integers that JSON readers would round.
        RecursionError: For an item that is nested hundreds of levels deep.
    """
    return hashlib.sha256(rfc8785.dumps(without_queries(item))).hexdigest()


def without_queries(item: Item) -> Item:
    """An item without the credentials of its links, which are secret and soon expire.

    Queries, fragments and passwords are cut off from links anywhere in the item; the other parts of a request
    (``headers``, ``body``, ``storage_options``) are left out.
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
    # Under href a link may be relative; elsewhere, as in a title, a link may stand among words.
    return _AFTER_SCHEME.sub(_without_credentials, without_query(value) if key == "href" else value)


def _without_credentials(link: re.Match[str]) -> str:
    # A link to a proxy contains a second link.
    return re.sub("://[^/]*@", "://", without_query(f"//{link[0]}"))[2:]


_ASKED_WITH = frozenset({"headers", "body", "storage_options"})
_AFTER_SCHEME = re.compile(r"(?<=://)\S+")


def is_multihash(stated: str) -> bool:
    """Whether hex text is a multihash: a function code, a length, and that many bytes of digest."""
    return _multihash(stated) is not None


def published_digest(multihash: str) -> tuple[str, str] | None:
    """The digest of a multihash, in a form that can be compared.

    Args:
        multihash: Hex text, as in STAC's ``file:checksum``.

    Returns:
        hashlib's name of the function, and the digest in lower-case hex; None where the text is not a multihash, or
        its function or length is not verified here.
    """
    read = _multihash(multihash)
    if read is None or read[0] not in _MULTIHASH_FUNCTIONS:
        return None
    algorithm, size = _MULTIHASH_FUNCTIONS[read[0]]
    return (algorithm, read[1].hex()) if len(read[1]) == size else None


# https://github.com/multiformats/multicodec, table.csv: function code to hashlib's name and bytes of a whole digest.
_MULTIHASH_FUNCTIONS = {0x12: ("sha256", 32), 0x13: ("sha512", 64), 0x16: ("sha3_256", 32), 0xD5: ("md5", 16)}


def _multihash(stated: str) -> tuple[int, bytes] | None:
    """The function code and digest of a multihash; None where the text is not a multihash."""
    try:
        data = bytes.fromhex(stated)
    except ValueError:
        return None
    fields = []
    for _ in range(2):
        # Unsigned varints: seven bits a byte, lowest first; a set high bit means that another byte follows.
        used = next((i + 1 for i, byte in enumerate(data[:9]) if byte < 0x80), 0)
        if not used:
            return None
        fields.append(sum((byte & 0x7F) << 7 * i for i, byte in enumerate(data[:used])))
        data = data[used:]
    return (fields[0], data) if len(data) == fields[1] > 0 else None
