"""The record: what one materialization is. Its SHA-256 is the audit hash."""

from dataclasses import dataclass

from mrv_assets.audit.canonical import Json, canonical, digest, sha256

SCHEMA = "mrv-record/1"


@dataclass(frozen=True, kw_only=True)
class Request:
    """Everything that decides an output, known before anything is computed."""

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


def audit_hash(record: bytes) -> str:
    """The audit hash of a record: the SHA-256 of its canonical bytes."""
    return sha256(record)
