"""Copies: of all items that are one scene, the newest counts, and the others are named with the rule."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from mrv_assets.scenes.baseline import baseline_text
from mrv_assets.scenes.bbox import alike
from mrv_assets.scenes.item import Item, instant, text
from mrv_assets.scenes.product import Product

REPROCESSED_AFTER = timedelta(days=1)
"""The halves of a datatake come from two stations and are processed within hours; later it was processed again."""

SAME_LOOK = timedelta(minutes=10)
"""Copies of one Landsat or Sentinel-1 scene state its time to within this; the next pass is 100 minutes away."""


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

    A copy is newer by not being deprecated, then by baseline, then by generation time, then by version.

    Returns:
        The candidates that count, sorted by id, and those that do not. Candidates of one id that are different scenes
        both count: all but one get an id with the beginning of their digest.
    """
    superseded: list[Superseded] = []
    kept = sorted(candidates, key=lambda candidate: (candidate.id, candidate.digest))
    for same, better in (
        (_by(lambda one: one.id), _newer_of_one_id),
        (_by(lambda one: one.product.identity), _newer),
        (_by(lambda one: one.product.datatake_identity), _reprocessed),
        (_by(lambda one: (one.product.platform, one.sensed)), _successor),
    ):
        for group in same(kept):
            for copy in group:
                found = [(one, detail) for one in group if one is not copy and (detail := better(copy, one))]
                if found:
                    newest_age = max(_age(one) for one, _ in found)
                    by, detail = min(
                        (pair for pair in found if _age(pair[0]) == newest_age),
                        key=lambda pair: (pair[0].id, pair[0].digest),
                    )
                    superseded.append(Superseded(copy=copy, by=by, detail=detail))
        gone = {id(one.copy) for one in superseded}
        kept = [one for one in kept if id(one) not in gone]
    ids = [one.id for one in kept]
    named = {
        id(one): one if one.id not in ids[:number] else replace(one, id=f"{one.id}~{one.digest[:8]}")
        for number, one in enumerate(kept)
    }
    # What superseded a copy may be superseded itself, by another rule.
    after = {id(one.copy): one.by for one in superseded}
    for number, one in enumerate(superseded):
        by = one.by
        while id(by) in after:
            by = after[id(by)]
        superseded[number] = replace(one, by=named[id(by)])
    return list(named.values()), superseded


def _by(key: Callable[[Candidate], object]) -> Callable[[Sequence[Candidate]], Iterator[list[Candidate]]]:
    def groups(candidates: Sequence[Candidate]) -> Iterator[list[Candidate]]:
        found: dict[object, list[Candidate]] = {}
        for candidate in candidates:
            if (value := key(candidate)) is not None:
                found.setdefault(value, []).append(candidate)
        yield from (group for group in found.values() if len(group) > 1)

    return groups


def _newer_of_one_id(copy: Candidate, other: Candidate) -> str:
    """Why the other replaces an item of the same id; empty where it does not, or they are two scenes."""
    if copy.product.identity != other.product.identity or not alike(copy.item, other.item):
        return ""
    ages = [instant(text(one.item, "updated")) or instant(text(one.item, "created")) for one in (copy, other)]
    written = [age or datetime.min.replace(tzinfo=UTC) for age in ages]
    if written[0] != written[1]:
        newer = written[0] < written[1]
        return f"another item has its id, and was updated {written[1]:%Y-%m-%dT%H:%M:%SZ}" if newer else ""
    return "another item has its id, and neither is known to be newer" if copy.digest > other.digest else ""


def _newer(copy: Candidate, other: Candidate) -> str:
    """Why the other is the newer copy of one scene; empty where it is not."""
    if copy.product.scene and abs(copy.sensed - other.sensed) > SAME_LOOK:
        return ""
    if _age(copy) == _age(other):
        higher = (copy.id, copy.digest) > (other.id, other.digest)
        return "neither copy is known to be newer: the lower id counts" if higher else ""
    return _difference(copy, other) if _age(copy) < _age(other) else ""


def _reprocessed(copy: Candidate, other: Candidate) -> str:
    """Why the other is a newer copy, where a datastrip is not stated; empty where it may be the other half."""
    old, new = copy.product, other.product
    if (old.identity and new.identity) or not alike(copy.item, other.item) or _age(copy) >= _age(other):
        return ""
    apart = old.generated and new.generated and new.generated - old.generated >= REPROCESSED_AFTER
    return _difference(copy, other) if old.baseline != new.baseline or apart or old.deprecated else ""


def _successor(copy: Candidate, other: Candidate) -> str:
    """Why the other takes a deprecated item's place; empty where it does not."""
    replaced = copy.product.deprecated and _age(copy) < _age(other) and alike(copy.item, other.item)
    return "deprecated by its catalogue, which has another item of the same instant and place" if replaced else ""


def _age(candidate: Candidate) -> tuple[bool, tuple[int, int], datetime, tuple[int, ...]]:
    product = candidate.product
    generated = product.generated or datetime.min.replace(tzinfo=UTC)
    return not product.deprecated, product.baseline or (0, 0), generated, product.version


def _difference(old: Candidate, new: Candidate) -> str:
    one, other = old.product, new.product
    if one.deprecated != other.deprecated:
        return "deprecated by its catalogue"
    if one.baseline != other.baseline:
        return f"baseline {baseline_text(one.baseline)}, newer {baseline_text(other.baseline)}"
    if one.generated != other.generated:
        times = [_spelled(product.generated) if product.generated else "unknown" for product in (one, other)]
        return f"generated {times[0]}, newer {times[1]}"
    return f"version {_dotted(one.version)}, newer {_dotted(other.version)}"


def _spelled(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version)) or "unknown"
