"""kill -9 at ten random instants, then a re-run: nothing torn is ever visible, the records are an undisturbed run's."""

import json
import random
import time
from dataclasses import dataclass
from hashlib import sha256
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
import yaml
from block_scenes import MONTH
from demo_lake import TILE, a_deployment, evidence, run_months, run_months_in_process
from forked import a_server
from small_month import MIDDLE, a_small_month

from mrv_assets.audit.canonical import digest
from mrv_assets.lake.store import Lake

# A month that passes, with three observations and one refused, and one that has no scenes.
MONTHS = (MONTH, "2018-08")
EMPTY = MONTHS[1:]
KILLS = 10
SEED = 20180701


@pytest.fixture(scope="module")
def server() -> ForkServerContext:
    """A server that has imported everything and forks a process a run: killing one costs no imports."""
    return a_server()


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small programme: it is not the pixels that take names."""
    deployment = a_small_month(tmp_path_factory.mktemp("programme"))
    program = yaml.safe_load(deployment.program_path.read_text())
    months = {"start": MONTHS[0], "end": MONTHS[-1]}
    deployment.program_path.write_text(yaml.safe_dump({**program, "months": months}))
    return deployment.program_path


@dataclass(frozen=True, kw_only=True)
class Undisturbed:
    """A run that nobody killed."""

    evidence: dict[str, bytes]
    seconds: float
    steps: int
    """How often it gave or took a name in the lake."""


@pytest.fixture(scope="module")
def undisturbed(program: Path, server: ForkServerContext, tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    """Both months."""
    # The first compiles kernels or reads them from their cache.
    for name in ("warm", "lake"):
        lake = tmp_path_factory.mktemp("undisturbed") / name
        process, ready = begun(server, program, lake)
        started = time.monotonic()
        steps = ready.recv()
        seconds = time.monotonic() - started
        process.join()
    return Undisturbed(evidence=evidence(lake), seconds=seconds, steps=steps)


@pytest.fixture(scope="module")
def undisturbed_empty(
    program: Path, server: ForkServerContext, tmp_path_factory: pytest.TempPathFactory
) -> Undisturbed:
    """The month without scenes: all of what gives names, and hardly any pixel."""
    lake = tmp_path_factory.mktemp("undisturbed") / "empty"
    process, ready = begun(server, program, lake, EMPTY)
    steps = ready.recv()
    process.join()
    return Undisturbed(evidence=evidence(lake), seconds=0.0, steps=steps)


@pytest.mark.parametrize("kill", range(KILLS))
def test_a_killed_run_leaves_nothing_torn_and_its_rerun_the_same_records(
    kill: int, program: Path, server: ForkServerContext, undisturbed: Undisturbed, tmp_path: Path
) -> None:
    """The instants are spread over the run: one random instant in each tenth of it."""
    lake = tmp_path / "lake"
    instant = undisturbed.seconds * (kill + random.Random(SEED + kill).random()) / KILLS

    while not killed(server, program, lake, instant):
        # It was over before the instant came: the same again, earlier, in another lake.
        lake, instant = lake.with_name(f"{lake.name}-again"), instant / 2

    check_nothing_torn(lake, undisturbed.evidence)
    run_months(a_deployment(program, lake), MONTHS)
    check_nothing_torn(lake, undisturbed.evidence)
    assert evidence(lake) == undisturbed.evidence
    assert list((lake / ".staging").iterdir()) == []


@pytest.mark.parametrize("kill", range(KILLS))
def test_between_any_two_steps_of_giving_names_the_lake_is_whole(
    kill: int, program: Path, server: ForkServerContext, undisturbed_empty: Undisturbed, tmp_path: Path
) -> None:
    """Clocks seldom hit the moment in which things get their names; so here the run dies before a random such step."""
    lake = tmp_path / "lake"
    step = 1 + int(undisturbed_empty.steps * (kill + random.Random(SEED + kill).random()) / KILLS)

    process, _ = begun(server, program, lake, EMPTY, dies_at=step)
    process.join()

    assert process.exitcode == -9
    check_nothing_torn(lake, undisturbed_empty.evidence)
    run_months(a_deployment(program, lake), EMPTY)
    assert evidence(lake) == undisturbed_empty.evidence


def killed(server: ForkServerContext, program: Path, lake: Path, after_s: float) -> bool:
    """Run the months in a process and kill it -9; False when it was over by then."""
    process, ready = begun(server, program, lake)
    if ready.poll(after_s):
        assert ready.recv() > 0
        process.join()
        return False
    process.kill()
    process.join()
    return True


def begun(
    server: ForkServerContext,
    program: Path,
    lake: Path,
    months: tuple[str, ...] = MONTHS,
    dies_at: int | None = None,
) -> tuple[BaseProcess, Connection]:
    """A process that is about to begin its first stage, and where it says that it is done."""
    ready, told = server.Pipe(duplex=False)
    process = server.Process(target=run_months_in_process, args=(program, lake, months, told, dies_at))
    process.start()
    # Ours is closed, so that a process that dies is the end of the pipe.
    told.close()
    assert ready.recv() == "begins"
    return process, ready


def check_nothing_torn(lake: Path, expected: dict[str, bytes]) -> None:
    """Whatever has a final name is whole: documents parse, hashes match, data is there and opens."""
    for name, content in evidence(lake).items():
        # A file that has its final name has its final content. Nothing in these names depends on the run, so each
        # must be the undisturbed run's, byte for byte.
        assert content == expected.get(name), name
    for run in lake.glob("**/runs/[!.]*.json"):
        assert len(json.loads(run.read_bytes())["record"]) == 64
    for record in lake.glob("**/records/[!.]*.json"):
        assert sha256(record.read_bytes()).hexdigest() == record.stem
        data = record.parents[1] / "data" / digest(json.loads(record.read_bytes())["output"])
        assert data.is_dir(), f"{record}: its data is not there"
    for head in lake.glob("**/heads/[!.]*.json"):
        named = json.loads(head.read_bytes())["record"]
        assert (head.parents[1] / "records" / f"{named}.json").is_file(), f"{head}: its record is not there"
    if (lake / "lake.json").exists():
        check_everything_opens(Lake.at(lake, json.loads((lake / "lake.json").read_bytes())["programme"]))


def check_everything_opens(lake: Lake) -> None:
    """Every partition that has a head opens to its last value."""
    for asset in ("sentinel2/aligned_tiles", "sentinel2/masked_tiles", "sentinel2/indices", "monthly_proxies"):
        for partition in lake.partitions(asset):
            assert partition.tile == TILE
            opened = lake.open(*partition.names)
            # A corner of the ground that was seen, in every variable; all of it would be 10980 pixels square.
            opened.isel(y=slice(MIDDLE, MIDDLE + 8), x=slice(MIDDLE, MIDDLE + 8)).load()
