"""The missions that a programme may name, and the credit that each publisher asks for."""

from mrv_assets.missions.landsat import LANDSAT
from mrv_assets.missions.mission import Mission
from mrv_assets.missions.sentinel1 import SENTINEL1
from mrv_assets.missions.sentinel2 import SENTINEL2

MISSIONS: dict[str, Mission] = {"sentinel2": SENTINEL2, "landsat": LANDSAT, "sentinel1": SENTINEL1}
"""By name, in no order that decides anything."""

# The wording that the Copernicus Sentinel data legal notice and the USGS ask for, of data that were worked on.
_COPERNICUS = "Contains modified Copernicus Sentinel data {years}"
CREDITS = {
    "sentinel2": _COPERNICUS,
    "sentinel1": _COPERNICUS,
    "landsat": "Contains modified Landsat Level-2 data {years} courtesy of the U.S. Geological Survey",
}
"""By mission, the words that a publisher of results has to show. They stand here and not in the mission, which is part
of every record."""
