"""The cost of work: wall clock, CPU and peak memory of this process."""

import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

_CLEAR_REFS, _STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")


@dataclass(frozen=True, kw_only=True)
class Cost:
    """The cost of one piece of work."""

    wall_s: float
    cpu_s: float
    """User and system time of the process, all its threads, and its children that ended."""
    peak_mb: float
    """Largest resident memory, 10^6 bytes, imported libraries included."""


def cost_of(work: Callable[[], object]) -> Cost:
    """The cost of doing some work; its peak is of this work alone where the system can forget earlier ones (Linux)."""
    _forget_peak()
    wall, cpu = time.perf_counter(), _cpu_s()
    work()
    return Cost(wall_s=time.perf_counter() - wall, cpu_s=_cpu_s() - cpu, peak_mb=_peak_mb())


def cost_so_far() -> Cost:
    """The cost of this process since it began, the interpreter's start and every import included."""
    return Cost(wall_s=time.time() - psutil.Process().create_time(), cpu_s=_cpu_s(), peak_mb=_peak_mb())


def _cpu_s() -> float:
    return sum(
        usage.ru_utime + usage.ru_stime
        for usage in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def _forget_peak() -> None:
    try:
        _CLEAR_REFS.write_text("5")
    except OSError:
        # The peak is then that of the whole process, whose warm-up is smaller than the measured work.
        return


def _peak_mb() -> float:
    if _STATUS.exists():
        [line] = [line for line in _STATUS.read_text().splitlines() if line.startswith("VmHWM:")]
        return int(line.split()[1]) * 1024 / 1e6
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6
