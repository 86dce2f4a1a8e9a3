"""Hostile STAC items: whatever they say, an observation or an exclusion with a known code, in bounded time."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from dialects import cdse, earth_search_c1, earth_search_l2a, planetary_computer
from dialects_of_others import landsatlook, planetary_computer_s1
from fuzzing import share, within_limit
from hypothesis import given, settings
from hypothesis import strategies as st
from scene_builders import Item, romanian

from mrv_assets.audit.canonical import canonical
from mrv_assets.missions.sentinel2 import SENTINEL2
from mrv_assets.scenes.select import Selection, select

MONTH = "2022-07"
CODES = {
    *("item_invalid", "duplicate_id", "platform_other", "bands_missing", "quality_missing", "scale_unexpected"),
    *("offset_conflict", "offset_unexpected"),
}
DIALECTS: tuple[Callable[[], Item], ...] = (
    *(earth_search_c1, earth_search_l2a, planetary_computer, cdse, landsatlook, planetary_computer_s1),
    lambda: romanian(when="2022-07-01T09:30:00Z"),
)
LONGEST = 600
"""Characters of anything a record quotes from an item that is not used."""

HOSTILE_TEXTS = (
    *("", " ", "\0", "\ud800", "a\udfffb", "x" * 100_000, "\u202eevil", "I\u0307", "\U0001f6f0"),
    *("../../x", "/etc/passwd", "file:///etc/passwd", "/vsicurl/http://127.0.0.1/x", "s3://", "http://[::1"),
    *("https://example.com/a?sig=secret", "<script>alert(1)</script>", "[x](javascript:alert(1))", "image/jp2"),
    *("2022-07-15T00:00:00Z", "2022-07-32", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2022"),
    *("2022-07-10T09:35:25.024000Z", "Infinity", "-0.1", "N9999", "05.10", "99.99", "1220", "1220" + "ab" * 32),
    *("ff" * 40, "80" * 100, "sentinel-2a", "SENTINEL-2", "S2A", "B04", "red", "scl", "MGRS-34TER"),
)
TEXTS = st.sampled_from(HOSTILE_TEXTS) | st.text(max_size=20)
NUMBERS = st.sampled_from(
    [0, 1, -1, 10**400, -(10**400), 2**53, 2**53 + 1, 2**63, 1e308, -1e308, 5e-324, float("nan"), float("inf"), 0.0001,
     -0.1, 0.1, -0.0, True, False]
) | st.integers() | st.floats()  # fmt: skip


def nested(depth: int) -> Any:
    """Lists in lists; written without recursion."""
    value: Any = []
    for _ in range(depth):
        value = [value]
    return value


def wide(count: int) -> Any:
    """A list of very many numbers."""
    return list(range(count))


SCALARS = st.none() | TEXTS | NUMBERS
VALUES = st.one_of(
    *[SCALARS] * 4,
    st.lists(SCALARS, max_size=4),
    st.dictionaries(TEXTS, SCALARS, max_size=4),
    st.sampled_from([40, 300, 2000]).map(nested),
    st.sampled_from([300, 30_000]).map(wide),
)


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every container in a document and each of its keys or indices, those of very long lists left out."""
    found: list[tuple[Any, Any]] = []
    pending = [value]
    while pending:
        part = pending.pop()
        if isinstance(part, dict | list) and len(part) < 1000:
            keys = list(part) if isinstance(part, dict) else list(range(len(part)))
            found += [(part, key) for key in keys]
            pending += [part[key] for key in keys]
    return found


INTERESTING = (
    *("id", "type", "collection", "bbox", "geometry", "properties", "assets", "links", "datetime", "start_datetime"),
    *("platform", "constellation", "sat:absolute_orbit", "sat:relative_orbit", "s2:processing_baseline", "href"),
    *("s2:product_uri", "s2:datatake_id", "s2:datastrip_id", "s2:generation_time", "s2:mgrs_tile", "grid:code"),
    *("earthsearch:boa_offset_applied", "raster:bands", "bands", "eo:bands", "raster:scale", "raster:offset", "name"),
    *("file:checksum", "file:size", "gsd", "scl", "red", "nir", "scale", "offset", "common_name", "processing:version"),
)


@st.composite
def mutated(draw: st.DrawFn, dialects: tuple[Callable[[], Item], ...] = DIALECTS) -> Any:
    """An item of a real dialect with a few values replaced, removed, added or exchanged."""
    dialect = draw(st.sampled_from(dialects))
    item, other = fresh(dialect), fresh(dialect)
    for _ in range(draw(st.integers(0, 5))):
        found = places(item)
        if not found:
            break
        named = [place for place in found if place[1] in INTERESTING]
        container, key = one_of(draw, named if named and draw(st.booleans()) else found)
        match draw(st.sampled_from(["set", "set", "remove", "add", "exchange"])):
            case "set":
                container[key] = draw(VALUES)
            case "remove":
                del container[key]
            case "add" if isinstance(container, dict):
                container[draw(st.sampled_from(INTERESTING) | TEXTS)] = draw(VALUES)
            case _:
                there, that = one_of(draw, places(other))
                container[key] = there[that]
    return item


def fresh(dialect: Callable[[], Item]) -> Any:
    """An item that shares no part with any other."""
    return json.loads(json.dumps(dialect()))


def one_of(draw: st.DrawFn, found: list[tuple[Any, Any]]) -> tuple[Any, Any]:
    """One place of several."""
    return found[draw(st.integers(0, len(found) - 1))]


@st.composite
def months(draw: st.DrawFn) -> list[Any]:
    """What a search may give: items of one dialect or several, the same one again, and what is no item at all."""
    dialects = draw(st.sampled_from([DIALECTS, *((dialect,) for dialect in DIALECTS)]))
    items = draw(st.lists(mutated(dialects), min_size=1, max_size=2))
    return items + draw(st.lists(VALUES, max_size=1)) + (items[:1] if draw(st.booleans()) else [])


def judged(items: list[Any]) -> Selection:
    """A selection, held against what every selection promises."""
    with within_limit():
        selection = select(items, SENTINEL2, MONTH)
    assert selection.returned == len(items)
    scenes = [scene for observation in selection.observations for scene in observation.scenes]
    ids = {scene.id for scene in scenes}
    assert len(ids) == len(scenes)
    assert selection.matched == len(scenes) + len(selection.excluded)
    for excluded in selection.excluded:
        code, _, best = excluded.code.partition(":")
        assert code in CODES or (code == "superseded_by" and best in ids)
        assert max(map(len, (excluded.id, excluded.code, excluded.detail))) <= LONGEST
    for scene in scenes:
        assert scene.datetime.startswith(MONTH)
        assert len(scene.id) <= LONGEST
        assert all(len(finding) <= LONGEST for finding in scene.findings)
        assert {band.key for band in scene.bands.values()} <= set(scene.item["assets"])
        # What a record will say of it can be written.
        canonical([scene.id, scene.collection, scene.platform, list(scene.findings)])
    canonical([[excluded.id, excluded.code, excluded.detail] for excluded in selection.excluded])
    canonical([[observation.key, observation.rule, observation.datetime] for observation in selection.observations])
    return selection


@share("items")
@given(months())
def test_items_are_used_or_excluded_with_a_reason(items: list[Any]) -> None:
    """Types swapped, half characters, huge texts and numbers, deep nesting, foreign values: no exception."""
    judged(items)


PROPERTIES = (
    *("datetime", "start_datetime", "platform", "constellation", "sat:absolute_orbit", "sat:relative_orbit", "created"),
    *("s2:processing_baseline", "s2:product_uri", "s2:datatake_id", "s2:datastrip_id", "s2:generation_time"),
    *("s2:mgrs_tile", "grid:code", "earthsearch:boa_offset_applied", "processing:version", "processing:datetime"),
)


@pytest.mark.parametrize("key", PROPERTIES)
def test_every_property_may_say_any_of_the_texts(key: str) -> None:
    """Where a search would rarely put them: instants that overflow, half characters and names of other things."""
    for value in (*HOSTILE_TEXTS, 10**400, float("nan"), nested(300)):
        item = fresh(earth_search_c1)
        item["properties"] |= {"datetime": "2022-07-10T09:35:25Z", key: value}
        if key == "start_datetime":
            del item["properties"]["datetime"]

        judged([item])


def test_tampering_finds_its_way_past_the_first_check() -> None:
    """The search is no search if all it ever meets is one exclusion; sound items are observations."""
    found: set[str] = set()

    @settings(share("items"), max_examples=200, derandomize=True, database=None)
    @given(months())
    def look(items: list[Any]) -> None:
        selection = judged(items)
        found.update(excluded.code.partition(":")[0] for excluded in selection.excluded)
        found.update("used" for _ in selection.observations)

    look()

    assert found >= {"used", "item_invalid", "duplicate_id", "platform_other", "bands_missing"}
    assert len(select([earth_search_c1()], SENTINEL2, MONTH).observations) == 1
