"""Checking what a lake holds against what it says: every object by its own rule, every finding with its cure."""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from mrv_assets.audit.canonical import Json, canonical, digest, sha256
from mrv_assets.audit.content import table_content, values_sha256
from mrv_assets.audit.record import SCHEMA
from mrv_assets.lake.evidence import DECISION, PREVIEW
from mrv_assets.lake.layout import FORMAT, Slot
from mrv_assets.lake.records import Record
from mrv_assets.lake.runs import RUN_SCHEMA, stored_files

LAKE = "lake.json"
_SLOT = re.compile(
    r"(?P<asset>[a-z][a-z0-9_]*(?:/[a-z][a-z0-9_]*)?)/(?P<tile>[0-9]{2}[A-Z]{3})/(?P<month>[0-9]{4}-[0-9]{2})/(?P<rest>.+)"
)
_DIGEST = "[0-9a-f]{64}"
_PLACES = {
    "data": re.compile(f"data/(?P<name>{_DIGEST})/.+"),
    "records": re.compile(f"records/(?P<name>{_DIGEST})\\.json"),
    "requests": re.compile(f"requests/(?P<name>{_DIGEST})\\.json"),
    "runs": re.compile(f"runs/(?P<name>[0-9]{{8}}T[0-9]{{6}}\\.[0-9]{{6}}Z-{_DIGEST})\\.json"),
    "heads": re.compile(r"heads/(?P<name>[0-9]{6})\.json"),
}


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that is not as it must be."""

    object: str
    """Path in the lake."""
    check: str
    expected: str
    found: str
    cure: str


@dataclass(frozen=True, kw_only=True)
class Contents:
    """Every file of a lake, by what it is."""

    root: Path
    partitions: tuple["Partition", ...]
    unexpected: tuple[str, ...]
    """Files that a lake has no place for."""
    hidden: tuple[str, ...]
    """Files whose path has a leading dot: unfinished, or set aside as damaged; no evidence, and never read."""

    @classmethod
    def of(cls, root: Path) -> "Contents":
        """List a lake."""
        names: dict[tuple[str, str, str], dict[str, set[str]]] = {}
        unexpected, hidden = [], []
        for path in sorted(root.rglob("*")):
            if path.is_dir() and not path.is_symlink():
                continue
            name = path.relative_to(root).as_posix()
            slot = _SLOT.fullmatch(name)
            place = _place(slot["rest"]) if slot else None
            if any(part.startswith(".") for part in Path(name).parts):
                hidden.append(name)
            elif slot and place and not path.is_symlink():
                kinds = names.setdefault((slot["asset"], slot["tile"], slot["month"]), {})
                kinds.setdefault(place[0], set()).add(place[1])
            elif name != LAKE:
                unexpected.append(name)
        partitions = tuple(
            Partition(slot=Slot(root, *key), names={kind: tuple(sorted(found)) for kind, found in kinds.items()})
            for key, kinds in sorted(names.items())
        )
        return cls(root=root, partitions=partitions, unexpected=tuple(unexpected), hidden=tuple(hidden))

    def findings(self, programmes: Mapping[str, str]) -> Iterator[Finding]:
        """What is wrong with the lake itself: its identity, and files it has no place for.

        Args:
            programmes: Programmes that run records speak of, each with one of these run records' paths.
        """
        for name in self.unexpected:
            yield Finding(
                object=name,
                check="has a place in a lake",
                expected="only files a lake knows",
                found="a file or link it has no place for",
                cure="Nothing reads it. Find out who put it there, and take it away.",
            )
        yield from lake_findings(self.root, programmes)


def _place(rest: str) -> tuple[str, str] | None:
    for kind, pattern in _PLACES.items():
        if match := pattern.fullmatch(rest):
            return kind, match["name"]
    return None


def lake_findings(root: Path, programmes: Mapping[str, str]) -> Iterator[Finding]:
    """Check ``lake.json``: format, spelling, and that the run records speak of the same programme."""
    cure = "Restore lake.json from a backup; it names the programme and the format, and no number depends on it."
    document = yield from _canonical(root / LAKE, LAKE, cure)
    if document is None:
        return
    if sorted(document) != ["format", "programme"] or document["format"] != FORMAT:
        yield Finding(object=LAKE, check="format", expected=FORMAT, found=str(document.get("format")), cure=cure)
    for programme, run in programmes.items():
        if document.get("programme") != programme:
            found = f"{document.get('programme')} in {LAKE}, {programme} in {run}"
            yield Finding(object=LAKE, check="one programme", expected="one programme", found=found, cure=cure)


def _canonical(path: Path, name: str, cure: str) -> "Iterator[Finding] | Any":
    """A generator that yields findings and returns the document, or None where it is not canonical JSON."""
    try:
        data = path.read_bytes()
        document = json.loads(data)
        same = isinstance(document, dict) and canonical(document) == data
    except OSError as error:
        yield Finding(object=name, check="readable", expected="a file", found=error.strerror or str(error), cure=cure)
        return None
    except ValueError as error:
        found = f"not JSON ({error})"
        yield Finding(object=name, check="canonical JSON", expected="RFC 8785", found=found, cure=cure)
        return None
    if not same:
        yield Finding(object=name, check="canonical JSON", expected="RFC 8785", found="other spelling", cure=cure)
        return None
    return document


@dataclass(frozen=True, kw_only=True)
class Partition:
    """One asset's tile and month in a lake, and the names of what is there."""

    slot: Slot
    names: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Data, records, requests, runs and heads."""

    @property
    def name(self) -> str:
        """Asset, tile and month, as a path in the lake."""
        return f"{self.slot.asset}/{self.slot.tile}/{self.slot.month}"

    @property
    def again(self) -> str:
        """The command that derives the partition again."""
        return f"mrv run --tile {self.slot.tile} --month {self.slot.month} --force"

    @cached_property
    def records(self) -> dict[str, Record]:
        """The partition's sound records, by audit hash."""
        found = {}
        for audit_hash in self.names.get("records", ()):
            data = _bytes(self.slot.record(audit_hash))
            if sha256(data) == audit_hash:
                document = json.loads(data)
                found[audit_hash] = Record(audit_hash, document, self.slot.data(digest(document["output"])))
        return found

    @cached_property
    def runs(self) -> dict[str, Json]:
        """The partition's sound run records, by name."""
        found = {}
        for name in self.names.get("runs", ()):
            data = _bytes(self.slot.run(name))
            if sha256(data) == name.rpartition("-")[2]:
                found[name] = json.loads(data)
        return found

    @cached_property
    def heads(self) -> dict[int, Json]:
        """The partition's heads that can be read, by number."""
        found = {}
        for name in self.names.get("heads", ()):
            try:
                document = json.loads(_bytes(self.slot.head(int(name))))
            except ValueError:
                continue
            if isinstance(document, dict):
                found[int(name)] = document
        return found

    def findings(self) -> Iterator[Finding]:
        """Everything that is wrong with the partition."""
        for audit_hash in self.names.get("records", ()):
            yield from self.record_findings(audit_hash)
        yield from self.head_findings()
        for name in self.names.get("requests", ()):
            yield from self.request_findings(name)
        for name in self.names.get("runs", ()):
            yield from self.run_findings(name)
        for output in {*self.names.get("data", ()), *(record.data.name for record in self.records.values())}:
            yield from self.data_findings(output)

    def record_findings(self, audit_hash: str) -> Iterator[Finding]:
        """Check one record: its name, its place, what it was made from, and that something names it."""
        name = f"{self.name}/records/{audit_hash}.json"
        cure = f"Restore it from a backup, or derive it again: {self.again}"
        data = _bytes(self.slot.record(audit_hash))
        if sha256(data) != audit_hash:
            yield Finding(object=name, check="audit hash", expected=audit_hash, found=sha256(data), cure=cure)
            return
        document = self.records[audit_hash].document
        stated = {"schema": document.get("schema"), **{k: document.get(k) for k in ("asset", "tile", "month")}}
        meant = {"schema": SCHEMA, "asset": self.slot.asset, "tile": self.slot.tile, "month": self.slot.month}
        if stated != meant:
            yield Finding(
                object=name,
                check="is of this partition",
                expected=_text(meant),
                found=_text(stated),
                cure="It was moved here. Put it back where it says it belongs.",
            )
        for asset, upstream in self.records[audit_hash].upstream.items():
            path = Slot(self.slot.root, asset, self.slot.tile, self.slot.month).record(upstream)
            if sha256(_bytes(path)) != upstream:
                yield Finding(
                    object=path.relative_to(self.slot.root).as_posix(),
                    check=f"upstream of {self.name}",
                    expected=upstream,
                    found="an altered record" if path.exists() else "no record",
                    cure=cure,
                )
        yield from self._named_by(name, audit_hash)

    def _named_by(self, name: str, audit_hash: str) -> Iterator[Finding]:
        if not any(head.get("record") == audit_hash for head in self.heads.values()):
            yield Finding(
                object=name,
                check="was once current",
                expected="a head that names it",
                found="none",
                cure="An interrupted run leaves such a record, and one that was not reproducible: run the partition "
                "again. Otherwise a head was removed, or somebody put the record here.",
            )
        if not any(run["record"] == audit_hash for run in self.runs.values()):
            yield Finding(
                object=name,
                check="has a run record",
                expected="at least one",
                found="none",
                cure=f"Restore runs/ from a backup, or derive it again: {self.again}",
            )
        request = self.slot.request(_request(self.records[audit_hash].document))
        if not request.exists():
            yield Finding(
                object=request.relative_to(self.slot.root).as_posix(),
                check="answers a request",
                expected=f"the request of record {audit_hash}",
                found="no file",
                cure=f"Restore it from a backup, or derive it again: {self.again}",
            )

    def head_findings(self) -> Iterator[Finding]:
        """Check the heads: numbers without a gap, each naming a record and the head before it."""
        cure = "Restore it from a backup: the order in which records were current cannot be derived again."
        numbers = [int(name) for name in self.names.get("heads", ())]
        restored = {run["head"]: run["record"] for run in self.runs.values() if run["head"] is not None}
        for number in sorted({*range(1, max([0, *numbers, *restored]) + 1)} - set(numbers)):
            yield Finding(
                object=self._head(number), check="no head is missing", expected="a head", found="no file", cure=cure
            )
        before: object = None
        for number in numbers:
            name = self._head(number)
            document = yield from _canonical(self.slot.head(number), name, cure)
            if document is None:
                continue
            if sorted(document) != ["previous", "record"] or document["record"] not in self.records:
                found = str(document.get("record"))
                yield Finding(object=name, check="names a record", expected="a sound record", found=found, cure=cure)
            elif number in restored and restored[number] != document["record"]:
                expected, found = restored[number], document["record"]
                yield Finding(object=name, check="as its run says", expected=expected, found=found, cure=cure)
            if document.get("previous") != before and (number == 1 or number - 1 in self.heads):
                expected, found = _text(before), _text(document.get("previous"))
                yield Finding(object=name, check="names the one before", expected=expected, found=found, cure=cure)
            before = document.get("record")

    def _head(self, number: int) -> str:
        return self.slot.head(number).relative_to(self.slot.root).as_posix()

    def request_findings(self, request: str) -> Iterator[Finding]:
        """Check one request: that its name is the digest of its record without the output."""
        name = f"{self.name}/requests/{request}.json"
        cure = f"Restore it from a backup, or derive it again: {self.again}"
        document = yield from _canonical(self.slot.request(request), name, cure)
        if document is None:
            return
        record = self.records.get(str(document.get("record")))
        if sorted(document) != ["record"] or record is None:
            found = str(document.get("record"))
            yield Finding(object=name, check="names a record", expected="a sound record", found=found, cure=cure)
        elif _request(record.document) != request:
            found = _request(record.document)
            yield Finding(object=name, check="is of this request", expected=request, found=found, cure=cure)

    def run_findings(self, run: str) -> Iterator[Finding]:
        """Check one run record: that its name is its digest, and that it is of this partition."""
        name = f"{self.name}/runs/{run}.json"
        cure = "Restore it from a backup: when and where something ran cannot be derived again."
        document = self.runs.get(run)
        if document is None:
            expected, found = run.rpartition("-")[2], sha256(_bytes(self.slot.run(run)))
            yield Finding(object=name, check="digest in its name", expected=expected, found=found, cure=cure)
            return
        stated = [document.get(key) for key in ("schema", "asset", "tile", "month")]
        meant = [RUN_SCHEMA, self.slot.asset, self.slot.tile, self.slot.month]
        if stated != meant:
            yield Finding(
                object=name, check="is of this partition", expected=_text(meant), found=_text(stated), cure=cure
            )
        if document["record"] not in self.records:
            found = document["record"]
            yield Finding(object=name, check="names a record", expected="a sound record", found=found, cure=cure)

    def data_findings(self, output: str) -> Iterator[Finding]:
        """Check the data keyed by an output's digest: its stored bytes, and what they say."""
        name = f"{self.name}/data/{output}"
        sharing = [record for record in self.records.values() if record.data.name == output]
        if not sharing:
            yield Finding(
                object=name,
                check="a record speaks of it",
                expected="at least one record",
                found="none",
                cure="A run that was interrupted leaves such data: run the partition again. Otherwise its record was "
                "removed, or somebody put it here.",
            )
            return
        hashes = {record.audit_hash for record in sharing}
        stored = [run["stored"] for run in self.runs.values() if run["record"] in hashes and run["head"] is None]
        found = list(self._stored_findings(name, sharing[0].data, stored))
        yield from found
        # Bytes known to be altered are kept away from decoders.
        if not found:
            yield from content_findings(sharing[0])

    def _stored_findings(self, name: str, data: Path, stored: Sequence[Json]) -> Iterator[Finding]:
        """Compare files with what runs wrote; other runs may have written other bytes that say the same."""
        cure = f"Restore it from a backup, or derive it again: {self.again}"
        if not data.is_dir():
            yield Finding(object=name, check="is there", expected="data", found="no folder", cure=cure)
            return
        if not stored:
            return
        files = stored_files(data)
        for path in sorted(set(files) | {path for run in stored for path in run}):
            meant = [run[path]["sha256"] for run in stored if path in run]
            if path not in files:
                if all(path in run for run in stored):
                    found = "no file"
                    expected = meant[0]
                    yield Finding(
                        object=f"{name}/{path}", check="stored bytes", expected=expected, found=found, cure=cure
                    )
            elif files[path]["sha256"] not in meant:
                expected = meant[0] if meant else "no file"
                found = files[path]["sha256"]
                yield Finding(object=f"{name}/{path}", check="stored bytes", expected=expected, found=found, cure=cure)


def object_findings(partition: Partition, path: str) -> Iterator[Finding]:
    """Check the one object of a partition that a file belongs to.

    Args:
        partition: Where it is.
        path: The file's path within the partition.
    """
    place = _place(path)
    if place is None:
        return
    kind, name = place
    checks: dict[str, Callable[[], Iterator[Finding]]] = {
        "records": lambda: partition.record_findings(name),
        "heads": partition.head_findings,
        "requests": lambda: partition.request_findings(name),
        "runs": lambda: partition.run_findings(name),
        "data": lambda: partition.data_findings(name),
    }
    yield from checks[kind]()


def content_findings(record: Record) -> Iterator[Finding]:
    """Compare what a record's data says with what the record says of it, whatever bytes say it."""
    document, output = record.document, record.output
    name = f"{document['asset']}/{document['tile']}/{document['month']}/data/{record.data.name}"
    cure = (
        f"Restore it from a backup, or derive it again: mrv run --tile {document['tile']} --month {document['month']} "
        "--force"
    )
    checks: list[Callable[[], Iterator[tuple[str, str, object, object]]]] = []
    if "files" in output:
        checks.append(lambda: _files(record.data, output["files"]))
    if "arrays" in output:
        checks.append(lambda: _group(record.data, "", output, document["plan"]))
    if "rasters" in output:
        from mrv_assets.lake.arrays import RASTERS

        checks.append(lambda: _group(record.data / RASTERS, f"/{RASTERS}", output["rasters"], document["plan"]))
    if "table" in output:
        checks.append(lambda: _table(record.data, output["table"]))
    if "decision_sha256" in output:
        checks.append(lambda: _file(record.data, DECISION, output["decision_sha256"]))
    if PREVIEW in output:
        checks.append(lambda: _picture(record.data, output[PREVIEW]))
    for check in checks:
        try:
            for place, what, expected, found in check():
                if expected != found:
                    yield Finding(
                        object=f"{name}{place}", check=what, expected=_text(expected), found=_text(found), cure=cure
                    )
        except Exception as error:
            # Decoders of damaged files raise whatever they like.
            found = f"{type(error).__name__}: {error}"[:200]
            yield Finding(object=name, check="can be read", expected="whole data", found=found, cure=cure)


_Compared = Iterator[tuple[str, str, object, object]]
"""Place below the data, what is compared, expected, found."""


def _files(data: Path, files: Json) -> _Compared:
    stored = stored_files(data)
    for path in sorted({*files, *stored}):
        yield f"/{path}", "bytes", files.get(path), stored.get(path)


def _file(data: Path, path: str, expected: str) -> _Compared:
    yield f"/{path}", "bytes", expected, sha256(_bytes(data / path))


def _group(folder: Path, place: str, content: Json, plan: Json) -> _Compared:
    from pyproj import CRS

    from mrv_assets.lake.arrays import BlockArrays

    arrays = BlockArrays(folder)
    stored = arrays.content()
    for part in ("attrs", "times_us", "coordinates"):
        yield place, part, content[part], stored[part]
    for variable in sorted({*content["arrays"], *stored["arrays"]}):
        expected, found = content["arrays"].get(variable), stored["arrays"].get(variable)
        if expected is None or found is None:
            yield f"{place}/{variable}", "variable", expected and "a variable", found and "a variable"
            continue
        for part in sorted({*expected, *found}):
            yield f"{place}/{variable}", part, expected.get(part), found.get(part)
    wkt, transform = arrays.georeference()
    x0, y0, *_ = plan["grid"]
    step = plan["resolution_m"]
    yield f"{place}/spatial_ref", "CRS", CRS.from_user_input(plan["crs"]), CRS.from_wkt(wkt)
    meant = [float(value) for value in (x0, step, 0, y0, 0, -step)]
    yield f"{place}/spatial_ref", "GeoTransform", meant, [float(value) for value in transform.split()]


def _table(data: Path, content: Json) -> _Compared:
    from mrv_assets.lake.table import TABLE, read_outlines, read_rows
    from mrv_assets.science.tiles import geom_sha256

    rows = read_rows(data / TABLE)
    found = table_content(rows, content["key"])
    for part in sorted(content):
        yield f"/{TABLE}", part, content[part], found.get(part)
    outlines = [geom_sha256(outline) for outline in read_outlines(data / TABLE)]
    yield f"/{TABLE}", "outlines", [row["geom_sha256"] for row in rows], outlines


def _picture(data: Path, content: Json) -> _Compared:
    import numpy as np
    from PIL import Image

    with Image.open(data / PREVIEW) as opened:
        pixels = np.asarray(opened)
    yield f"/{PREVIEW}", "shape", content["shape"], list(pixels.shape)
    yield f"/{PREVIEW}", "pixels", content["pixels_sha256"], values_sha256(pixels)


def _request(document: Json) -> str:
    return digest({name: value for name, value in document.items() if name != "output"})


def _bytes(path: Path) -> bytes:
    """A file's bytes; none where it cannot be read, so that no digest fits."""
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _text(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text if len(text) <= 200 else f"{text[:197]}..."
