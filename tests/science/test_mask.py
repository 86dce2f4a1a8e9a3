"""Masking: only what a product says is clear is clear, and every other pixel carries its reasons."""

from dataclasses import replace

import dask.array as da
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from stacks import CLEAR, RADIOMETRY, a_flag_array, a_stack, flags, pixels
from strategies import bands_and_flags

from mrv_assets.missions.flags import Flag
from mrv_assets.missions.mission import ProbabilityQuality
from mrv_assets.missions.sentinel2 import SENTINEL2
from mrv_assets.science.mask import FLAG_ATTRS, dilate, mask_unclear, measured_flags, quality_flags
from mrv_assets.science.radiometry import reflectance

QA60_CLOUD, QA60_CIRRUS = 1 << 10, 1 << 11


@pytest.mark.parametrize(
    ("scl", "reason"),
    [
        (0, Flag.NODATA),
        (1, Flag.SATURATED),
        (2, Flag.DARK),
        (3, Flag.SHADOW),
        (4, CLEAR),
        (5, CLEAR),
        (6, CLEAR),
        (7, Flag.UNCLASSIFIED),
        (8, Flag.CLOUD),
        (9, Flag.CLOUD),
        (10, Flag.CIRRUS),
        (11, Flag.SNOW),
        (12, Flag.UNCLASSIFIED),
        (255, Flag.UNCLASSIFIED),
    ],
)
def test_a_scene_class_is_clear_or_has_its_reason(scl: int, reason: Flag) -> None:
    """Vegetation, soil and water are clear; a class nobody described is not."""
    found = quality_flags({"scl": pixels([scl], "uint8")}, SENTINEL2, cloud_probability=0.15)

    assert found.tolist() == flags(reason).tolist()
    assert found.dtype == np.uint16


@pytest.mark.parametrize(
    ("qa60", "reason"),
    [
        (0, CLEAR),
        (QA60_CLOUD, Flag.CLOUD),
        (QA60_CIRRUS, Flag.CIRRUS),
        (QA60_CLOUD | QA60_CIRRUS, Flag.CLOUD | Flag.CIRRUS),
        (0xFFFF & ~0x0C00, CLEAR),
    ],
)
def test_qa60_has_two_bits_and_no_other(qa60: int, reason: Flag) -> None:
    """Bit 10 is opaque cloud, bit 11 cirrus; the mask is 0x0C00."""
    found = quality_flags({"qa60": pixels([qa60])}, SENTINEL2, cloud_probability=0.15)

    assert found.tolist() == flags(reason).tolist()


def test_what_any_quality_band_says_counts() -> None:
    """A pixel that SCL calls vegetation and QA60 cloud is cloud; the reasons of both are kept."""
    quality = {"scl": pixels([4, 4, 3], "uint8"), "qa60": pixels([0, QA60_CLOUD, QA60_CLOUD])}

    found = quality_flags(quality, SENTINEL2, cloud_probability=0.15)

    assert found.tolist() == flags(CLEAR, Flag.CLOUD, Flag.CLOUD | Flag.SHADOW).tolist()


@settings(deadline=None)
@given(st.integers(0, 100))
def test_a_cloud_probability_at_the_threshold_is_unclear(percent: int) -> None:
    """15 percent meets 0.15 although 15 x 0.01 is less than 0.15 in binary fractions; so with every percent."""
    published = np.arange(101, dtype=np.uint8)

    found = quality_flags({"cloud_probability": published}, SENTINEL2, cloud_probability=percent / 100)

    assert (found == Flag.LOW_PROBABILITY).tolist() == [value >= percent for value in range(101)]
    assert set(found.tolist()) <= {0, int(Flag.LOW_PROBABILITY)}


def test_without_a_threshold_no_probability_is_too_high() -> None:
    """Alignment picks the clearest scene before any programme's threshold applies."""
    found = quality_flags({"cloud_probability": pixels([100], "uint8")}, SENTINEL2, cloud_probability=np.inf)

    assert found.tolist() == flags(CLEAR).tolist()


def test_a_probability_nobody_published_is_not_a_high_one() -> None:
    """255 means missing in some products; an observation without the band must not be all cloud."""
    probability = SENTINEL2.quality["cloud_probability"]
    assert isinstance(probability, ProbabilityQuality)
    mission = replace(SENTINEL2, quality={"cloud_probability": replace(probability, nodata=255)})

    found = quality_flags({"cloud_probability": pixels([100, 255], "uint8")}, mission, cloud_probability=0.15)

    assert found.tolist() == flags(Flag.LOW_PROBABILITY, CLEAR).tolist()


def test_snow_may_count_as_ground_and_nothing_else_does() -> None:
    """The option takes away one reason; a snowy pixel that QA60 calls cloud is still cloud."""
    quality = {"scl": pixels([11, 11, 9], "uint8"), "qa60": pixels([0, QA60_CLOUD, 0])}

    found = quality_flags(quality, SENTINEL2, cloud_probability=0.15, snow_is_clear=True)

    assert found.tolist() == flags(CLEAR, Flag.CLOUD, Flag.CLOUD).tolist()


def test_a_hole_or_a_glare_in_one_band_makes_the_pixel_unclear() -> None:
    """Any band is enough: an index must not mix what was seen with what was not."""
    bands = {"red": pixels([0, 1, 65_535, 65_534, 0]), "nir": pixels([2000, 2000, 2000, 2000, 65_535])}
    both = {"red": np.array([True]), "nir": np.array([True])}

    found = measured_flags(bands.items(), both, RADIOMETRY)

    expected = flags(Flag.NODATA, CLEAR, Flag.SATURATED, CLEAR, Flag.NODATA | Flag.SATURATED)
    assert found.tolist() == expected.tolist()


def test_a_band_that_an_observation_lacks_says_nothing_of_it() -> None:
    """One scene of the month without swir22 keeps its NDVI; the other scene's holes in swir22 count."""
    bands = {"red": np.full((2, 1, 2), 2000, np.uint16), "swir22": np.array([[[0, 0]], [[0, 2000]]], np.uint16)}
    present = {"red": np.array([True, True]), "swir22": np.array([False, True])}

    found = measured_flags(bands.items(), present, RADIOMETRY)

    assert found.tolist() == [[[0, 0]], [[int(Flag.NODATA), 0]]]


def test_a_pixel_without_any_band_was_not_seen() -> None:
    """Where the scenes of an observation have no band in common, missing in all of them is nodata."""
    bands = {"red": pixels([0, 0, 2000]), "nir": pixels([0, 2000, 65_535])}
    present = {"red": np.array([False]), "nir": np.array([False])}

    found = measured_flags(bands.items(), present, RADIOMETRY)

    assert found.tolist() == flags(Flag.NODATA, CLEAR, Flag.SATURATED).tolist()


def test_dilation_is_a_disc_around_cloud() -> None:
    """Radius 2 between pixel centres reaches (0, 2) and (1, 1), not (1, 2) or (2, 2)."""
    seen = np.zeros((1, 7, 7), np.uint16)
    seen[0, 3, 3] = Flag.CLOUD

    found = dilate(seen, 2)

    drawn = ["".join({0: ".", int(Flag.CLOUD): "C", int(Flag.DILATION): "d"}[v] for v in row) for row in found[0]]
    assert drawn == [".......", "...d...", "..ddd..", ".ddCdd.", "..ddd..", "...d...", "......."]


@pytest.mark.parametrize("reason", list(Flag))
def test_cloud_and_shadow_are_dilated_and_nothing_else(reason: Flag) -> None:
    """Product masks miss the edges of clouds and of their shadows; snow and nodata end where they end."""
    found = dilate(flags(reason, CLEAR), 1)

    expected = Flag.DILATION if reason in (Flag.CLOUD, Flag.SHADOW) else CLEAR
    assert found.tolist() == flags(reason, expected).tolist()


def test_dilation_adds_to_the_reasons_a_pixel_has() -> None:
    """Snow beside a cloud is snow and dilated; a shadow beside it is a shadow."""
    found = dilate(flags(Flag.CLOUD, Flag.SNOW, CLEAR, Flag.SHADOW), 1)

    assert found.tolist() == flags(
        Flag.CLOUD, Flag.SNOW | Flag.DILATION, Flag.DILATION, Flag.SHADOW
    ).tolist()  # fmt: skip


def test_a_cloud_spreads_over_its_own_observation_only() -> None:
    """Yesterday's cloud says nothing of today."""
    seen = np.zeros((2, 1, 3), np.uint16)
    seen[0, 0, 1] = Flag.CLOUD

    found = dilate(seen, 3)

    assert found[0, 0].tolist() == [int(Flag.DILATION), int(Flag.CLOUD), int(Flag.DILATION)]
    assert not found[1].any()


def test_dilation_leaves_what_it_was_given_alone() -> None:
    """A pure function: the caller's flags are the same after it, and radius 0 changes nothing."""
    seen = flags(Flag.CLOUD, CLEAR)
    before = seen.copy()

    dilate(seen, 1)

    np.testing.assert_array_equal(seen, before)
    np.testing.assert_array_equal(dilate(seen, 0), before)


def cloud_fields() -> st.SearchStrategy[NDArray[np.uint16]]:
    """Fields that are cloud, shadow, snow or clear, from lonely pixels to closed cover."""
    reasons = st.sampled_from([0, 0, 0, int(Flag.CLOUD), int(Flag.SHADOW), int(Flag.SNOW)])
    return hnp.arrays(np.uint16, st.tuples(st.just(1), st.integers(1, 14), st.integers(1, 14)), elements=reasons)


@settings(deadline=None)
@given(cloud_fields(), st.integers(1, 5))
def test_dilation_is_the_distance_to_the_nearest_cloud(seen: NDArray[np.uint16], radius: int) -> None:
    """The oracle measures every pair of pixels, in squared pixels."""
    found = dilate(seen, radius)

    source = np.isin(seen[0], [int(Flag.CLOUD), int(Flag.SHADOW)])
    row, col = np.indices(source.shape)
    near = np.zeros(source.shape, bool)
    for i, j in np.argwhere(source):
        near |= (row - i) ** 2 + (col - j) ** 2 <= radius**2
    np.testing.assert_array_equal(found[0], np.where(near & ~source, seen[0] | Flag.DILATION, seen[0]))


@settings(deadline=None)
@given(cloud_fields(), st.integers(1, 4), st.integers(1, 5))
def test_dilation_block_by_block_is_dilation_of_the_whole(seen: NDArray[np.uint16], radius: int, side: int) -> None:
    """With a margin of the radius, less at the grid's edge, a block's flags never depend on the blocks."""
    whole = dilate(seen, radius)

    pieced = np.empty_like(seen)
    height, width = seen.shape[1:]
    for top in range(0, height, side):
        for left in range(0, width, side):
            up, before = max(0, top - radius), max(0, left - radius)
            padded = seen[:, up : top + side + radius, before : left + side + radius]
            inner = dilate(padded, radius)[:, top - up :, left - before :][:, :side, :side]
            pieced[:, top : top + side, left : left + side] = inner

    np.testing.assert_array_equal(pieced, whole)


def test_a_clouded_pixel_is_missing_from_the_stack() -> None:
    """Missing, not zero: zero would read as a very dark surface."""
    stack = reflectance(a_stack(red=pixels([2000, 2000])), RADIOMETRY)

    masked = mask_unclear(stack, a_flag_array(flags(CLEAR, Flag.CLOUD)))

    np.testing.assert_allclose(masked["red"].values.ravel(), [0.1, np.nan], atol=1e-6)


@settings(deadline=None)
@given(bands_and_flags("red", "nir"))
def test_masking_only_takes_away(given_: tuple[dict[str, NDArray[np.uint16]], NDArray[np.uint16]]) -> None:
    """Every pixel is either untouched or missing, and missing exactly where it is unclear or was before."""
    bands, reasons = given_
    stack = reflectance(a_stack(**bands), RADIOMETRY)

    masked = mask_unclear(stack, a_flag_array(reasons))

    for band in stack.data_vars:
        xr.testing.assert_identical(masked[band], stack[band].where(masked[band].notnull()))
        np.testing.assert_array_equal(masked[band].notnull(), (bands[str(band)] != 0) & (reasons == 0))


def test_masking_a_lazy_stack_is_lazy() -> None:
    """Opening a masked month computes nothing."""
    dn = a_stack(red=np.full((1, 4, 4), 2000, np.uint16)).chunk(x=2)

    masked = mask_unclear(reflectance(dn, RADIOMETRY), a_flag_array(np.zeros((1, 4, 4), np.uint16)))

    assert isinstance(masked["red"].data, da.Array)


def test_a_cf_reader_finds_every_reason_by_its_name() -> None:
    """The attributes name each bit, in the order that is part of the format."""
    masks, meanings = FLAG_ATTRS["flag_masks"], str(FLAG_ATTRS["flag_meanings"]).split()

    assert masks == [1 << bit for bit in range(11)]
    assert [Flag[name.upper()] for name in meanings] == list(Flag)
    assert meanings[:2] + meanings[-1:] == ["nodata", "cloud", "dilation"]
