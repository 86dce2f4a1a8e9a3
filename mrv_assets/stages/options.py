"""How a stage is run. No option is part of any identity: it changes no record."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """How a stage is run: how many threads, on which cluster, and whether known requests are computed again."""

    workers: int = 1
    """Blocks worked on at once."""
    dask_address: str | None = None
    """Scheduler of a distributed cluster that does the block tasks; None: threads of this process."""
    force: bool = False
    """Compute known requests again."""
    known_only: bool = False
    """Raise :class:`NotAnswered` instead of computing."""
    dagster_run_id: str | None = None


DEFAULT = RunOptions()


class NotAnswered(Exception):
    """The partition's current record does not answer a request; raised only with ``known_only``."""

    def __init__(self, asset: str, because: tuple[str, ...]) -> None:
        super().__init__(asset, because)
        self.asset = asset
        self.because = because
        """Parts of the request that differ from the current record's; none where there is no record."""
