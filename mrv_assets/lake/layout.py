"""Where things lie in a lake, and which names are allowed to become paths."""

import re
from dataclasses import dataclass
from pathlib import Path

FORMAT = "mrv-lake/1"

_NAMES = {
    "asset": re.compile(r"[a-z][a-z0-9_]*(/[a-z][a-z0-9_]*)?"),
    "tile": re.compile(r"[0-9]{2}[A-Z]{3}"),
    "month": re.compile(r"[0-9]{4}-[0-9]{2}"),
    "digest": re.compile(r"[0-9a-f]{64}"),
}


@dataclass(frozen=True)
class Slot:
    """The folder of one asset's partition: its data, records, runs, requests, heads and manual decisions."""

    root: Path
    asset: str
    tile: str
    month: str

    def __post_init__(self) -> None:
        for kind in ("asset", "tile", "month"):
            _checked(kind, getattr(self, kind))

    @property
    def folder(self) -> Path:
        """``<lake>/<asset path>/<tile>/<month>``."""
        return self.root / self.asset / self.tile / self.month

    def data(self, output_digest: str) -> Path:
        """Immutable data, keyed by the digest of what it says."""
        return self.folder / "data" / _checked("digest", output_digest)

    def record(self, audit_hash: str) -> Path:
        """What a materialization is."""
        return self.folder / "records" / f"{_checked('digest', audit_hash)}.json"

    def request(self, request_digest: str) -> Path:
        """Which record answers a request."""
        return self.folder / "requests" / f"{_checked('digest', request_digest)}.json"

    def run(self, run_id: str) -> Path:
        """How a materialization came to be."""
        return self.folder / "runs" / f"{run_id}.json"

    def decision(self, decision: str) -> Path:
        """What a reviewer states on a record of this partition, by the SHA-256 of the file."""
        return self.folder / "decisions" / f"{_checked('digest', decision)}.json"

    def head(self, number: int) -> Path:
        """Which record is current; the highest number wins."""
        return self.folder / "heads" / f"{number:06d}.json"


def _checked(kind: str, name: str) -> str:
    if not _NAMES[kind].fullmatch(name):
        raise ValueError(f"{name!r} cannot be the {kind} of anything in a lake")
    return name
