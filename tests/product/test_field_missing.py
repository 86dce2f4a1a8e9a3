"""What was not measured is missing, and what a mask means is known, in months as people's catalogues have them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from field_cases import NDVI, Edit, Json, an_edited_case, field_month, rewrite
from numpy.typing import NDArray

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


def as_written(pixels: NDArray[Any]) -> NDArray[Any]:
    """Pixels unchanged."""
    return pixels


def filled(number: float) -> Edit:
    """The zeros of the case a3 become another number, and the file states no nodata value."""

    def edit(items: list[Json], catalogue: Path) -> None:
        for path in catalogue.glob("*/v?.tif"):
            rewrite(path, lambda pixels: np.where(pixels == 0, np.float32(number), pixels), nodata=None)

    return edit


@pytest.mark.parametrize("number", [-9999.0, -1.0, -99.0, np.nan, -np.inf, np.inf, 3.4e38, 1e-45, 9999.0])
def test_a_fill_value_that_is_not_stated_is_missing(number: float, tmp_path: Path) -> None:
    """Not power, whatever the publisher writes, and not decibels."""
    month = an_edited_case("a3_s1_zero_fill", tmp_path, filled(number))

    assert month.decision("sentinel1")["coverage"] == pytest.approx(0.5238, abs=1e-4)
    assert {name: round(row["valid_fraction"], 6) for name, row in month.rows.items()} == {
        "LAND": 1.0, "HALF": 0.5, "ZERO": 0.0,
    }  # fmt: skip


@pytest.mark.parametrize(("stated", "code"), [(None, "power_unexpected"), (255.0, None)])
def test_a_positive_fill_value_is_refused_until_it_is_stated(
    stated: float | None, code: str | None, tmp_path: Path
) -> None:
    """Land never returns 255, and a ship may: the cure is to state it as nodata, which works."""

    def edit(items: list[Json], catalogue: Path) -> None:
        for path in catalogue.glob("*/v?.tif"):
            rewrite(path, lambda pixels: np.where(pixels == 0, np.float32(255), pixels), nodata=stated)

    month = an_edited_case("a3_s1_zero_fill", tmp_path, edit)

    refused = [(entry["code"], entry["detail"]) for entry in month.record("sentinel1/raw_tiles").output["refused"]]
    assert [entry[0] for entry in refused] == ([code] if code else [])
    assert all(detail.count("band v") == 1 for _, detail in refused)
    if not code:
        assert month.decision("sentinel1")["coverage"] == pytest.approx(0.5238, abs=1e-4)


def test_noise_below_zero_is_not_decibels(tmp_path: Path) -> None:
    """The removal of noise leaves a tenth of VH a little below zero: missing there, and power elsewhere."""

    def edit(items: list[Json], catalogue: Path) -> None:
        def noisy(pixels: NDArray[Any]) -> NDArray[Any]:
            pixels[:, ::10] = -0.001
            return pixels

        rewrite(next(catalogue.glob("*/vh.tif")), noisy)

    month = an_edited_case("a3_s1_zero_fill", tmp_path, edit)

    assert month.record("sentinel1/raw_tiles").output["refused"] == []
    assert month.rows["LAND"]["valid_fraction"] == pytest.approx(0.9, abs=0.02)


@pytest.mark.parametrize(
    "tags",
    [
        {"units": "dB"},
        {"description": "VV gamma0 in decibels"},
        {"image_description": "sigma0 backscatter in dB"},
        {"image_description": f"sigma0 backscatter in dB {'.' * 60_000}"},
    ],
    ids=["unit", "description", "image description", "long image description"],
)
def test_decibels_above_zero_are_told_by_the_file(tags: dict[str, str], tmp_path: Path) -> None:
    """Where neither the item nor its collection says so."""

    def edit(items: list[Json], catalogue: Path) -> None:
        rewrite(next(catalogue.glob("*/vv.tif")), as_written, **tags)

    month = an_edited_case("a3_s1_zero_fill", tmp_path, edit)

    [refused] = month.record("sentinel1/raw_tiles").output["refused"]
    assert (refused["code"], refused["detail"].count("band vv")) == ("decibels", 1)


def test_an_image_description_of_any_length_refuses_nothing(tmp_path: Path) -> None:
    """Programs write their whole history there."""

    def edit(items: list[Json], catalogue: Path) -> None:
        rewrite(next(catalogue.glob("*/vv.tif")), as_written, image_description="processed; " * 20_000)

    month = an_edited_case("a3_s1_zero_fill", tmp_path, edit)

    assert month.record("sentinel1/raw_tiles").output["refused"] == []


@pytest.mark.parametrize("key", ["MASK", "dataMask", "data_mask", "layover_shadow", "quality"])
def test_a_mask_counts_under_any_key(key: str, tmp_path: Path) -> None:
    """A mask that is passed over would let what its publisher calls invalid count."""

    def edit(items: list[Json], catalogue: Path) -> None:
        assets = items[0]["assets"]
        assets[key] = {**assets.pop("mask"), "roles": ["data-mask"]}

    month = an_edited_case("a9_s1_mask_0nodata_1valid_2invalid", tmp_path, edit)

    assert {name: row["valid_fraction"] for name, row in month.rows.items()} == {"VALID": 1.0, "INVALID": 0.0}


def test_a_nodata_value_that_means_seen_is_a_contradiction(tmp_path: Path) -> None:
    """The file's nodata value is 1, which its publisher calls valid."""

    def edit(items: list[Json], catalogue: Path) -> None:
        rewrite(next(catalogue.glob("*/mask.tif")), as_written, nodata=1)

    month = an_edited_case("a9_s1_mask_0nodata_1valid_2invalid", tmp_path, edit)

    [refused] = month.record("sentinel1/raw_tiles").output["refused"]
    assert refused["code"] == "nodata_conflict"


@pytest.mark.parametrize("lacking", ["red", "swir16"])
@pytest.mark.parametrize("other_covers", [False, True])
def test_a_scene_that_lacks_a_band_does_not_hide_what_the_other_misses(
    lacking: str, other_covers: bool, tmp_path: Path
) -> None:
    """One scene misses a band in its right half, which SCL calls vegetation; the other has no such band anywhere.

    Where the other covers the right half it fills it with the bands that it has; else nothing was seen there.
    """

    def right_half_missing(pixels: NDArray[Any]) -> NDArray[Any]:
        pixels[:, pixels.shape[1] // 2 :] = 0
        return pixels

    def edit(items: list[Json], catalogue: Path) -> None:
        first, second = sorted(items, key=lambda item: str(item["id"]))
        for name in ("blue", "red", "nir", "nir08", "swir16", "swir22"):
            rewrite(catalogue / first["assets"][name]["href"], lambda pixels: np.full_like(pixels, pixels.max()))
        rewrite(catalogue / first["assets"][lacking]["href"], right_half_missing)
        if not other_covers:
            for asset in second["assets"].values():
                rewrite(catalogue / asset["href"], right_half_missing)
        del second["assets"][lacking]

    month = an_edited_case("a4e_zero_hides_other_half", tmp_path, edit)

    rows = {name: round(row["valid_fraction"], 6) for name, row in month.rows.items()}
    assert len(decision_of(month.record("sentinel2/gated_tiles"))["observations"]) == 1
    assert rows == {"LAND": 1.0, "EDGE": 1.0 if other_covers else 0.0}
