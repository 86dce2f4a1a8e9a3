"""The code digest sees what could change a number, and nothing else."""

import ast
from pathlib import Path

import pytest

import mrv_assets
from mrv_assets.audit.code import HASHED_FOLDERS, ast_digest, code_digest
from mrv_assets.stages.source_code import source
from mrv_assets.stages.table import STAGES, Stage

PACKAGE = Path(mrv_assets.__file__).parent

STAGE = b'''"""Docstring."""
from mrv_assets.science.a import half

LIMIT = 3


def stage(x: int) -> int:
    """What it does."""
    # why
    return half(x) + LIMIT
'''
HELPER = b"def half(x: int) -> int:\n    return x // 2\n"


SYNTAX = r"""\
'''What parsers and Unicode tables of Python 3.11 to 3.14 see differently, and what else a module may hold.'''
import a.b as c, d
from .. import e as f
from g import *

text = ["é", "\xa0\u2028\x7f", "\U0001fae8\U0001fadf\u1c89", "\ud800", u"u", 'a' "b" '\'', r"\d", "a\
b", b"\x00\xff'", '\N{BULLET}']
whole = [0, -1, 1_000, 0x7f, 0o17, 2**64, 18446744073709551617, HUGE]
real = [0.0, -0.0, 0.1, 5e-324, 1.7976931348623157e308, 1e400, -1e400, 1j, -1.5e3j, 1 - 2j, 1e400j]
named = [None, True, False, ..., ﬁ, __debug__]
said = [
    f"", f"a" "b", "a" f"" u'b', f"{x}" "", u"a" f"{x}" 'b' f"c{y}{{", f"{{}}", f"{{{x}}}", f"a{{b}}c{x}d", rf"\d{x}\n",
    f"{x:{w}}", f"{x:>{w}}", f"{x:{w}.{p}f}", f"{x:a{w}b{p}c}", f"{x:}", f"{x!r:}", f"{x!a:{w!r}}", f"{x:{'a'}}{'b'}",
    f"{x=}", f"{ x = }", f"a{x=!s:^20}b", f"{x + 1 = :.2f}", f"{(y := 5)}{y:=5}{*a,}{a, b}{(lambda: 1)()}{d['k']}",
    f'''a
{
x=}{y:%H
%M}''',
]
{**a, "b": 1}, {*a}, {a: b for a, b in c if d}, {a for a in b}, [a for b in c for a in b if a if b], (a for a in b)
a[1:2, ::3, ...], a[*b], a[b], a < b <= c is not d not in e, not a and b or c, -a ** -b
~a, a @ b // c % d, a if b else c
lambda a, /, b=1, *c, d, e=2, **g: (yield)
x: int
(x): int = 1
a, *b = c = d
a @= b


@d(1)
class A(B, *C, metaclass=M, **D):
    '''Of a class.'''

    field: "int" = 1
    '''Of a field.'''


def f(a, /, b: int = 1, *c: *D, d, e=2, **g) -> "A":
    '''Of a function.'''
    global h
    with (a as b, c as (d, e)):
        pass
    with (a, b), (yield) as c:
        pass
    try:
        raise A from b
    except (B, C) as e:
        assert a, "b"
    except D:
        return
    else:
        del a, b.c, d[0]
    finally:
        for i in j:
            continue
        else:
            "said in passing"
    match a:
        case -1 | 1 + 2j | "a" "b" | None | True:
            pass
        case {"a": 1, **rest} | [1, *_] | (A(b, c=d) as e) if e:
            pass
        case x.y | _:
            ...


async def g():
    async with a as b:
        [i async for i in await j]
    async for i in j:
        nonlocal_ = print(*a, b=1, **c)
    try:
        while 1:
            break
    except* A:
        pass
""".replace("HUGE", "0x" + "9" * 5000)
# A change here changes every code digest there is: it needs a line in the changelog.
SYNTAX_DIGEST = "01ffb9d8f605262c9c2b9e1fe18c1b532b54abdcc27d7e72ed3c244dd47c5ec2"


def digest_of(stage: bytes = STAGE, helper: bytes = HELPER, **others: bytes) -> str:
    """The digest of a stage and its helper; other modules by their name in the package, ``__`` for the dot."""
    packages = ("mrv_assets.stages", "mrv_assets.science", "mrv_assets.missions")
    modules = dict.fromkeys(packages, b"") | {"mrv_assets.stages.s": stage, "mrv_assets.science.a": helper}
    modules |= {f"mrv_assets.{name.replace('__', '.')}": text for name, text in others.items()}
    return code_digest("mrv_assets.stages.s", modules.get)


def importing(statement: bytes) -> bytes:
    """The stage with one more statement in its function."""
    return STAGE.replace(b"    # why\n", b"    %s\n" % statement)


@pytest.mark.parametrize(
    "same",
    [
        STAGE.replace(b"# why", b"# because"),
        STAGE.replace(b'"""What it does."""', b'"""Something else entirely."""'),
        STAGE.replace(b"half(x) + LIMIT", b"(half(x)\n        + LIMIT)"),
    ],
)
def test_comments_docstrings_and_layout_change_nothing(same: bytes) -> None:
    """They cannot change a number."""
    assert digest_of(same) == digest_of()


@pytest.mark.parametrize(
    ("old", "new"), [(b"LIMIT = 3", b"LIMIT = 4"), (b"half(x) +", b"half(x) -"), (b"x: int", b"x: float")]
)
def test_code_and_constants_change_it(old: bytes, new: bytes) -> None:
    """Anything else in the stage's own module can."""
    assert digest_of(STAGE.replace(old, new)) != digest_of()


def test_an_edited_helper_in_another_file_changes_it() -> None:
    """Imports are followed."""
    assert digest_of(helper=HELPER.replace(b"// 2", b"// 3")) != digest_of()


@pytest.mark.parametrize(
    "statement",
    [
        b"from mrv_assets.science import b",
        b"from mrv_assets.science.b import X",
        b"from mrv_assets.science.b import *",
        b"import mrv_assets.science.b",
        b"import mrv_assets.science.b as c",
        b"if TYPE_CHECKING: from mrv_assets.science.b import X",
        b"try: pass\n    except ImportError: from mrv_assets.science import b",
        b"match 1:\n        case 1: from mrv_assets.science import b",
        b"with open(0): import mrv_assets.science.b",
    ],
)
def test_every_way_to_import_is_followed(statement: bytes) -> None:
    """Inside a function too: a lazy import is an import."""
    stage = importing(statement)

    assert digest_of(stage, science__b=b"X = 1\n") != digest_of(stage, science__b=b"X = 2\n")


def test_packages_on_the_way_count() -> None:
    """Their ``__init__`` runs before the module: it could set what the module computes with."""
    assert digest_of(science=b"X = 1\n") != digest_of()
    assert digest_of(missions=b"X = 1\n") == digest_of()


@pytest.mark.parametrize(
    "module",
    [
        *("lake__store", "lake", "errors", "settings", "defs__runs", "cli", "verify__data", "reports__explain"),
        *("transport__store", "transport__http", "transport__signing", "stac__api", "programme__model"),
    ],
)
def test_modules_that_only_move_bytes_are_left_out(module: str) -> None:
    """What they moved is proven by the output digests."""
    stage = importing(b"import mrv_assets.%s" % module.replace("__", ".").encode())

    assert digest_of(stage, **{module: b"X = 1\n"}) == digest_of(stage, **{module: b"X = 2\n"})


def test_a_folder_beside_those_that_count_does_not() -> None:
    """A folder counts by its whole name, not every name that begins alike."""
    stage = importing(b"import mrv_assets.science_fiction.a")

    assert digest_of(stage, science_fiction__a=b"X = 1\n") == digest_of(stage, science_fiction__a=b"X = 2\n")


def test_a_module_nobody_imports_changes_nothing() -> None:
    """Adding a mission changes no other's digest."""
    assert digest_of(missions__landsat=b"X = 1\n") == digest_of()


@pytest.mark.parametrize(
    "statement",
    [b"import mrv_assets.science.gone", b"from mrv_assets.science.gone import half", b"import mrv_assets.cog.gone"],
)
def test_a_missing_module_is_an_error(statement: bytes) -> None:
    """A digest that skipped it would not see it change."""
    with pytest.raises(ModuleNotFoundError, match=r"mrv_assets\.(science|cog)\.gone"):
        digest_of(importing(statement))


def test_the_entry_itself_has_to_be_there() -> None:
    """A stage by a wrong name has no digest, not the digest of nothing."""
    with pytest.raises(ModuleNotFoundError, match="stages"):
        code_digest("mrv_assets.stages.s", {}.get)


def test_a_module_that_is_no_python_is_named() -> None:
    """Among fifty modules, the one to look at."""
    with pytest.raises(SyntaxError) as broken:
        digest_of(helper=b"def half(x:\n")

    assert broken.value.filename == "mrv_assets.science.a"


@pytest.mark.parametrize("statement", [b"from . import b", b"from .b import X", b"from ..science import b"])
def test_a_relative_import_is_refused(statement: bytes) -> None:
    """Which module it means is not said; none is skipped in silence."""
    with pytest.raises(ImportError, match=r"mrv_assets\.stages\.s, line 9"):
        digest_of(importing(statement))


def test_every_python_sees_the_same_syntax() -> None:
    """Whichever supported Python runs this test, its parser and its Unicode: one digest."""
    assert ast_digest(ast.parse(SYNTAX)) == SYNTAX_DIGEST


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("x = 1", "x = True"),
        ("x = 1", "x = 1.0"),
        ("x = 0.0", "x = -0.0"),
        ("x = 'a'", "x = b'a'"),
        ("x = None", "x = 'None'"),
        ("x = f'{y}'", "x = f'{y:}'"),
        ("x = f'{y:{z}}'", "x = f'{y:{z} }'"),
        ("x = f'{y}'", "x = f'{y!r}'"),
        ("x = 'é'", "x = 'e\u0301'"),
        ("x = y - z", "x = z - y"),
        ("x = y[0]", "x = y[0:]"),
        ("def f(a, b=1): ...", "def f(a, *, b=1): ..."),
        ("def f(a): ...", "async def f(a): ..."),
        ("@a\ndef f(): ...", "def f(): ..."),
        ("for a in b: c\nd", "for a in b:\n c\n d"),
    ],
)
def test_what_means_something_else_has_another_digest(one: str, other: str) -> None:
    """What is left out of a syntax tree is never what tells two apart."""
    assert ast_digest(ast.parse(one)) != ast_digest(ast.parse(other))


def test_nothing_of_ours_is_imported_unseen() -> None:
    """Where code counts no module is named by a string; the package's own ``__init__``, left out, is its version."""
    by_name = {"__import__", "import_module", "exec", "eval", "run_module", "run_path", "spec_from_file_location"}

    trees = {path: ast.parse(path.read_bytes()) for path in PACKAGE.rglob("*.py")}

    assert [
        f"{path.relative_to(PACKAGE)}, line {node.lineno}: {name}"
        for path, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Name | ast.Attribute)
        and (name := node.id if isinstance(node, ast.Name) else node.attr) in by_name
        and path.relative_to(PACKAGE).parts[0] in HASHED_FOLDERS
        # The table names the module that a stage's digest starts from.
        and path != PACKAGE / "stages" / "table.py"
    ] == []
    docstring, version = trees[PACKAGE / "__init__.py"].body
    assert ast.unparse(version) == f"__version__ = {mrv_assets.__version__!r}"
    assert ast.get_docstring(trees[PACKAGE / "__init__.py"])
    assert isinstance(docstring, ast.Expr)


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_a_row_of_the_table_moves_no_stages_digest(stage: Stage) -> None:
    """A new asset changes no audit hash of those that exist: no stage imports the table."""

    def with_another_row(module: str) -> bytes | None:
        text = source(module)
        return text and text + b"\nMORE = 1\n" if module == "mrv_assets.stages.table" else text

    assert code_digest(stage.module, with_another_row) == code_digest(stage.module, source)
