"""One lake to export from, and each export of it made once, for every test of exports."""

import json
import shutil
from pathlib import Path

import pytest
from demo_lake import Json, a_deployment, run_months
from export_months import NO_NBR, PASSED, REJECTED, Export, a_programme, exported
from once import Once

from mrv_assets.audit.canonical import digest
from mrv_assets.deployment import Deployment


@pytest.fixture(scope="session")
def deployment(once: Once) -> Deployment:
    """The programme with three of its months in the lake. Nothing changes it."""
    made = once("exported", lambda folder: run_months(a_programme(folder), [PASSED, REJECTED, NO_NBR]))
    return a_deployment(made / "program.yaml")


@pytest.fixture
def export(deployment: Deployment, once: Once, tmp_path: Path) -> Export:
    """Export to a folder of this test: ``export("cog", month=...)``; gives the answer.

    In a temporary folder that holds nothing yet, it is a copy of the export that the first test with these options
    made; any other is made there and then.
    """

    def to_out(kind: str, **options: object) -> Json:
        out = tmp_path / "out"
        if any(tmp_path.iterdir()):
            return exported(deployment, kind, out, **options)

        def make(folder: Path) -> None:
            answer = exported(deployment, kind, folder / "out", **options)
            (folder / "answer.json").write_text(json.dumps(answer))

        made = once(f"export-{digest({'kind': kind, **options})}", make)
        if (made / "out").exists():
            shutil.copytree(made / "out", out)
        answer: Json = json.loads((made / "answer.json").read_bytes())
        return {**answer, "folder": str(out)}

    return to_out
