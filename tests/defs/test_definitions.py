"""What Dagster is told before anything runs: the assets, what they are, and their partitions."""

from datetime import datetime
from itertools import pairwise
from pathlib import Path

import dagster as dg
import pytest
from demo_lake import a_program

from mrv_assets.defs.build import build_definitions
from mrv_assets.defs.resources import MrvResource
from mrv_assets.deployment import Deployment
from mrv_assets.errors import ProgramError
from mrv_assets.settings import current

MISSION = ("raw_tiles", "aligned_tiles", "masked_tiles", "indices", "gated_tiles")


def definitions_of(program: Path) -> dg.Definitions:
    """The definitions of a programme file."""
    return build_definitions(current({"MRV_PROGRAM": str(program)}, program.parent))


def specs_of(program: Path) -> dict[str, dg.AssetSpec]:
    """The assets of a programme by their name."""
    return {spec.key.to_user_string(): spec for spec in definitions_of(program).resolve_all_asset_specs()}


def test_a_mission_gives_five_assets_and_the_programme_one(tmp_path: Path) -> None:
    """Scenes go in at raw_tiles, each asset rests on the one before, and monthly_proxies on the gate."""
    specs = specs_of(a_program(tmp_path))

    assert set(specs) == {f"sentinel2/{stage}" for stage in MISSION} | {"monthly_proxies"}
    upstream = {name: [dep.asset_key.to_user_string() for dep in spec.deps] for name, spec in specs.items()}
    assert upstream == {
        "sentinel2/raw_tiles": [],
        **{f"sentinel2/{after}": [f"sentinel2/{before}"] for before, after in pairwise(MISSION)},
        "monthly_proxies": ["sentinel2/gated_tiles"],
    }


def test_every_asset_says_what_it_is(tmp_path: Path) -> None:
    """Group, kinds, owner, description and code version are there for whoever opens the UI."""
    for name, spec in specs_of(a_program(tmp_path)).items():
        assert spec.group_name == ("products" if name == "monthly_proxies" else "sentinel2"), name
        assert spec.owners == ["team:mrv"], name
        assert {tag for tag in spec.tags if tag.startswith("dagster/kind/")}, name
        assert len(spec.description or "") > 30, name
        assert len(spec.code_version or "") == 16, name


def test_code_versions_differ_by_stage_and_not_by_programme(tmp_path: Path) -> None:
    """The version is the digest of the stage's own code: two programmes share it, two stages do not."""
    one = {name: spec.code_version for name, spec in specs_of(a_program(tmp_path / "a")).items()}
    other = {name: spec.code_version for name, spec in specs_of(a_program(tmp_path / "b", program="other")).items()}

    assert one == other
    assert len(set(one.values())) == len(one)


def test_partitions_are_the_programmes_tiles_and_months(tmp_path: Path) -> None:
    """Months from the programme's first to its last, tiles from the dynamic set that ``mrv tiles`` fills."""
    program = a_program(tmp_path, program="p1", months={"start": "2018-03", "end": "2018-12"})

    [partitions] = {spec.partitions_def for spec in specs_of(program).values()}

    assert isinstance(partitions, dg.MultiPartitionsDefinition)
    months, tiles = (partitions.get_partitions_def_for_dimension(name) for name in ("month", "tile"))
    assert months.get_partition_keys() == [f"2018-{month:02d}" for month in range(3, 13)]
    assert isinstance(tiles, dg.DynamicPartitionsDefinition)
    assert tiles.name == "p1_tile"


def test_the_baseline_months_are_partitions_too(tmp_path: Path) -> None:
    """Partitions run from the earlier of baseline and months, over a year's end."""
    program = a_program(
        tmp_path,
        months={"start": "2018-02", "end": "2018-03"},
        baseline={"start": "2017-11", "end": "2018-01"},
    )

    partitions = specs_of(program)["monthly_proxies"].partitions_def

    assert isinstance(partitions, dg.MultiPartitionsDefinition)
    months = partitions.get_partitions_def_for_dimension("month").get_partition_keys()
    assert months == ["2017-11", "2017-12", "2018-01", "2018-02", "2018-03"]


def test_a_month_not_yet_over_is_absent(tmp_path: Path) -> None:
    """A programme may run on; a month becomes a partition when it is over, in UTC."""
    program = a_program(tmp_path, months={"start": "2018-01", "end": "2099-12"})

    partitions = specs_of(program)["monthly_proxies"].partitions_def

    assert isinstance(partitions, dg.MultiPartitionsDefinition)
    months = partitions.get_partitions_def_for_dimension("month")
    for now, last in ((datetime(2018, 7, 31, 23, 59), "2018-06"), (datetime(2018, 8, 1), "2018-07")):
        assert months.get_partition_keys(current_time=now)[-1] == last


def test_the_gates_check_shows_and_blocks_nothing(tmp_path: Path) -> None:
    """A rejected month goes on to monthly_proxies, which says that it has no data."""
    graph = definitions_of(a_program(tmp_path)).resolve_asset_graph()

    [key] = graph.asset_check_keys
    spec = graph.get_check_spec(key)

    assert (key.asset_key.to_user_string(), key.name) == ("sentinel2/gated_tiles", "gate")
    assert not spec.blocking


def test_jobs_of_the_ui_load(tmp_path: Path) -> None:
    """Tiles can be registered, and a tile-month materialized, without a terminal."""
    definitions = definitions_of(a_program(tmp_path))

    dg.Definitions.validate_loadable(definitions)
    names = {job.name for job in definitions.resolve_all_job_defs()}

    assert {"register_tiles", "tile_month"} <= names


def test_a_broken_programme_fails_with_all_its_problems(tmp_path: Path) -> None:
    """Dagster does not load half a programme: the error lists every problem."""
    program = a_program(tmp_path, gate={"min_coverage": 1.5}, months={"start": "2018-07", "end": "2018-01"})

    with pytest.raises(ProgramError, match=r"2 problems(.|\n)*months(.|\n)*min_coverage"):
        definitions_of(program)


def test_a_run_opens_the_programme_once_and_the_next_one_opens_it_anew(tmp_path: Path) -> None:
    """All steps of a run work on one reading of programme and parcels; what changed since is the next run's."""
    seen: list[Deployment] = []

    @dg.asset
    def first(mrv: MrvResource) -> None:
        seen.append(mrv.deployment())

    @dg.asset(deps=[first])
    def second(mrv: MrvResource) -> None:
        seen.append(mrv.deployment())

    mrv = MrvResource.of(current({"MRV_PROGRAM": str(a_program(tmp_path))}, tmp_path))

    for _ in range(2):
        dg.materialize([first, second], resources={"mrv": mrv})

    assert seen[0] is seen[1]
    assert seen[2] is seen[3]
    assert seen[0] is not seen[2]
