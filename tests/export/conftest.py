"""One lake to export from, for every test of exports."""

from pathlib import Path

import pytest
from demo_lake import Json, a_deployment, run_months
from export_months import NO_NBR, PASSED, REJECTED, Export, a_programme, exported
from once import Once

from mrv_assets.deployment import Deployment


@pytest.fixture(scope="session")
def deployment(once: Once) -> Deployment:
    """The programme with three of its months in the lake. Nothing changes it."""
    made = once("exported", lambda folder: run_months(a_programme(folder), [PASSED, REJECTED, NO_NBR]))
    return a_deployment(made / "program.yaml")


@pytest.fixture
def export(deployment: Deployment, tmp_path: Path) -> Export:
    """Export to a folder of this test: ``export("cog", month=...)``; gives the answer."""

    def to_out(kind: str, **options: object) -> Json:
        return exported(deployment, kind, tmp_path / "out", **options)

    return to_out
