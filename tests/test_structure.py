"""The package's shape: who may import whom, who may touch files, the environment, the clock and Dagster."""

import ast
import json
import os
import re
import socket
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from graphlib import TopologicalSorter
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from demo_lake import a_program
from packaging.utils import canonicalize_name

import mrv_assets
from mrv_assets.audit.code import HASHED_FOLDERS

PACKAGE = Path(mrv_assets.__file__).parent

RANKS = (
    ("errors",),
    ("settings",),
    ("missions", "audit"),
    ("science",),
    ("scenes",),
    ("cog",),
    ("programme",),
    ("transport",),
    ("stac", "formats"),
    ("lake",),
    ("stages",),
    ("deployment",),
    ("verify", "review", "simulated"),
    ("export",),
    ("reports",),
    ("defs",),
    ("definitions",),
    ("demo",),
    ("cli",),
)
"""Rooms of the package, low to high. A room imports from lower ranks and from itself; rooms of one rank know nothing of
each other."""
RANK = {room: rank for rank, rooms in enumerate(RANKS) for room in rooms}
MOST_ROOMS = 24
SHORTEST_CHARTER = 200
"""Characters of what a folder's ``__init__`` says of it, at least."""

# Made-up scenes know what is true only if nothing that is to find it out had a part in them.
SIMULATED_MAY_IMPORT = ("mrv_assets.missions", "mrv_assets.science", "mrv_assets.audit.canonical", "mrv_assets.errors")
MAY_IMPORT_SIMULATED = ("demo", "cli")

MAY_IMPORT_DAGSTER = ("defs", "definitions", "cli")
PURE = ("science", "scenes", "audit", "missions")
# Compiled kernels are kept in a folder keyed by the kernels' own source.
READS_ITS_OWN_SOURCE = "science/jit.py"

TOUCHES_THE_WORLD = {
    *("io", "os", "shutil", "tempfile", "glob", "socket", "ssl", "subprocess", "urllib", "http", "time"),
    *("random", "secrets", "uuid", "aiohttp", "requests", "fsspec", "rasterio", "rioxarray", "zarr", "tifffile"),
}
OPENS = {
    *("open", "read_bytes", "read_text", "write_bytes", "write_text", "read_parquet", "to_parquet", "read_file"),
    *("to_file", "to_zarr", "open_zarr", "open_dataset", "fromfile", "tofile", "memmap", "save", "savez", "unlink"),
    # A path is a value until somebody looks what lies there.
    *("exists", "is_file", "is_dir", "stat", "lstat", "resolve", "iterdir", "glob", "rglob", "mkdir", "cwd", "home"),
}
ASKS_THE_CLOCK = {"now", "utcnow", "today", "monotonic", "perf_counter"}


def modules() -> Iterator[tuple[str, ast.Module]]:
    """Every module of the package: its path in the package, and its syntax tree."""
    for path in sorted(PACKAGE.rglob("*.py")):
        yield path.relative_to(PACKAGE).as_posix(), ast.parse(path.read_bytes())


def room_of(module: str) -> str:
    """The room of a module, by its path in the package or its dotted name: a folder, or a file beside the folders."""
    return module.removesuffix(".py").replace("/", ".").removeprefix("mrv_assets.").partition(".")[0]


def imports(tree: ast.Module) -> Iterator[str]:
    """Dotted names of everything imported, inside functions too."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=aliases):
                yield from (alias.name for alias in aliases)
            case ast.ImportFrom(level=level) if level:
                yield "a relative import"
            case ast.ImportFrom(module=str(name), names=aliases):
                # An imported name may be a module of the package it is imported from.
                yield from (f"{name}.{alias.name}" for alias in aliases)
                if name != "mrv_assets":
                    yield name


def violations(look: Callable[[str, ast.Module], Iterator[str]]) -> list[str]:
    """What a rule finds in each module, as ``module: what``."""
    return [f"{module}: {found}" for module, tree in modules() for found in look(module, tree)]


def test_imports_flow_one_way() -> None:
    """A room imports only from rooms of lower ranks and from itself."""

    def upward(module: str, tree: ast.Module) -> Iterator[str]:
        mine = room_of(module)
        for name in imports(tree):
            theirs = room_of(name)
            if name == "a relative import" or (
                name.startswith("mrv_assets.")
                and name != "mrv_assets.__version__"
                and theirs != mine
                and RANK.get(theirs, 99) >= RANK.get(mine, 99)
            ):
                yield name

    assert violations(upward) == []


def test_no_files_import_each_other_in_a_circle() -> None:
    """Within a folder too, and through imports inside functions and for types alone."""
    known = {f"mrv_assets.{module.removesuffix('.py').replace('/', '.')}": tree for module, tree in modules()}
    arrows = {name: {found for found in imports(tree) if found in known} for name, tree in known.items()}

    # Raises CycleError, which names the files of a circle.
    order = list(TopologicalSorter(arrows).static_order())

    assert len(order) == len(known)


def test_there_are_few_rooms() -> None:
    """A newcomer can hold the whole house in mind: every file at the top has a rank, and there are not many."""
    rooms = {room_of(module) for module, _ in modules()} - {"__init__"}

    assert rooms == set(RANK)
    assert len(rooms) <= MOST_ROOMS


@pytest.mark.parametrize("folder", sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py")))
def test_a_folder_says_what_belongs_there(folder: str) -> None:
    """Its charter: what belongs there, what does not, and who may import it."""
    stated = ast.get_docstring(ast.parse((PACKAGE / folder / "__init__.py").read_bytes())) or ""
    charter = " ".join(stated.split())

    assert len(charter) >= SHORTEST_CHARTER
    assert "Belongs here" in charter
    assert "Does not belong here" in charter
    assert re.search(r"\bimports?\b", charter, re.IGNORECASE)
    assert ("Part of the code digests." in charter) == (folder in HASHED_FOLDERS)
    assert ("No code digest covers it." in charter) == (folder not in HASHED_FOLDERS)


def test_simulated_scenes_stand_apart() -> None:
    """What is simulated is made from grids and areas alone, and nothing that handles real scenes knows of it."""

    def mixed(module: str, tree: ast.Module) -> Iterator[str]:
        for name in imports(tree):
            if not name.startswith("mrv_assets."):
                continue
            if room_of(module) == "simulated":
                if room_of(name) != "simulated" and not name.startswith(SIMULATED_MAY_IMPORT):
                    yield name
            elif room_of(name) == "simulated" and room_of(module) not in MAY_IMPORT_SIMULATED:
                yield name

    assert violations(mixed) == []


def test_only_the_definitions_know_dagster() -> None:
    """The work is done without Dagster: stages, science and lake run wherever Python runs."""

    def knows(module: str, tree: ast.Module) -> Iterator[str]:
        if room_of(module) not in MAY_IMPORT_DAGSTER:
            yield from (name for name in imports(tree) if name.partition(".")[0].startswith("dagster"))

    assert violations(knows) == []


def test_only_settings_reads_the_environment() -> None:
    """Where things live is deployment, and one module knows it; telling a child process of it is no reading."""

    def reads(module: str, tree: ast.Module) -> Iterator[str]:
        if module in ("settings.py", READS_ITS_OWN_SOURCE):
            return
        written = {id(target) for target in _environment_written(tree)}
        for node in ast.walk(tree):
            match node:
                case ast.Attribute(value=ast.Name(id="os"), attr="environ" | "environb" | "getenv" | "getenvb"):
                    if id(node) not in written:
                        yield f"os.{node.attr}, line {node.lineno}"
                case ast.ImportFrom(module="os", names=aliases):
                    yield from (f"from os import {a.name}" for a in aliases if a.name.startswith(("environ", "getenv")))

    assert violations(reads) == []


def _environment_written(tree: ast.Module) -> Iterator[ast.expr]:
    """The ``os.environ`` of ``os.environ[name] = value`` and ``os.environ.update(...)``."""
    for node in ast.walk(tree):
        match node:
            case ast.Subscript(value=value, ctx=ast.Store()):
                yield value
            case ast.Call(func=ast.Attribute(value=value, attr="update")):
                yield value


def test_science_and_audit_touch_nothing() -> None:
    """Data in, new data out: no file, no network, no clock, no chance."""

    def touches(module: str, tree: ast.Module) -> Iterator[str]:
        if room_of(module) not in PURE or module == READS_ITS_OWN_SOURCE:
            return
        yield from (f"imports {name}" for name in imports(tree) if name.partition(".")[0] in TOUCHES_THE_WORLD)
        yield from (f"imports {name}" for name in imports(tree) if name.startswith("numpy.random"))
        for node in ast.walk(tree):
            match node:
                case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)) if name in OPENS | ASKS_THE_CLOCK:
                    yield f"calls {name}, line {node.lineno}"

    assert violations(touches) == []


def test_packages_export_nothing_again() -> None:
    """A name has one place: an ``__init__`` that imports would make every stage's code digest the whole package's."""

    def exports(module: str, tree: ast.Module) -> Iterator[str]:
        if module.endswith("__init__.py"):
            yield from (name for name in imports(tree) if name.startswith("mrv_assets"))

    assert violations(exports) == []


# Started as programs, or the use comes with the cluster; nothing imports them.
NOT_IMPORTED = {"dagster-webserver", "dagster-dask"}


def test_what_is_imported_is_declared_and_nothing_else() -> None:
    """A package that comes in only with another may go with it; one that nothing imports is somebody else's risk."""
    stated = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text())["project"]["dependencies"]
    declared = {canonicalize_name(re.split(r"[\[<>=]", requirement)[0]) for requirement in stated}
    names = {name.partition(".")[0] for _, tree in modules() for name in imports(tree)} - {"mrv_assets"}
    providers = packages_distributions()
    used = [
        {canonicalize_name(distribution) for distribution in providers.get(name, [name])}
        for name in names - sys.stdlib_module_names
    ]

    # A namespace, such as pystac's, may come from several distributions; dask[distributed] states both.
    assert [sorted(found) for found in used if not found & {*declared, "distributed"}] == []
    assert declared - {name for found in used for name in found} == NOT_IMPORTED


def test_annotations_are_not_postponed() -> None:
    """Dagster reads the annotations of its functions; strings would tell it nothing."""
    assert violations(lambda _, tree: (name for name in imports(tree) if name == "__future__")) == []


def test_definitions_load_without_the_numerical_stack_and_read_only_the_programme(tmp_path: Path) -> None:
    """Loading costs no numba, xarray or geopandas, and needs neither parcels, catalogue nor lake."""
    program = a_program(tmp_path / "programme", catalog="not-there")
    (program.parent / "parcels.geojson").unlink()
    code = "import json, sys, mrv_assets.definitions as d; print(json.dumps([len(list(d.defs.assets)), *sys.modules]))"

    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "MRV_PROGRAM": str(program)},
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )

    assert done.returncode == 0, done.stderr
    count, *loaded = json.loads(done.stdout)
    assert count == 6
    assert {"numba", "xarray", "geopandas"} & set(loaded) == set()
    assert not (program.parent / "lake").exists()


@pytest.mark.parametrize("connect", ["connect", "connect_ex"])
def test_tests_reach_only_this_machine(connect: str) -> None:
    """A test that reaches for the network fails with the address it reached for."""
    with socket.socket() as client, pytest.raises(AssertionError, match=r"192\.0\.2\.1:443"):
        getattr(client, connect)(("192.0.2.1", 443))
