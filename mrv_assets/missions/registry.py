"""The missions that a programme may name, and the credit line that each publisher requires."""

from mrv_assets.missions.landsat import LANDSAT
from mrv_assets.missions.mission import Mission
from mrv_assets.missions.sentinel1 import SENTINEL1
from mrv_assets.missions.sentinel2 import SENTINEL2

MISSIONS: dict[str, Mission] = {"sentinel2": SENTINEL2, "landsat": LANDSAT, "sentinel1": SENTINEL1}
"""Missions by name; their order has no meaning."""

# The wording that the Copernicus Sentinel data legal notice and the USGS require for modified data.
_COPERNICUS = "Contains modified Copernicus Sentinel data {years}"
CREDITS = {
    "sentinel2": _COPERNICUS,
    "sentinel1": _COPERNICUS,
    "landsat": "Contains modified Landsat Level-2 data {years} courtesy of the U.S. Geological Survey",
}
"""Credit lines by mission, which a publisher of results has to show. They are not part of a mission, because a mission
is part of every record."""
