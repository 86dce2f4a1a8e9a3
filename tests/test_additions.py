"""What an addition touches: an index, an asset and an export format are made in a copy of the package, and work there.

CONTRIBUTING.md names the files; whoever adds one touches these, a test and CHANGELOG.md, and no other.
"""

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from block_scenes import CORNER, MONTH, Box, SceneSpec, a_programme_of
from demo_lake import REPOSITORY, TILE, rows
from edited_package import Edit, Ran, Workshop
from stage_names import PRODUCT

ADDITIONS = (REPOSITORY / "CONTRIBUTING.md").read_text().partition("What a new thing touches")[2].partition("\n#")[0]
"""The table of what an addition touches."""

INDEX = [
    Edit(
        file="missions/indices.py",
        old='        RadarIndex(\n            name="vh_vv",',
        new="""        SpectralIndex(
            name="nbr2",
            long_name="normalized burn ratio 2",
            bands=("swir16", "swir22"),
            source="Key and Benson 2006: (S1 - S2) / (S1 + S2)",
        ),
        RadarIndex(
            name="vh_vv",""",
    )
]
ASSET = [
    Edit(
        file="stages/table.py",
        old="STAGES = (RAW_TILES, ALIGNED_TILES, MASKED_TILES, INDICES, GATED_TILES, MONTHLY_PROXIES)",
        new="""PARCEL_COUNT = Stage(
    name="parcel_count",
    upstream="monthly_proxies",
    of_mission=False,
    description="How many parcels the month has.",
    kinds=frozenset({"json"}),
)

STAGES = (RAW_TILES, ALIGNED_TILES, MASKED_TILES, INDICES, GATED_TILES, MONTHLY_PROXIES, PARCEL_COUNT)""",
    ),
    Edit(
        file="stages/parcel_count.py",
        new='''"""parcel_count: how many parcels the month has."""

from pathlib import Path

from mrv_assets.audit.canonical import Json
from mrv_assets.audit.graph import STAGING, task
from mrv_assets.lake.store import Lake
from mrv_assets.stages.blocks import materialize_blocks
from mrv_assets.stages.materialize import Materialized, upstream
from mrv_assets.stages.month_plan import MonthPlan


def parcel_count(lake: Lake, plan: MonthPlan) -> Materialized:
    """Count the parcels."""
    monthly = upstream(lake, plan, plan.asset("monthly_proxies"))
    return materialize_blocks(
        lake,
        plan,
        __name__,
        graph=task(_counted, monthly.output["table"]["rows"], STAGING),
        manifest=plan.at.manifest(),
        made_from=[monthly],
        reads=[monthly],
    )


def _counted(parcels: int, folder: Path) -> Json:
    (folder / "parcels.txt").write_text(str(parcels))
    return {"parcels": parcels}
''',
    ),
]
FORMAT = [
    Edit(
        file="export/formats.py",
        old='    Format(name="csv", has_rows=True),',
        new='    Format(name="csv", has_rows=True),\n    Format(name="ids", has_rows=True),',
    ),
    Edit(
        file="export/ids.py",
        new='''"""The parcels' ids, one a line."""

from collections.abc import Callable
from pathlib import Path

from mrv_assets.export.content import Content


def write(content: Content, folder: Path, step: Callable[[str], None]) -> None:
    """Write ``ids.txt``."""
    (folder / "ids.txt").write_text("\\n".join(content.table.column("parcel_id").to_pylist()))
''',
    ),
]


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """A programme of one small month, and a place for copies of the package."""
    folder = tmp_path_factory.mktemp("workshop")
    scenes = [SceneSpec(id="a"), SceneSpec(id="b", when="2018-07-20T09:30:00Z")]
    deployment = a_programme_of(folder, scenes, {"p": Box(row=CORNER + 4, col=CORNER + 4, height=10, width=10)})
    return Workshop(folder=folder, program=deployment.program_path, tile=TILE, month=MONTH)


@pytest.fixture(scope="module")
def added(workshop: Workshop) -> Ran:
    """The month, run by a copy of the package that has all three additions."""
    workshop.copy([*INDEX, *ASSET, *FORMAT])
    return workshop.run("added")


def in_the_copy(workshop: Workshop, ran: Ran, *command: str) -> str:
    """What a command prints in a process of its own, where the copy is the package."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(workshop.code),
        "MRV_PROGRAM": str(workshop.program),
        "MRV_LAKE": str(ran.deployment.lake_path),
    }
    done = subprocess.run(
        [sys.executable, *command], env=environment, cwd=workshop.folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(("what", "edits"), [("index", INDEX), ("asset", ASSET), ("export format", FORMAT)])
def test_contributing_names_the_files_that_an_addition_touches(what: str, edits: Sequence[Edit]) -> None:
    """Existing files by their name, a new one by its folder."""
    [row] = re.findall(rf"^\| {what} \| (.*) \|$", ADDITIONS, re.MULTILINE)[:1]

    named = re.findall(r"`([a-z_/]+(?:\.py)?)`", row)
    touched = [edit.file if edit.old else f"{Path(edit.file).parent}/" for edit in edits]
    assert sorted(named) == sorted(touched)


def test_an_index_is_one_row(added: Ran) -> None:
    """Missions that measure its bands compute it; the table has its columns."""
    [row] = rows(added.deployment, MONTH).values()

    assert "nbr2" in added.records["sentinel2/indices"]["output"]["arrays"]
    assert -1 <= row["nbr2_mean"] <= 1
    assert row["nbr2_valid_area_ha"] == pytest.approx(row["ndvi_valid_area_ha"])


def test_an_asset_is_one_row_and_one_stage(workshop: Workshop, added: Ran) -> None:
    """It is materialized with the others, verified, and Dagster has it behind what it follows from."""
    code = (
        "from mrv_assets.definitions import defs; import dagster as dg;"
        "print(*defs.resolve_asset_graph().get(dg.AssetKey('parcel_count')).parent_keys)"
    )

    assert added.records["parcel_count"]["output"] == {"parcels": 1}
    assert list(added.records["parcel_count"]["inputs"]) == [PRODUCT]
    assert "monthly_proxies" in in_the_copy(workshop, added, "-c", code)


def test_a_format_is_one_row_and_one_file(workshop: Workshop, added: Ran) -> None:
    """The command offers it and writes it."""
    main = "from mrv_assets.cli.main import main; main()"
    folder = workshop.folder / "exported"

    in_the_copy(workshop, added, "-c", main, "export", str(folder), "--as", "ids")

    assert (folder / "ids.txt").read_text() == "p"
