"""`mrv verify`: findings with their cures, the objects that were checked, and the outputs computed again."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from itertools import groupby
from pathlib import Path

from tabulate import tabulate

from mrv_assets.audit.canonical import Json
from mrv_assets.reports.terminal import escape
from mrv_assets.verify.again import Compute, here
from mrv_assets.verify.expected import hashes_of, read_expected
from mrv_assets.verify.partition import StoredPartition
from mrv_assets.verify.source import Publisher, SourceCompared
from mrv_assets.verify.verification import Options, Progress, Verdict, verify

NOT_PRESENT = ("log", "signatures")
"""Parts of a lake that this version does not write yet, so that none of them was checked."""
_DETAIL_CHARACTERS = 80
"""Characters of a difference's detail on the page; --json has all."""


def answer(
    root: Path,
    options: Options,
    *,
    again: bool,
    progress: Progress,
    expected: Path | None = None,
    compute: Compute = here,
    publisher: Publisher | None = None,
    sample: int | None = None,
) -> Json:
    """The JSON document of `mrv verify`.

    Args:
        root: The lake's folder.
        options: The partitions to verify.
        again: Compute again from the raw tiles, and compare.
        progress: Called after each partition.
        expected: File of audit hashes that were kept elsewhere; None where there is none.
        compute: Where to compute again: in this process, or apart.
        publisher: Gives the publishers whose files are to be read again; None to ask none.
        sample: Number of byte ranges to draw from all of them; None for all.

    Raises:
        NotALake: When there is no lake, or none of the partitions asked for in it.
        NotAListOfHashes: When the file cannot be read.
    """
    kept = None if expected is None else read_expected(expected)
    verification = verify(
        root,
        options,
        again=again,
        progress=progress,
        expected=kept,
        compute=compute,
        publisher=publisher,
        sample=sample,
    )
    compared = verification.compared
    return {
        "lake": str(root),
        "verdict": verification.verdict.value,
        "verified": verification.verdict is Verdict.VERIFIED,
        "incomplete": list(verification.incomplete),
        "limits": list(verification.limits),
        "checked": _checked(verification.partitions),
        "findings": [asdict(finding) for finding in verification.findings],
        "not_present": list(NOT_PRESENT),
        "hidden": list(verification.hidden),
        "rerun": None if compared is None else [asdict(output) for output in compared],
        "source": None if verification.source is None else _source(verification.source),
        "hashes": hashes_of(verification.partitions),
        "expected": None if kept is None else len(kept),
    }


def _source(source: SourceCompared) -> Json:
    fields = ("ranges", "of", "files", "checksums", "sampled", "seed")
    return {field: getattr(source, field) for field in fields}


def _checked(partitions: Sequence[StoredPartition]) -> Json:
    counts = Counter(dict.fromkeys(("records", "heads", "requests", "runs", "decisions", "data"), 0))
    for partition in partitions:
        counts.update({kind: len(names) for kind, names in partition.names.items()})
    return {
        "partitions": len(partitions),
        **counts,
        "files": sum(partition.files for partition in partitions),
        "bytes": sum(partition.bytes for partition in partitions),
    }


def text(answer: Json) -> str:
    """The terminal page: findings, outputs computed again, and the verdict last."""
    return "\n\n".join(part for part in (_findings(answer), _rerun(answer), _summary(answer)) if part)


def _findings(answer: Json) -> str:
    return "\n".join(
        f"{escape(finding['object'])}\n"
        f"  {finding['check']}: expected {escape(finding['expected'])}\n"
        f"  {'found:':>{len(finding['check']) + 1}} {escape(finding['found'])}\n"
        f"  {finding['cure']}"
        for finding in answer["findings"]
    )


def _rerun(answer: Json) -> str:
    if answer["rerun"] is None:
        return ""
    rows = []
    for (tile, month), group in groupby(answer["rerun"], key=lambda output: (output["tile"], output["month"])):
        outputs = list(group)
        unequal = [output for output in outputs if output["answer"] != "IDENTICAL"]
        rows.append([tile, month, _answers(outputs), "; ".join(_difference(output) for output in unequal)])
    return tabulate(rows, headers=["tile", "month", "computed again", "difference"], disable_numparse=True)


def _answers(outputs: Sequence[Json]) -> str:
    counts = Counter(output["answer"] for output in outputs)
    return ", ".join(f"{count} {answer}" for answer, count in counts.items())


def _difference(output: Json) -> str:
    if output["answer"] == "NOT_RERUN":
        return escape(output["detail"])
    size = f"{output['values_that_differ']} values, by at most {output['largest_difference']:g}"
    return f"{output['asset']}: {size} ({escape(output['detail'][:_DETAIL_CHARACTERS])})"


def _summary(answer: Json) -> str:
    checked = answer["checked"]
    lines = [
        f"Lake {answer['lake']}: {checked['partitions']} partitions, {checked['records']} records, "
        f"{checked['heads']} heads, {checked['requests']} requests, {checked['runs']} runs, {checked['files']} files, "
        f"{checked['bytes'] / 1e6:.1f} MB.",
        f"Not present: {', '.join(answer['not_present'])}.",
    ]
    if answer["hidden"]:
        count, first = len(answer["hidden"]), escape(answer["hidden"][0])
        lines.append(f"Never read: {count} hidden files, unfinished or set aside, such as {first}.")
    compared = [output for output in answer["rerun"] or () if output["answer"] != "NOT_RERUN"]
    other = Counter(part for output in compared for part in output["other"])
    if other:
        named = ", ".join(f"{part} in {count}" for part, count in other.items())
        lines.append(f"Computed again by another request than the records name: {named}; see --json.")
    if answer["expected"] is not None:
        lines.append(f"Kept elsewhere: {answer['expected']} audit hashes were looked for.")
    if (source := answer["source"]) is not None:
        whole = f", {source['checksums']} of them whole, by their published checksum" if source["checksums"] else ""
        lines.append(
            f"Read again from the publisher: {source['ranges']} of {source['of']} byte ranges are the same, "
            f"of {source['files']} files{whole}."
        )
    lines.append(f"Not looked at: {'; '.join(answer['limits'])}.")
    findings, different = len(answer["findings"]), sum(output["answer"] == "DIFFERENT" for output in compared)
    match answer["verdict"]:
        case "VERIFIED":
            lines.append("VERIFIED: everything that was looked at is what its record says.")
        case "INCOMPLETE":
            lines += [escape(f"Could not be looked at: {reason}.") for reason in answer["incomplete"]]
            lines.append("INCOMPLETE: nothing is wrong in what was looked at, and that is not all that was asked for.")
        case _:
            lines.append(f"NOT VERIFIED: {findings} findings, {different} assets came out different.")
    return "\n".join(lines)
