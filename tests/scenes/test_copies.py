"""Copies of a scene: the newest counts, in whatever order they come, and no scene is lost."""

import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mrv_assets.scenes.copies import Candidate, newest
from mrv_assets.scenes.product import product_of

Item = dict[str, Any]
AT = datetime(2018, 7, 5, 9, 30, tzinfo=UTC)


def candidate(item_id: str, bbox: tuple[float, ...] = (21.0, 45.0, 22.0, 46.0), **properties: object) -> Candidate:
    """An item with these properties; ``__`` stands for a colon."""
    stated = {name.replace("__", ":"): value for name, value in properties.items()}
    item: Item = {"id": item_id, "bbox": list(bbox), "properties": {"datetime": AT.isoformat(), **stated}}
    return Candidate(id=item_id, item=item, digest=f"{hash(str(item)):x}", product=product_of(item), sensed=AT)


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
        (candidate("z", deprecated=True, platform="sentinel-2a"), candidate("a", platform="sentinel-2a")),
        (candidate("z", deprecated="true", platform="sentinel-2a"), candidate("a", platform="sentinel-2a")),
    ],
    ids=["landsat", "landsat-fields", "sentinel1", "opera", "sentinel2-v0", "deprecated", "deprecated-text"],
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
    ],
    ids=["row", "satellite", "slice", "burst", "halves", "elsewhere"],
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
