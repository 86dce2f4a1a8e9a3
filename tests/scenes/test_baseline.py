"""A processing baseline is read in every place and spelling in which catalogues write it."""

from typing import Any

import pytest

from mrv_assets.scenes.baseline import baseline_from, baseline_of, baselines_of

PRODUCT = "S2B_MSIL2A_20210703T093039_N0500_R136_T34TER_20230203T111111"
DATATAKE = "GS2B_20210703T093039_022580_N05.00"


@pytest.mark.parametrize("stated", ["05.09", "5.09", "0509", "N0509", "N05.09", 5.09, 509, "509", " 05.09 "])
def test_one_baseline_in_every_spelling(stated: object) -> None:
    """As ESA writes it, as a number, without its zeros, without its point."""
    assert baseline_from(stated) == (5, 9)


@pytest.mark.parametrize(("stated", "baseline"), [(5.1, (5, 10)), ("5.1", (5, 10)), (5, (5, 0)), ("5.0", (5, 0))])
def test_a_number_has_lost_its_last_zero(stated: object, baseline: tuple[int, int]) -> None:
    """JSON writes 5.10 as 5.1, and 5.00 as 5 or 5.0."""
    assert baseline_from(stated) == baseline


@pytest.mark.parametrize(
    "stated", ["99.99", "N9999", 99.99, "00.00", 0, -5.0, True, None, [], {}, "", "new", "05.09.1", float("nan"), 1e9]
)
def test_what_states_no_baseline(stated: object) -> None:
    """Processors that users run write 99.99; the rest is not a baseline."""
    assert baseline_from(stated) is None


@pytest.mark.parametrize(
    "item",
    [
        {"properties": {"s2:processing_baseline": "05.00"}},
        {"properties": {"sentinel:processing_baseline": 5.0}},
        {"properties": {"processing:version": "05.00"}},
        {"properties": {"s2:product_uri": f"{PRODUCT}.SAFE"}},
        {"properties": {"sentinel:product_id": PRODUCT}},
        {"properties": {"s2:datatake_id": DATATAKE}},
        {"id": PRODUCT, "properties": {}},
        {"properties": {"s2:datastrip_id": "S2B_OPER_MSI_L2A_DS_S2RP_20230203T111111_S20210703T093044_N05.00"}},
        {"properties": {"s2:granule_id": "S2B_OPER_MSI_L2A_TL_S2RP_20230203T111111_A022580_T34TER_N05.00"}},
        {"assets": {"B04": {"href": f"https://example.org/{PRODUCT}/B04.tif"}}},
    ],
)
def test_every_place_in_which_it_is_written(item: dict[str, Any]) -> None:
    """A field under any prefix, a product's name in a field, in the id or in a link, a datatake's id."""
    assert baseline_of(item) == (5, 0)


def test_the_version_of_some_software_is_not_a_baseline() -> None:
    """Only four digits under processing:version can be one."""
    assert baseline_of({"properties": {"processing:version": "2.1"}}) is None


def test_the_level_before_has_a_baseline_of_its_own() -> None:
    """A datatake's id and a link to the product of level 1 do not speak against the field."""
    item = {
        "properties": {"s2:processing_baseline": "02.12", "s2:datatake_id": "GS2A_20190212T192651_019029_N02.07"},
        "assets": {"source": {"href": PRODUCT.replace("MSIL2A", "MSIL1C")}},
    }

    assert baseline_of(item) == (2, 12)


@pytest.mark.parametrize("stated", ["99.99", "N9999", 99.99])
def test_the_source_of_a_user_s_own_product_is_not_its_baseline(stated: object) -> None:
    """Sen2Cor of today writes an offset into a product of 2020, whose datatake keeps the old baseline of its source."""
    item = {"properties": {"s2:processing_baseline": stated, "s2:datatake_id": "GS2A_20200703T093039_026279_N02.14"}}

    assert list(baselines_of(item)) == []


def test_a_field_without_a_baseline_leaves_it_to_the_datatake() -> None:
    """00.00 says that nothing is known, not who made the product."""
    item = {"properties": {"s2:processing_baseline": "00.00", "s2:datatake_id": "GS2A_20200703T093039_026279_N02.14"}}

    assert list(baselines_of(item)) == [((2, 14), "s2:datatake_id")]
