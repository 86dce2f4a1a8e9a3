"""No edit outside the folders that code digests cover changes a number under the digests of before.

Every edit of a hashed folder moves a code digest, whatever it does. Into all other code that runs a month this test
puts small faults, one a run: another constant, operator or condition. The run has to fail, give the same records, or
say by its plan, graph or inputs that something else was asked for.
"""

import ast
import copy
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import forked
import month_driver
import pytest
from edited_package import PACKAGE, Workshop
from hypothesis import settings
from small_month import a_small_month

from mrv_assets.audit.code import HASHED_FOLDERS

Json = dict[str, Any]

MUTANTS = {"fuzz": 14, "nightly": 300}
"""Faults tried, by profile."""
LOADED = ("deployment.py", "lake/*.py", "programme/*.py", "stac/static.py", "stac/source.py", "stac/open.py")
LOADED += ("transport/store.py", "transport/coalesce.py", "errors.py", "settings.py")
"""What runs a month besides the hashed folders; a catalogue on disk needs no network."""
_SWAPS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Lt: ast.GtE,
    ast.GtE: ast.Lt,
    ast.Gt: ast.LtE,
    ast.LtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """A module with one fault."""

    file: str
    line: int
    fault: str
    source: str


def mutants() -> list[Mutant]:
    """Every fault of every module."""
    found = []
    for file in sorted({path for pattern in LOADED for path in PACKAGE.glob(pattern)}):
        tree = ast.parse(file.read_text())
        for number, (line, fault) in enumerate(_faults(tree)):
            found.append((file, number, line, fault))
    return [_mutant(*one) for one in found]


def _mutant(file: Path, number: int, line: int, fault: str) -> Mutant:
    tree = ast.parse(file.read_text())
    for _ in zip(range(number + 1), _faults(tree, apply=number), strict=False):
        pass
    return Mutant(file=file.relative_to(PACKAGE).as_posix(), line=line, fault=fault, source=ast.unparse(tree))


def _faults(tree: ast.Module, apply: int = -1) -> Iterator[tuple[int, str]]:
    """Line and kind of each fault that can be made in functions of a module; one of them is made."""
    number = 0
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    inside = {id(child): child for function in functions for part in function.body for child in ast.walk(part)}
    for node in list(inside.values()):
        for kind, make in _of(node):
            if number == apply:
                make()
            yield getattr(node, "lineno", 0), kind
            number += 1


def _of(node: ast.AST) -> Iterator[tuple[str, Any]]:
    match node:
        case ast.Constant(value=bool(value)):
            yield f"{value} is {not value}", lambda: setattr(node, "value", not value)
        case ast.Constant(value=int(value) | float(value)):
            yield f"{value} is {value + 1}", lambda: setattr(node, "value", value + 1)
        case ast.BinOp(op=op) | ast.BoolOp(op=op) if type(op) in _SWAPS:
            other = _SWAPS[type(op)]
            yield f"{type(op).__name__} is {other.__name__}", lambda: setattr(node, "op", other())
        case ast.Compare(ops=[op]) if type(op) in _SWAPS:
            other = _SWAPS[type(op)]
            yield f"{type(op).__name__} is {other.__name__}", lambda: setattr(node, "ops", [other()])
        case ast.UnaryOp(op=ast.Not()):
            true = copy.copy(node.operand)
            yield "not is left out", lambda: setattr(node, "operand", ast.UnaryOp(op=ast.Not(), operand=true))


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """Where faulty copies run the month."""
    folder = tmp_path_factory.mktemp("mutants")
    deployment = a_small_month(folder / "programme")
    return Workshop(
        folder=folder, program=deployment.program_path, tile=deployment.tiles[0], month=deployment.months[0]
    )


def test_no_fault_elsewhere_gives_another_number_under_the_same_request(workshop: Workshop) -> None:
    """A sample of all faults; each run starts with an empty lake."""
    assert not any(pattern.startswith(HASHED_FOLDERS) for pattern in LOADED)
    workshop.copy()
    before = workshop.run("before").records
    tried = random.Random(3).sample(mutants(), MUTANTS.get(settings.get_current_profile_name(), MUTANTS["fuzz"]))
    same = failed = told = 0
    for number, mutant in enumerate(tried):
        after = _run(workshop, mutant, f"mutant{number}")
        if after is None:
            failed += 1
            continue
        different = [asset for asset, record in after.items() if record["output"] != before[asset]["output"]]
        same += not different
        told += bool(different)
        silent = [asset for asset in different if _request(after[asset]) == _request(before[asset])]
        assert silent == [], f"{mutant.file}, line {mutant.line}, {mutant.fault}: {silent} under the same request"
    print(f"{len(tried)} faults outside hashed folders: {failed} runs failed, {same} gave the same, {told} said so")


def _request(record: Json) -> Json:
    return {name: record[name] for name in ("plan", "graph", "code", "inputs")}


def _run(workshop: Workshop, mutant: Mutant, lake: str) -> dict[str, Json] | None:
    """The records of a month that a faulty copy made; None where it failed."""
    workshop.copy()
    (workshop.code / "mrv_assets" / mutant.file).write_text(mutant.source)
    path = workshop.folder / "lakes" / lake
    done = forked.run(
        month_driver.run,
        *(str(workshop.program), str(path), workshop.tile, workshop.month, str(workshop.code)),
        cwd=workshop.folder,
        NUMBA_CACHE_DIR=str(workshop.folder / "kernels"),
        MRV_PROGRAM=str(workshop.program),
    )
    if done.returncode != 0:
        return None
    records: dict[str, Json] = json.loads(done.stdout)["records"]
    return records
