"""``python -m bench.network``: the month from a server far away, by our raw_tiles and by odc-stac, in one run.

Ours searches, reads headers past the gate, brings the COG tiles of the active blocks, hashes and stores them, and
writes a record. odc-stac loads the same bands into memory. Each runs in a process of its own, after a small warm-up.
"""

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from tabulate import tabulate

from bench.month import COLLECTION, MONTH, QUARTER_PX, TILE, WARM_UP_PX, Month, make_month

Json = dict[str, Any]

OURS, PEER = "mrv raw_tiles", "odc-stac"
RATIO, BYTES, LAG_MS = 0.3, 1.02, 50.0
"""The bars: wall time over odc-stac's, bytes over the COG tiles needed, and how late the event loop may be."""


def main() -> None:
    """Measure and print; or, with ``--contender``, be one of those that are measured."""
    options = _options()
    if options.contender:
        print(json.dumps(_contend(options)))
        return
    with tempfile.TemporaryDirectory(prefix="mrv-bench-") as scratch:
        folder = options.keep or Path(scratch) / "month"
        make_month(folder / "timed", options.pixels)
        make_month(folder / "warm-up", WARM_UP_PX)
        rounds: dict[str, list[Json]] = {PEER: [], OURS: []}
        for number in range(options.rounds):
            for name, costs in rounds.items():
                costs.append(_run(name, folder, Path(scratch) / f"{number}", options))
                print(f"[{number + 1}/{options.rounds}] {name}: {costs[-1]['wall_s']:.2f} s", file=sys.stderr)
        # Of the square, every block is active: all COG tiles of all files are needed.
        bars = bars_of(rounds, Month.at(folder / "timed").cog_tile_bytes)
    print(_page(rounds, bars, options))
    sys.exit(0 if all(bar.met for bar in bars) else 1)


@dataclass(frozen=True, kw_only=True)
class Bar:
    """Something that has to hold, and whether it does."""

    text: str
    met: bool

    def __str__(self) -> str:
        return f"{self.text} ({'met' if self.met else 'missed'})"


def bars_of(rounds: dict[str, list[Json]], needed_bytes: int) -> tuple[Bar, ...]:
    """The bars, held against what was measured.

    Args:
        rounds: What each round cost, by contender.
        needed_bytes: Of the COG tiles that have to be read, known from the files and from nobody who reads them.
    """
    ratio = _median(rounds[OURS], "wall_s") / _median(rounds[PEER], "wall_s")
    over = _median(rounds[OURS], "bytes") / needed_bytes
    lag = max(cost["lag_ms"] for cost in rounds[OURS])
    return (
        Bar(text=f"wall over odc-stac's, at most {RATIO:g}: {ratio:.2f}", met=ratio <= RATIO),
        Bar(text=f"bytes over the COG tiles needed, at most {BYTES:g}: {over:.4f}", met=over <= BYTES),
        Bar(text=f"latest the event loop was, below {LAG_MS:g} ms: {lag:.1f} ms", met=lag < LAG_MS),
    )


def _page(rounds: dict[str, list[Json]], bars: tuple[Bar, ...], options: argparse.Namespace) -> str:
    peer = _median(rounds[PEER], "wall_s")
    rows = [
        [
            name,
            f"{_median(costs, 'wall_s'):.2f} ({_median(costs, 'wall_s') / peer:.2f} x)",
            f"{_median(costs, 'cpu_s'):.2f}",
            f"{_median(costs, 'bytes') / 1e6:.1f}",
            f"{_median(costs, 'requests'):.0f}",
        ]
        for name, costs in rounds.items()
    ]
    return "\n".join(
        [
            f"{options.pixels} x {options.pixels} px, 6 dates, first byte after {options.delay_ms:g} ms, "
            f"{options.threads} threads; medians of {options.rounds} rounds.",
            tabulate(rows, headers=["", "wall s", "CPU s", "MB read", "requests"], disable_numparse=True),
            *map(str, bars),
        ]
    )


def _median(costs: list[Json], field: str) -> float:
    return float(statistics.median(cost[field] for cost in costs))


def _run(name: str, folder: Path, scratch: Path, options: argparse.Namespace) -> Json:
    """One contender, on servers of its own."""
    with _served(folder / "timed", options.delay_ms) as root, _served(folder / "warm-up", options.delay_ms) as warm:
        command = [sys.executable, "-m", "bench.network", "--contender", name, "--root", root, "--warm-up", warm]
        command += ["--month", str(folder), "--scratch", str(scratch / name), "--threads", str(options.threads)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        sent: Json = json.loads(urlopen(f"{root}/_bytes").read())
    return {**json.loads(done.stdout), **sent}


@contextmanager
def _served(month: Path, delay_ms: float) -> Iterator[str]:
    command = [sys.executable, "-m", "bench.served", str(month), "--delay-ms", str(delay_ms)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            # A child ignores SIGTERM where whoever started this process did.
            process.kill()


def _contend(options: argparse.Namespace) -> Json:
    work = _ours if options.contender == OURS else _peer
    work(options.warm_up, options.month / "warm-up", options.scratch / "warm-up", options.threads)
    wall, cpu = time.perf_counter(), time.process_time()
    with _lag() as lags:
        work(options.root, options.month / "timed", options.scratch / "timed", options.threads)
    return {
        "wall_s": time.perf_counter() - wall,
        "cpu_s": time.process_time() - cpu,
        "lag_ms": max(lags, default=0.0) * 1000,
    }


@contextmanager
def _lag() -> Iterator[list[float]]:
    """How late the ingest's event loop was, each time it was asked; in seconds."""
    from mrv_assets.transport import event_loop

    lags: list[float] = []
    done = threading.Event()

    async def tick() -> None:
        while not done.is_set():
            before = time.perf_counter()
            await asyncio.sleep(0.005)
            lags.append(time.perf_counter() - before - 0.005)

    ticking = event_loop.start(tick())
    try:
        yield lags
    finally:
        done.set()
        ticking.result()


def _ours(root: str, month: Path, scratch: Path, threads: int) -> None:
    from mrv_assets.deployment import Deployment

    text = Month.at(month).program.read_text().replace("catalog: catalogue", f'catalog: "{root}"')
    scratch.mkdir(parents=True)
    (scratch / "program.yaml").write_text(text)
    (scratch / "parcels.geojson").write_bytes((month / "parcels.geojson").read_bytes())
    deployment = Deployment(
        program_path=scratch / "program.yaml", lake_path=scratch / "lake", workers=threads, loopback=True
    )
    deployment.materialize("raw_tiles", deployment.plan(TILE, MONTH, deployment.missions[0]))


def _peer(root: str, month: Path, scratch: Path, threads: int) -> None:
    import odc.stac
    import pystac_client
    import rasterio
    from odc.geo.geobox import GeoBox

    odc.stac.configure_rio(cloud_defaults=True)
    made = Month.at(month)
    grid = made.grid
    items = list(pystac_client.Client.open(root).search(collections=[COLLECTION]).items())
    odc.stac.load(
        items,
        bands=list(made.bands),
        geobox=GeoBox((grid.height, grid.width), rasterio.Affine(grid.dx, 0, grid.x0, 0, grid.dy, grid.y0), grid.crs),
        resampling={"*": "bilinear", "scl": "nearest"},
        pool=threads,
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.network")
    parser.add_argument("--pixels", type=int, default=QUARTER_PX)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--delay-ms", type=float, default=50.0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--keep", type=Path, help="folder that keeps the month, so that it is made once")
    for name in ("--contender", "--root", "--warm-up"):
        parser.add_argument(name, help=argparse.SUPPRESS)
    for name in ("--month", "--scratch"):
        parser.add_argument(name, type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
