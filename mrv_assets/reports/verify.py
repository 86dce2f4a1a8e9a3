"""`mrv verify` for a terminal: findings with their cures, or that there is none."""

from collections.abc import Sequence
from itertools import groupby

from tabulate import tabulate

from mrv_assets.audit.canonical import Json
from mrv_assets.reports.terminal import plain


def verified(answer: Json) -> str:
    """The answer of `mrv verify`, worst first."""
    return "\n\n".join(part for part in (_findings(answer), _again(answer), _summary(answer)) if part)


def _findings(answer: Json) -> str:
    return "\n".join(
        f"{plain(finding['object'])}\n"
        f"  {finding['check']}: expected {plain(finding['expected'])}\n"
        f"  {'found:':>{len(finding['check']) + 1}} {plain(finding['found'])}\n"
        f"  {finding['cure']}"
        for finding in answer["findings"]
    )


def _again(answer: Json) -> str:
    if answer["rerun"] is None:
        return ""
    rows = []
    for (tile, month), found in groupby(answer["rerun"], key=lambda one: (one["tile"], one["month"])):
        compared = list(found)
        worst = [one for one in compared if one["answer"] != "IDENTICAL"]
        rows.append([tile, month, _answers(compared), "; ".join(_difference(one) for one in worst)])
    return tabulate(rows, headers=["tile", "month", "computed again", "difference"], disable_numparse=True)


def _answers(compared: Sequence[Json]) -> str:
    answers = [one["answer"] for one in compared]
    return ", ".join(f"{answers.count(answer)} {answer}" for answer in dict.fromkeys(answers))


def _difference(one: Json) -> str:
    if one["answer"] == "NOT_RERUN":
        return plain(one["detail"])
    shown = f"{one['values_that_differ']} values, by at most {one['largest_difference']:g}"
    return f"{one['asset']}: {shown} ({plain(one['detail'][:80])})"


def _summary(answer: Json) -> str:
    checked = answer["checked"]
    lines = [
        f"Lake {answer['lake']}: {checked['partitions']} partitions, {checked['records']} records, "
        f"{checked['heads']} heads, {checked['requests']} requests, {checked['runs']} runs, {checked['files']} files, "
        f"{checked['bytes'] / 1e6:.1f} MB.",
        f"Not present: {', '.join(answer['not_present'])}.",
    ]
    if answer["hidden"]:
        count, first = len(answer["hidden"]), plain(answer["hidden"][0])
        lines.append(f"Not looked at: {count} hidden files, unfinished or set aside, such as {first}.")
    again = [one for one in answer["rerun"] or () if one["answer"] != "NOT_RERUN"]
    if any(not one["same_request"] for one in again):
        lines.append("Computed again by other code or from other inputs than the records name; see --json.")
    if len(again) < len(answer["rerun"] or ()):
        lines.append("Not every month was computed again: see NOT_RERUN above.")
    findings, different = len(answer["findings"]), sum(one["answer"] == "DIFFERENT" for one in again)
    if answer["verified"]:
        lines.append("VERIFIED: everything that was looked at is what its record says.")
    else:
        lines.append(f"NOT VERIFIED: {findings} findings, {different} assets came out different.")
    return "\n".join(lines)
