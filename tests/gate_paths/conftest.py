"""What tests of ways around the gate stand on."""

from pathlib import Path

import pytest
from demo_lake import a_place
from once import Once
from shut_months import a_copy, shut_and_open

from mrv_assets.deployment import Workplace


@pytest.fixture(scope="session")
def untouched(once: Once) -> Workplace:
    """A month that the gate rejected and one that it passed. Nothing changes it."""
    return a_place(once("shut", shut_and_open) / "program.yaml")


@pytest.fixture
def place(untouched: Workplace, tmp_path: Path) -> Workplace:
    """A copy of it, to be changed."""
    return a_copy(untouched, tmp_path / "programme")
