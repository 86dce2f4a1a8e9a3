"""Copies of a scene: the newest counts, in whatever order they come, and no scene is lost."""

import random
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mrv_assets.scenes.copies import Candidate, newest
from mrv_assets.scenes.product import product_of

Item = dict[str, Any]
AT = datetime(2018, 7, 5, 9, 30, tzinfo=UTC)


L1, L2 = "LC08_L1TP_185029_20180705", "LC08_L2SP_185029_20180705"
S1 = "S1A_IW_GRDH_1SDV_20180705T163000_20180705T163025_022660_027456"
URI = "S2A_MSIL2A_20180705T092031"


def candidate(
    item_id: str,
    bbox: tuple[float, ...] = (21.0, 45.0, 22.0, 46.0),
    at: datetime = AT,
    links: Sequence[tuple[str, str]] = (),
    **properties: object,
) -> Candidate:
    """An item with these properties; ``__`` stands for a colon."""
    stated = {name.replace("__", ":"): value for name, value in properties.items()}
    item: Item = {
        "id": item_id,
        "bbox": list(bbox),
        "properties": {"datetime": at.isoformat(), **stated},
        "links": [{"rel": rel, "href": href} for rel, href in links],
    }
    return Candidate(id=item_id, item=item, digest=f"{hash(str(item)):x}", product=product_of(item), sensed=at)


def s2(item_id: str, baseline: str, sensed: str = "20180705T092846", **properties: Any) -> Candidate:
    """One with all of ESA's names."""
    station = f"S2A_OPER_MSI_L2A_DS_EPAE_20180705T111111_S{sensed}_N{baseline}"
    return tiled(item_id, baseline, **{"s2__datastrip_id": station, "s2__mgrs_tile": "34TER", **properties})


def tiled(item_id: str, baseline: str, **properties: Any) -> Candidate:
    """One with its datatake."""
    datatake = f"GS2A_20180705T092031_015852_N{baseline}"
    stated = {"platform": "sentinel-2a", "s2__datatake_id": datatake, "s2__processing_baseline": baseline}
    return candidate(item_id, **{**stated, **properties})


def counting(*candidates: Candidate) -> list[str]:
    """Ids of those that count, the same for every order."""
    found = {tuple(one.id for one in newest(order)[0]) for order in (candidates, candidates[::-1])}
    [ids] = found
    return list(ids)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (
            candidate("LC08_L2SP_185029_20180705_20210310_02_T1"),
            candidate("LC08_L2SP_185029_20180705_20230705_02_T1"),
        ),
        (
            candidate("a", platform="landsat-8", landsat__wrs_path="185", landsat__wrs_row="029", created="2021-03-10"),
            candidate("LC08_L2SP_185029_20180705_20230705_02_T1_SR"),
        ),
        (
            candidate("S1A_IW_GRDH_1SDV_20180705T163000_20180705T163025_022660_027456_0A1B", created="2018-07-06"),
            candidate("S1A_IW_GRDH_1SDV_20180705T163000_20180705T163025_022660_027456_FFEE", created="2020-01-01"),
        ),
        (
            candidate("OPERA_L2_RTC-S1_T168-359429-IW2_20180705T052415Z_20231220T055805Z_S1A_30_v1.0"),
            candidate("OPERA_L2_RTC-S1_T168-359429-IW2_20180705T052415Z_20240601T000000Z_S1A_30_v1.0"),
        ),
        (
            candidate(
                "S2A_34TER_20190208_0_L2A",
                platform="sentinel-2a",
                sentinel__product_id="S2A_MSIL2A_20190208T093039_N0207_R136_T34TER_20190208T111111",
            ),
            candidate(
                "S2A_34TER_20190208_1_L2A",
                platform="sentinel-2a",
                sentinel__product_id="S2A_MSIL2A_20190208T093039_N0211_R136_T34TER_20190301T111111",
            ),
        ),
        (
            candidate("LC08_L2SP_185029_20180705_20210310_02_T1", at=datetime(2018, 7, 5, tzinfo=UTC)),
            candidate("LC08_L2SP_185029_20180705_20230705_02_T1"),
        ),
        (
            candidate("x1", platform="landsat-8", landsat__wrs_path="185.0", landsat__wrs_row=29.0, created="2021"),
            candidate("x2", platform="landsat-8", landsat__wrs_path="185", landsat__wrs_row="029", version="2"),
        ),
        (
            candidate(L2 + "_20210310_02_T1", landsat__landsat_product_id=L1 + "_20200831_02_T1"),
            candidate(L2 + "_20230705_02_T1", landsat__landsat_product_id=L1 + "_20200831_02_T1"),
        ),
        (
            candidate("S1A_IW_GRDH_1SDV_20180705T163000_20180705T163025_022660_027456_0A1B"),
            candidate("S1A_IW_GRDH_1SDV_20180705T163001_20180705T163026_022660_027456_FFEE", version="1"),
        ),
        (
            candidate(S1 + "_0A1B_rtc", s1__processing_datetime="2018-07-06T00:00:00Z"),
            candidate(S1 + "_9999_rtc", s1__processing_datetime="2023-07-06T00:00:00Z"),
        ),
        (
            candidate("OPERA_L2_RTC-S1_T168-359429-IW2_20180705T052415Z_20240601T000000Z_S1A_30_v0.1"),
            candidate("OPERA_L2_RTC-S1_T168-359429-IW2_20180705T052415Z_20231220T055805Z_S1A_30_v1.0"),
        ),
        (s2("a", "02.08"), s2("b", "02.11", sensed="20180705T092847")),
        (s2("a", "02.08", sat__relative_orbit=136), s2("b", "02.11")),
        (s2("a", "02.08", s2__product_uri=f"{URI}_N0208_R136_T34TER_20180705T121111.SAFE"), s2("b", "02.11")),
        (
            s2("a", "02.08", version="1", created="2024-01-01T00:00:00Z"),
            s2("b", "02.08", version="2", created="2023-01-01T00:00:00Z"),
        ),
        (s2("a", "02.08", version="1.0.0-rc1"), s2("b", "02.08", version="1.0.0")),
        (s2("a", "02.08", bbox=(21.0, 45.0, 21.5, 46.0)), s2("b", "05.00", sensed="20180705T093055")),
        (
            candidate("_0_", platform="sentinel-2a", grid__code="MGRS-34TER", s2__processing_baseline="02.08"),
            candidate("_1_", platform="sentinel-2a", grid__code="MGRS-34TER", s2__processing_baseline="02.11"),
        ),
        (
            tiled("a", "02.08", sentinel__utm_zone=34, sentinel__latitude_band="T", sentinel__grid_square="ER"),
            tiled("b", "02.11", mgrs__utm_zone=34, mgrs__latitude_band="T", mgrs__grid_square="ER"),
        ),
        (
            candidate(f"{URI}_N0208_R136_T34TER_20180705T121111"),
            candidate(
                f"{URI}_N0211_R136_T34TER_20190705T121111",
                title=f"Replaces {URI}_N0500_R136_T34TER_20230705T121111",
            ),
        ),
        (
            candidate("z", deprecated=True, platform="sentinel-2a"),
            candidate("a", platform="sentinel-2", at=AT + timedelta(seconds=1)),
        ),
        (
            candidate("z", deprecated=True, links=[("successor-version", "../items/a.json?x=1")]),
            candidate("a", at=AT + timedelta(hours=2), bbox=(30.0, 45.0, 31.0, 46.0)),
        ),
        (candidate("z", deprecated=True, platform="sentinel-2a"), candidate("a", platform="sentinel-2a")),
        (candidate("z", deprecated="true", platform="sentinel-2a"), candidate("a", platform="sentinel-2a")),
    ],
    ids=[
        *(
            "landsat",
            "landsat-fields",
            "sentinel1",
            "opera",
            "sentinel2-v0",
            "landsat-date-only",
            "landsat-path-spelled",
        ),
        *("landsat-level-1-quoted", "sentinel1-cut", "sentinel1-processed", "opera-provisional", "datastrip-cut"),
        *("relative-orbit-of-one", "uri-of-one", "put-in-again", "candidate-release", "half-and-whole", "no-datatake"),
        *("tile-in-parts", "another-named", "deprecated-platform", "successor-link", "deprecated", "deprecated-text"),
    ],
)
def test_of_two_processings_the_newer_counts(old: Candidate, new: Candidate) -> None:
    """In every mission's names, and the other is said to be superseded, with the rule."""
    assert counting(old, new) == [new.id]
    [gone] = newest([old, new])[1]
    assert (gone.copy.id, gone.by.id) == (old.id, new.id)
    assert gone.detail


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (candidate("LC08_L2SP_185029_20180705_02_T1"), candidate("LC08_L2SP_185030_20180705_02_T1")),
        (candidate("LC08_L2SP_185029_20180705_02_T1"), candidate("LC09_L2SP_185029_20180705_02_T1")),
        (
            candidate("S1A_IW_GRDH_1SDV_20180705T163000_20180705T163025_022660_027456_0A1B"),
            candidate("S1A_IW_GRDH_1SDV_20180705T163025_20180705T163050_022660_027456_0A1B"),
        ),
        (
            candidate("OPERA_L2_RTC-S1_T168-359429-IW1_20180705T052415Z_20231220T055805Z_S1A_30_v1.0"),
            candidate("OPERA_L2_RTC-S1_T168-359429-IW2_20180705T052415Z_20231220T055805Z_S1A_30_v1.0"),
        ),
        (
            candidate("_0_", s2__product_uri="S2A_MSIL2A_20190208T093039_N0211_R136_T34TER_20190208T111111"),
            candidate("_1_", s2__product_uri="S2A_MSIL2A_20190208T093039_N0211_R136_T34TER_20190208T131111"),
        ),
        (candidate("a", deprecated=True), candidate("b", bbox=(30.0, 45.0, 31.0, 46.0))),
        (
            candidate("west", bbox=(21.0, 45.0, 21.5, 46.0), s1__source=S1 + "_0A1B"),
            candidate("east", bbox=(21.5, 45.0, 22.0, 46.0), s1__source=S1 + "_0A1B"),
        ),
        (
            candidate(L2 + "_2021_02_T1", bbox=(21, 45, 21.5, 46)),
            candidate(L2 + "_2023_02_T1", bbox=(21.5, 45, 22, 46)),
        ),
        (s2("a", "02.08", deprecated=True), s2("b", "02.08", sensed="20180705T093055")),
        (s2("a", "02.08"), s2("b", "02.11", sensed="20180705T093055")),
    ],
    ids=[
        *("row", "satellite", "slice", "burst", "halves", "elsewhere", "tiles-of-one-product", "clipped-halves"),
        *("half-without-successor", "halves-that-look-whole"),
    ],
)
def test_two_scenes_both_count(one: Candidate, other: Candidate) -> None:
    """Neighbours, other satellites, and halves that two stations received."""
    assert counting(one, other) == sorted([one.id, other.id])


def test_a_deprecated_item_alone_counts() -> None:
    """Nothing else shows its ground."""
    assert counting(candidate("a", deprecated=True)) == ["a"]


def test_halves_under_one_id_are_told_apart() -> None:
    """Their datastrips were sensed at different times: both count, the second by an id of its own."""
    halves = [
        candidate(
            "S2A_MSIL2A_20180705T092031_R136_T34TER",
            platform="sentinel-2a",
            s2__datatake_id="GS2A_20180705T092031_015852_N02.14",
            s2__mgrs_tile="34TER",
            s2__datastrip_id=f"S2A_OPER_MSI_L2A_DS_{station}_20180705T111111_S{sensed}_N02.14",
        )
        for station, sensed in (("EPAE", "20180705T092846"), ("SGS_", "20180705T093055"))
    ]

    first, second = counting(*halves)

    assert first == halves[0].id
    assert second.startswith(f"{first}~")
    assert len(second) == len(first) + 9


def test_one_item_edited_counts_as_it_was_last_updated() -> None:
    """Two contents under one id of one scene."""
    old = candidate("a", platform="sentinel-2a", updated="2020-01-01T00:00:00Z")
    new = candidate("a", platform="sentinel-2a", updated="2021-01-01T00:00:00Z")

    kept, [gone] = newest([new, old])

    assert kept == [new]
    assert gone.copy == old


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (
            s2("X", "02.08", deprecated=True, updated="2024-01-01T00:00:00Z"),
            s2("X", "02.08", updated="2023-01-01T00:00:00Z"),
        ),
        (s2("X", "02.08", version="1", updated="2024-01-01T00:00:00Z"), s2("X", "05.00", version="2")),
        *((s2("X", "02.08", x=n), s2("X", "02.11", x=n + 4)) for n in range(4)),
        (
            candidate("X", platform="sentinel-2a", updated="2023-01-01T00:00:00Z"),
            s2("X", "02.08", updated="2023-02-01T00:00:00Z"),
        ),
    ],
)
def test_of_one_id_the_processing_decides_before_the_update(old: Candidate, new: Candidate) -> None:
    """Calling an item deprecated updates it; an item that says less is the same scene."""
    kept, [gone] = newest([new, old])

    assert kept == [new]
    assert gone.copy == old
    assert newest([old, new])[0] == [new]


def test_successors_that_go_round_in_a_circle_leave_one() -> None:
    """Both deprecated, each the other's successor: the ground is not lost."""
    one = candidate("a", deprecated=True, links=[("successor-version", "b.json")])
    other = candidate("b", deprecated=True, links=[("successor-version", "a.json")])

    assert len(counting(one, other)) == 1


def test_of_any_copies_one_is_left() -> None:
    """Whatever fields items state or leave out, however they relate: what does not count has something newer."""
    chance = random.Random(11)
    fields: dict[str, list[object]] = {
        "deprecated": [True, None],
        "platform": ["sentinel-2a", "sentinel-2", None],
        "s2__mgrs_tile": ["34TER", None],
        "s2__datatake_id": ["GS2A_20180705T092031_015852_N02.08", None],
        "s2__datastrip_id": [f"S2A_OPER_MSI_L2A_DS_EPAE_20180705T111111_S20180705T09{m}46_N02.08" for m in (28, 30)],
        "s2__processing_baseline": ["02.08", "05.00", None],
        "s2__generation_time": ["2018-07-05T12:00:00Z", "2023-07-05T12:00:00Z", None],
        "version": ["1", "2", None],
        "updated": ["2023-01-01T00:00:00Z", "2024-01-01T00:00:00Z", None],
    }
    for _ in range(2_000):
        items = []
        for number in range(chance.randint(2, 5)):
            stated = {name: value for name, values in fields.items() if (value := chance.choice([*values, None]))}
            links = [("successor-version", f"{chance.randrange(5)}.json")] if chance.random() < 0.3 else []
            box = chance.choice([(21.0, 45.0, 22.0, 46.0), (21.0, 45.0, 21.5, 46.0)])
            items.append(candidate(str(chance.choice([number, 0])), bbox=box, links=links, **stated))
        kept, superseded = newest(items)

        assert kept
        assert len(kept) + len(superseded) == len(items)
        assert {one.by.id for one in superseded} <= {one.id for one in kept}
        shuffled = chance.sample(items, len(items))
        assert [one.id for one in newest(shuffled)[0]] == [one.id for one in kept]


def test_every_scene_counts_once_in_whatever_order() -> None:
    """Random scenes with random copies, against one who knows which was made last."""
    chance = random.Random(7)
    for _ in range(300):
        candidates, expected = [], []
        for scene in range(chance.randint(1, 5)):
            made = sorted(chance.sample(range(1000), chance.randint(1, 4)))
            for days in made:
                day = f"{datetime(2020, 1, 1, tzinfo=UTC) + timedelta(days=days):%Y%m%d}"
                candidates.append(candidate(f"LC08_L2SP_185{scene:03d}_20180705_{day}_02_T1"))
            expected.append(candidates[-1].id)
        chance.shuffle(candidates)

        kept, superseded = newest(candidates)

        assert sorted(one.id for one in kept) == sorted(expected)
        assert len(kept) + len(superseded) == len(candidates)
        assert max(Counter(one.copy.id for one in superseded).values(), default=1) == 1
        assert {one.by.id for one in superseded} <= set(expected)
