"""What was not measured is missing, and what a mask means is known, in months as people's catalogues have them."""

from pathlib import Path

import pytest
from field_cases import NDVI, field_month

from mrv_assets.formats.artifacts import decision_of


@pytest.mark.parametrize("case", ["a3_s1_zero_fill", "a3b_s1_zero_fill_nan"])
def test_radar_without_power_was_not_seen(case: str, tmp_path: Path) -> None:
    """Zeros and NaN beside a stated nodata value of -32768: half of the ground, and the gate stays shut."""
    month = field_month(case, tmp_path)

    decision = month.decision("sentinel1")
    assert decision["coverage"] == pytest.approx(0.5238, abs=1e-4)
    assert decision["status"] == "REJECTED"
    seen = {name: round(row["valid_fraction"], 6) for name, row in month.rows.items()}
    assert seen == {"LAND": 1.0, "HALF": 0.5, "ZERO": 0.0}


@pytest.mark.parametrize("case", ["a4_dn1_old", "a4b_dn1_new", "a4c_dn1_red_only_old", "a4d_dn1_red_only_new"])
def test_a_clipped_pixel_was_seen_and_has_no_value(case: str, tmp_path: Path) -> None:
    """DN 1 is where a product cuts off what is darker: an index of it is invalid and counted."""
    month = field_month(case, tmp_path)

    assert month.rows["LAND"]["ndvi_mean"] == pytest.approx(NDVI, abs=1e-4)
    edge = month.rows["EDGE"]
    assert (edge["ndvi_mean"], edge["evi_mean"], edge["valid_fraction"]) == (None, None, 1.0)
    assert (edge["nbr_mean"] is None) is ("red_only" not in case)
    assert month.record("sentinel2/indices").output["invalid_pixels"]["ndvi"]["clipped"] > 0


def test_another_scene_of_the_pass_fills_what_is_missing_in_a_band(tmp_path: Path) -> None:
    """A scene whose classes call its empty half vegetation does not hide the other scene's."""
    month = field_month("a4e_zero_hides_other_half", tmp_path)

    assert [row["ndvi_mean"] for row in month.rows.values()] == [pytest.approx(NDVI, abs=1e-4)] * 2
    assert len(decision_of(month.record("sentinel2/gated_tiles"))["observations"]) == 1


@pytest.mark.parametrize("case", ["a9_s1_mask_0nodata_1valid_2invalid", "a9b_same_no_nodata_tag"])
def test_a_mask_means_what_its_publisher_says(case: str, tmp_path: Path) -> None:
    """Digital Earth Africa's 1 is valid, which is shadow in OPERA's."""
    month = field_month(case, tmp_path)

    assert {name: row["valid_fraction"] for name, row in month.rows.items()} == {"VALID": 1.0, "INVALID": 0.0}
    [item] = month.record("sentinel1/raw_tiles").inputs["items"]
    assert item["classes"] == {"mask": {"0": 255, "1": 0, "2": 254}}


@pytest.mark.parametrize("case", ["a29_s1_decibels", "a29b_s1_decibels_above_zero"])
def test_decibels_are_refused_by_name(case: str, tmp_path: Path) -> None:
    """With the cure; a logarithm is not a power."""
    month = field_month(case, tmp_path)

    [(code, detail)] = month.excluded("sentinel1").values()
    assert code == "decibels"
    assert detail.endswith("Take a collection that publishes gamma0 in linear power")
