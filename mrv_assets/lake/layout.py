"""The layout of a lake: the names that may become paths, and paths read back as names."""

import re
from dataclasses import dataclass
from pathlib import Path

from mrv_assets.audit.record import Partition

FORMAT = "mrv-lake/2"
LAKE = "lake.json"
"""The file that names a lake's programme and format."""

_ASSET, _TILE, _MONTH = "[a-z][a-z0-9_]*(?:/[a-z][a-z0-9_]*)?", "[0-9]{2}[A-Z]{3}", "[0-9]{4}-(?:0[1-9]|1[0-2])"
_DIGEST = "[0-9a-f]{64}"
_NAMES = {
    "asset": re.compile(_ASSET),
    "tile": re.compile(_TILE),
    "month": re.compile(_MONTH),
    "records": re.compile(_DIGEST),
    "heads": re.compile("[0-9]{6}|[1-9][0-9]{6,}"),
    "requests": re.compile(_DIGEST),
    "runs": re.compile(rf"[0-9]{{8}}T[0-9]{{6}}\.[0-9]{{6}}Z-{_DIGEST}"),
    "decisions": re.compile(_DIGEST),
    "data": re.compile(_DIGEST),
}
KINDS = ("records", "heads", "requests", "runs", "decisions", "data")
"""The folders of a partition, one for each kind of object."""
_PATH = re.compile(
    rf"(?P<asset>{_ASSET})/(?P<tile>{_TILE})/(?P<month>{_MONTH})/(?P<kind>[a-z]+)/(?P<name>[^/]+)(?:/(?P<below>.+))?",
    re.DOTALL,
)


@dataclass(frozen=True, order=True)
class LakePath:
    """The path of an object of a partition, taken apart; its string is the path in the lake, with forward slashes.

    Raises:
        ValueError: When a part of it cannot be such a name.
    """

    partition: Partition
    kind: str
    """One of :data:`KINDS`."""
    name: str
    """An audit hash, the number of a head in six digits or more, a run's name, or a digest."""
    below: str = ""
    """Path of a file below the folder of data; empty for the folder, and for documents, which are files."""

    def __post_init__(self) -> None:
        _check_partition(self.partition)
        if self.kind not in KINDS:
            raise ValueError(f"{self.kind!r} is not a kind of object in a lake: {', '.join(KINDS)}")
        _check(self.kind, self.name)
        if self.below and (self.kind != "data" or {"", ".", ".."} & {*self.below.split("/")}):
            raise ValueError(f"{self.below!r} cannot be a path below {self.kind}/{self.name}")

    def __str__(self) -> str:
        folder = f"{path_of(self.partition)}/{self.kind}/{self.name}"
        if self.kind != "data":
            return f"{folder}.json"
        return f"{folder}/{self.below}" if self.below else folder

    @classmethod
    def parse(cls, path: str) -> "LakePath | None":
        """The object that a path in the lake leads to, or below; None where a lake has no such path."""
        match = _PATH.fullmatch(path)
        if match is None:
            return None
        name = match["name"] if match["kind"] == "data" else match["name"].removesuffix(".json")
        try:
            parsed = cls(Partition.stated(match.groupdict()), match["kind"], name, match["below"] or "")
        except ValueError:
            return None
        return parsed if str(parsed) == path else None

    @property
    def is_file(self) -> bool:
        """False for the folder of data, where a file has no place."""
        return self.kind != "data" or bool(self.below)


@dataclass(frozen=True)
class Slot:
    """The folder of one partition: its data, records, runs, requests, heads and manual decisions.

    Raises:
        ValueError: When asset, tile or month cannot be the name of a folder of a lake.
    """

    root: Path
    """The lake's folder."""
    partition: Partition

    def __post_init__(self) -> None:
        _check_partition(self.partition)

    @property
    def folder(self) -> Path:
        """``<lake>/<asset path>/<tile>/<month>``."""
        return self.root / path_of(self.partition)

    def data(self, output_digest: str) -> Path:
        """Immutable data, keyed by the digest of what it says."""
        return self._path("data", output_digest)

    def record(self, audit_hash: str) -> Path:
        """Path of a record."""
        return self._path("records", audit_hash)

    def request(self, request_digest: str) -> Path:
        """Path of a request's answer."""
        return self._path("requests", request_digest)

    def run(self, run_id: str) -> Path:
        """Path of a run record."""
        return self._path("runs", run_id)

    def decision(self, decision: str) -> Path:
        """Path of a manual decision on a record of this partition, by the SHA-256 of the file."""
        return self._path("decisions", decision)

    def head(self, number: int) -> Path:
        """Path of a head, which names a current record; the highest number wins."""
        return self._path("heads", f"{number:06d}")

    def name_of(self, path: Path) -> str:
        """A path in the lake as errors and findings name it: below the lake's folder, with forward slashes."""
        return path.relative_to(self.root).as_posix()

    def _path(self, kind: str, name: str) -> Path:
        return self.root / str(LakePath(self.partition, kind, name))


def path_of(partition: Partition) -> str:
    """Path of a partition's folder in the lake, ``<asset path>/<tile>/<month>``."""
    return "/".join(partition.names)


def is_partition(partition: Partition) -> bool:
    """Whether a lake can have a folder for a partition of these names."""
    try:
        _check_partition(partition)
    except ValueError:
        return False
    return True


def _check_partition(partition: Partition) -> None:
    for part, name in zip(("asset", "tile", "month"), partition.names, strict=True):
        _check(part, name)


def _check(kind: str, name: str) -> None:
    # A forged document may name anything, and not with a string alone.
    if not (isinstance(name, str) and _NAMES[kind].fullmatch(name)):
        what = f"name of an object in {kind}/" if kind in KINDS else f"{kind} of a partition"
        raise ValueError(f"{name!r} cannot be the {what} of a lake")
