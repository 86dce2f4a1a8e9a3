"""Digital numbers of one convention: the same ground gives the same number whoever published it."""

import dask.array as da
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from stacks import DIMS, RADIOMETRY, a_stack, pixels

from mrv_assets.science.radiometry import reflectance, to_convention


def test_a_scene_published_without_offset_opens_as_the_reflectance_it_had() -> None:
    """Before processing baseline 04.00, DN 1234 meant 0.1234; the stored convention has an offset of -0.1."""
    published = pixels([1234, 2, 10_000])

    stored = to_convention(published, 1000, RADIOMETRY)

    opened = reflectance(xr.DataArray(stored, dims=DIMS), RADIOMETRY)
    np.testing.assert_allclose(opened.values.ravel(), [0.1234, 0.0002, 1.0], atol=1e-7)


def test_nodata_is_missing_in_every_convention() -> None:
    """0 + 1000 would turn what was never seen into ground of reflectance 0."""
    stored = to_convention(pixels([0, 2]), 1000, RADIOMETRY)

    assert stored.ravel().tolist() == [0, 1002]


def test_what_a_product_cut_off_stays_apart() -> None:
    """DN 1 of an old product stands for all reflectance at or below zero: it is not a reflectance of 0.0001."""
    stored = to_convention(pixels([1, 2]), 1000, RADIOMETRY)

    assert stored.ravel().tolist() == [1, 1002]


def test_what_does_not_fit_is_stored_as_saturated() -> None:
    """65535 would wrap to 999: the brightest pixel would become the darkest."""
    stored = to_convention(pixels([64_534, 64_535, 64_536, 65_535]), 1000, RADIOMETRY)

    assert stored.ravel().tolist() == [65_534, 65_535, 65_535, 65_535]


def test_a_shift_down_makes_neither_nodata_nor_ground_that_was_saturated() -> None:
    """A valid dark pixel stays valid, and a pixel too bright to measure stays so."""
    stored = to_convention(pixels([0, 1, 1000, 1001, 2000, 65_535]), -1000, RADIOMETRY)

    assert stored.ravel().tolist() == [0, 1, 1, 1, 1000, 65_535]


def test_a_scene_in_the_stored_convention_is_not_touched() -> None:
    """Nothing is computed, and nothing copied, where nothing changes."""
    published = pixels([0, 1, 65_535])

    stored = to_convention(published, 0, RADIOMETRY)

    assert stored is published


@pytest.mark.parametrize("shift", [0, 1000])
def test_published_byte_order_does_not_reach_the_lake(shift: int) -> None:
    """A big-endian GeoTIFF gives the same array as a little-endian one."""
    stored = to_convention(pixels([0, 258, 65_535], ">u2"), shift, RADIOMETRY)

    assert stored.dtype == np.dtype("uint16")
    assert stored.dtype.isnative
    assert stored.ravel().tolist() == [0, 258 + shift, 65_535]


@settings(deadline=None)
@given(st.lists(st.integers(2, 64_534), min_size=1))
def test_the_shift_loses_nothing(published: list[int]) -> None:
    """The published number comes back from the stored one, wherever it fits."""
    stored = to_convention(pixels(published), 1000, RADIOMETRY)

    assert (stored.ravel().astype(int) - 1000).tolist() == published


def test_reflectance_is_what_any_reader_of_the_cf_attributes_gets() -> None:
    """Bit for bit what xarray decodes from scale_factor and add_offset in float32."""
    dn = np.arange(0, 65_536, 7, dtype=np.uint16).reshape(1, 1, -1)
    packing = {
        "scale_factor": np.float32(RADIOMETRY.scale),
        "add_offset": np.float32(RADIOMETRY.offset),
        "_FillValue": np.uint16(RADIOMETRY.nodata),
    }
    decoded = xr.decode_cf(xr.Dataset({"red": (DIMS, dn, packing)}))["red"]

    value = reflectance(xr.DataArray(dn, dims=DIMS), RADIOMETRY)

    assert value.dtype == decoded.dtype == np.float32
    np.testing.assert_array_equal(value.values, decoded.values)


def test_reflectance_is_missing_at_nodata_only() -> None:
    """A saturated pixel has a value; that it is unclear is the mask's to say."""
    value = reflectance(a_stack(red=pixels([0, 1000, 65_535])), RADIOMETRY)["red"]

    np.testing.assert_allclose(value.values.ravel(), [np.nan, 0, 6.4535], atol=1e-6)
    assert value.attrs == {"long_name": "red"}


def test_reflectance_of_a_lazy_stack_is_lazy() -> None:
    """Opening a month computes nothing."""
    dn = xr.DataArray(da.from_array(np.full((1, 4, 4), 2000, np.uint16), chunks=2), dims=DIMS)

    value = reflectance(dn, RADIOMETRY)

    assert isinstance(value.data, da.Array)
    np.testing.assert_allclose(value.compute().values, 0.1, atol=1e-7)
