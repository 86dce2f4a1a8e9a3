"""Code digest: which of our code could have changed a number.

It covers the syntax of a stage's module and of every module of ours that it imports, transitively: kernels, helpers,
constants, annotations, and the packages' ``__init__`` files on the way. Imports inside functions and under
``TYPE_CHECKING`` count. It does not cover comments, docstrings and layout; folders that ``HASHED_FOLDERS`` does not
name; the package's version; a mission, which is data and stands in the plan; and the libraries, whose versions the run
record has. A module loaded by a string would go unseen, so there is none.
"""

import ast
import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from mrv_assets.audit.canonical import digest

PACKAGE = "mrv_assets"

HASHED_FOLDERS = ("missions", "science", "scenes", "cog", "formats", "audit", "stages")
"""Folders whose code makes numbers. Every other folder moves bytes, shows things or says what went wrong; what it moved
is proven by the output digests."""

Source = Callable[[str], bytes | None]
"""Module name to its source bytes; None when there is no such module."""


def code_digest(entry: str, source: Source, folders: Sequence[str] = HASHED_FOLDERS) -> str:
    """SHA-256 over the sorted (module, AST digest) pairs of every module of ours that ``entry`` imports.

    Args:
        entry: Dotted name of the module to start from, itself included.
        source: Gives each module's source bytes; those of a package are its ``__init__``.
        folders: Folders of the package whose modules count; imports of any other are not followed.

    Returns:
        Lower-case hex; equal on every Python the project supports.

    Raises:
        ModuleNotFoundError: When a module that is imported has no source.
        SyntaxError: When a source is not valid Python, with the module's name.
        ImportError: For a relative import: it does not say which module it means.
    """
    found: dict[str, str] = {}
    todo = [entry]
    while todo:
        module = todo.pop()
        if module in found or not any(_within(module, f"{PACKAGE}.{folder}") for folder in folders):
            continue
        text = source(module)
        if text is None:
            raise ModuleNotFoundError(f"No source of {module}, which {entry} imports", name=module)
        read = _read(module, text)
        found[module] = read.digest
        # After a package's name it may be a module or a name in its __init__; after a module's it is a name.
        maybe = {name for name in read.maybe if source(name) is not None}
        todo += _with_packages(read.modules | maybe)
    return digest(sorted(found.items()))


def _within(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def _with_packages(modules: set[str] | frozenset[str]) -> list[str]:
    """Those of our modules among some, and the packages they are in, which run first."""
    ours = [name.split(".") for name in modules if _within(name, PACKAGE)]
    return [".".join(parts[:length]) for parts in ours for length in range(1, len(parts) + 1)]


@dataclass(frozen=True, kw_only=True)
class _Read:
    """The imports and the digest of a module's source."""

    digest: str
    """SHA-256 of its syntax tree."""
    modules: frozenset[str]
    """Modules it imports, and itself."""
    maybe: frozenset[str]
    """Names of ours that it imports from elsewhere; they may be modules."""


@lru_cache(maxsize=256)
def _read(module: str, text: bytes) -> _Read:
    """Read a module's source; most modules are imported by many."""
    tree = ast.parse(text, filename=module)
    modules, maybe = {module}, set()
    for statement in _statements(tree):
        match statement:
            case ast.Import(names=aliases):
                modules |= {alias.name for alias in aliases}
            case ast.ImportFrom(module=str(package), names=aliases, level=0):
                modules.add(package)
                maybe |= {f"{package}.{alias.name}" for alias in aliases if _within(package, PACKAGE)}
            case ast.ImportFrom():
                raise ImportError(f"{module}, line {statement.lineno}: write out which module is imported", name=module)
    return _Read(digest=ast_digest(tree), modules=frozenset(modules), maybe=frozenset(maybe))


def _statements(tree: ast.Module) -> Iterator[ast.AST]:
    """Every statement of a module, those inside others among them; an import is one, and never in an expression."""
    pending: list[ast.AST] = [tree]
    while pending:
        node = pending.pop()
        yield node
        for name in ("body", "orelse", "finalbody", "handlers", "cases"):
            inner = getattr(node, name, None)
            if isinstance(inner, list):
                pending += inner


def ast_digest(tree: ast.AST) -> str:
    """SHA-256 of a syntax tree without positions, comments and docstrings."""
    return hashlib.sha256(_dump(tree).encode()).hexdigest()


def _dump(node: object) -> str:
    """A syntax tree as ASCII text, the same from every Python's parser.

    Empty fields are left out, so that a field a newer Python adds changes nothing.
    """
    if isinstance(node, ast.AST):
        fields = []
        for name in node._fields:
            value: Any = getattr(node, name, None)
            if name in ("type_comment", "kind"):
                continue
            if name == "body" and isinstance(value, list):
                value = _without_docstrings(value)
            if isinstance(node, ast.JoinedStr):
                value = [part for part in value if not _is_empty_text(part)]
            if value is None or value == []:
                continue
            fields.append(f"{name}={_dump(value)}")
        return f"{type(node).__name__}({','.join(fields)})"
    if isinstance(node, list):
        return f"[{','.join(_dump(item) for item in node)}]"
    # Which characters repr prints depends on a Python's Unicode; how many decimal digits, on its settings.
    return f"{type(node).__name__}:{hex(node) if isinstance(node, int) else ascii(node)}"


def _is_empty_text(part: ast.expr) -> bool:
    """Whether a part of an f-string says nothing; Python 3.12.0 and 3.12.1 put such after nested fields."""
    return isinstance(part, ast.Constant) and part.value == ""


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
