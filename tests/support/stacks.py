"""Builders of small stacks: one row of pixels, or an array of any shape, with only what a test is about."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from mrv_assets.missions.flags import Flag
from mrv_assets.missions.mission import Reflectance
from mrv_assets.missions.sentinel2 import SENTINEL2

CLEAR = Flag(0)
RADIOMETRY = SENTINEL2.radiometry
LANDSAT_LIKE = Reflectance(scale=2.75e-5, offset=-0.2, nodata=0, saturated=65535)
"""A convention whose zero point is no whole digital number."""
DIMS = ("time", "y", "x")


def pixels(values: Sequence[int], dtype: str = "uint16") -> NDArray[Any]:
    """One observation of one row of pixels; dims (time, y, x)."""
    return np.array(values, dtype).reshape(1, 1, -1)


def flags(*reasons: Flag) -> NDArray[np.uint16]:
    """Why each pixel of one row is unclear; dims (time, y, x)."""
    return pixels([int(reason) for reason in reasons])


def dn_of(*reflectances: float, radiometry: Reflectance = RADIOMETRY) -> NDArray[np.uint16]:
    """Stored digital numbers of reflectances, one row of pixels."""
    return pixels([round((value - radiometry.offset) / radiometry.scale) for value in reflectances])


def a_stack(**bands: NDArray[Any]) -> xr.Dataset:
    """A Dataset of bands with dims (time, y, x) and an attribute each that has to survive."""
    return xr.Dataset({name: (DIMS, values, {"long_name": name}) for name, values in bands.items()})


def a_flag_array(values: NDArray[np.uint16]) -> xr.DataArray:
    """``unclear_flags`` of a stack."""
    return xr.DataArray(values, dims=DIMS, name="unclear_flags")
