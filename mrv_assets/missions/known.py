"""The missions a programme may name."""

from mrv_assets.missions.mission import Mission
from mrv_assets.missions.sentinel2 import SENTINEL2

MISSIONS: dict[str, Mission] = {"sentinel2": SENTINEL2}
