"""Band-pass adjustment: published coefficients, applied to reflectance, and nothing where none was asked for."""

import numpy as np
import pytest
import spyndex
from stacks import CLEAR, LANDSAT_LIKE, RADIOMETRY, dn_of, flags

from mrv_assets.missions.bandpass import BANDPASSES, UNCHANGED, Linear
from mrv_assets.missions.indices import INDICES, SpectralIndex
from mrv_assets.missions.mission import Reflectance
from mrv_assets.missions.sentinel2 import SENTINEL2
from mrv_assets.science.indices import SCALE, index_block

HLS = BANDPASSES["hls-s2a"]
# Slope and offset of Sentinel-2A to OLI, as printed in the HLS paper.
PRINTED = {
    "blue": (0.9778, -0.0040),
    "red": (0.9765, 0.0009),
    "nir08": (0.9983, -0.0001),
    "swir16": (0.9987, -0.0011),
    "swir22": (1.0030, -0.0012),
}
LETTERS = {"nir": "N", "red": "R", "blue": "B", "nir08": "N", "swir22": "S2", "swir16": "S1"}
SPECTRAL = [name for name, index in INDICES.items() if isinstance(index, SpectralIndex)]


def adjusted_of(name: str) -> dict[str, Linear]:
    """The coefficients of the bands an index takes, by the band that its formula names."""
    return {band: HLS.bands[HLS.stand_ins.get(band, band)] for band in INDICES[name].bands}


def test_the_coefficients_are_the_printed_ones() -> None:
    """For every band that the mission has an index of; the broad near infrared has none, and B8A stands in."""
    assert {name: (line.slope, line.offset) for name, line in HLS.bands.items()} == PRINTED
    assert HLS.stand_ins == {"nir": "nir08"}
    assert set(SENTINEL2.bands) - set(HLS.bands) == {"nir"}


def test_ndvi_by_hand() -> None:
    """N 0.4 and R 0.1 become 0.39922 and 0.09855: NDVI 0.604030 instead of 0.6."""
    bands = {"nir": dn_of(0.4), "red": dn_of(0.1)}

    ndvi, _ = index_block("ndvi", bands, flags(CLEAR), RADIOMETRY, adjusted_of("ndvi"))
    plain, _ = index_block("ndvi", bands, flags(CLEAR), RADIOMETRY)

    nir, red = 0.4 * 0.9983 - 0.0001, 0.1 * 0.9765 + 0.0009
    assert ndvi.item() * SCALE == pytest.approx((nir - red) / (nir + red), abs=1e-4)
    assert (ndvi.item(), plain.item()) == (6040, 6000)


@pytest.mark.parametrize("name", SPECTRAL)
def test_every_index_is_that_of_the_adjusted_reflectance(name: str) -> None:
    """By an independent catalogue of formulae on numbers adjusted in double precision, within 1e-4."""
    random = np.random.default_rng(3)
    numbers = {band: random.integers(1200, 9000, (2, 50, 50)).astype(np.uint16) for band in INDICES[name].bands}

    found, _ = index_block(name, numbers, np.zeros((2, 50, 50), np.uint16), RADIOMETRY, adjusted_of(name))

    inputs = {}
    for band, dn in numbers.items():
        slope, offset = PRINTED[HLS.stand_ins.get(band, band)]
        inputs[LETTERS[band]] = (dn * 1e-4 - 0.1) * slope + offset
    constants = {"g": 2.5, "C1": 6.0, "C2": 7.5, "L": 1.0} if name == "evi" else {}
    expected = spyndex.computeIndex(name.upper(), {**inputs, **constants})
    valid = found != -32768
    assert valid.mean() > 0.5
    assert np.abs(found * SCALE - expected)[valid].max() <= 1.01e-4


@pytest.mark.parametrize("radiometry", [RADIOMETRY, LANDSAT_LIKE], ids=["sentinel2", "landsat"])
def test_adjusting_by_nothing_changes_no_bit(radiometry: Reflectance) -> None:
    """Slope 1 and offset 0 are what happens where no adjustment was asked for."""
    random = np.random.default_rng(4)
    bands = {band: random.integers(1, 65535, (2, 40, 40)).astype(np.uint16) for band in ("nir", "red", "blue")}
    clear = np.zeros((2, 40, 40), np.uint16)

    for name in ("ndvi", "evi"):
        plain, counts = index_block(name, bands, clear, radiometry)
        same, same_counts = index_block(name, bands, clear, radiometry, dict.fromkeys(bands, UNCHANGED))

        np.testing.assert_array_equal(plain, same)
        assert counts == same_counts
