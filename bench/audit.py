"""``python -m bench.audit``: what the audit trail costs, beside the bare work it is added to."""

import hashlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tabulate import tabulate

from mrv_assets.audit.content import leaves

REPEATS = 7
MONTH = ("34TER", "2018-07")

# In a process of its own, after the imports: CPU seconds of one run of every stage of a month.
_RUN = """
import sys, time, json
from pathlib import Path
import mrv_assets.programme.parcels, mrv_assets.stages.monthly_proxies, mrv_assets.stages.raw_tiles
from mrv_assets.stages import aligned_tiles, gated_tiles, indices, masked_tiles
from mrv_assets.settings import DEMO_PROGRAM
from mrv_assets.deployment import Deployment
deployment = Deployment(program_path=DEMO_PROGRAM, lake_path=Path(sys.argv[1]))
before = time.process_time()
outcomes = {done.outcome.value for _, done in deployment.run(*sys.argv[2:4], force=sys.argv[4] == "force")}
print(json.dumps([time.process_time() - before, sorted(outcomes)]))
"""


def main() -> None:
    """Measure and print."""
    print(tabulate(_digests(), headers=["values", "MB", "digest, ns/byte", "sha256 alone", "ratio"], floatfmt=".2f"))
    print()
    print(tabulate(_runs(), headers=["the demo's July, after imports", "CPU, s", "of computing"], floatfmt=".2f"))


def _digests() -> list[list[object]]:
    """Digesting a block of decoded values, against SHA-256 of the same bytes and nothing else."""
    chance = np.random.default_rng(34)
    blocks: dict[str, tuple[NDArray[np.generic], float]] = {
        "reflectance, uint16, 6 dates": (chance.integers(1, 10_000, (6, 1024, 1024)).astype("uint16"), 0),
        "index, int16, 6 dates": (chance.integers(-9_999, 10_000, (6, 1024, 1024)).astype("int16"), -32768),
        "mean, float32": (chance.random((1024, 1024), dtype="float32"), float("nan")),
    }
    rows: list[list[object]] = []
    for name, (values, fill) in blocks.items():
        ours = _fastest(lambda values=values, fill=fill: dict(leaves("x", values, 0, 0, fill)))  # type: ignore[misc]
        bare = _fastest(lambda values=values: hashlib.sha256(values.data).digest())  # type: ignore[misc]
        size = values.nbytes
        rows.append([name, size / 1e6, ours / size * 1e9, bare / size * 1e9, ours / bare])
    return rows


def _fastest(work: Callable[[], object]) -> float:
    times = []
    for _ in range(REPEATS):
        before = time.perf_counter()
        work()
        times.append(time.perf_counter() - before)
    return min(times)


def _runs() -> list[list[object]]:
    """A month computed, the same request again, computed again on demand, and the lake verified."""
    with tempfile.TemporaryDirectory(prefix="mrv-bench-") as folder:
        lake = Path(folder) / "lake"
        _run(Path(folder) / "compiles", "once")
        computed = _run(lake, "once")
        again = statistics.median(_run(lake, "once") for _ in range(3))
        forced = _run(lake, "force")
        _verify(Path(folder) / "compiles")
        before = time.process_time()
        _verify(lake)
        verified = time.process_time() - before
    rows = {"computed": computed, "the same request again": again, "computed again": forced, "verified": verified}
    return [[name, seconds, seconds / computed] for name, seconds in rows.items()]


def _run(lake: Path, how: str) -> float:
    command = [sys.executable, "-c", _RUN, str(lake), *MONTH, how]
    seconds, _ = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return float(seconds)


def _verify(lake: Path) -> None:
    from mrv_assets.reports.verify import answer as verify
    from mrv_assets.verify.verification import Options

    answer = verify(lake, Options(), again=False, progress=lambda name, done, of: None)
    if not answer["verified"]:
        sys.exit(f"The lake does not verify: {answer['findings']}")


if __name__ == "__main__":
    main()
