"""A lake's documents as they must look, and the one reader of them, which trusts no bytes: a document, or a reason."""

import json
import stat
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, ClassVar, Generic, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from mrv_assets.audit.canonical import Json, canonical, sha256
from mrv_assets.audit.manual_decisions import SCHEMA as QA_SCHEMA
from mrv_assets.audit.record import SCHEMA, Partition
from mrv_assets.errors import DamagedLake
from mrv_assets.lake.layout import LakePath, Slot

RUN_SCHEMA = "mrv-run/1"
_ONLY_THESE = ConfigDict(frozen=True, strict=True, extra="forbid")
Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


def _with_offset(moment: str) -> str:
    if datetime.fromisoformat(moment).tzinfo is None:
        raise ValueError("a time without its offset from UTC")
    return moment


Moment = Annotated[str, AfterValidator(_with_offset)]
"""ISO 8601, with the offset from UTC."""

# Each says what it is, and up to how many bytes it is read; a larger file is a finding.
_SMALL = 10_000
_LARGE = 1 << 26
"""A record of 500,000 parcels has fewer."""


class LakeDocument(BaseModel):
    """``lake.json``."""

    model_config = _ONLY_THESE
    what: ClassVar[str] = "a lake's identity"
    largest: ClassVar[int] = _SMALL

    format: str
    programme: str


class RecordDocument(BaseModel):
    """A record; what its plan, inputs and output hold is each asset's own."""

    model_config = _ONLY_THESE
    what: ClassVar[str] = "a record"
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
    """A head: the record that is current, and the one before it."""

    model_config = _ONLY_THESE
    what: ClassVar[str] = "a head"
    largest: ClassVar[int] = _SMALL

    record: Digest
    previous: Digest | None


class RequestDocument(BaseModel):
    """A request's answer: the record."""

    model_config = _ONLY_THESE
    what: ClassVar[str] = "the answer of a request"
    largest: ClassVar[int] = _SMALL

    record: Digest


class StoredFile(BaseModel):
    """A file as a run wrote it."""

    model_config = _ONLY_THESE

    bytes: int
    sha256: Digest


class RunDocument(BaseModel):
    """The fields of a run record that are read; host and versions may be anything."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")
    what: ClassVar[str] = "a run record"
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
    outcome: str
    started: Moment
    finished: Moment
    dagster_run_id: str | None
    stored: dict[str, StoredFile]

    @property
    def partition(self) -> Partition:
        """The partition that was materialized."""
        return Partition(self.asset, self.tile, self.month)

    @property
    def computed(self) -> bool:
        """Whether it computed the data; else it made a known record current again."""
        return self.head is None

    @property
    def stored_sha256(self) -> dict[str, str]:
        """SHA-256 of each file that it wrote, by the file's path in the data."""
        return {path: file.sha256 for path, file in self.stored.items()}


class StatementDocument(BaseModel):
    """A reviewer's statement on a rejected record."""

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
    decided_at: Moment
    before: list[Digest]
    reviewers: list["NamedReviewer"]

    @property
    def partition(self) -> Partition:
        """The partition whose record is decided on."""
        return Partition(self.asset, self.tile, self.month)


class NamedReviewer(BaseModel):
    """A reviewer whom the programme named when a statement was made."""

    model_config = _ONLY_THESE

    name: str
    role: str
    key_id: Digest


class SignatureDocument(BaseModel):
    """The key that signed it, and the signature in base64."""

    model_config = _ONLY_THESE

    key_id: Digest
    public_key: str
    sig: str


class DecisionDocument(BaseModel):
    """A manual decision; without a signature it is asserted and not authenticated."""

    model_config = _ONLY_THESE
    what: ClassVar[str] = "a manual decision"
    largest: ClassVar[int] = 100_000

    statement: StatementDocument
    signature: SignatureDocument | None


Shape = TypeVar("Shape", LakeDocument, RecordDocument, HeadDocument, RequestDocument, RunDocument, DecisionDocument)


@dataclass(frozen=True, kw_only=True)
class Read(Generic[Shape]):
    """A file that must be a document, read."""

    sha256: str
    """SHA-256 of its bytes; where they cannot be read, the reason."""
    shape: Shape | None = None
    """The document; None where the file holds no such document."""
    document: Any = None
    """The document as plain JSON."""
    reason: str = ""
    """The reason why there is no document; empty where there is one."""


def read(path: Path, shape: type[Shape], digest: str | None = None) -> Read[Shape]:
    """Read a document that nobody vouches for.

    Args:
        path: The file.
        shape: What it must look like.
        digest: SHA-256 that its bytes must have; bytes with another are not parsed.
    """
    data, actual = _bytes(path, shape.largest)
    if data is None:
        return Read(sha256=actual, reason=actual)
    if digest not in (None, actual):
        return Read(sha256=actual, reason=f"bytes whose SHA-256 is {actual}")
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        return Read(sha256=actual, reason=f"not JSON ({error})" if data else "it is empty")
    if not isinstance(document, dict):
        return Read(sha256=actual, reason="JSON, but not an object")
    try:
        shaped = shape.model_validate(document)
        if canonical(document) != data:
            return Read(sha256=actual, reason="JSON in another spelling")
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        return Read(sha256=actual, reason=f"{field}: {first['msg']}" if field else first["msg"])
    except (ValueError, RecursionError) as error:
        return Read(sha256=actual, reason=f"not JSON that has one spelling ({error})")
    return Read(sha256=actual, shape=shaped, document=document)


def require(root: Path, path: Path, shape: type[Shape], digest: str | None = None) -> Shape:
    """Read a document that a lake must have.

    Args:
        root: The lake's folder.
        path: The file.
        shape: What it must look like.
        digest: SHA-256 that its bytes must have.

    Raises:
        DamagedLake: With the reason why the file is not such a document.
    """
    result = read(path, shape, digest)
    if result.shape is None:
        raise DamagedLake(path.relative_to(root).as_posix(), f"it is not {shape.what} ({result.reason})")
    return result.shape


def names_in(slot: Slot, kind: str) -> list[str]:
    """Names of a partition's documents of one kind, sorted as text.

    Raises:
        DamagedLake: With the first JSON file whose name is not one of a document of this kind.
    """
    names = []
    # A leading dot marks a file that has no name yet, or was set aside.
    for path in sorted(path for path in (slot.folder / kind).glob("*.json") if not path.name.startswith(".")):
        lake_path = LakePath.parse(slot.name_of(path))
        if lake_path is None:
            raise DamagedLake(slot.name_of(path), f"no file in {kind}/ has such a name. Find out who put it there")
        names.append(lake_path.name)
    return names


def digest_of(path: Path) -> str:
    """SHA-256 of a record's bytes; where they cannot be read, the reason."""
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
