"""Covers of the ground, and what each reflects and scatters: the numbers of the simulated world.

They are made up, near what the literature gives for each cover, and no one's measurement. One band has one value in
all missions: nothing is simulated of the differences between instruments, nor of the sun's and the sensor's angles.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from mrv_assets.simulated.noise import Floats


class Cover(IntEnum):
    """Kinds of cover."""

    WATER = 0
    BARE = 1
    CROP = 2
    FOREST = 3


@dataclass(frozen=True, kw_only=True)
class Signal:
    """Signal of a cover in one band: reflectance, or gamma naught in linear power; unitless."""

    winter: float
    summer: float
    texture: float
    """Largest share of it that the texture of the ground adds or takes away."""

    def level(self, greenness: float) -> float:
        """Between winter, 0, and summer, 1."""
        return self.winter + (self.summer - self.winter) * greenness


def _signals(**bands: tuple[float, float, float]) -> dict[str, Signal]:
    return {name: Signal(winter=winter, summer=summer, texture=t) for name, (winter, summer, t) in bands.items()}


# Where texture makes near infrared brighter it makes red and short-wave infrared darker, as denser plants do.
SIGNALS: Mapping[Cover, Mapping[str, Signal]] = {
    Cover.WATER: _signals(
        blue=(0.045, 0.040, 0.0),
        red=(0.032, 0.030, 0.0),
        nir=(0.018, 0.015, 0.0),
        swir16=(0.010, 0.008, 0.0),
        swir22=(0.007, 0.005, 0.0),
        vv=(0.012, 0.010, 0.0),
        vh=(0.0015, 0.0012, 0.0),
    ),
    Cover.BARE: _signals(
        blue=(0.090, 0.095, 0.06),
        red=(0.140, 0.150, 0.08),
        nir=(0.200, 0.210, 0.05),
        swir16=(0.280, 0.300, 0.08),
        swir22=(0.240, 0.260, 0.08),
        vv=(0.080, 0.070, 0.10),
        vh=(0.012, 0.010, 0.10),
    ),
    Cover.CROP: _signals(
        blue=(0.060, 0.040, -0.06),
        red=(0.110, 0.060, -0.08),
        nir=(0.240, 0.360, 0.06),
        swir16=(0.270, 0.230, -0.05),
        swir22=(0.190, 0.130, -0.05),
        vv=(0.090, 0.120, 0.10),
        vh=(0.015, 0.026, 0.10),
    ),
    Cover.FOREST: _signals(
        blue=(0.025, 0.020, -0.08),
        red=(0.038, 0.028, -0.12),
        nir=(0.320, 0.360, 0.10),
        swir16=(0.165, 0.155, -0.05),
        swir22=(0.080, 0.070, -0.05),
        vv=(0.150, 0.160, 0.08),
        vh=(0.040, 0.046, 0.08),
    ),
}
"""By cover and band; ``nir`` is also what ``nir08`` sees."""

# By calendar month. Steps from month to month, so that a month has one truth, whichever of its days were seen.
_GREENNESS = (0.00, 0.05, 0.20, 0.45, 0.75, 0.95, 1.00, 0.95, 0.80, 0.50, 0.20, 0.05)


def greenness(month: int, *, southern: bool) -> float:
    """Season between winter, 0, and summer, 1; the same all month.

    Args:
        month: Of the calendar, 1 to 12.
        southern: Whether the ground is south of the equator, where seasons come half a year later.
    """
    return _GREENNESS[(month + 5) % 12 if southern else month - 1]


def signal(shares: Floats, textures: Floats, band: str, green: float) -> Floats:
    """Signal of pixels of mixed cover in a band: the mean over their area.

    Args:
        shares: Share of each cover in a pixel, [0, 1], dims (cover, y, x).
        textures: Mean over the pixel of the texture where the cover is, 0 elsewhere, [-1, 1], the same dims.
        band: Such as ``red``, ``nir08`` or ``vh``.
        green: Of the season, [0, 1].

    Returns:
        float64, dims (y, x).
    """
    name = "nir" if band == "nir08" else band
    total = np.zeros(shares.shape[1:])
    for cover in Cover:
        one = SIGNALS[cover][name]
        total += one.level(green) * (shares[cover] + one.texture * textures[cover])
    return total
