"""A lake's documents as they must look, and reading them without trusting them: any bytes give one, or a reason."""

import json
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mrv_assets.audit.canonical import Json, canonical, sha256
from mrv_assets.audit.manual_decisions import SCHEMA as QA_SCHEMA
from mrv_assets.audit.record import SCHEMA
from mrv_assets.lake.layout import FORMAT
from mrv_assets.lake.runs import RUN_SCHEMA

_ONLY_THESE = ConfigDict(frozen=True, strict=True, extra="forbid")
Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]

# Each says up to how many bytes it is read; a larger file is a finding.
_SMALL = 10_000
_LARGE = 1 << 26
"""A record of 500,000 parcels has fewer."""


class LakeDocument(BaseModel):
    """``lake.json``."""

    model_config = _ONLY_THESE
    largest: ClassVar[int] = _SMALL

    format: Literal[FORMAT]  # type: ignore[valid-type]
    programme: str


class RecordDocument(BaseModel):
    """A record; what its plan, inputs and output hold is each asset's own."""

    model_config = _ONLY_THESE
    largest: ClassVar[int] = _LARGE

    # The name in the file is one that pydantic's models have for something else.
    of_schema: Literal[SCHEMA] = Field(alias="schema")  # type: ignore[valid-type]
    asset: str
    tile: str
    month: str
    plan: Json
    graph: Digest
    code: Digest
    inputs: Json
    output: Json


class HeadDocument(BaseModel):
    """Which record is current, and which was before."""

    model_config = _ONLY_THESE
    largest: ClassVar[int] = _SMALL

    record: Digest
    previous: Digest | None


class RequestDocument(BaseModel):
    """Which record answers a request."""

    model_config = _ONLY_THESE
    largest: ClassVar[int] = _SMALL

    record: Digest


class StoredFile(BaseModel):
    """A file as a run wrote it."""

    model_config = _ONLY_THESE

    bytes: int
    sha256: Digest


class RunDocument(BaseModel):
    """What is compared of a run record; where and with what it ran is free."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")
    largest: ClassVar[int] = _LARGE

    of_schema: Literal[RUN_SCHEMA] = Field(alias="schema")  # type: ignore[valid-type]
    programme: str
    asset: str
    tile: str
    month: str
    request: Digest
    record: Digest
    data: Digest
    head: Annotated[int, Field(ge=1)] | None
    stored: dict[str, StoredFile]


class StatementDocument(BaseModel):
    """What a reviewer states on a rejected record."""

    model_config = _ONLY_THESE

    of_schema: Literal[QA_SCHEMA] = Field(alias="schema")  # type: ignore[valid-type]
    programme: str
    asset: str
    tile: str
    month: str
    record: Digest
    verdict: Literal["approve", "reject"]
    reviewer: Annotated[str, Field(min_length=1)]
    role: Annotated[str, Field(min_length=1)]
    reason: Annotated[str, Field(min_length=1)]
    evidence: list[str]
    decided_at: str


class SignatureDocument(BaseModel):
    """Whose key signed it, and the signature in base64."""

    model_config = _ONLY_THESE

    key_id: Digest
    sig: str


class DecisionDocument(BaseModel):
    """A manual decision; without a signature it is asserted and not authenticated."""

    model_config = _ONLY_THESE
    largest: ClassVar[int] = 100_000

    statement: StatementDocument
    signature: SignatureDocument | None


Shape = TypeVar("Shape", LakeDocument, RecordDocument, HeadDocument, RequestDocument, RunDocument, DecisionDocument)


@dataclass(frozen=True, kw_only=True)
class Read(Generic[Shape]):
    """A file that must be a document, read."""

    sha256: str
    """Of its bytes; of those that could not be read, why."""
    shape: Shape | None = None
    """None where the file holds no such document."""
    document: Any = None
    """The same as it stands in the file."""
    reason: str = ""
    """Why there is none."""


def read(path: Path, shape: type[Shape], digest: str | None = None) -> Read[Shape]:
    """Read a document that nobody vouches for.

    Args:
        path: The file.
        shape: What it must look like.
        digest: SHA-256 that its bytes must have; others are not looked at.
    """
    data, found = _bytes(path, shape.largest)
    if data is None:
        return Read(sha256=found, reason=found)
    if digest not in (None, found):
        return Read(sha256=found, reason=f"bytes whose SHA-256 is {found}")
    try:
        document = json.loads(data)
        shaped = shape.model_validate(document)
        if canonical(document) != data:
            return Read(sha256=found, reason="JSON in another spelling")
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        return Read(sha256=found, reason=f"{place}: {first['msg']}" if place else first["msg"])
    except (ValueError, RecursionError) as error:
        return Read(sha256=found, reason=f"not JSON that has one spelling ({error})")
    return Read(sha256=found, shape=shaped, document=document)


def digest_of(path: Path) -> str:
    """SHA-256 of a record's bytes; of those that cannot be read, why."""
    _, digest = _bytes(path, RecordDocument.largest)
    return digest


def _bytes(path: Path, largest: int) -> tuple[bytes | None, str]:
    try:
        status = path.stat()
        # A pipe or a device may never end.
        if not stat.S_ISREG(status.st_mode):
            return None, "no file"
        if status.st_size > largest:
            return None, f"{status.st_size} bytes, more than such a document has"
        data = path.read_bytes()
    except OSError as error:
        return None, error.strerror or str(error)
    return data, sha256(data)
