"""The missions a programme may name."""

from mrv_assets.missions.landsat import LANDSAT
from mrv_assets.missions.mission import Mission
from mrv_assets.missions.sentinel1 import SENTINEL1
from mrv_assets.missions.sentinel2 import SENTINEL2

MISSIONS: dict[str, Mission] = {"sentinel2": SENTINEL2, "landsat": LANDSAT, "sentinel1": SENTINEL1}
