"""One lake to export from, for every test of exports."""

from pathlib import Path

import pytest
from demo_lake import Json, run_months
from export_months import NO_NBR, PASSED, REJECTED, Export, a_programme, exported

from mrv_assets.workplace import Workplace


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    """The programme with three of its months in the lake. Nothing changes it."""
    made = a_programme(tmp_path_factory.mktemp("exported"))
    run_months(made, [PASSED, REJECTED, NO_NBR])
    return made


@pytest.fixture
def export(place: Workplace, tmp_path: Path) -> Export:
    """Export to a folder of this test: ``export("cog", month=...)``; gives the answer."""

    def to_out(kind: str, **options: object) -> Json:
        return exported(place, kind, tmp_path / "out", **options)

    return to_out
