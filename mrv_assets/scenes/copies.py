"""Copies: of all items that are one scene, the newest counts, and the others are named with the rule."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import combinations

from mrv_assets.scenes.baseline import Baseline, baseline_text
from mrv_assets.scenes.bbox import alike, covers
from mrv_assets.scenes.item import Item, instant, text
from mrv_assets.scenes.product import Product, Version

REPROCESSED_AFTER = timedelta(days=1)
"""The halves of a datatake come from two stations and are processed within hours; later it was processed again."""

SAME_LOOK = timedelta(minutes=10)
"""Copies of one scene state its time to within this; the next pass is 100 minutes away."""

SAME_CUT = timedelta(seconds=5)
"""Processors cut a datastrip or a Sentinel-1 scene to within this at the same place; the next one is 25 s away."""

_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A usable item, by what its copies are recognised."""

    id: str
    """Id of the scene: the item's, or one derived from it where two scenes have one id."""
    item: Item
    digest: str
    """SHA-256 of the item."""
    product: Product
    sensed: datetime


@dataclass(frozen=True, kw_only=True)
class Superseded:
    """A copy that does not count."""

    copy: Candidate
    by: Candidate
    detail: str
    """The rule, and both values."""


def newest(candidates: Sequence[Candidate]) -> tuple[list[Candidate], list[Superseded]]:
    """The newest copy of each scene, and the copies that it supersedes, whatever the order of the candidates.

    A copy is newer by not being deprecated, then by baseline, then by its processor's release, then by generation time,
    then by version, then by the item's own times. Every copy is superseded by one that is newer, so that one of all
    copies of a scene is left.

    Returns:
        The candidates that count, sorted by id, and those that do not. Candidates of one id that are different scenes
        both count: all but one get an id with the beginning of their digest.
    """
    ordered = sorted(candidates, key=lambda candidate: (candidate.id, candidate.digest))
    replaced: dict[int, list[tuple[Candidate, str]]] = {}
    for one, other in _pairs(ordered):
        old, new = sorted((one, other), key=_rank)
        if detail := _replaces(new, old):
            replaced.setdefault(id(old), []).append((new, detail))
    kept = [one for one in ordered if id(one) not in replaced]
    ids = [one.id for one in kept]
    named = {
        id(one): one if one.id not in ids[:number] else replace(one, id=f"{one.id}~{one.digest[:8]}")
        for number, one in enumerate(kept)
    }
    superseded = []
    for copy in ordered:
        if id(copy) in replaced:
            by, detail = max(replaced[id(copy)], key=lambda pair: _rank(pair[0]))
            # What superseded a copy may be superseded itself, by another rule.
            while id(by) in replaced:
                by = max((one for one, _ in replaced[id(by)]), key=_rank)
            superseded.append(Superseded(copy=copy, by=named[id(by)], detail=detail))
    return list(named.values()), superseded


def _pairs(candidates: Sequence[Candidate]) -> Iterator[tuple[Candidate, Candidate]]:
    """Pairs of candidates that may be copies, each once: of one id, name or time, or linked as successors."""
    groups: dict[object, list[int]] = {}
    positions = {id_: number for number, id_ in enumerate(one.id for one in candidates)}
    pairs: set[tuple[int, int]] = set()
    by_time = sorted(range(len(candidates)), key=lambda number: candidates[number].sensed)
    for at, number in enumerate(by_time):
        one = candidates[number]
        groups.setdefault(("id", one.id), []).append(number)
        if one.product.look is not None:
            groups.setdefault(("name", one.product.look.named), []).append(number)
        for other in by_time[at + 1 :]:
            if candidates[other].sensed - one.sensed > SAME_LOOK:
                break
            pairs.add((min(number, other), max(number, other)))
        for successor in _successors(one):
            if (other := positions.get(successor, number)) != number:
                pairs.add((min(number, other), max(number, other)))
    for group in groups.values():
        pairs.update(combinations(sorted(group), 2))
    yield from ((candidates[one], candidates[other]) for one, other in sorted(pairs))


def _replaces(new: Candidate, old: Candidate) -> str:
    """Why a newer candidate takes the place of another; empty where they are two scenes, or may be."""
    if old.product.deprecated and new.id in _successors(old):
        return "deprecated by its catalogue, which links this successor"
    same = _same_scene(old, new)
    # Where ground would be lost, both count: halves, and tiles that were cut from one product.
    if same is False or not covers(new.item, old.item):
        return ""
    if same is None:
        if abs(new.sensed - old.sensed) > SAME_LOOK or not (_of_one_tile(old, new) or alike(new.item, old.item)):
            return ""
        again = _processed_again(old.product, new.product)
        if old.product.datastrip and new.product.datastrip:
            # Of two datastrips each may be one half, but where the newer shows what the older does, and more.
            told = again and not alike(new.item, old.item)
        else:
            told = again or old.id == new.id or old.product.deprecated
        if not told:
            return ""
    return _difference(old, new)


def _same_scene(one: Candidate, other: Candidate) -> bool | None:
    """Whether two items are of one scene by what both state; None where that does not tell."""
    first, second = one.product, other.product
    if not _fit(first.platform, second.platform) or (first.tile != second.tile and first.tile and second.tile):
        return False
    orbits = ((first.relative_orbit, second.relative_orbit), (first.absolute_orbit, second.absolute_orbit))
    if any(a is not None and b is not None and a != b for a, b in orbits):
        return False
    if first.look is not None and second.look is not None:
        if abs(one.sensed - other.sensed) > SAME_LOOK and not (_is_day(one.sensed) or _is_day(other.sensed)):
            return False
        near = all(abs(a - b) <= SAME_CUT for a, b in zip(first.look.times, second.look.times, strict=False))
        return first.look.named == second.look.named and near
    if _apart(first.datatake, second.datatake):
        return False
    named = first.datatake and second.datatake and first.tile and second.tile and first.datastrip and second.datastrip
    return True if named and not _apart(first.datastrip, second.datastrip) else None


def _is_day(sensed: datetime) -> bool:
    """Whether a time may be a date alone."""
    return sensed == sensed.replace(hour=0, minute=0, second=0, microsecond=0)


def _fit(one: str, other: str) -> bool:
    """Whether two platforms may be one: ``sentinel-2`` says less than ``sentinel-2a``."""
    return one.startswith(other) or other.startswith(one)


def _apart(one: str, other: str) -> bool:
    """Whether two sensing times are both stated, and are those of different cuts."""
    first, second = instant(one), instant(other)
    return first is not None and second is not None and abs(first - second) > SAME_CUT


def _of_one_tile(one: Candidate, other: Candidate) -> bool:
    return bool(one.product.tile) and one.product.tile == other.product.tile


def _processed_again(old: Product, new: Product) -> bool:
    """Whether a product of one satellite was certainly made again later, and not by a second station."""
    if not (old.platform and new.platform):
        return False
    baselines = old.baseline is not None and new.baseline is not None and old.baseline != new.baseline
    later = old.generated and new.generated and new.generated - old.generated >= REPROCESSED_AFTER
    return baselines or bool(later)


def _successors(candidate: Candidate) -> Iterator[str]:
    """Ids of the items that an item links as its successors, by the names of their documents."""
    links = candidate.item.get("links")
    for link in links if isinstance(links, list) else ():
        if isinstance(link, Mapping) and link.get("rel") in ("successor-version", "latest-version"):
            href = link.get("href")
            if isinstance(href, str):
                yield href.partition("?")[0].rstrip("/").rpartition("/")[2].removesuffix(".json")


Age = tuple[bool, Baseline, Version, datetime, Version]


def _age(candidate: Candidate) -> Age:
    product = candidate.product
    return (
        not product.deprecated,
        product.baseline or (0, 0),
        product.release,
        product.generated or _NEVER,
        product.version,
    )


def _times(candidate: Candidate) -> tuple[datetime, datetime]:
    """When the item was last updated and created."""
    created = candidate.product.created or _NEVER
    return instant(text(candidate.item, "updated")) or created, created


def _rank(candidate: Candidate) -> tuple[Age, tuple[datetime, datetime], tuple[int, ...], tuple[int, ...]]:
    """Sort key of the copies of a scene, the newest last; of equal ones the lowest id and digest is the last."""
    return (
        _age(candidate),
        _times(candidate),
        _backwards(candidate.id),
        _backwards(candidate.digest),
    )


def _backwards(text: str) -> tuple[int, ...]:
    """A text as what orders texts the other way round."""
    return (*(-ord(letter) for letter in text), 1)


def _difference(old: Candidate, new: Candidate) -> str:
    """The first statement by which one copy is newer than the other."""
    one, other = old.product, new.product
    if one.deprecated != other.deprecated:
        return "deprecated by its catalogue, which has another item of it"
    if one.baseline != other.baseline:
        return f"baseline {baseline_text(one.baseline)}, newer {baseline_text(other.baseline)}"
    if one.release != other.release:
        return f"release {_dotted(one.release)}, newer {_dotted(other.release)}"
    if one.generated != other.generated:
        return f"generated {_spelled(one.generated)}, newer {_spelled(other.generated)}"
    if one.version != other.version:
        return f"version {_dotted(one.version)}, newer {_dotted(other.version)}"
    if (before := _times(old)) != (after := _times(new)):
        which = 0 if before[0] != after[0] else 1
        same_id = "another item has its id, " if old.id == new.id else ""
        return f"{same_id}{('updated', 'created')[which]} {_spelled(before[which])}, newer {_spelled(after[which])}"
    if old.id == new.id:
        return "another item has its id, and neither is known to be newer"
    return "neither copy is known to be newer: the lower id counts"


def _spelled(moment: datetime | None) -> str:
    return "unknown" if moment in (None, _NEVER) or moment is None else moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _dotted(version: Version) -> str:
    numbers, final = version
    return (".".join(map(str, numbers)) or "unknown") + ("" if final else " (not final)")
