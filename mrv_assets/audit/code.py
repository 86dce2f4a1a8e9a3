"""Code digest: which of our code could have changed a number. Comments and docstrings cannot."""

import ast
import hashlib
from collections.abc import Callable

from mrv_assets.audit.canonical import digest

PACKAGE = "mrv_assets"

# They move bytes, show things or say what went wrong; what they moved is proven by the output digests.
LEFT_OUT = (
    "mrv_assets.cli",
    "mrv_assets.assets",
    "mrv_assets.settings",
    "mrv_assets.errors",
    "mrv_assets.lake",
    "mrv_assets.ingest.transport",
    "mrv_assets.ingest.signing",
)

Source = Callable[[str], bytes | None]
"""Module name to its source bytes; None when there is no such module."""


def code_digest(entry: str, source: Source) -> str:
    """SHA-256 over the sorted (module, AST digest) pairs of every module of ours that ``entry`` imports.

    Imports are followed transitively, those inside functions included.

    Args:
        entry: Dotted name of the module to start from, itself included.
        source: Gives each module's source bytes.

    Returns:
        Lower-case hex; equal on every Python the project supports.
    """
    found: dict[str, str] = {}
    todo = [entry]
    while todo:
        module = todo.pop()
        if module in found or any(module == out or module.startswith(f"{out}.") for out in LEFT_OUT):
            continue
        text = source(module)
        if text is None:
            continue
        tree = ast.parse(text)
        found[module] = ast_digest(tree)
        todo.extend(_imports(tree))
    return digest(sorted(found.items()))


def _imports(tree: ast.Module) -> list[str]:
    """Modules of ours named by import statements; a name imported from a package may be a module itself."""
    names: list[str] = []
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=aliases):
                names += [alias.name for alias in aliases]
            case ast.ImportFrom(module=str(module), names=aliases, level=0):
                names += [module, *(f"{module}.{alias.name}" for alias in aliases)]
    return [name for name in names if name == PACKAGE or name.startswith(f"{PACKAGE}.")]


def ast_digest(tree: ast.AST) -> str:
    """SHA-256 of a syntax tree without positions, comments and docstrings."""
    return hashlib.sha256(_dump(tree).encode()).hexdigest()


def _dump(node: object) -> str:
    """A syntax tree as text. Empty fields are left out, so that a field a newer Python adds changes nothing."""
    if isinstance(node, ast.AST):
        fields = []
        for name, value in ast.iter_fields(node):
            if name in ("type_comment", "kind"):
                continue
            if name == "body" and isinstance(value, list):
                value = _without_docstrings(value)
            if value is None or value == []:
                continue
            fields.append(f"{name}={_dump(value)}")
        return f"{type(node).__name__}({','.join(fields)})"
    if isinstance(node, list):
        return f"[{','.join(_dump(item) for item in node)}]"
    return f"{type(node).__name__}:{node!r}"


def _without_docstrings(body: list[ast.stmt]) -> list[ast.stmt]:
    """Bodies without strings that stand alone: docstrings of modules, classes, functions and fields."""
    return [
        statement
        for statement in body
        if not (
            isinstance(statement, ast.Expr)
            and isinstance(statement.value, ast.Constant)
            and isinstance(statement.value.value, str)
        )
    ]
