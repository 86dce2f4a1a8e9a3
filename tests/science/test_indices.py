"""Indices of reflectance: right where they mean something, missing where they do not, and never wrapped or clipped."""

from collections.abc import Mapping

import dask.array as da
import numpy as np
import pytest
import spyndex
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from stacks import CLEAR, LANDSAT_LIKE, RADIOMETRY, dn_of, flags, pixels
from strategies import bands_and_flags

from mrv_assets.missions.flags import Flag
from mrv_assets.missions.indices import INDICES, SpectralIndex
from mrv_assets.missions.landsat import LANDSAT
from mrv_assets.missions.mission import Mission, Reflectance
from mrv_assets.missions.registry import MISSIONS
from mrv_assets.missions.sentinel1 import SENTINEL1
from mrv_assets.missions.sentinel2 import SENTINEL2
from mrv_assets.science.indices import (
    FILL,
    SCALE,
    available,
    index_block,
    spectral_indices,
)

EVERY_BAND = tuple(SENTINEL2.bands)
SPECTRAL = {name: index for name, index in INDICES.items() if isinstance(index, SpectralIndex)}
SPYNDEX_BANDS = {
    "ndvi": {"nir": "N", "red": "R"},
    "evi": {"nir": "N", "red": "R", "blue": "B"},
    "nbr": {"nir08": "N", "swir22": "S2"},
    "ndmi": {"nir08": "N", "swir16": "S1"},
}
NONE_INVALID = {"clipped": 0, "denominator": 0, "out_of_range": 0}


def test_ndvi_of_the_worked_example_needs_the_offset() -> None:
    """0.795 of a Romanian forest; leaving the offset of -0.1 in would report 0.525."""
    bands = {"nir": pixels([4490]), "red": pixels([1399])}

    ndvi, _ = index_block("ndvi", bands, flags(CLEAR), RADIOMETRY)
    without, _ = index_block(
        "ndvi", bands, flags(CLEAR), Reflectance(scale=1e-4, offset=0.0, nodata=0, saturated=65535)
    )

    assert ndvi.item() * SCALE == pytest.approx(0.795, abs=5e-4)
    assert without.item() * SCALE == pytest.approx(0.525, abs=5e-4)


def test_evi_by_hand() -> None:
    """N 0.4, R 0.1, B 0.05: 2.5 x 0.3 / (0.4 + 0.6 - 0.375 + 1) = 0.461538."""
    bands = {"nir": dn_of(0.4), "red": dn_of(0.1), "blue": dn_of(0.05)}

    evi, counts = index_block("evi", bands, flags(CLEAR), RADIOMETRY)

    assert evi.item() == 4615
    assert counts == NONE_INVALID


@pytest.mark.parametrize("radiometry", [RADIOMETRY, LANDSAT_LIKE], ids=["sentinel2", "landsat-like"])
@pytest.mark.parametrize("name", SPECTRAL)
def test_indices_agree_with_spyndex(name: str, radiometry: Reflectance) -> None:
    """An independent catalogue of formulae, on double precision reflectance, within one stored unit."""
    random = np.random.default_rng(7)
    zero = round(-radiometry.offset / radiometry.scale)
    numbers = {band: random.integers(zero - 200, zero + 9000, (3, 60, 60)).astype(np.uint16) for band in EVERY_BAND}
    reflectances = {band: dn * radiometry.scale + radiometry.offset for band, dn in numbers.items()}

    stored, _ = index_block(name, numbers, np.zeros((3, 60, 60), np.uint16), radiometry)

    inputs = {letter: reflectances[band] for band, letter in SPYNDEX_BANDS[name].items()}
    constants = {"g": 2.5, "C1": 6.0, "C2": 7.5, "L": 1.0} if name == "evi" else {}
    with np.errstate(divide="ignore", invalid="ignore"):
        expected = np.asarray(spyndex.computeIndex(name.upper(), params={**inputs, **constants}))
    valid = stored != FILL
    assert valid.mean() > 0.5
    np.testing.assert_allclose(stored[valid] * SCALE, expected[valid], rtol=0, atol=1e-4)


def test_more_red_than_infrared_is_a_negative_index() -> None:
    """Water: in unsigned integers 1000 - 3000 would be 63536."""
    ndvi, counts = index_block("ndvi", {"nir": dn_of(0.1), "red": dn_of(0.3)}, flags(CLEAR), RADIOMETRY)

    assert ndvi.item() == -5000
    assert counts == NONE_INVALID


def test_an_index_of_exactly_one_is_valid() -> None:
    """Red reflectance 0 beside any infrared: rounding in float32 must not push a valid pixel over the limit."""
    nir = np.arange(1001, 12_000, dtype=np.uint16).reshape(1, 1, -1)

    ndvi, counts = index_block("ndvi", {"nir": nir, "red": np.full_like(nir, 1000)}, np.zeros_like(nir), RADIOMETRY)

    assert np.unique(ndvi).tolist() == [10_000]
    assert counts == NONE_INVALID


def test_stored_values_are_the_formula_rounded_half_up() -> None:
    """Against whole-number arithmetic: every pixel of ordinary land is within one unit, nearly all are equal."""
    random = np.random.default_rng(3)
    nir, red = (random.integers(1001, 9000, (1, 200, 200)).astype(np.uint16) for _ in range(2))

    ndvi, _ = index_block("ndvi", {"nir": nir, "red": red}, np.zeros_like(nir), RADIOMETRY)

    over, below = nir.astype(int) - red, nir.astype(int) + red - 2000
    exact = (2 * 10_000 * over + below) // (2 * below)
    assert np.abs(ndvi - exact).max() <= 1
    assert (ndvi == exact).mean() > 0.999


def test_half_a_unit_is_rounded_up() -> None:
    """2/40000 is half of 1e-4 and becomes 1; -2/40000 becomes 0: up, not away from zero, not to even."""
    bands = {"nir": pixels([21_001, 20_999]), "red": pixels([20_999, 21_001])}

    ndvi, _ = index_block("ndvi", bands, flags(CLEAR, CLEAR), RADIOMETRY)

    assert ndvi.ravel().tolist() == [1, 0]


def test_beyond_the_limit_a_value_is_missing_and_counted() -> None:
    """Red below zero reflectance gives NDVI 1.02: noise, neither 1 nor wrapped."""
    ndvi, counts = index_block(
        "ndvi", {"nir": pixels([2000, 2000]), "red": pixels([990, 1010])}, flags(CLEAR, CLEAR), RADIOMETRY
    )

    assert ndvi.ravel()[0] == FILL
    assert ndvi.ravel()[1] != FILL
    assert counts == {"clipped": 0, "denominator": 0, "out_of_range": 1}


def test_evi_may_reach_two_and_no_more() -> None:
    """N 0.8, R 0.1: 1.75 / (2.4 - 7.5 B) is 2 at B = 0.20333; one digital number more of blue is beyond it."""
    blue = pixels([3033, 3034])
    bands = {"nir": np.full_like(blue, 9000), "red": np.full_like(blue, 2000), "blue": blue}

    evi, counts = index_block("evi", bands, flags(CLEAR, CLEAR), RADIOMETRY)

    assert evi.ravel()[0] == pytest.approx(20_000, abs=20)
    assert evi.ravel()[1] == FILL
    assert counts == {"clipped": 0, "denominator": 0, "out_of_range": 1}


@pytest.mark.parametrize(
    ("name", "bands"),
    [
        ("evi", {"nir": dn_of(0.5), "red": dn_of(0.5), "blue": dn_of(0.7)}),
        ("ndvi", {"nir": dn_of(0.0), "red": dn_of(0.0)}),
        ("ndvi", {"nir": dn_of(0.01), "red": dn_of(-0.02)}),
    ],
    ids=["evi over a bright cloud", "black", "below zero"],
)
def test_without_a_positive_denominator_there_is_no_index(name: str, bands: Mapping[str, NDArray[np.uint16]]) -> None:
    """A quotient of noise would still look like a number; it is missing and counted by its reason."""
    value, counts = index_block(name, bands, flags(CLEAR), RADIOMETRY)

    assert value.item() == FILL
    assert counts == {"clipped": 0, "denominator": 1, "out_of_range": 0}


@pytest.mark.parametrize("name", SPECTRAL)
def test_what_was_not_seen_has_no_index_and_is_no_fault_of_it(name: str) -> None:
    """Nodata in any band it needs, or any reason to be unclear: missing, and not counted as invalid."""
    needed = INDICES[name].bands
    ground = {band: np.full((1, 1, len(needed) + 1), 3000, np.uint16) for band in needed}
    for place, band in enumerate(needed):
        ground[band][0, 0, place] = 0

    value, counts = index_block(name, ground, flags(*[CLEAR] * len(needed), Flag.DILATION), RADIOMETRY)

    assert (value == FILL).all()
    assert counts == NONE_INVALID


@settings(deadline=None)
@given(bands_and_flags(*EVERY_BAND), st.sampled_from(sorted(SPECTRAL)), st.sampled_from([RADIOMETRY, LANDSAT_LIKE]))
def test_an_index_is_within_its_limits_or_missing_for_one_counted_reason(
    given_: tuple[dict[str, NDArray[np.uint16]], NDArray[np.uint16]], name: str, radiometry: Reflectance
) -> None:
    """For any numbers at all: valid values keep the limit, and every seen pixel is valid or counted once."""
    bands, reasons = given_

    value, counts = index_block(name, bands, reasons, radiometry)

    valid = value != FILL
    assert (np.abs(value[valid].astype(int)) <= SPECTRAL[name].limit / SCALE).all()
    seen = (reasons == 0) & np.all([bands[band] != 0 for band in INDICES[name].bands], axis=0)
    assert not (valid & ~seen).any()
    assert valid.sum() + sum(counts.values()) == seen.sum()


def test_how_an_array_lies_in_memory_does_not_matter() -> None:
    """Views, other strides and read-only arrays, as zarr and dask hand them out."""
    random = np.random.default_rng(1)
    bands = {band: random.integers(1, 9000, (2, 8, 6)).astype(np.uint16) for band in ("nir", "red")}
    reasons = random.integers(0, 2, (2, 8, 6)).astype(np.uint16)
    strided = {band: np.asfortranarray(values) for band, values in bands.items()}
    for values in strided.values():
        values.setflags(write=False)

    value, counts = index_block("ndvi", strided, reasons[:, ::-1][:, ::-1], RADIOMETRY)

    expected, expected_counts = index_block("ndvi", bands, reasons, RADIOMETRY)
    np.testing.assert_array_equal(value, expected)
    assert counts == expected_counts


def test_a_month_without_observations_has_an_empty_index() -> None:
    """No scenes is a decision further on, not an error here."""
    none = np.empty((0, 4, 4), np.uint16)

    value, counts = index_block("evi", {"nir": none, "red": none, "blue": none}, none, RADIOMETRY)

    assert value.shape == (0, 4, 4)
    assert counts == NONE_INVALID


def test_a_missing_band_makes_its_indices_unavailable_and_says_which() -> None:
    """Without swir22 there is no NBR: never zero, never another band in its place."""
    lacking = available({"blue", "red", "nir", "nir08", "swir16"})

    assert {name: lacking[name] for name in SPECTRAL} == {"ndvi": (), "evi": (), "nbr": ("swir22",), "ndmi": ()}
    assert lacking["rvi"] == ("vh", "vv")


def test_a_band_that_stands_in_is_what_has_to_be_there() -> None:
    """Landsat has no broad near infrared: NDVI takes nir08, and lacks that where it is not published."""
    assert available({"red", "nir08"}, {"nir": "nir08"})["ndvi"] == ()
    assert available({"red", "nir"}, {"nir": "nir08"})["ndvi"] == ("nir08",)


@pytest.mark.parametrize("mission", MISSIONS.values(), ids=MISSIONS)
def test_every_index_a_mission_names_is_one_its_bands_make(mission: Mission) -> None:
    """A mission is data; its names have to mean something."""
    lacking = available(mission.bands, mission.stand_ins)

    assert [name for name in mission.indices if lacking[name]] == []


def test_indices_of_opened_reflectance_are_those_of_the_blocks() -> None:
    """Decoded to reflectance and opened lazily in any chunks, the same kernel gives the same values."""
    random = np.random.default_rng(5)
    numbers = {band: random.integers(1, 9000, (3, 10, 12)).astype(np.uint16) for band in EVERY_BAND}
    reasons = random.integers(0, 2, (3, 10, 12)).astype(np.uint16)
    scale, offset = np.float32(RADIOMETRY.scale), np.float32(RADIOMETRY.offset)
    reflectance = {band: np.where(reasons == 0, dn * scale + offset, np.nan) for band, dn in numbers.items()}
    of_band = {"units": "1", "standard_name": "surface_bidirectional_reflectance", "clipped_value": 1}
    stack = xr.Dataset({band: (("time", "y", "x"), values, of_band) for band, values in reflectance.items()})

    lazy = spectral_indices(stack.chunk({"time": -1, "y": 4, "x": 5}), SENTINEL2)

    assert tuple(lazy.data_vars) == SENTINEL2.indices
    for name, values in lazy.data_vars.items():
        stored = index_block(str(name), numbers, reasons, RADIOMETRY)[0]
        assert isinstance(values.data, da.Array)
        assert values.dtype == np.float32
        assert values.attrs == {
            "long_name": INDICES[str(name)].long_name,
            "units": "1",
            "references": INDICES[str(name)].source,
        }
        np.testing.assert_array_equal(values.values, np.where(stored == FILL, np.nan, stored * np.float32(SCALE)))


def test_indices_are_computed_of_the_bands_there_are() -> None:
    """Those that lack a band are left out; asked for by name, the band is named; of radar there is no reflectance."""
    stack = xr.Dataset({band: (("time", "y", "x"), np.full((1, 1, 1), 0.3, np.float32)) for band in ("red", "nir08")})

    assert tuple(spectral_indices(stack, LANDSAT).data_vars) == ("ndvi",)
    with pytest.raises(KeyError, match="swir22"):
        spectral_indices(stack, LANDSAT, ["nbr"])
    assert not spectral_indices(stack, LANDSAT, [])
    with pytest.raises(KeyError, match="ndwi is no index; there are ndvi"):
        spectral_indices(stack, LANDSAT, ["ndwi"])
    with pytest.raises(ValueError, match="sentinel1 measures power"):
        spectral_indices(stack, SENTINEL1)


@pytest.mark.parametrize("number", [4000.0, 7.0, -0.2])
def test_what_is_no_reflectance_gives_no_index(number: float) -> None:
    """Digital numbers where reflectance is expected would give an NDVI of the wrong sign."""
    stack = xr.Dataset({band: (("time", "y", "x"), np.full((1, 1, 1), number, np.float32)) for band in ("nir", "red")})

    with pytest.raises(ValueError, match="no reflectance"):
        spectral_indices(stack, SENTINEL2, ["ndvi"])
