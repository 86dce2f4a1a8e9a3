"""Selection of the scenes that count: their bands, offsets and duplicates, and their grouping into observations."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import rfc8785

from mrv_assets.missions.mission import ClassQuality, Mission, Reflectance
from mrv_assets.scenes.bands import asset_key, files_of, is_jp2
from mrv_assets.scenes.bbox import place_of
from mrv_assets.scenes.conditions import UnusableError, check_conditions, check_scale
from mrv_assets.scenes.copies import Candidate, newest
from mrv_assets.scenes.item import (
    Item,
    excess,
    instant,
    is_multihash,
    item_digest,
    item_id,
    published_digest,
    quoted,
    text,
)
from mrv_assets.scenes.mask_classes import Classes, mask_classes, mask_key
from mrv_assets.scenes.offset import OffsetDecision, boa_offset
from mrv_assets.scenes.power import check_power
from mrv_assets.scenes.product import Product, product_of

EXCLUDED = "excluded_by_programme"
"""Code of an item that the programme leaves out."""
# A pass over neighbouring scenes takes minutes; the next pass of the same platform is 100 minutes away.
PASS_GAP = timedelta(minutes=10)


@dataclass(frozen=True, kw_only=True)
class SceneBand:
    """One band of a scene, and the file that holds it."""

    name: str
    """The mission's name for the band, reflectance or quality."""
    key: str
    """STAC asset key."""
    href: str
    """Link as published, possibly relative; the catalogue of the item makes it absolute."""
    checksum: str | None
    """Published multihash, lower-case hex; None where there is none, or it is not readable."""
    size: int | None
    """Published size, bytes; None where none is stated."""


@dataclass(frozen=True, kw_only=True)
class Scene:
    """One STAC item of a mission, ready to be read."""

    id: str
    """The item's id; where two scenes have one id, the second's ends with ``~`` and the beginning of its digest."""
    collection: str
    datetime: str
    """UTC, ISO 8601 to the microsecond; sorts as text."""
    platform: str
    """Such as ``sentinel-2a``; the constellation where no platform is stated."""
    bands: Mapping[str, SceneBand]
    """Measured and quality bands by the mission's name; a band that the item lacks is absent."""
    item: Item
    """As published."""
    item_sha256: str
    """SHA-256 of the item's canonical JSON without the queries of its links."""
    offset: OffsetDecision | None
    """Its offset by what is stated; its files have to confirm it. None for backscatter, which has none."""
    classes: Mapping[str, Classes]
    """The meaning of its masks' values, by the mission's name of the mask."""
    findings: tuple[str, ...]
    """Irregularities of the item, ``code: detail``; they do not stop the scene."""


@dataclass(frozen=True, kw_only=True)
class Observation:
    """All scenes of one platform in one orbit pass: one look at the ground."""

    key: str
    rule: str
    """Rule that grouped the scenes: absolute_orbit, datatake, pass, or item (each item alone)."""
    scenes: tuple[Scene, ...]
    """Sorted by id."""
    datetime: str
    """Time of the earliest scene, as in the scene."""


@dataclass(frozen=True, kw_only=True)
class Excluded:
    """An item of the month that is not used, and why."""

    id: str
    code: str
    """item_invalid, month_other, excluded_by_programme, duplicate_id, platform_other, orbit_other, bands_missing,
    quality_missing, mask_unknown, decibels, scale_unexpected, offset_conflict, offset_unexpected, the code of a
    mission's condition (tier_other), or ``superseded_by:<id>``."""
    detail: str
    """The reason in words."""


@dataclass(frozen=True, kw_only=True)
class Selection:
    """The scenes of a month that count, and the items that do not."""

    observations: tuple[Observation, ...]
    """Sorted by datetime, then key."""
    excluded: tuple[Excluded, ...]
    """Sorted by id, then code."""
    matched: int
    """Number of items of the month: used scenes and excluded items."""
    returned: int
    """Number of given items, including repeated items and those of other months."""


def select(
    items: Iterable[Item],
    mission: Mission,
    month: str,
    *,
    orbit_direction: str = "",
    item_assets: Mapping[str, object] | None = None,
    offset: float | None = None,
    exclude: Mapping[str, str] | None = None,
) -> Selection:
    """The scenes of one UTC month, without duplicates, grouped into observations.

    A month is half-open: its last microsecond belongs to it, the first instant of the next month does not. Among
    copies of one scene the newest counts (:func:`mrv_assets.scenes.copies.newest`); a copy that cannot be used does not
    supersede another.

    Args:
        items: STAC items, of any months.
        mission: The mission whose bands are selected.
        month: Such as ``2018-07``.
        orbit_direction: ``ascending`` or ``descending``, for a mission whose series has only one of them.
        item_assets: What the items' collection states of their STAC assets, by key; None where it states nothing.
        offset: The offset of reflectance that the programme states for the mission; None where it states none.
        exclude: Reason by id of the items that the programme leaves out.

    Returns:
        Observations and exclusions; they do not depend on the order of the items.
    """
    start = datetime.strptime(month, "%Y-%m").replace(tzinfo=UTC)
    end = (start + timedelta(days=31)).replace(day=1)
    usable: dict[tuple[str, str], tuple[Scene, Candidate]] = {}
    # By what the item is, because a search may return a page twice.
    unusable: dict[tuple[str, Excluded], None] = {}
    returned = 0
    for item in items:
        returned += 1
        try:
            sensed = _sensed(item)
            if not start <= sensed < end:
                if (stated := instant(text(item, "datetime"))) is not None and start <= stated < end:
                    raise UnusableError("month_other", f"{_time(item)[1]}: it is of {sensed:%Y-%m}")
                continue
            if exclude and item["id"] in exclude:
                raise UnusableError(EXCLUDED, exclude[item["id"]])
            digest = _digest(item)
            if (item["id"], digest) not in usable:
                scene, product = _scene(item, digest, sensed, mission, orbit_direction, item_assets or {})
                scene = _interpreted(scene, mission, item_assets or {}, offset)
                candidate = Candidate(id=scene.id, item=item, digest=digest, product=product, sensed=sensed)
                usable[item["id"], digest] = scene, candidate
        except UnusableError as reason:
            left_out = Excluded(id=quoted(item_id(item)), code=reason.code, detail=quoted(reason.detail))
            unusable[_written(item), left_out] = None
    counting, superseded = newest([candidate for _, candidate in usable.values()])
    excluded = [left_out for _, left_out in unusable] + [
        Excluded(
            id=one.copy.id,
            code="duplicate_id" if one.by.id == one.copy.id else f"superseded_by:{one.by.id}",
            detail=one.detail,
        )
        for one in superseded
    ]
    kept = [(_counting(usable[one.item["id"], one.digest][0], one), one) for one in counting]
    return Selection(
        observations=_observations(kept),
        excluded=tuple(sorted(excluded, key=lambda item: (item.id, item.code, item.detail))),
        matched=len(kept) + len(excluded),
        returned=returned,
    )


def _written(item: Item) -> str:
    """An item as text, the same for the same item; empty where it cannot be written, or is too large to be."""
    if not isinstance(item, Mapping) or excess(item):
        return ""
    try:
        return json.dumps(item, sort_keys=True)
    except (TypeError, ValueError, RecursionError):
        return ""


def _counting(scene: Scene, candidate: Candidate) -> Scene:
    """A scene by the id that it has among the scenes that count, with what is doubtful about its being there."""
    doubt = ("deprecated: its catalogue says so, and has no other copy of it",) if candidate.product.deprecated else ()
    return replace(scene, id=candidate.id, findings=(*scene.findings, *doubt))


def _sensed(item: Item) -> datetime:
    if not item_id(item):
        raise UnusableError("item_invalid", "it has no id")
    sensed, _ = _time(item)
    if sensed is None:
        stated = text(item, "datetime") or text(item, "start_datetime")
        raise UnusableError("item_invalid", f"its datetime {stated[:80]!r} is not ISO 8601")
    return sensed


def _time(item: Item) -> tuple[datetime | None, str]:
    """Sensing time of an item, and what is doubtful about it; None where none is stated that can be read.

    A datetime outside the item's own interval is not the time of sensing, but perhaps that of an upload.
    """
    start, end = (instant(text(item, f"{which}_datetime")) for which in ("start", "end"))
    if not text(item, "datetime"):
        # STAC: where datetime is null, the interval's start is required.
        return start, ""
    at = instant(text(item, "datetime"))
    if at is None or start is None or end is None or start - PASS_GAP <= at <= end + PASS_GAP:
        return at, ""
    if start > end:
        return at, "datetime_interval: its start_datetime is after its end_datetime, its datetime was believed"
    return start, (
        f"datetime_outside: its datetime {text(item, 'datetime')[:40]} is not between its start_datetime "
        f"{text(item, 'start_datetime')[:40]} and its end_datetime, which were believed"
    )


def _digest(item: Item) -> str:
    if too_much := excess(item):
        raise UnusableError("item_invalid", too_much)
    try:
        return item_digest(item)
    except (rfc8785.CanonicalizationError, UnicodeEncodeError, RecursionError) as error:
        raise UnusableError("item_invalid", f"its JSON has no canonical form ({str(error)[:200]})") from error


def _scene(
    item: Item,
    digest: str,
    sensed: datetime,
    mission: Mission,
    orbit_direction: str,
    item_assets: Mapping[str, object],
) -> tuple[Scene, Product]:
    place = place_of(item)
    if place.invalid:
        raise UnusableError("item_invalid", place.invalid)
    product = product_of(item)
    platform = product.platform or product.constellation
    if platform and not platform.startswith(mission.platforms):
        detail = f"its platform is {platform}, and {mission.title} comes from {' and '.join(mission.platforms)}"
        raise UnusableError("platform_other", detail)
    check_conditions(item, mission, orbit_direction)
    bands, findings = _bands(item, mission, item_assets)
    findings += [place.finding] if place.finding else []
    findings += [doubt] if (doubt := _time(item)[1]) else []
    scene = Scene(
        id=item["id"],
        collection=collection if isinstance(collection := item.get("collection"), str) else "",
        datetime=_spelled(sensed),
        platform=platform or "unknown",
        bands=bands,
        item=item,
        item_sha256=digest,
        offset=None,
        classes={},
        findings=tuple(findings),
    )
    return scene, product


def _interpreted(scene: Scene, mission: Mission, item_assets: Mapping[str, object], programme: float | None) -> Scene:
    """A scene with the meaning of its numbers: the offset of reflectance by what is stated, the classes of masks."""
    keys = {name: band.key for name, band in scene.bands.items()}
    measured = [key for name, key in keys.items() if name in mission.bands]
    classes = mask_classes(scene.item, keys, mission, item_assets)
    radiometry = mission.radiometry
    if not isinstance(radiometry, Reflectance):
        check_power(scene.item, measured, item_assets)
        return replace(scene, classes=classes)
    for assets in (scene.item["assets"], item_assets):
        check_scale(assets, measured, radiometry.scale)
    offset = boa_offset(scene.item, measured, radiometry, item_assets=item_assets, programme=programme)
    return replace(scene, classes=classes, offset=offset)


def _spelled(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _bands(item: Item, mission: Mission, item_assets: Mapping[str, object]) -> tuple[dict[str, SceneBand], list[str]]:
    """The mission's bands that the item has, by name, and the irregularities of the item's bands."""
    assets = item.get("assets")
    if not isinstance(assets, Mapping):
        raise UnusableError("item_invalid", "it has no assets")
    files = files_of(assets)
    readable = {key: asset for key, asset in files.items() if not is_jp2(asset)}
    bands: dict[str, SceneBand] = {}
    findings: list[str] = []
    for name in (*mission.bands, *mission.quality):
        quality = mission.quality.get(name)
        if isinstance(quality, ClassQuality) and quality.words:
            measured = [key for band in mission.bands if (key := asset_key(files, band, mission)) is not None]
            key = mask_key(files, measured, quality, item_assets)
        else:
            key = asset_key(readable, name, mission)
        if key is not None:
            bands[name] = _band(name, key, readable[key], findings)
        elif asset_key(files, name, mission) is not None:
            findings.append(f"band_jp2: {name} is published only as JPEG 2000, which is not read")
        elif name in mission.bands:
            findings.append(f"band_absent: {name}")
    why = "; ".join(findings)
    if not any(name in bands for name in mission.bands):
        raise UnusableError("bands_missing", f"no {_measured(mission)} band can be read ({why})")
    lacking = [name for name, quality in mission.quality.items() if quality.required and name not in bands]
    if lacking:
        raise UnusableError("quality_missing", f"without {lacking[0]} no pixel can be called clear ({why})")
    return bands, findings


def _measured(mission: Mission) -> str:
    return "reflectance" if isinstance(mission.radiometry, Reflectance) else "backscatter"


def _band(name: str, key: str, asset: Item, findings: list[str]) -> SceneBand:
    stated, size = asset.get("file:checksum"), asset.get("file:size")
    checksum = stated.lower() if isinstance(stated, str) and is_multihash(stated) else None
    if stated is not None and checksum is None:
        findings.append(f"checksum_unverifiable: {name} states {str(stated)[:80]!r}, which is not a multihash")
    elif checksum is not None and published_digest(checksum) is None:
        findings.append(
            f"checksum_unverifiable: {name} states {checksum[:80]!r}, whose function or length is not compared"
        )
    plain = isinstance(size, int) and not isinstance(size, bool) and size >= 0
    return SceneBand(name=name, key=key, href=asset["href"], checksum=checksum, size=size if plain else None)


def _observations(scenes: Sequence[tuple[Scene, Candidate]]) -> tuple[Observation, ...]:
    groups: dict[tuple[str, str], list[Scene]] = {}
    tracks: dict[str, list[tuple[Scene, Candidate]]] = {}
    products = [candidate.product for _, candidate in scenes]
    processing = {scene.id: candidate.product for scene, candidate in scenes}
    orbits = {
        (product.platform, product.datatake): product.absolute_orbit
        for product in products
        if product.datatake and product.absolute_orbit is not None
    }
    for scene, candidate in scenes:
        product = candidate.product
        # What one scene of a datatake states holds for all of them.
        orbit = product.absolute_orbit
        orbit = orbits.get((product.platform, product.datatake)) if orbit is None else orbit
        if product.platform and orbit is not None:
            key = ("absolute_orbit", f"{product.platform}/orbit-{orbit:06d}")
        elif product.platform and product.datatake:
            key = ("datatake", f"{product.platform}/datatake-{product.datatake}")
        elif product.platform or (product.constellation and product.relative_orbit is not None):
            track = "" if product.relative_orbit is None else f"/track-{product.relative_orbit:03d}"
            tracks.setdefault((product.platform or product.constellation) + track, []).append((scene, candidate))
            continue
        else:
            # A constellation has several platforms: scenes of it that are minutes apart may be two observations.
            key = ("item", scene.id)
        groups.setdefault(key, []).append(scene)
    for track, members in tracks.items():
        groups |= {("pass", f"{track}/{scenes[0].datetime}"): scenes for scenes in _passes(members)}
    observations = (
        Observation(
            key=key,
            rule=rule,
            scenes=tuple(sorted(scenes, key=lambda scene: (_oldness(processing[scene.id]), scene.id))),
            datetime=min(scene.datetime for scene in scenes),
        )
        for (rule, key), scenes in groups.items()
    )
    return tuple(sorted(observations, key=lambda observation: (observation.datetime, observation.key)))


def _oldness(product: Product) -> tuple[bool, int, int]:
    """Sort key of the scenes of a pass where they overlap: the newest baseline first."""
    major, minor = product.baseline or (0, 0)
    return product.deprecated, -major, -minor


def _passes(candidates: Sequence[tuple[Scene, Candidate]]) -> list[list[Scene]]:
    """The scenes of one track as passes in order of time, separated by ten minutes or more without a scene."""
    passes: list[list[Scene]] = []
    last: datetime | None = None
    for scene, candidate in sorted(candidates, key=lambda pair: (pair[1].sensed, pair[0].id)):
        if last is None or candidate.sensed - last >= PASS_GAP:
            passes.append([])
        passes[-1].append(scene)
        last = candidate.sensed
    return passes
