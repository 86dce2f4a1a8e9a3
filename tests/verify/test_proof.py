"""Proofs: a parcel's row and pixels, checked by a script that knows nothing of this project; all else is refused."""

import ast
import json
import random
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from block_scenes import MONTH, TILE, Box
from demo_lake import REPOSITORY, mrv, python, rows, run_months
from proof_changes import CHANGES, Change
from small_month import PARCELS, a_small_month

from mrv_assets.audit.canonical import canonical
from mrv_assets.audit.record import Partition
from mrv_assets.deployment import Deployment
from mrv_assets.reports.explain import answer as explain_answer
from mrv_assets.stages.table import PRODUCT
from mrv_assets.verify.proof import ProofExists, proof_of, write_proofs

SCRIPT = REPOSITORY / "docs" / "check_proof.py"
NEXT = "2018-08"
LEAVES = ["20.20", "20.21", "21.20", "21.21"]
"""Over which parcel a lies; parcel b lies in the first."""
INDICES = ["evi", "nbr", "ndmi", "ndvi"]
MUTATIONS = 200
SEED = 20187

Json = dict[str, Any]
Proofs = dict[tuple[str, str], bytes]
"""Canonical bytes of each proof, by parcel and month."""


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """A programme of two small months, materialized; nothing changes its lake."""
    made = a_small_month(tmp_path_factory.mktemp("programme"), NEXT)
    run_months(made, made.months)
    return made


@pytest.fixture(scope="module")
def proofs(deployment: Deployment) -> Proofs:
    """Each parcel's proof of each month."""
    return {
        (parcel, month): canonical(proof_of(deployment.lake, parcel, TILE, month))
        for parcel in PARCELS
        for month in (MONTH, NEXT)
    }


@pytest.fixture(scope="module")
def audit_hash(deployment: Deployment) -> str:
    """What an auditor has from elsewhere."""
    return deployment.lake.current(Partition(PRODUCT, TILE, MONTH)).audit_hash


@dataclass(frozen=True)
class Checker:
    """The script, run in this process."""

    file: Path
    patch: pytest.MonkeyPatch

    def answer(self, proof: Json | bytes, audit_hash: str) -> str:
        """What it says to a proof: "ok" when it accepts; what it ends with otherwise."""
        self.file.write_bytes(proof if isinstance(proof, bytes) else canonical(proof) + b"\n")
        with self.patch.context() as patched:
            patched.setattr(sys, "argv", [str(SCRIPT), str(self.file), audit_hash])
            # It sets its own.
            patched.setattr(sys, "excepthook", sys.excepthook)
            try:
                exec(compile(SCRIPT.read_bytes(), SCRIPT, "exec"), {"__name__": "__main__"})
            except SystemExit as refused:
                return str(refused.code)
            except Exception as error:
                return f"NOT  {error!r}"
        return "ok"


@pytest.fixture
def checker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Checker:
    """The script, run in this process: proofs are checked by the hundred."""
    return Checker(tmp_path / "proof.json", monkeypatch)


# What is proven.


def test_the_script_checks_what_the_command_wrote(deployment: Deployment, audit_hash: str, tmp_path: Path) -> None:
    """By nothing but the file and the audit hash: each record back to the scenes, the row, each square of pixels."""
    file = tmp_path / "proof.json"

    written = mrv("explain", "a", MONTH, "--proof", str(file), cwd=deployment.program_path.parent)
    done = python("-I", str(SCRIPT), str(file), audit_hash, cwd=tmp_path)

    assert written.returncode == 0, written.stderr
    assert f"Proof of record {audit_hash}: {file}" in written.stderr
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert all(line.startswith("ok   ") for line in lines)
    assert [line.split()[1] for line in lines[:6]] == [
        "monthly_proxies",
        *(f"sentinel2/{stage}" for stage in ("gated_tiles", "indices", "masked_tiles", "aligned_tiles", "raw_tiles")),
    ]
    assert lines[7] == f"ok   'a', {MONTH}: row 1 of 3"
    squares = {line for line in lines if " pixels of " in line}
    # The tile ends 228 pixels beyond the middle of its last block.
    assert len(squares) == len(INDICES) * len(LEAVES)
    assert "ok   512 x 512 pixels of ndvi from row 10240, column 10240" in squares
    assert "ok   228 x 512 pixels of evi from row 10752, column 10240" in squares
    assert lines[-1] == f"ok   pixels for each value, and for no other: {', '.join(INDICES)}"


def test_a_wrong_audit_hash_is_refused(deployment: Deployment, tmp_path: Path) -> None:
    """A proof proves nothing of another record, though it is sound by itself."""
    file = tmp_path / "proof.json"
    write_proofs(deployment.lake, explain_answer(deployment, "a", MONTH), file)

    done = python(
        "-I", str(SCRIPT), str(file), deployment.lake.current(Partition(PRODUCT, TILE, NEXT)).audit_hash, cwd=tmp_path
    )

    assert done.returncode == 1
    assert done.stderr.startswith("NOT  a whole proof: KeyError(")
    assert done.stdout == ""


def test_each_parcel_of_each_month_has_a_proof(deployment: Deployment, proofs: Proofs, checker: Checker) -> None:
    """Whatever its place in the table, and whatever its values."""
    answers = {
        (parcel, month): checker.answer(
            json.loads(proofs[parcel, month]), deployment.lake.current(Partition(PRODUCT, TILE, month)).audit_hash
        )
        for parcel in PARCELS
        for month in (MONTH, NEXT)
    }

    assert answers == dict.fromkeys(answers, "ok")


def test_a_parcel_without_values_has_a_row_and_no_pixels(
    proofs: Proofs, audit_hash: str, checker: Checker, capsys: pytest.CaptureFixture[str]
) -> None:
    """That there is no value can be proven too; nothing under it is asked for."""
    proof = json.loads(proofs["c", MONTH])

    answer = checker.answer(proof, audit_hash)

    assert answer == "ok"
    assert proof["blocks"] == []
    assert proof["row"]["values"]["ndvi_mean"] is None
    assert proof["row"]["values"]["value_status"] == "below_coverage"
    shown = capsys.readouterr().out.splitlines()
    assert shown[-2:] == [
        f"ok   'c', {MONTH}: row 3 of 3",
        "ok   pixels for each value, and for no other: there is none",
    ]


@pytest.mark.parametrize(("parcel", "leaves"), [("a", LEAVES), ("b", LEAVES[:1])])
def test_the_pixels_are_those_that_the_value_is_the_mean_of(
    parcel: str, leaves: list[str], deployment: Deployment, proofs: Proofs
) -> None:
    """Only squares that touch the parcel; the values in them give the row's mean."""
    proof = json.loads(proofs[parcel, MONTH])

    means = {name: float(np.nanmean(pixels_of(proof, name, PARCELS[parcel]))) for name in INDICES}

    assert [block["leaf"] for block in proof["blocks"]] == leaves * len(INDICES)
    # A parcel's edges in degrees are not quite those of the pixels.
    stated = {name: proof["row"]["values"][f"{name}_mean"] for name in INDICES}
    assert means == pytest.approx(stated, abs=1e-5)
    assert proof["row"]["values"] == rows(deployment, MONTH)[parcel]


def pixels_of(proof: Json, array: str, box: Box) -> np.ndarray[Any, np.dtype[np.float32]]:
    """A box of an array, decoded from the squares of a proof."""
    whole = np.full((box.height, box.width), np.nan, np.float32)
    for block in proof["blocks"]:
        if block["array"] == array:
            row, col = (int(part) * 512 for part in block["leaf"].split("."))
            height, width = min(512, 10980 - row), min(512, 10980 - col)
            runs = [
                np.full(part, np.nan, "<f4") if isinstance(part, int) else np.frombuffer(bytes.fromhex(part), "<f4")
                for part in block["values"]
            ]
            square = np.concatenate(runs).reshape(height, width)
            top, left = max(row, box.row), max(col, box.col)
            bottom, right = min(row + height, box.row + box.height), min(col + width, box.col + box.width)
            whole[top - box.row : bottom - box.row, left - box.col : right - box.col] = square[
                top - row : bottom - row, left - col : right - col
            ]
    return whole


# What is not.


def test_two_hundred_changed_bytes_are_refused_one_by_one(proofs: Proofs, audit_hash: str, checker: Checker) -> None:
    """Any byte of a proof, by any bits: there is one spelling of each proof, and all of it is proven."""
    data = proofs["b", MONTH] + b"\n"
    chance = random.Random(SEED)
    accepted = []

    for _ in range(MUTATIONS):
        offset, bits = chance.randrange(len(data)), chance.randrange(1, 256)
        changed = bytearray(data)
        changed[offset] ^= bits
        if not checker.answer(bytes(changed), audit_hash).startswith("NOT  "):
            accepted.append((offset, bits))

    assert accepted == []
    assert checker.answer(data, audit_hash) == "ok"


@pytest.mark.parametrize("change", CHANGES)
def test_what_was_changed_is_refused(change: Change, proofs: Proofs, audit_hash: str, checker: Checker) -> None:
    """Whatever is left out, added, edited, or taken from another parcel or month."""
    of_it, of_another, of_later = ("a", MONTH), ("b", MONTH), ("a", NEXT)
    proof, other, later = (json.loads(proofs[name]) for name in (of_it, of_another, of_later))
    before = canonical(proof)

    change(proof, other, later)

    assert canonical(proof) != before
    assert checker.answer(proof, audit_hash).startswith("NOT  ")


def test_another_spelling_is_refused(proofs: Proofs, audit_hash: str, checker: Checker) -> None:
    """The same proof, indented, without its last line break, or with a name given twice."""
    proof = json.loads(proofs["b", MONTH])
    data = canonical(proof) + b"\n"
    spellings = [
        json.dumps(proof, indent=1).encode(),
        data[:-1],
        data + b"\n",
        data.replace(b'{"audit_hash":', b'{"audit_hash":"","audit_hash":', 1),
    ]

    answers = [checker.answer(spelling, audit_hash) for spelling in spellings]

    assert all(answer.startswith("NOT  ") for answer in answers)
    assert checker.answer(data, audit_hash) == "ok"


# The file and the script.


def test_a_proof_overwrites_nothing(deployment: Deployment, tmp_path: Path) -> None:
    """A file in its way is named, and stays as it was."""
    file = tmp_path / "notes.txt"
    file.write_text("ours")

    done = mrv("explain", "a", MONTH, "--proof", str(file), cwd=deployment.program_path.parent)

    assert done.returncode == 2
    assert done.stderr.splitlines() == [f"{file} exists already. Name another file, or move this one away."]
    assert file.read_text() == "ours"
    with pytest.raises(ProofExists):
        write_proofs(deployment.lake, explain_answer(deployment, "a", MONTH), file)


def test_the_script_is_short_and_stands_alone() -> None:
    """60 lines, the standard library and rfc8785: it can be read before it is trusted."""
    text = SCRIPT.read_text()
    imported = {
        name.partition(".")[0]
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([one.name for one in node.names] if isinstance(node, ast.Import) else [str(node.module)])
    }

    assert len(text.splitlines()) <= 60
    assert imported - sys.stdlib_module_names == {"rfc8785"}
    assert not {"importlib", "runpy", "subprocess"} & imported
    assert not {"__import__", "exec", "eval"} & {
        node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)
    }
