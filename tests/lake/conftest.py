"""What tests of a lake's checks stand on."""

from pathlib import Path

import pytest
from demo_lake import Demo
from tampering import PASSED, a_copy


@pytest.fixture
def lake(demo: Demo, tmp_path: Path) -> Path:
    """A month of the demo's lake that the gate passed, to be changed."""
    return a_copy(demo.folder / "lake", tmp_path / "lake", PASSED)
