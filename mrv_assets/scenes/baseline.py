"""The processing baseline of a Sentinel-2 product, wherever and however its item writes it."""

import math
import re
from collections.abc import Iterator, Mapping

from mrv_assets.scenes.item import Item, properties

Baseline = tuple[int, int]
"""(5, 10) is 05.10."""

LONGEST = 4096
"""Characters of the longest text that a product's name is looked for in: a signed link's."""

_EXACT = re.compile(r"N?(\d{2})\.?(\d{2})")
_SPELLED = re.compile(r"N?(\d{1,2})\.(\d{1,2})")
_PRODUCT = re.compile(r"S2[A-Z]_MSIL2A_\d{8}T\d{6}_N(\d{4})_R\d{3}_")
_PART = re.compile(r"S2[A-Z]_OPER_MSI_L2A_(?:DS|TL)_\w{1,80}_N(\d{2}\.\d{2})")
_DATATAKE = re.compile(r"GS2[A-Z]_\d{8}T\d{6}_\d{6}_N(\d{2}\.\d{2})")

_OWN_PROCESSOR = (99, 99)
_NOT_STATED = (_OWN_PROCESSOR, (0, 0))


def baseline_of(item: Item) -> Baseline | None:
    """Processing baseline of an item; None where none is stated.

    The first statement counts: a field of its own, then ``processing:version``, then the name of a
    product, a datastrip or a granule, then a datatake's id. Processors run by users write 99.99, and 00.00
    stands for none: both count as not stated.
    """
    return next((baseline for baseline, _ in baselines_of(item)), None)


def baselines_of(item: Item) -> Iterator[tuple[Baseline, str]]:
    """Every baseline that an item states, with the place, the most trusted first.

    ``processing:version`` may be that of other software, so that only four digits (``05.00``) are a baseline there.
    The baseline in a datatake's id may be that of the product's source, and counts only where nothing else is stated:
    99.99, of a user's own processor, is a statement too.
    """
    stated = properties(item)
    places = [(key, value) for key, value in stated.items() if key.rpartition(":")[2] == "processing_baseline"]
    version = stated.get("processing:version")
    read = [
        *((_meant(value), key) for key, value in places),
        *([(_exact(version), "processing:version")] if isinstance(version, str) else []),
        *((_exact(found), place) for pattern in (_PRODUCT, _PART) for place, found in _named(item, pattern)),
    ]
    # The level before may have another one, so that it counts only where nothing else is stated.
    if all(baseline in (None, (0, 0)) for baseline, _ in read):
        read += [(_exact(found), place) for place, found in _named(item, _DATATAKE)]
    yield from ((baseline, place) for baseline, place in read if baseline is not None and baseline not in _NOT_STATED)


def baseline_from(stated: object) -> Baseline | None:
    """The baseline that a value of a baseline's own field means; None where it means none.

    ESA writes ``05.09``; others write it as the number 5.09, or 5.1 for 05.10, as the text of such a number, or as
    ``N0509``.
    """
    baseline = _meant(stated)
    return None if baseline in _NOT_STATED else baseline


def _meant(stated: object) -> Baseline | None:
    """The baseline that a value spells, 99.99 and 00.00 included."""
    if isinstance(stated, bool):
        return None
    if isinstance(stated, int | float):
        if not math.isfinite(stated) or not 0 < stated < 10_000:
            return None
        # 509 is 0509 without its zero; 5.1 is 05.10 without its last one.
        return _exact(f"{int(stated):04d}" if stated >= 100 else f"{stated:05.2f}")
    if not isinstance(stated, str):
        return None
    text = stated.strip()
    if spelled := _SPELLED.fullmatch(text):
        return _exact(f"{spelled[1]:0>2}.{spelled[2]:0<2}")
    return _exact(f"0{text}" if re.fullmatch(r"\d{3}", text) else f"0{text}.00" if re.fullmatch(r"\d", text) else text)


def baseline_text(baseline: Baseline | None) -> str:
    """A baseline as ESA writes it, such as ``05.10``."""
    return "unknown" if baseline is None else f"{baseline[0]:02d}.{baseline[1]:02d}"


def _exact(stated: str) -> Baseline | None:
    match = _EXACT.fullmatch(stated)
    return (int(match[1]), int(match[2])) if match else None


def _named(item: Item, pattern: re.Pattern[str]) -> Iterator[tuple[str, str]]:
    """The baselines in names that an item quotes: in its properties, its id and the links of its files."""
    assets = item.get("assets")
    files = assets.items() if isinstance(assets, Mapping) else ()
    links = [(f"link of {key}", asset.get("href")) for key, asset in files if isinstance(asset, Mapping)]
    for place, text in (*properties(item).items(), ("id", item.get("id"))):
        # A text that only speaks of a product somewhere may speak of another one.
        if isinstance(text, str) and len(text) <= LONGEST:
            match = pattern.match(text) or pattern.match(text.rstrip("/").rpartition("/")[2])
            if match:
                yield place, match[1]
    for place, text in links:
        if isinstance(text, str) and len(text) <= LONGEST and (match := pattern.search(text)):
            yield place, match[1]
