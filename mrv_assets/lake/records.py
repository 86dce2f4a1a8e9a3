"""Records and heads as they are read back."""

import json
from dataclasses import dataclass
from pathlib import Path

from mrv_assets.audit.canonical import Json, digest
from mrv_assets.errors import DamagedLake


@dataclass(frozen=True)
class Head:
    """Which record of a partition is current."""

    number: int
    record: str
    previous: str | None
    """Audit hash of the record that was current before; None for the first."""


@dataclass(frozen=True)
class Record:
    """A record read back, with the place of its data."""

    audit_hash: str
    document: Json
    data: Path

    @property
    def output(self) -> Json:
        """What the data says: digests, written blocks, measured numbers."""
        output: Json = self.document["output"]
        return output

    @property
    def inputs(self) -> Json:
        """What it was made from: upstream audit hashes, or scenes."""
        inputs: Json = self.document["inputs"]
        return inputs

    @property
    def request(self) -> str:
        """Digest of the request that it answers: all of it but the output."""
        return digest({name: value for name, value in self.document.items() if name != "output"})

    @property
    def upstream(self) -> dict[str, str]:
        """Audit hash of each record it was made from, by asset; none for raw tiles that come from scenes."""
        # An asset's path has a mission; what scenes are listed under has none.
        return {asset: audit_hash for asset, audit_hash in self.inputs.items() if "/" in asset}

    @property
    def decided_on(self) -> str | None:
        """Audit hash of the rejected record that this one approves by manual decisions; None for all others."""
        manual = self.inputs.get("qa")
        return str(manual["rejected"]) if isinstance(manual, dict) and "rejected" in manual else None

    @property
    def missions_used(self) -> tuple[str, ...]:
        """Missions that a month has values of, by its own word, the month's first; none for other assets.

        A forged record may say anything.
        """
        found = [self.output.get("mission")]
        match self.output.get("fusion"):
            case {"sources": list(sources), "beside": beside}:
                found += [*(one.get("mission") for one in sources if isinstance(one, dict)), beside]
        return tuple(dict.fromkeys(str(mission) for mission in found if mission is not None))

    @property
    def evaluated(self) -> bool:
        """False for assets of a mission that was not needed, which hold the decision that made it so and no pixel."""
        return bool(self.output.get("status") != "NOT_EVALUATED")


def documents(folder: Path) -> list[Path]:
    """A folder's JSON documents by name; a leading dot marks a file that has no name yet."""
    return sorted(path for path in folder.glob("*.json") if not path.name.startswith("."))


def read_document(path: Path, root: Path) -> Json:
    """A JSON object of a lake.

    Raises:
        DamagedLake: When it cannot be read as one.
    """
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise DamagedLake(str(path.relative_to(root)), f"cannot be read ({error})") from None
    if not isinstance(document, dict):
        raise DamagedLake(str(path.relative_to(root)), "is not a JSON object")
    return document
