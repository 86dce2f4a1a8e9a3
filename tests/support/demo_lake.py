"""Builders of programmes and lakes: the demo by its command, and programmes like it.

``python tests/support/demo_lake.py --write-golden`` runs the demo and rewrites tests/golden/demo.json,
demo_simulated.json and the README's picture; the commit that does so says why the numbers moved.
"""

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import forked
import yaml
from stage_names import STAGES
from tables import read_rows

from mrv_assets.audit.record import Partition
from mrv_assets.deployment import Deployment
from mrv_assets.formats.artifacts import DECISION
from mrv_assets.formats.table import TABLE
from mrv_assets.lake.store import Lake
from mrv_assets.settings import DEMO_PROGRAM
from mrv_assets.stages.materialize import Materialized
from mrv_assets.stages.table import PRODUCT

Json = dict[str, Any]

REPOSITORY = Path(__file__).resolve().parents[2]
GOLDEN = REPOSITORY / "tests" / "golden" / "demo.json"
PICTURE = REPOSITORY / "docs" / "img" / "demo-simulated.png"
GOLDEN_SIMULATED = GOLDEN.with_name("demo_simulated.json")
BIN = Path(sys.executable).parent

CATALOGUE = DEMO_PROGRAM.parent / "catalogue"
COLLECTION = "s2-l2a-romania-north"
TILE = "34TER"
MONTHS = tuple(f"2018-{month:02d}" for month in range(1, 13))


@dataclass(frozen=True, kw_only=True)
class Demo:
    """The demo after one run of its command."""

    folder: Path
    page: str
    """What it printed."""
    progress: str
    """What it said on stderr."""

    @property
    def deployment(self) -> Deployment:
        """The demo's programme and lake."""
        return Deployment(program_path=DEMO_PROGRAM, lake_path=self.folder / "lake")

    @property
    def lake(self) -> Lake:
        """The demo's lake."""
        return self.deployment.lake

    @property
    def home(self) -> Path:
        """The Dagster instance the demo told of its runs."""
        return self.folder / "dagster"

    @property
    def simulated(self) -> Deployment:
        """The demo's simulated programme and its lake."""
        return a_deployment(self.folder / "simulated" / "program.yaml")


def mrv(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run what the `mrv` command runs, in a process of its own; gives its exit code and both outputs."""
    return forked.run(_mrv, *arguments, cwd=cwd, **environment)


def _mrv(*arguments: str) -> None:
    from mrv_assets.cli.main import main

    sys.argv = ["mrv", *arguments]
    main()


def installed_mrv(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the installed `mrv` command as a user does, in a new interpreter."""
    return _run([str(BIN / "mrv"), *arguments], cwd, environment)


def dagster(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run what Dagster's own command runs, in a process of its own; the README's test runs the installed one."""
    return forked.run(_dagster, *arguments, cwd=cwd, **environment)


def _dagster(*arguments: str) -> None:
    from dagster._cli import main

    sys.argv = ["dagster", *arguments]
    main()


def python(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Python in a process of its own."""
    return _run([sys.executable, *arguments], cwd, environment)


def _run(
    command: Sequence[str], cwd: Path, environment: Mapping[str, str], timeout_s: float = 300
) -> subprocess.CompletedProcess[str]:
    variables = {**os.environ, **environment}
    return subprocess.run(
        command, cwd=cwd, env=variables, capture_output=True, text=True, timeout=timeout_s, check=False
    )


def run_demo(folder: Path) -> Demo:
    """Run the demo into a folder."""
    # On a machine with much else to do it takes minutes.
    done = _run([str(BIN / "mrv"), "demo", "--into", str(folder)], folder, {}, timeout_s=900)
    assert done.returncode == 0, done.stderr
    return Demo(folder=folder, page=done.stdout, progress=done.stderr)


def a_program(folder: Path, **changed: Any) -> Path:
    """A programme file like the demo's, in a folder of its own, with the demo's parcels and catalogue.

    Args:
        folder: Made where it does not exist.
        changed: Fields written instead of the demo's; of ``gate`` only what is named. ``parcels`` may be a
            GeoJSON object, ``catalog`` the folder of another catalogue.
    """
    folder.mkdir(parents=True, exist_ok=True)
    document = yaml.safe_load(DEMO_PROGRAM.read_text())
    parcels = changed.pop("parcels", None) or json.loads((DEMO_PROGRAM.parent / "parcels.geojson").read_bytes())
    (folder / "parcels.geojson").write_text(json.dumps(parcels))
    catalog, collection = str(changed.pop("catalog", CATALOGUE)), changed.pop("collection", COLLECTION)
    document["missions"]["sentinel2"] = {"catalog": catalog, "collection": collection}
    gate = {**document["gate"], **changed.pop("gate", {})}
    path = folder / "program.yaml"
    path.write_text(yaml.safe_dump({**document, **changed, "gate": gate}))
    return path


def a_deployment(program: Path, lake: Path | None = None, workers: int = 1) -> Deployment:
    """A programme at work on a lake, by default the one beside it."""
    return Deployment(program_path=program, lake_path=lake or program.parent / "lake", workers=workers)


def run_months(deployment: Deployment, months: Sequence[str], tile: str = TILE) -> dict[str, dict[str, Materialized]]:
    """Every stage of some months, without Dagster; by month and asset."""
    return {month: dict(deployment.run(tile, month)) for month in months}


def up_to(stage: str, deployment: Deployment) -> Deployment:
    """A programme of one month and one mission with its assets up to a stage in the lake, and nothing behind them."""
    for name in STAGES[: STAGES.index(stage) + 1]:
        deployment.materialize(name, deployment.plan(deployment.tiles[0], deployment.months[0], deployment.missions[0]))
    return deployment


def run_months_in_process(
    program: Path, lake: Path, months: Sequence[str], ready: Connection, dies_at: int | None = None
) -> None:
    """The same, as the target of a process: it says when it is about to begin, and when it is done.

    Args:
        program: The programme file.
        lake: Where to.
        months: Which.
        ready: Told ``begins``, then how many steps were taken outside the staging folder.
        dies_at: The step before which the process kills itself -9; None: it lives.
    """
    deployment = a_deployment(program, lake)
    assert deployment.tiles == (TILE,)
    steps = itertools.count(1)
    sys.addaudithook(lambda event, args: _step(steps, dies_at) if _names(event, args, str(lake)) else None)
    ready.send("begins")
    run_months(deployment, months)
    ready.send(next(steps) - 1)


def _step(steps: Iterator[int], dies_at: int | None) -> None:
    if next(steps) == dies_at:
        os.kill(os.getpid(), signal.SIGKILL)


def _names(event: str, args: tuple[Any, ...], lake: str) -> bool:
    """Whether an audit event is a step that gives or takes a name in a lake, its staging folder aside."""
    if event == "open":
        writes = bool((args[2] or 0) & (os.O_WRONLY | os.O_RDWR))
        return writes and _lies_in(args[0], lake)
    if event in ("os.rename", "os.link", "os.remove", "os.mkdir", "os.rmdir"):
        return any(_lies_in(path, lake) for path in args)
    return False


def _lies_in(path: Any, lake: str) -> bool:
    return isinstance(path, str | Path) and (text := str(path)).startswith(lake) and "/.staging" not in text


def rows(deployment: Deployment, month: str, tile: str = TILE) -> dict[str, Json]:
    """The current rows of a month's parcels.parquet by parcel id, without geometry."""
    record = deployment.lake.current(Partition(PRODUCT, tile, month))
    return {row["parcel_id"]: row for row in read_rows(record.data / TABLE)}


def decision(lake: Lake, month: str, tile: str = TILE) -> Json:
    """The gate's current decision on a month."""
    found: Json = json.loads(
        (lake.current(Partition("sentinel2/gated_tiles", tile, month)).data / "decision.json").read_bytes()
    )
    return found


def evidence(lake: Path) -> dict[str, bytes]:
    """Every file with a final name that says what is true: all but runs, which say when and where.

    What has no final name yet starts with a dot: the staging folder, and temporary files beside their name.
    """
    return {
        name: path.read_bytes()
        for path in sorted(lake.rglob("*"))
        if path.is_file() and "/." not in f"/{(name := path.relative_to(lake).as_posix())}" and "/runs/" not in name
    }


def a_copied_catalogue(folder: Path, months: Sequence[str]) -> Path:
    """A copy of the demo's catalogue that has only some months, to be changed."""
    shutil.copytree(CATALOGUE, folder, ignore=shutil.ignore_patterns("2018"))
    for month in months:
        year, number = month.split("-")
        if (CATALOGUE / year / number).is_dir():
            shutil.copytree(CATALOGUE / year / number, folder / year / number)
    collection = json.loads((folder / "collection.json").read_bytes())
    collection["links"] = [
        link for link in collection["links"] if link["rel"] != "item" or (folder / link["href"]).is_file()
    ]
    (folder / "collection.json").write_text(json.dumps(collection))
    return folder


def items_of(catalogue: Path, month: str) -> list[Path]:
    """The item documents of a month in the demo's catalogue or a copy, in order of time."""
    year, number = month.split("-")
    return sorted((catalogue / year / number).glob("*/*.json"))


def golden_of(demo: Demo) -> Json:
    """What the golden file holds: parcels' values rounded to 1e-4 and decisions; no hashes."""
    months: Json = {}
    for month in MONTHS:
        gate = decision(demo.lake, month)
        months[month] = {
            "status": gate["status"],
            "reasons": gate["reasons"],
            "coverage": round(gate["coverage"], 4),
            "observations": len(gate["observations"]),
            "parcels": _values_of(demo.deployment, month),
        }
    return {**_GOLDEN_SAYS, "months": months}


def golden_of_simulated(demo: Demo) -> Json:
    """The same of the simulated months, whose decisions are those on each mission."""
    deployment = demo.simulated
    months: Json = {}
    for month in deployment.months:
        upstream = deployment.lake.current(Partition(PRODUCT, TILE, month)).upstream
        gates = {
            asset: json.loads(
                (deployment.lake.record(Partition(asset, TILE, month), upstream[asset]).data / DECISION).read_bytes()
            )
            for asset in sorted(upstream)
        }
        months[month] = {
            "missions": {
                asset: {
                    "status": gate["status"],
                    "reasons": gate["reasons"],
                    "coverage": None if gate["coverage"] is None else round(gate["coverage"], 4),
                }
                for asset, gate in gates.items()
            },
            "parcels": _values_of(deployment, month),
        }
    return {**_GOLDEN_SAYS, "months": months}


_GOLDEN_SAYS = {
    "written_by": "python tests/support/demo_lake.py --write-golden",
    "rounded_to": 1e-4,
    "tile": TILE,
}


def _values_of(deployment: Deployment, month: str) -> Json:
    """Each parcel's values, observations and coverage, rounded."""
    return {
        parcel: {
            name: round(value, 4) if isinstance(value, float) else value
            for name, value in row.items()
            if name in ("n_obs", "valid_fraction", "max_gap_days", "value_status") or name.endswith(("_mean", "_std"))
        }
        for parcel, row in rows(deployment, month).items()
    }


def write_golden() -> None:
    """Run the demo and write both golden files, and the README's picture of the simulated months."""
    with tempfile.TemporaryDirectory() as folder:
        demo = run_demo(Path(folder))
        for path, golden in ((GOLDEN, golden_of(demo)), (GOLDEN_SIMULATED, golden_of_simulated(demo))):
            path.write_text(json.dumps(golden, indent=1) + "\n")
        shutil.copyfile(demo.folder / "simulated" / "months.png", PICTURE)


if __name__ == "__main__":
    if sys.argv[1:] != ["--write-golden"]:
        sys.exit("usage: python tests/support/demo_lake.py --write-golden")
    write_golden()
