"""``python -m bench``: rounds of fresh processes, one after the other, and a table of medians and ratios."""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from shutil import rmtree
from typing import Any

import numpy as np
import psutil
import rasterio
from tabulate import tabulate

from bench.contender import CONTENDERS, ODC_STAC, OURS, PEERS, STAGES
from bench.cost import Cost
from bench.difference import TOLERANCE, Difference, differences
from bench.month import FIVE_BANDS, QUARTER_PX, SIX_BANDS, TILE_PX, WARM_UP_PX, Month, make_month

RESULTS = Path(__file__).parent / "results"
ROUNDS = 5
"""Fewer rounds show that the benchmark runs, and measure nothing."""
VERSIONS = (
    "mrv-assets", "odc-stac", "odc-geo", "odc-loader", "pystac", "dask", "xarray", "rasterio", "numpy", "numba",
    "zarr", "dagster",
)  # fmt: skip

CPU_BAR = 1.5
"""Most CPU of the stages, which store and hash everything, over that of odc-stac, which stores nothing."""
MEMORY_BAR = 1.0
"""Most peak memory of the stages over that of odc-stac."""

Costs = Mapping[str, Sequence[Cost]]


def main() -> None:
    """Measure, print, and keep the numbers; exit code 1 when two sides differ in results, 2 when one failed."""
    options = _options()
    bands = SIX_BANDS if options.nir08 else FIVE_BANDS
    with _folder(options.keep) as folder:
        _say(f"Making the month: {options.pixels} x {options.pixels} px, six dates, {', '.join(bands)}")
        warm_up = make_month(folder / "warm-up", WARM_UP_PX, bands)
        month = make_month(folder / "month", options.pixels, bands)
        facts = _facts(month, options.threads)
        rmtree(folder / "found", ignore_errors=True)
        warm, cold = _rounds(month, warm_up, folder, options.rounds, options.threads)
        compared = _compared(folder / "found")
    print(_page(facts, warm, cold, compared))
    path = _keep(facts, warm, cold, compared)
    _say(f"Every round is in {path}")
    sys.exit(0 if all(row.same for rows in compared.values() for row in rows) else 1)


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        yield keep.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="mrv-bench-") as name:
        yield Path(name)


# Rounds


def _rounds(
    month: Month, warm_up: Month, folder: Path, rounds: int, threads: int
) -> tuple[dict[str, list[Cost]], dict[str, list[Cost]]]:
    """Every contender once a round, warm and then cold, so that a slow minute of the machine meets all alike."""
    warm: dict[str, list[Cost]] = {name: [] for name in CONTENDERS}
    cold: dict[str, list[Cost]] = {name: [] for name in CONTENDERS}
    # Every run but a machine's first has kernels that were compiled before.
    kept = folder / "compiled"
    for name in OURS:
        _say(f"Compiling kernels: {name}")
        _run(name, warm_up, None, folder, threads, kept)
    for number in range(1, rounds + 1):
        for name in CONTENDERS:
            save = folder / "found" / name if number == 1 else None
            warm[name].append(_run(name, month, warm_up, folder, threads, kept, save))
            _progress(number, rounds, name, "warm", warm[name][-1])
        for name in CONTENDERS:
            rmtree(folder / "nothing-compiled", ignore_errors=True)
            cold[name].append(_run(name, month, None, folder, threads, folder / "nothing-compiled"))
            _progress(number, rounds, name, "cold", cold[name][-1])
    return warm, cold


def _run(
    name: str,
    month: Month,
    warm_up: Month | None,
    folder: Path,
    threads: int,
    compiled: Path,
    save: Path | None = None,
) -> Cost:
    """Cost of one contender in a fresh process, whose stored files are removed after it ended."""
    scratch = folder / "scratch"
    rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    compiled.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "bench.contender", name, "--month", str(month.folder)]
    command += ["--scratch", str(scratch), "--threads", str(threads)]
    command += ["--warm-up", str(warm_up.folder)] if warm_up is not None else []
    command += ["--save", str(save)] if save is not None else []
    done = subprocess.run(
        command,
        env={**os.environ, "NUMBA_CACHE_DIR": str(compiled)},
        cwd=Path(__file__).parent.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    rmtree(scratch)
    if done.returncode:
        _say(f"{name} failed:\n{done.stderr}")
        sys.exit(2)
    return Cost(**json.loads(done.stdout.splitlines()[-1]))


def _compared(results: Path) -> dict[str, list[Difference]]:
    """Differences of each contender's indices from those of odc-stac."""
    rasters = {
        name: {path.stem: np.load(path, mmap_mode="r") for path in sorted((results / name).glob("*.npy"))}
        for name in CONTENDERS
    }
    return {name: differences(rasters[name], rasters[ODC_STAC]) for name in CONTENDERS if name != ODC_STAC}


# The report


@dataclass(frozen=True, kw_only=True)
class _Facts:
    """The month that was measured on, and the machine."""

    pixels: int
    bands: tuple[str, ...]
    indices: str
    files_mb: float
    compression: float
    threads: int
    cpus: int
    memory_gb: float
    load: float
    machine: str
    versions: dict[str, str]
    measured: str


def _facts(month: Month, threads: int) -> _Facts:
    return _Facts(
        pixels=month.pixels,
        bands=month.bands,
        indices="NDVI, EVI, NBR" if "nir08" in month.bands else "NDVI, EVI (no nir08, so no NBR)",
        files_mb=sum(path.stat().st_size for path in month.files) / 1e6,
        compression=month.compression,
        threads=threads,
        cpus=psutil.cpu_count() or 1,
        memory_gb=psutil.virtual_memory().total / 1e9,
        load=psutil.getloadavg()[0],
        machine=f"{platform.system()} {platform.machine()}",
        versions={
            "python": platform.python_version(),
            **{name: version(name) for name in VERSIONS},
            "gdal": rasterio.__gdal_version__,
        },
        measured=f"{datetime.now(UTC):%Y-%m-%d}",
    )


def _page(facts: _Facts, warm: Costs, cold: Costs, compared: Mapping[str, list[Difference]]) -> str:
    rounds = len(warm[ODC_STAC])
    lines = [
        f"\nSynthetic month, {facts.pixels} x {facts.pixels} px, 6 dates, {', '.join(facts.bands)}: "
        f"{facts.files_mb:.0f} MB, {facts.compression:.2f} x smaller than in memory.",
        f"Monthly mean of {facts.indices}, over SCL 4, 5, 6.",
        f"{facts.machine}, {facts.cpus} CPUs, {facts.memory_gb:.0f} GB, load {facts.load:.1f} at the start; "
        f"{facts.threads} threads; {facts.measured}.",
        ", ".join(f"{name} {number}" for name, number in facts.versions.items()),
        "",
        f"Medians over {rounds} round(s). Warm: after imports and a small month; cold: a new process, imports and",
        "compiling included. x: times odc-stac.",
        "",
        _table(warm, cold),
        "",
        *_against_bar(warm),
        *(f"{name}: {_difference_text(row)}" for name, rows in compared.items() for row in rows),
    ]
    if rounds < ROUNDS:
        lines.append(f"Fewer than {ROUNDS} rounds show that it runs; they measure nothing.")
    return "\n".join(lines)


def _table(warm: Costs, cold: Costs) -> str:
    rows = []
    for name in CONTENDERS:
        row: list[str] = [name]
        for costs in (warm, cold):
            for field, pattern in (("wall_s", "{:.2f}"), ("cpu_s", "{:.2f}"), ("peak_mb", "{:.0f}")):
                value = _median(costs[name], field)
                row.append(f"{pattern.format(value)} ({value / _median(costs[ODC_STAC], field):.2f} x)")
        rows.append(row)
    measures = ("wall s", "CPU s", "peak MB")
    headers = ["", *measures, *(f"cold {measure}" for measure in measures)]
    return tabulate(rows, headers=headers, disable_numparse=True)


def _against_bar(warm: Costs) -> list[str]:
    lines = []
    for field, bar, label in (("cpu_s", CPU_BAR, "CPU"), ("peak_mb", MEMORY_BAR, "Peak memory")):
        ratios = {peer: _median(warm[STAGES], field) / _median(warm[peer], field) for peer in PEERS}
        verdicts = ", ".join(
            f"{ratio:.2f} x {peer} ({'met' if ratio <= bar else 'missed'})" for peer, ratio in ratios.items()
        )
        lines.append(f"{label} of {STAGES}, at most {bar:g} x: {verdicts}")
    return lines


def _difference_text(difference: Difference) -> str:
    if difference.same:
        return f"{difference.index} same, {difference.valid} pixels, largest difference {difference.largest:.1e}"
    return (
        f"{difference.index} DIFFERS: {difference.beyond} of {difference.valid} pixels by more than {TOLERANCE:g}, "
        f"at most {difference.largest:.1e}; {difference.only_here} have a value only here, "
        f"{difference.only_there} only in {ODC_STAC}"
    )


def _median(costs: Sequence[Cost], field: str) -> float:
    return statistics.median(float(getattr(cost, field)) for cost in costs)


def _keep(facts: _Facts, warm: Costs, cold: Costs, compared: Mapping[str, list[Difference]]) -> Path:
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{facts.pixels}px.json"
    document: dict[str, Any] = {
        "facts": asdict(facts),
        "contenders": {
            name: {
                start: {
                    "median": {field: _median(costs[name], field) for field in Cost.__dataclass_fields__},
                    "times_odc_stac": {
                        field: _median(costs[name], field) / _median(costs[ODC_STAC], field)
                        for field in Cost.__dataclass_fields__
                    },
                    "rounds": [asdict(cost) for cost in costs[name]],
                }
                for start, costs in (("warm", warm), ("cold", cold))
            }
            for name in CONTENDERS
        },
        "differences": {name: [asdict(row) for row in rows] for name, rows in compared.items()},
    }
    path.write_text(json.dumps(document, indent=1) + "\n")
    return path


def _progress(number: int, rounds: int, name: str, start: str, cost: Cost) -> None:
    _say(f"[{number}/{rounds}] {name}, {start}: {cost.wall_s:.2f} s, CPU {cost.cpu_s:.2f} s, {cost.peak_mb:.0f} MB")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--pixels",
        type=int,
        default=QUARTER_PX,
        help=f"side of the month, 10 m pixels: {QUARTER_PX} is a quarter of a tile's side, {TILE_PX} a whole tile",
    )
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"of every contender; {ROUNDS} or more")
    parser.add_argument("--threads", type=int, default=2, help="of every contender")
    parser.add_argument("--nir08", action="store_true", help="also publish nir08, and with it compute NBR")
    parser.add_argument(
        "--keep", type=Path, help="folder for the month and the results, kept for the next time [a temporary one]"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
