"""The record: what one materialization is, and of which partition. Its SHA-256 is the audit hash."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mrv_assets.audit.canonical import Json, canonical, digest, sha256

SCHEMA = "mrv-record/1"


@dataclass(frozen=True, order=True)
class Partition:
    """Tile and month of one asset, which a record belongs to. Sorted by asset, tile and month."""

    asset: str
    """Asset path, such as ``sentinel2/raw_tiles`` or ``monthly_proxies``."""
    tile: str
    """MGRS tile, such as ``34TER``."""
    month: str
    """UTC calendar month, ``YYYY-MM``."""

    @classmethod
    def stated(cls, document: Mapping[str, Any]) -> "Partition":
        """The partition that a record, a run record or a statement says it is of."""
        return cls(document["asset"], document["tile"], document["month"])

    @property
    def names(self) -> tuple[str, str, str]:
        """Asset, tile and month, as errors take them."""
        return self.asset, self.tile, self.month

    @property
    def mission(self) -> str:
        """Name of the mission whose asset it is; empty for assets of all missions."""
        return self.asset.rpartition("/")[0]

    @property
    def stage(self) -> str:
        """Name of the stage that makes the asset, such as ``raw_tiles``."""
        return self.asset.rpartition("/")[2]

    def of(self, asset: str) -> "Partition":
        """The partition of another asset for the same tile and month."""
        return Partition(asset, self.tile, self.month)

    def __str__(self) -> str:
        return f"{self.asset} {self.tile} {self.month}"


@dataclass(frozen=True, kw_only=True)
class Request:
    """All inputs that determine an output, known before anything is computed."""

    asset: str
    """Asset path, such as ``sentinel2/raw_tiles``."""
    tile: str
    month: str
    plan: Json
    """The parameter manifest."""
    graph: str
    code: str
    inputs: Json

    @property
    def partition(self) -> Partition:
        """The partition whose output is asked for."""
        return Partition(self.asset, self.tile, self.month)

    @property
    def document(self) -> Json:
        """The request as the part of the record that it is."""
        return {
            "schema": SCHEMA,
            "asset": self.asset,
            "tile": self.tile,
            "month": self.month,
            "plan": self.plan,
            "graph": self.graph,
            "code": self.code,
            "inputs": self.inputs,
        }

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical request."""
        return digest(self.document)

    def record(self, output: Json) -> bytes:
        """Canonical bytes of the record of this request with its output."""
        return canonical({**self.document, "output": output})


@dataclass(frozen=True)
class Record:
    """A record read back, with the folder of its data."""

    audit_hash: str
    document: Json
    data: Path

    @property
    def partition(self) -> Partition:
        """The partition that it is of."""
        return Partition.stated(self.document)

    @property
    def output(self) -> Json:
        """The record's entry for its data: digests, written blocks, measured numbers."""
        output: Json = self.document["output"]
        return output

    @property
    def inputs(self) -> Json:
        """The inputs: upstream audit hashes, or scenes."""
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
        missions = [self.output.get("mission")]
        match self.output.get("fusion"):
            case {"sources": list(sources), "beside": beside}:
                missions += [*(source.get("mission") for source in sources if isinstance(source, dict)), beside]
        return tuple(dict.fromkeys(str(mission) for mission in missions if mission is not None))

    @property
    def evaluated(self) -> bool:
        """False for assets of a mission that was not needed, which hold the decision that made it so and no pixel."""
        return bool(self.output.get("status") != "NOT_EVALUATED")


def audit_hash(record: bytes) -> str:
    """The audit hash of a record: the SHA-256 of its canonical bytes."""
    return sha256(record)
