"""Indices as data: the formula of each index, with its source. A new index is one row of the table below."""

from dataclasses import dataclass

LARGEST = 3.2767
"""Largest magnitude of an index of reflectance that can be stored: an int16 of ten thousandths."""


@dataclass(frozen=True, kw_only=True)
class SpectralIndex:
    """An index of reflectance: ``gain (first - second) / (sum of weight x band + constant)``, unitless.

    Raises:
        ValueError: When bands and weights do not fit together, or values up to the limit cannot be stored.
    """

    name: str
    long_name: str
    bands: tuple[str, ...]
    """Two or three bands; the first two form the numerator."""
    weights: tuple[float, ...] = (1.0, 1.0)
    """Weight of each band in the denominator."""
    constant: float = 0.0
    """Constant in the denominator, reflectance."""
    gain: float = 1.0
    limit: float = 1.0
    """Largest valid magnitude. A value beyond it is noise, not vegetation: it is invalid and counted, never clipped."""
    source: str

    def __post_init__(self) -> None:
        if not len(self.weights) == len(self.bands) in (2, 3):
            raise ValueError(
                f"{self.name}: {len(self.weights)} weights for {len(self.bands)} bands, not 2 or 3 of each"
            )
        if not 0 < self.limit <= LARGEST:
            raise ValueError(f"{self.name}: its limit {self.limit:g} is not between 0 and {LARGEST:g}")


@dataclass(frozen=True, kw_only=True)
class RadarIndex:
    """An index of a radar's two polarizations: ``gain VH / (weight VH + VV)``, on linear power, unitless."""

    name: str
    long_name: str
    gain: float
    weight: float
    """Weight of VH in the denominator."""
    source: str

    @property
    def bands(self) -> tuple[str, ...]:
        """The bands of the formula."""
        return "vh", "vv"


Index = SpectralIndex | RadarIndex

INDICES: dict[str, Index] = {
    index.name: index
    for index in (
        SpectralIndex(
            name="ndvi",
            long_name="normalized difference vegetation index",
            bands=("nir", "red"),
            source="Rouse et al. 1974: (N - R) / (N + R)",
        ),
        SpectralIndex(
            name="evi",
            long_name="enhanced vegetation index",
            bands=("nir", "red", "blue"),
            weights=(1.0, 6.0, -7.5),
            constant=1.0,
            gain=2.5,
            limit=2.0,
            source="Huete et al. 2002: 2.5 (N - R) / (N + 6 R - 7.5 B + 1)",
        ),
        SpectralIndex(
            name="nbr",
            long_name="normalized burn ratio",
            bands=("nir08", "swir22"),
            source="Key and Benson 2006: (N2 - S2) / (N2 + S2)",
        ),
        SpectralIndex(
            name="ndmi",
            long_name="normalized difference moisture index",
            bands=("nir08", "swir16"),
            source="Gao 1996: (N2 - S1) / (N2 + S1)",
        ),
        RadarIndex(
            name="vh_vv",
            long_name="ratio of cross-polarized to co-polarized backscatter",
            gain=1.0,
            weight=0.0,
            source="VH / VV, gamma0 in linear power",
        ),
        RadarIndex(
            name="rvi",
            long_name="radar vegetation index of two polarizations",
            gain=4.0,
            weight=1.0,
            source="Nasirzadehdizaji et al. 2019: 4 VH / (VV + VH), gamma0 in linear power",
        ),
    )
}
"""Every index by name, in the order of the table's columns. A mission has the indices whose bands it measures."""
