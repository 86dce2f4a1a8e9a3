"""One clear and one clouded archive for all tests that only read."""

import pytest
from simulated_patches import MONTH, a_patch, asking

from mrv_assets.simulated.archive import Landsat, Sentinel1, Sentinel2
from mrv_assets.simulated.publish import Simulated, simulate


@pytest.fixture(scope="session")
def clear(tmp_path_factory: pytest.TempPathFactory) -> Simulated:
    """All missions under a clear sky."""
    return simulate(tmp_path_factory.mktemp("clear") / "catalogue", a_patch())


@pytest.fixture(scope="session")
def clouded(tmp_path_factory: pytest.TempPathFactory) -> Simulated:
    """The same ground; over its parcels 40 % of what Sentinel-2 sees is clouds and shadows, 60 % for Landsat."""
    archive, _ = asking(
        a_patch(
            observers=(
                Sentinel2(every_days=10, clouds={MONTH: 0.4}),
                Landsat(every_days=16, clouds=0.6, rows=2),
                Sentinel1(),
            )
        )
    )
    return simulate(tmp_path_factory.mktemp("clouded") / "catalogue", archive)
