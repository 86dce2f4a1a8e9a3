"""Decibels and scaled numbers are told by what a catalogue states, anywhere; a unit decides before words."""

from typing import Any

import pytest

from mrv_assets.scenes.conditions import UnusableError
from mrv_assets.scenes.power import check_power, in_decibels


def checked(asset: object, described: object = None, **properties: object) -> None:
    """Check an item with one band."""
    check_power({"assets": {"vv": asset}, "properties": properties}, ["vv"], {"vv": described})


@pytest.mark.parametrize(
    "asset",
    [
        {"raster:bands": [{"unit": "dB"}]},
        {"bands": [{"unit": "decibel"}]},
        {"unit": "DB"},
        {"title": "VV gamma0 [dB]"},
        {"title": "gamma0_vv_db"},
        {"description": "Backscatter in decibels"},
        {"description": "Backscatter that was converted to dB"},
        {"description": "Gamma0 in dB. Convert to linear power by 10^(dB/10)"},
        {"href": "https://example.org/S1A_VV_dB.tif?token=x"},
        {"unit": "dB", "description": "linear power, not dB"},
    ],
)
def test_decibels_are_told_by_unit_title_or_name(asset: dict[str, Any]) -> None:
    """In the item or in its collection, however they are written."""
    for item, collection in ((asset, None), ({"href": asset.get("href", "")}, asset)):
        with pytest.raises(UnusableError) as caught:
            checked(item, collection)
        assert caught.value.code == "decibels"


@pytest.mark.parametrize(
    "properties",
    [{"unit": "dB"}, {"raster:bands": [{"unit": "dB"}]}, {"bands": [{"name": "vv", "unit": "dB"}, {"name": "vh"}]}],
)
def test_decibels_are_told_by_the_properties_of_the_item(properties: dict[str, Any]) -> None:
    """STAC 1.1 allows what all bands have in common there."""
    with pytest.raises(UnusableError, match="in decibels by its unit 'dB'"):
        checked({"unit": "1"}, **properties)


@pytest.mark.parametrize(
    "asset",
    [
        {},
        {"unit": "1"},
        {"title": "VV of the feedback database"},
        {"unit": "linear", "title": "VV (use dB for display)"},
        {"description": "Gamma0 in linear power, not dB"},
        {"description": "Linear power; non-dB"},
        {"description": "Gamma nought. To convert to dB use 10*log10(x)"},
        {"description": "Linear gamma0, which can be converted to decibels"},
        {"href": "https://example.org/db/S1A_VV.tif"},
        None,
    ],
)
def test_other_words_are_not_decibels(asset: object) -> None:
    """Letters within a word, advice, and denials."""
    checked(asset)
    checked({}, asset)


@pytest.mark.parametrize("stated", [{"scale": 0.001}, {"offset": -30}, {"scale": 1, "offset": 5}])
def test_power_has_no_scale(stated: dict[str, float]) -> None:
    """Scaled numbers are another quantity than is read."""
    for asset, described in (({"raster:bands": [stated]}, None), ({}, {"raster:bands": [stated]})):
        with pytest.raises(UnusableError) as caught:
            checked(asset, described)
        assert caught.value.code == "scale_unexpected"
    checked({"raster:bands": [{"scale": 1, "offset": 0}]})


def test_the_statement_is_quoted() -> None:
    """By field and words."""
    assert in_decibels((), [("title", "VV in dB")]) == "title 'VV in dB'"
    assert in_decibels([("unit", "1")], [("title", "VV in dB")]) is None
