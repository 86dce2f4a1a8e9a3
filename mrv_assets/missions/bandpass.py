"""Band-pass adjustments: published coefficients that make one mission's reflectance comparable with another's."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Linear:
    """A linear adjustment: adjusted reflectance = slope * reflectance + offset, unitless."""

    slope: float
    offset: float


UNCHANGED = Linear(slope=1.0, offset=0.0)
"""The adjustment that leaves reflectance as it is."""


@dataclass(frozen=True, kw_only=True)
class Bandpass:
    """One published adjustment."""

    name: str
    """Its name in programme files."""
    mission: str
    """Name of the mission whose reflectance is adjusted."""
    like: str
    """Instrument that the adjusted reflectance is comparable with."""
    bands: Mapping[str, Linear]
    """Adjustments by the mission's name of the band."""
    stand_ins: Mapping[str, str]
    """The band to use instead of a band that a formula names and that has no coefficients, by the named band."""
    source: str


BANDPASSES: dict[str, Bandpass] = {
    bandpass.name: bandpass
    for bandpass in (
        Bandpass(
            name="hls-s2a",
            mission="sentinel2",
            like="Landsat 8 OLI",
            bands={
                "blue": Linear(slope=0.9778, offset=-0.0040),
                "red": Linear(slope=0.9765, offset=0.0009),
                "nir08": Linear(slope=0.9983, offset=-0.0001),
                "swir16": Linear(slope=0.9987, offset=-0.0011),
                "swir22": Linear(slope=1.0030, offset=-0.0012),
            },
            # OLI has one near-infrared band, as narrow as B8A: there are no coefficients for the broad B8.
            stand_ins={"nir": "nir08"},
            source="Claverie et al. 2018, Harmonized Landsat and Sentinel-2: Sentinel-2A MSI to Landsat 8 OLI",
        ),
    )
}
"""The adjustments that a programme may name, by name."""
