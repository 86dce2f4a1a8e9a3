"""The package's shape: who may import whom, who may touch files, the environment, the clock and Dagster."""

import ast
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from demo_lake import a_program

import mrv_assets

PACKAGE = Path(mrv_assets.__file__).parent

RANK = {
    # DESIGN: missions -> science, audit -> ingest, lake -> stages -> assets -> cli. A layer imports from lower
    # ranks and from itself; layers of one rank know nothing of each other.
    "errors": 0,
    "durable": 0,
    "plain": 0,
    "missions": 1,
    "science": 2,
    "audit": 2,
    "settings": 2,
    "ingest": 3,
    "parcels": 3,
    "program_yaml": 3,
    "program": 4,
    "program_file": 5,
    "lake": 4,
    "stages": 5,
    "workplace": 6,
    "proof": 7,
    "qa": 7,
    "rerun": 7,
    "drift": 7,
    "export": 7,
    "verification": 8,
    "assets": 8,
    "answers": 9,
    "explained": 9,
    "verified": 9,
    "drifted": 9,
    "simulated": 9,
    "demo": 10,
    "cli": 11,
}

# Made-up scenes know what is true only if nothing that is to find it out had a part in them.
SIMULATED_MAY_IMPORT = ("mrv_assets.missions", "mrv_assets.science", "mrv_assets.audit.canonical", "mrv_assets.errors")
MAY_IMPORT_SIMULATED = ("demo", "cli")

MAY_IMPORT_DAGSTER = ("assets", "cli")
PURE = ("science", "audit", "missions")
# Compiled kernels are kept in a folder keyed by the kernels' own source.
READS_ITS_OWN_SOURCE = "science/jit.py"

TOUCHES_THE_WORLD = {
    *("io", "os", "pathlib", "shutil", "tempfile", "glob", "socket", "ssl", "subprocess", "urllib", "http", "time"),
    *("random", "secrets", "uuid", "aiohttp", "requests", "fsspec", "rasterio", "rioxarray", "zarr", "tifffile"),
}
OPENS = {
    *("open", "read_bytes", "read_text", "write_bytes", "write_text", "read_parquet", "to_parquet", "read_file"),
    *("to_file", "to_zarr", "open_zarr", "open_dataset", "fromfile", "tofile", "memmap", "save", "savez", "unlink"),
}
ASKS_THE_CLOCK = {"now", "utcnow", "today", "monotonic", "perf_counter"}


def modules() -> Iterator[tuple[str, ast.Module]]:
    """Every module of the package: its path in the package, and its syntax tree."""
    for path in sorted(PACKAGE.rglob("*.py")):
        yield path.relative_to(PACKAGE).as_posix(), ast.parse(path.read_bytes())


def layer_of(module: str) -> str:
    """The layer of a module, by its path in the package or its dotted name."""
    name = module.removesuffix(".py").replace("/", ".").removeprefix("mrv_assets.").partition(".")[0]
    # Dagster's entry point is the list of the assets.
    return "assets" if name == "definitions" else name


def imports(tree: ast.Module) -> Iterator[str]:
    """Dotted names of everything imported, inside functions too."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=aliases):
                yield from (alias.name for alias in aliases)
            case ast.ImportFrom(level=level) if level:
                yield "a relative import"
            case ast.ImportFrom(module=str(name), names=aliases):
                # Of the package itself, what is imported is the module named after it.
                yield from (f"{name}.{alias.name}" for alias in aliases) if name == "mrv_assets" else (name,)


def violations(look: Callable[[str, ast.Module], Iterator[str]]) -> list[str]:
    """What a rule finds in each module, as ``module: what``."""
    return [f"{module}: {found}" for module, tree in modules() for found in look(module, tree)]


def test_imports_flow_one_way() -> None:
    """A layer imports only from layers below it and from itself."""

    def upward(module: str, tree: ast.Module) -> Iterator[str]:
        mine = layer_of(module)
        for name in imports(tree):
            theirs = layer_of(name)
            if name == "a relative import" or (
                name.startswith("mrv_assets.")
                and name != "mrv_assets.__version__"
                and theirs != mine
                and RANK.get(theirs, 0) >= RANK.get(mine, 99)
            ):
                yield name

    assert violations(upward) == []


def test_simulated_scenes_stand_apart() -> None:
    """What is simulated is made from grids and areas alone, and nothing that handles real scenes knows of it."""

    def mixed(module: str, tree: ast.Module) -> Iterator[str]:
        for name in imports(tree):
            if not name.startswith("mrv_assets."):
                continue
            if layer_of(module) == "simulated":
                if layer_of(name) != "simulated" and not name.startswith(SIMULATED_MAY_IMPORT):
                    yield name
            elif layer_of(name) == "simulated" and layer_of(module) not in MAY_IMPORT_SIMULATED:
                yield name

    assert violations(mixed) == []


def test_every_module_has_a_layer() -> None:
    """A new module at the top of the package takes a place in the order."""
    layers = {layer_of(module) for module, _ in modules()} - {"__init__", "__main__"}

    assert layers - set(RANK) == set()


def test_only_the_assets_know_dagster() -> None:
    """The work is done without Dagster: stages, science and lake run wherever Python runs."""

    def knows(module: str, tree: ast.Module) -> Iterator[str]:
        if layer_of(module) not in MAY_IMPORT_DAGSTER:
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
        if layer_of(module) not in PURE or module == READS_ITS_OWN_SOURCE:
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
