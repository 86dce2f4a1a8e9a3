"""The options of an export, checked before anything is read."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum

from mrv_assets.errors import ExportError
from mrv_assets.export.formats import FORMATS, Format, format_named

DEGREES = "EPSG:4326"
UTM = "utm"
STEP_DEG = 1e-4
"""Default pixel size of a grid in degrees: 11.1 m from north to south."""
FINEST_DEG, COARSEST_DEG = 1e-5, 0.1


class Resampling(Enum):
    """How pixels of the tile's grid become pixels in degrees."""

    NEAREST = "nearest"
    BILINEAR = "bilinear"


@dataclass(frozen=True, kw_only=True)
class Options:
    """The partitions, indices, format and grid of an export."""

    format: Format
    tile: str | None = None
    """Only this tile; None means all."""
    month: str | None = None
    """Only this month; None means all."""
    indices: Sequence[str] = field(default=())
    """Only these indices, in this order; empty means all that the months have."""
    crs: str = UTM
    """``utm``, the tile's own grid, or ``EPSG:4326``."""
    step_deg: float = STEP_DEG
    """Pixel size of ``EPSG:4326``, degrees."""
    resampling: Resampling = Resampling.NEAREST

    @property
    def in_degrees(self) -> bool:
        """True where pixels leave the tile's grid."""
        return self.format.has_rasters and self.crs == DEGREES


def checked_options(
    format: str,
    *,
    tile: str | None,
    month: str | None,
    indices: Sequence[str],
    crs: str | None,
    step_deg: float | None,
    resampling: str | None,
) -> Options:
    """The options of `mrv export`, where None is an option that was not given.

    Raises:
        ExportError: When options contradict each other, or a pixel size cannot be used.
    """
    chosen = format_named(format)
    for option, value in (("--crs", crs), ("--resolution", step_deg), ("--resampling", resampling)):
        if value is None:
            continue
        if not chosen.has_rasters:
            raster_formats = " or ".join(row.name for row in FORMATS if row.has_rasters)
            cure = f"Leave it out, or export as {raster_formats}"
            raise ExportError(option, str(value), f"{format} has no pixels", cure)
        if option != "--crs" and crs != DEGREES:
            reason = "pixels on the tile's own grid are not resampled"
            raise ExportError(option, str(value), reason, f"Leave it out, or add --crs {DEGREES}")
    # Written so that NaN fails.
    if step_deg is not None and not FINEST_DEG <= step_deg <= COARSEST_DEG:
        near = f", {step_deg / 111_320:.2g} for {step_deg:g} m" if step_deg >= 1 and math.isfinite(step_deg) else ""
        cure = f"Give degrees from {FINEST_DEG:g} to {COARSEST_DEG:g}{near}"
        raise ExportError("--resolution", str(step_deg), "it is not a pixel size in degrees", cure)
    return Options(
        format=chosen,
        tile=tile,
        month=month,
        indices=tuple(dict.fromkeys(indices)),
        crs=crs or UTM,
        step_deg=step_deg or STEP_DEG,
        resampling=Resampling(resampling) if resampling else Resampling.NEAREST,
    )
