"""What tests of ways around the gate stand on."""

from pathlib import Path

import pytest
from demo_lake import a_deployment
from once import Once
from shut_months import a_copy, shut_and_open

from mrv_assets.deployment import Deployment


@pytest.fixture(scope="session")
def untouched(once: Once) -> Deployment:
    """A month that the gate rejected and one that it passed. Nothing changes it."""
    return a_deployment(once("shut", shut_and_open) / "program.yaml")


@pytest.fixture
def deployment(untouched: Deployment, tmp_path: Path) -> Deployment:
    """A copy of it, to be changed."""
    return a_copy(untouched, tmp_path / "programme")
