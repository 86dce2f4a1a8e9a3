"""Audit hashes that were kept elsewhere, against a lake: what was removed, rolled back or written anew shows."""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from mrv_assets.errors import BadInputError
from mrv_assets.verify.finding import Finding
from mrv_assets.verify.partition import StoredPartition

MAX_BYTES = 1 << 28
"""Size of the largest list that is read: three million lines."""
_HASH = re.compile(r"[0-9a-f]{64}")
_LINE = re.compile(
    r"([0-9a-f]{64})(?:\s+(?P<asset>\S+)\s+(?P<tile>\S+)\s+(?P<month>\S+)(?:\s+(?P<state>current|former))?)?"
)


class NotAListOfHashes(BadInputError):
    """A file of kept audit hashes cannot be read."""

    def __init__(self, file: str, reason: str) -> None:
        super().__init__(file, reason)
        self.file, self.reason = file, reason

    def __str__(self) -> str:
        return (
            f"{self.file}: {self.reason}. Give the output of `mrv hashes`, of `mrv verify --json`, or a file with one "
            "audit hash a line"
        )


def hashes_of(partitions: Sequence[StoredPartition]) -> list[dict[str, str]]:
    """Every audit hash of some partitions, with its asset, tile and month, and whether it is current."""
    listed = []
    for stored in partitions:
        current = stored.heads.sound.get(max(stored.heads.sound, default=0))
        for audit_hash in sorted(stored.names.get("records", ())):
            asset, tile, month = stored.partition.names
            state = "current" if current is not None and current.record == audit_hash else "former"
            listed.append({"audit_hash": audit_hash, "asset": asset, "tile": tile, "month": month, "state": state})
    return listed


def read_expected(path: Path) -> list[dict[str, str]]:
    """Audit hashes kept in a file; what else it says of each is kept too.

    Raises:
        NotAListOfHashes: When it cannot be read, or holds anything else.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        text = data.decode()
    except OSError as error:
        raise NotAListOfHashes(str(path), error.strerror or str(error)) from None
    except UnicodeDecodeError:
        raise NotAListOfHashes(str(path), "it is not text") from None
    if len(data) > MAX_BYTES:
        raise NotAListOfHashes(str(path), f"it is larger than {MAX_BYTES >> 20} MB")
    listed = _of_json(text, path) if text.lstrip().startswith("{") else list(_of_lines(text, path))
    if not listed:
        raise NotAListOfHashes(str(path), "it names no audit hash")
    return listed


def _of_json(text: str, path: Path) -> list[dict[str, str]]:
    try:
        listed = json.loads(text)["hashes"]
        kept = [{name: str(value) for name, value in entry.items()} for entry in listed]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise NotAListOfHashes(str(path), "it is not the JSON document of `mrv hashes` or `mrv verify`") from None
    if not all(_HASH.fullmatch(entry.get("audit_hash", "")) for entry in kept):
        raise NotAListOfHashes(str(path), "an entry has no audit hash")
    return kept


def _of_lines(text: str, path: Path) -> Iterator[dict[str, str]]:
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _LINE.fullmatch(line.strip())
        if match is None:
            raise NotAListOfHashes(str(path), f"line {number}, {line[:80]!r}, is not an audit hash")
        yield {"audit_hash": match[1], **{name: value for name, value in match.groupdict().items() if value}}


def expected_findings(
    expected: Sequence[dict[str, str]], partitions: Sequence[StoredPartition], whole: bool
) -> Iterator[Finding]:
    """Kept audit hashes that a lake does not have, or that are not current where they were.

    Args:
        expected: Audit hashes, as :func:`read_expected` gives them.
        partitions: The partitions that were verified.
        whole: Whether these are all of the lake; otherwise hashes of other partitions, and those that name none and are
            not of these, are passed over: see :func:`passed_over`.
    """
    there: dict[str, StoredPartition] = {}
    current: dict[str, str] = {}
    names = {stored.partition.names for stored in partitions}
    for entry in hashes_of(partitions):
        current[entry["audit_hash"]] = entry["state"]
    for stored in partitions:
        there |= dict.fromkeys(stored.records, stored)
    for entry in expected:
        named = tuple(entry[part] for part in ("asset", "tile", "month") if part in entry)
        audit_hash = entry["audit_hash"]
        if not whole and (named not in names if len(named) == 3 else audit_hash not in there):
            continue
        stored_at = there.get(audit_hash)
        if stored_at is None:
            yield Finding(
                object="/".join(named) if named else "records",
                check="has the record that was kept",
                expected=audit_hash,
                found="no sound record of this audit hash",
                cure="It was removed, or written anew. Restore it from a backup; a record cannot be derived again "
                "where its scenes or its code are others now.",
            )
        elif len(named) == 3 and named != stored_at.partition.names:
            yield Finding(
                object="/".join(named),
                check="has the record that was kept",
                expected=audit_hash,
                found=f"it lies in {stored_at.name}",
                cure="The list was edited, or the record was moved. Find out which.",
            )
        elif (
            entry.get("state") == "current"
            and current[audit_hash] != "current"
            and not _succeeded(stored_at, audit_hash)
        ):
            yield Finding(
                object=stored_at.name,
                check="is current, or has been followed",
                expected=audit_hash,
                found="the head names a record from before it",
                cure="The lake was rolled back. Restore the newer heads from a backup, or materialize the month again.",
            )


def passed_over(expected: Sequence[dict[str, str]], partitions: Sequence[StoredPartition]) -> int:
    """Number of kept audit hashes that name no partition and are not of these: they may be missing."""
    there = {audit_hash for stored in partitions for audit_hash in stored.records}
    return sum(entry["audit_hash"] not in there for entry in expected if "asset" not in entry)


def _succeeded(stored: StoredPartition, audit_hash: str) -> bool:
    """Whether a head comes after the first one that names a record."""
    heads = [stored.heads.sound[number].record for number in sorted(stored.heads.sound)]
    if audit_hash not in heads:
        return False
    return bool(heads[heads.index(audit_hash) + 1 :])
