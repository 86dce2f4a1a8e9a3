"""``mrv run --force``: computed again, and everyone is told how often that gave the same."""

import json
from importlib.metadata import version

import dagster as dg
import pytest
from block_scenes import CORNER, MONTH, TILE, Box, SceneSpec, a_programme_of
from demo_lake import mrv

from mrv_assets.audit.record import Partition
from mrv_assets.deployment import Deployment

BOXES = {"a": Box(row=CORNER - 50, col=CORNER - 50, height=10, width=10)}


@pytest.fixture(scope="module")
def forced(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """A month run by the command, then twice more with --force."""
    deployment = a_programme_of(tmp_path_factory.mktemp("programme"), [SceneSpec(id="s")], BOXES)
    run(deployment)
    run(deployment, "--force")
    run(deployment, "--force")
    return deployment


def run(deployment: Deployment, *options: str) -> dict[str, str]:
    """Run the month by the command; gives the outcome of each asset."""
    done = mrv("run", "--tile", TILE, "--month", MONTH, "--json", *options, cwd=deployment.program_path.parent)
    assert done.returncode == 0, done.stderr
    return {asset["asset"]: asset["outcome"] for asset in json.loads(done.stdout)["assets"]}


def test_force_computes_what_is_known(forced: Deployment) -> None:
    """Without it nothing is computed; with it everything is, and gives the same."""
    assert set(run(forced).values()) == {"unchanged"}
    assert len(forced.lake.runs(Partition("monthly_proxies", TILE, MONTH))) == 3


def test_explain_says_how_often_a_record_was_reproduced(forced: Deployment) -> None:
    """On the screen and in JSON, for every record a number rests on."""
    folder = forced.program_path.parent
    shown = mrv("explain", "a", MONTH, cwd=folder)
    answer = json.loads(mrv("explain", "a", MONTH, "--json", cwd=folder).stdout)

    records = answer["parts"][0]["records"]

    assert shown.stdout.count("reproduced 2 times") == len(records) == 6
    assert {record["reproduced"] for record in records} == {2}


def test_the_lineage_says_how_often_a_record_was_reproduced(forced: Deployment) -> None:
    """In the metadata of each materialization: 0 for the first, then 1, then 2."""
    with dg.DagsterInstance.from_config(str(forced.program_path.parent / "dagster")) as instance:
        key = dg.AssetRecordsFilter(dg.AssetKey(["sentinel2", "indices"]))
        events = [one.asset_materialization for one in instance.fetch_materializations(key, limit=10).records]

    told = [
        (event.metadata["outcome"].value, event.metadata["reproduced"].value) for event in reversed(events) if event
    ]

    assert told[:3] == [("computed", 0), ("reproduced", 1), ("reproduced", 2)]


def test_where_and_with_what_it_ran_is_in_the_run_records_only(forced: Deployment) -> None:
    """A record is the same on every host; its run records say on which host, with which versions and bytes."""
    record = forced.lake.current(Partition("sentinel2/indices", TILE, MONTH))
    folder = forced.lake.slot(record.partition).folder / "runs"
    runs = [json.loads(path.read_bytes()) for path in sorted(folder.glob("*.json"))]

    assert {"environment", "host", "started", "workers"} & set(record.document) == set()
    assert [one["outcome"] for one in runs] == ["computed", "reproduced", "reproduced"]
    assert all(one["record"] == record.audit_hash for one in runs)
    environment = runs[0]["environment"]
    assert {"python", "cpu", "commit", "dirty", "package_sha256", "distributions"} <= set(environment)
    for name in ("numba", "numpy", "zarr", "pillow", "pyproj", "imagecodecs"):
        assert environment["distributions"][name] == version(name)
    assert runs[0]["stored"] == runs[2]["stored"]
    assert "zarr.json" in runs[0]["stored"]


def test_a_launchpad_can_force_too(forced: Deployment) -> None:
    """By the tag mrv/force, which the launchpad and the backfill dialog let one add."""
    from mrv_assets.defs.build import build_definitions
    from mrv_assets.defs.partitions import partition_key
    from mrv_assets.settings import Settings

    home = forced.program_path.parent / "dagster"
    settings = Settings(program_path=forced.program_path, lake_path=forced.lake_path, dagster_home=home)
    definitions = build_definitions(settings)

    with dg.DagsterInstance.from_config(str(forced.program_path.parent / "dagster")) as instance:
        job = definitions.resolve_job_def("tile_month")
        result = job.execute_in_process(
            partition_key=partition_key(TILE, MONTH), instance=instance, tags={"mrv/force": "true"}
        )

    outcomes = {event.step_materialization_data.materialization.metadata["outcome"].value
                for event in result.get_asset_materialization_events()}  # fmt: skip
    assert outcomes == {"reproduced"}
