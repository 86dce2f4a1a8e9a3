"""Computing tile-months again, one after the other; in this process, or apart from it (``isolated``)."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mrv_assets.errors import DamagedLake, MrvError
from mrv_assets.verify.finding import Finding, text_of
from mrv_assets.verify.rerun import Compared, rerun


@dataclass(frozen=True, kw_only=True)
class Job:
    """A tile and month to compute again."""

    tile: str
    month: str
    assets: tuple[str, ...]
    """Which assets to compare, by path."""


@dataclass(frozen=True, kw_only=True)
class Done:
    """The result of one job."""

    compared: tuple[Compared, ...] = ()
    findings: tuple[Finding, ...] = ()


Compute = Callable[[Path, Sequence[Job]], Iterator[Done]]
"""Computes jobs on a lake again: one result each, in their order, and perhaps one more of the environment."""


def here(root: Path, jobs: Sequence[Job]) -> Iterator[Done]:
    """Compute in this process; what cannot be computed is a finding."""
    for job in jobs:
        try:
            yield Done(compared=tuple(rerun(root, job.tile, job.month, job.assets)))
        except Exception as error:
            # Each record is sound by itself; what they name together can still be impossible to compute.
            yield Done(findings=(_failed(job, error),))


def _failed(job: Job, error: Exception) -> Finding:
    known = isinstance(error, DamagedLake) and f"/{job.tile}/{job.month}/" in error.object_name
    return Finding(
        object=error.object_name
        if isinstance(error, DamagedLake) and known
        else f"{job.assets[0]}/{job.tile}/{job.month}",
        check="can be computed again",
        expected="an output to compare",
        found=text_of(str(error) if isinstance(error, MrvError) else f"{type(error).__name__}: {error}"),
        cure="Verify the whole month. Where nothing else is found, its records do not fit together: no run made them.",
    )
