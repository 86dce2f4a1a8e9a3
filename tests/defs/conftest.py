"""The programme of three months, and a Dagster instance in which its tile is registered."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from three_months import three_months

from mrv_assets.defs.partitions import register_tiles
from mrv_assets.deployment import Deployment


@pytest.fixture
def deployment(tmp_path: Path) -> Deployment:
    """A programme of three months with a scene in each, and no lake yet."""
    return three_months(tmp_path)


@pytest.fixture
def instance(deployment: Deployment, tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """A Dagster instance in which the programme's tile is registered."""
    home = tmp_path / "dagster"
    home.mkdir()
    with dg.DagsterInstance.local_temp(str(home)) as made:
        register_tiles(made, deployment.program, deployment.tiles)
        yield made
