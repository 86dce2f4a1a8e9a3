"""The demo's simulated ground: four months over three stands of forest, and how much of them clouds hide."""

from dataclasses import dataclass, replace

from mrv_assets.science.grid import Window
from mrv_assets.simulated.archive import Archive, Json, Landsat, Sentinel2
from mrv_assets.simulated.parcels import feature_collection, outlines_of, parcels_of

TILE = "34TER"
PARCELS = 3
_PATCH = Window(4400, 4400, 256, 256)
"""2.56 km a side, within one block."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """A month, and the share of the parcels under cloud or shadow in each of a mission's scenes."""

    month: str
    sentinel2: float
    landsat: float


PASSED = Case(month="2023-05", sentinel2=0.05, landsat=0.05)
SUBSTITUTED = Case(month="2023-06", sentinel2=0.9, landsat=0.05)
APPROVED = Case(month="2023-07", sentinel2=0.4, landsat=0.9)
REFUSED = Case(month="2023-08", sentinel2=1.0, landsat=0.9)
CASES = (PASSED, SUBSTITUTED, APPROVED, REFUSED)
"""One month for each outcome, in the order of time."""


def ground() -> tuple[Archive, Json]:
    """The archive to simulate, and its parcels as GeoJSON. Deterministic."""
    clear = Archive(tile=TILE, months=tuple(case.month for case in CASES), window=_PATCH)
    stands = outlines_of(parcels_of(clear, PARCELS), clear.frame)
    outlines = {f"simulated-{name}": outline for name, outline in stands.items()}
    archive = replace(
        clear,
        asked=tuple(outlines.values()),
        observers=(
            Sentinel2(every_days=15, clouds={case.month: case.sentinel2 for case in CASES}),
            Landsat(every_days=28, clouds={case.month: case.landsat for case in CASES}),
        ),
    )
    return archive, feature_collection(outlines, clear.frame)
