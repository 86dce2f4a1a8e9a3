"""What an export was asked for, checked before anything is read."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum

from mrv_assets.errors import ExportError

DEGREES = "EPSG:4326"
UTM = "utm"
STEP_DEG = 1e-4
"""Pixel size of a grid in degrees unless told otherwise: 11.1 m from north to south."""
FINEST_DEG, COARSEST_DEG = 1e-5, 0.1


class Format(Enum):
    """What an export is written as."""

    COG = "cog"
    GEOPARQUET = "geoparquet"
    CSV = "csv"
    XLSX = "xlsx"
    STAC = "stac"

    @property
    def has_rasters(self) -> bool:
        """True where pixels are written."""
        return self in (Format.COG, Format.STAC)

    @property
    def is_one_table(self) -> bool:
        """True where all parcels and months are in one table."""
        return self in (Format.GEOPARQUET, Format.CSV, Format.XLSX)


class Resampling(Enum):
    """How pixels of the tile's grid become pixels in degrees."""

    NEAREST = "nearest"
    BILINEAR = "bilinear"


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is to be exported, and how."""

    format: Format
    tile: str | None = None
    """Only this tile; None means all."""
    month: str | None = None
    """Only this month; None means all."""
    indices: Sequence[str] = field(default=())
    """Only these, in this order; none means all there are."""
    crs: str = UTM
    """``utm``, the tile's own grid, or ``EPSG:4326``."""
    step_deg: float = STEP_DEG
    """Pixel size in degrees, of ``EPSG:4326``."""
    resampling: Resampling = Resampling.NEAREST

    @property
    def in_degrees(self) -> bool:
        """True where pixels leave the tile's grid."""
        return self.format.has_rasters and self.crs == DEGREES


def wanted(
    format: str,
    *,
    tile: str | None,
    month: str | None,
    indices: Sequence[str],
    crs: str | None,
    step_deg: float | None,
    resampling: str | None,
) -> Wanted:
    """What the options of `mrv export` ask for; None where one was not given.

    Raises:
        ExportError: When options contradict each other, or a pixel size is none.
    """
    asked = Format(format)
    for option, value in (("--crs", crs), ("--resolution", step_deg), ("--resampling", resampling)):
        if value is None:
            continue
        if not asked.has_rasters:
            raise ExportError(option, str(value), f"{format} has no pixels", "Leave it out, or export as cog or stac")
        if option != "--crs" and crs != DEGREES:
            reason = "on the tile's own grid no pixel changes"
            raise ExportError(option, str(value), reason, f"Leave it out, or add --crs {DEGREES}")
    # Written so that NaN fails.
    if step_deg is not None and not FINEST_DEG <= step_deg <= COARSEST_DEG:
        near = f", {step_deg / 111_320:.2g} for {step_deg:g} m" if step_deg >= 1 and math.isfinite(step_deg) else ""
        cure = f"Give degrees from {FINEST_DEG:g} to {COARSEST_DEG:g}{near}"
        raise ExportError("--resolution", str(step_deg), "it is no pixel size in degrees", cure)
    return Wanted(
        format=asked,
        tile=tile,
        month=month,
        indices=tuple(dict.fromkeys(indices)),
        crs=crs or UTM,
        step_deg=step_deg or STEP_DEG,
        resampling=Resampling(resampling) if resampling else Resampling.NEAREST,
    )
