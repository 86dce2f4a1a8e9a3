"""The zero point of reflectance: which of an item's statements decides, and what is said where they disagree."""

from datetime import UTC, datetime

import pytest
from scene_builders import Item, earth_search_c1, earth_search_l2a, planetary_computer

from mrv_assets.missions.sentinel2 import SENTINEL2
from mrv_assets.scenes.offset import boa_offset

RADIOMETRY = SENTINEL2.radiometry

BEFORE, AFTER = datetime(2022, 1, 24, 23, 59, tzinfo=UTC), datetime(2022, 1, 25, tzinfo=UTC)
KEYS = ("red", "nir")


def stating(*offsets: float | None, baseline: str | None = None) -> Item:
    """An item whose red and nir state these offsets."""
    item = earth_search_c1(baseline=baseline or "04.00")
    if baseline is None:
        item["properties"] = {}
    for key, offset in zip(KEYS, offsets, strict=True):
        item["assets"][key]["raster:bands"] = [{} if offset is None else {"offset": offset}]
    return item


def test_boa_offset_applied_wins_over_what_is_stated() -> None:
    """Earth Search states -0.1 on pixels it has shifted already; believing it would shift them twice."""
    decision = boa_offset(earth_search_l2a(), AFTER, KEYS, RADIOMETRY)

    assert (decision.offset, decision.rule) == (0.0, "boa_offset_applied")
    assert decision.findings == ("offset_conflict: states -0.1 and boa_offset_applied; boa_offset_applied decided",)


def test_boa_offset_not_applied_decides_nothing() -> None:
    """False says only that the stated offset is still to be applied."""
    item = stating(-0.1, -0.1, baseline="05.10")
    item["properties"]["earthsearch:boa_offset_applied"] = False

    assert boa_offset(item, AFTER, KEYS, RADIOMETRY).rule == "stated"


@pytest.mark.parametrize("instant", [BEFORE, AFTER])
@pytest.mark.parametrize(("baseline", "offset"), [("03.01", 0.0), ("04.00", -0.1), ("05.11", -0.1)])
def test_with_nothing_stated_the_baseline_decides(baseline: str, offset: float, instant: datetime) -> None:
    """From 04.00 on there is an offset, also on old scenes processed again."""
    decision = boa_offset(planetary_computer(baseline=baseline), instant, ("B04", "B08"), RADIOMETRY)

    assert (decision.offset, decision.rule, decision.findings) == (offset, "baseline", ())


@pytest.mark.parametrize("stated", [0.0, -0.1])
def test_the_stated_offset_wins_over_the_baseline_and_says_so(stated: float) -> None:
    """A conflict is a finding that names what decided, not a guess."""
    baseline = "05.00" if stated == 0 else "02.14"

    decision = boa_offset(stating(stated, stated, baseline=baseline), AFTER, KEYS, RADIOMETRY)

    assert (decision.offset, decision.rule) == (stated, "stated")
    [finding] = decision.findings
    assert finding.startswith("offset_conflict")
    assert baseline in finding
    assert finding.endswith("stated decided")


def test_bands_that_disagree_decide_nothing() -> None:
    """One scene has one offset; where its bands differ the baseline decides, and the conflict is kept."""
    decision = boa_offset(stating(-0.1, 0.0, baseline="05.00"), AFTER, KEYS, RADIOMETRY)

    assert (decision.offset, decision.rule) == (-0.1, "baseline")
    assert decision.findings == ("offset_conflict: bands state -0.1, 0; none of them decided",)


def test_one_band_stating_is_enough() -> None:
    """A band that states nothing contradicts nothing."""
    assert boa_offset(stating(None, -0.1), AFTER, KEYS, RADIOMETRY).offset == -0.1


@pytest.mark.parametrize(
    "asset", [{"bands": [{"name": "B04", "raster:offset": -0.1}]}, {"raster:offset": -0.1}], ids=["band", "asset"]
)
def test_stac_1_1_states_it_elsewhere(asset: Item) -> None:
    """STAC 1.1 keeps the offset with the band, or with the asset of one band."""
    assert boa_offset({"assets": {"red": asset}}, AFTER, ["red"], RADIOMETRY).rule == "stated"


@pytest.mark.parametrize("stated", ["-0.1", True, None])
def test_only_a_number_is_an_offset(stated: object) -> None:
    """Anything else was not stated."""
    item = {"assets": {"red": {"raster:bands": [{"offset": stated}]}}}

    assert boa_offset(item, BEFORE, ["red"], RADIOMETRY).rule == "date"


def test_an_offset_printed_as_float32_is_the_same() -> None:
    """-0.10000000149 is what a float32 of -0.1 prints as."""
    decision = boa_offset(stating(-0.10000000149011612, -0.1, baseline="05.00"), AFTER, KEYS, RADIOMETRY)

    assert (decision.offset, decision.findings) == (-0.1, ())


def test_the_date_decides_only_before_there_was_an_offset() -> None:
    """With nothing stated at all a scene of 2018 has none; one of 2023 could have either."""
    item = stating(None, None)

    assert boa_offset(item, BEFORE, KEYS, RADIOMETRY).offset == 0.0
    assert boa_offset(item, AFTER, KEYS, RADIOMETRY).offset is None


def test_a_user_run_processor_states_no_baseline() -> None:
    """99.99 is written by anyone's Sen2Cor of any age."""
    assert boa_offset(stating(None, None, baseline="99.99"), AFTER, KEYS, RADIOMETRY).rule == "unknown"
