"""Indices of radar: ratios of linear power, missing where there is none to divide by."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from stacks import CLEAR, RADIOMETRY, flags, pixels
from strategies import flag_fields, shapes

from mrv_assets.missions.flags import Flag
from mrv_assets.missions.mission import Power
from mrv_assets.missions.sentinel1 import SENTINEL1
from mrv_assets.science.indices import index_block

assert isinstance(SENTINEL1.radiometry, Power)
POWER = SENTINEL1.radiometry


def power(*values: float) -> NDArray[np.float32]:
    """One observation of one row of pixels."""
    return np.array(values, np.float32).reshape(1, 1, -1)


@pytest.mark.parametrize(("name", "expected"), [("vh_vv", 0.2), ("rvi", 0.6667)])
def test_the_worked_example(name: str, expected: float) -> None:
    """VV 0.1 and VH 0.02: VH/VV is 0.2, and 4 VH / (VV + VH) is 0.6667; stored as float32."""
    value, counts = index_block(name, {"vv": power(0.1), "vh": power(0.02)}, flags(CLEAR), POWER)

    assert value.item() == pytest.approx(expected, abs=5e-5)
    assert value.dtype == np.float32
    assert counts == {"denominator": 0, "out_of_range": 0}


@pytest.mark.parametrize(
    ("vv", "vh", "reason"),
    [
        (0.0, 0.02, "denominator"),
        (-0.01, 0.02, "denominator"),
        (0.01, -0.01, "denominator"),
        (0.01, -0.02, "denominator"),
        (1e-45, 3e38, "out_of_range"),
    ],
)
@pytest.mark.parametrize("name", ["vh_vv", "rvi"])
def test_power_that_is_none_has_no_index_and_is_counted(name: str, vv: float, vh: float, reason: str) -> None:
    """Removing noise leaves zero and less; a quotient beyond all numbers is none. Each is missing for its reason."""
    if name == "rvi" and reason == "out_of_range":
        vh, vv = 3e38, 1.0

    value, counts = index_block(name, {"vv": power(vv), "vh": power(vh)}, flags(CLEAR), POWER)

    assert np.isnan(value).all()
    assert counts == {"denominator": 0, "out_of_range": 0, reason: 1}


def test_what_was_not_seen_has_no_index_and_is_no_fault_of_it() -> None:
    """Missing in one polarization, or in layover: missing, and not counted as invalid."""
    vv, vh = power(0.1, np.nan, 0.1, 0.1), power(0.02, 0.02, np.nan, 0.02)

    value, counts = index_block("rvi", {"vv": vv, "vh": vh}, flags(CLEAR, CLEAR, CLEAR, Flag.LAYOVER), POWER)

    assert np.isnan(value).tolist() == [[[False, True, True, True]]]
    assert sum(counts.values()) == 0


@settings(deadline=None)
@given(st.data(), st.sampled_from(["vh_vv", "rvi"]))
def test_every_pixel_that_was_seen_is_valid_or_counted_once(data: st.DataObject, name: str) -> None:
    """For any numbers at all, infinities left out: they were missing before."""
    shape = data.draw(shapes())
    vv, vh = (
        data.draw(hnp.arrays(np.float32, shape, elements=st.floats(width=32, allow_infinity=False))) for _ in "ab"
    )
    reasons = data.draw(flag_fields(shape))

    value, counts = index_block(name, {"vv": vv, "vh": vh}, reasons, POWER)

    seen = (reasons == 0) & ~np.isnan(vv) & ~np.isnan(vh)
    valid = ~np.isnan(value)
    assert not (valid & ~seen).any()
    assert not np.isinf(value).any()
    assert valid.sum() + sum(counts.values()) == seen.sum()


def test_an_index_of_another_kind_of_mission_is_refused() -> None:
    """NDVI of power, or RVI of reflectance, would be a number of nothing."""
    with pytest.raises(ValueError, match="ndvi is not an index of a mission that measures Power"):
        index_block("ndvi", {"nir": power(1.0), "red": power(1.0)}, flags(CLEAR), POWER)
    with pytest.raises(ValueError, match="rvi is not an index of a mission that measures Reflectance"):
        index_block("rvi", {"vv": pixels([1]), "vh": pixels([1])}, flags(CLEAR), RADIOMETRY)
