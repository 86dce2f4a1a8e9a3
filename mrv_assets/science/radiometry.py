"""Digital numbers of one convention per mission, whatever convention a scene was published in."""

import numpy as np
from numpy.typing import NDArray

from mrv_assets.missions.mission import Reflectance


def to_convention(dn: NDArray[np.generic], shift: int, radiometry: Reflectance) -> NDArray[np.generic]:
    """Digital numbers of a scene in its mission's stored convention. Done before resampling.

    Args:
        dn: Digital numbers as published, unsigned integers, any dims; ``radiometry.nodata`` is missing.
        shift: What to add to a valid number; +1000 for a Sentinel-2 scene published with offset 0.
        radiometry: The mission's convention.

    Returns:
        Same dims, ``radiometry.dtype``; missing stays missing, and what does not fit is ``radiometry.saturated``.
    """
    stored = np.dtype(radiometry.dtype)
    if shift == 0:
        return dn.astype(stored, copy=False)
    # Wide enough that 65535 + 1000 does not wrap.
    shifted = dn.astype(np.int32) + shift
    # A valid pixel must not become nodata by arithmetic: the smallest valid number stands for "darker still".
    shifted = np.clip(shifted, radiometry.nodata + 1, radiometry.saturated)
    return np.where(dn == radiometry.nodata, radiometry.nodata, shifted).astype(stored)
