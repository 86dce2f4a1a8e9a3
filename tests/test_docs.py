"""The documents say what is so: their commands are run, their tables and lists compared with the code."""

import os
import re
import sys
from pathlib import Path

import click
import numpy as np
import pyarrow.parquet as pq
import pytest
from demo_lake import REPOSITORY, TILE, Demo
from doc_blocks import Command, blocks, differences, run, section
from PIL import Image

from mrv_assets.audit.record import Partition
from mrv_assets.cli.main import verbs
from mrv_assets.formats.table import column_meaning
from mrv_assets.settings import DEMO_PROGRAM
from mrv_assets.stages.table import PRODUCT

PACKAGE = DEMO_PROGRAM.parents[1]
README = (REPOSITORY / "README.md").read_text()
CLI = (REPOSITORY / "docs" / "cli.md").read_text()
AUDIT = (REPOSITORY / "docs" / "audit.md").read_text()
EXPORT = (REPOSITORY / "docs" / "export.md").read_text()
LAKE = (REPOSITORY / "docs" / "lake.md").read_text()
ARCHITECTURE = (REPOSITORY / "docs" / "architecture.md").read_text()


def a_clone(folder: Path, **links: Path) -> Path:
    """A folder that looks like a fresh clone after `make demo`: package and environment, and nothing else."""
    folder.mkdir()
    for name, target in {"mrv_assets": PACKAGE, ".venv": Path(sys.prefix), **links}.items():
        (folder / name).symlink_to(target)
    return folder


def assert_page_runs(text: str, folder: Path, scratch: Path) -> None:
    """Every command of the text prints what the text says."""
    steps = blocks(text)
    scratch.mkdir()

    printed = run(steps, folder, scratch, os.environ)

    commands = [step for step in steps if isinstance(step, Command)]
    for command, output in zip(commands, printed, strict=True):
        differs = differences(command.output, output)
        assert not differs, f"$ {command.line}\n{differs}"


def test_a_reader_of_the_readme_gets_what_it_shows(tmp_path: Path) -> None:
    """The section "Your own programme" is worked down in a fresh folder: its files written, its commands run."""
    clone = a_clone(tmp_path / "clone")

    assert_page_runs(section(README, "Your own programme"), clone, tmp_path / "scratch")

    lake = clone / "my-programme" / "lake"
    months = sorted(path.name for path in (lake / PRODUCT / TILE).iterdir())
    assert months == ["2018-05", "2018-06", "2018-07"]


def test_the_readme_shows_the_demo_as_it_is(demo: Demo) -> None:
    """What the README prints under `make demo` is what the demo prints, where it is not left out."""
    [command] = [step for step in blocks(section(README, "Try it")) if isinstance(step, Command)]

    differs = differences(command.output, demo.progress + demo.page)

    assert command.line == "make demo"
    assert not differs, differs


@pytest.mark.parametrize("month", ["2018-10", "2018-11"])
@pytest.mark.parametrize(("picture", "asset"), [("coverage", "sentinel2/gated_tiles"), ("ndvi", PRODUCT)])
def test_the_pictures_are_the_demos_own(demo: Demo, picture: str, asset: str, month: str) -> None:
    """A picture in the README has the pixels of the preview in the demo's lake; copy that one when it changed."""
    shown = REPOSITORY / "docs" / "img" / f"{picture}-{month}.png"
    preview = demo.lake.current(Partition(asset, TILE, month)).data / "preview.png"

    assert f"](docs/img/{shown.name})" in README
    np.testing.assert_array_equal(np.asarray(Image.open(shown)), np.asarray(Image.open(preview)))


def test_shown_pixels_are_attributed() -> None:
    """The licence of the pixels asks for the notice wherever they are shown."""
    after_pictures = README.split("](docs/img/ndvi-2018-11.png)")[1]

    assert after_pictures.partition("## ")[0].count("Contains modified Copernicus Sentinel data 2018.") == 1


def test_links_between_the_documents_lead_somewhere() -> None:
    """A relative link in a document is a file of the repository."""
    pages = [*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").rglob("*.md")]

    broken = [
        f"{page.relative_to(REPOSITORY)}: {link}"
        for page in pages
        for link in re.findall(r"\]\(([^)#\s]+)\)", page.read_text())
        if "://" not in link and not (page.parent / link).exists()
    ]

    assert not broken


def test_the_architecture_page_names_every_room_and_no_other() -> None:
    """A line for each, in the order of their ranks, so that it can be read from the bottom up."""
    rooms = [path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()]

    named = re.findall(r"^\| `(\w+)(?:/|\.py)` \|", ARCHITECTURE, re.MULTILINE)
    assert sorted(named) == sorted(set(rooms) - {"__init__"})


@pytest.mark.parametrize("verb", sorted(verbs.commands))
def test_the_cli_page_has_every_verb_and_option(verb: str) -> None:
    """A verb has a section of its own, which names each of its options and arguments."""
    text = section(CLI, f"mrv {verb}")

    command = verbs.commands[verb]
    leaves = command.commands.values() if isinstance(command, click.Group) else [command]
    names = [name for leaf in leaves for parameter in leaf.params for name in _names(parameter)]

    assert [name for name in names if f"`{name}" not in text] == []
    assert set(re.findall(r"`(--[a-z-]+)", text)) <= set(names)


def _names(parameter: click.Parameter) -> list[str]:
    return [parameter.make_metavar(click.Context(verbs))] if isinstance(parameter, click.Argument) else parameter.opts


def test_the_cli_page_has_every_variable() -> None:
    """Each variable that the settings read has its row in the table, and the table has no other."""
    read = set(re.findall(r'"((?:MRV|DAGSTER)_[A-Z_]+)"', (PACKAGE / "settings.py").read_text()))
    named = set(re.findall(r"^\| `([A-Z_]+)` \|", section(CLI, "Environment variables"), re.MULTILINE))

    assert named == read


def test_the_lake_page_runs(demo: Demo, tmp_path: Path) -> None:
    """The commands of the page about the lake print what it shows, on the demo's lake."""
    clone = a_clone(tmp_path / "clone", **{"mrv-demo": demo.folder})

    assert_page_runs(LAKE, clone, tmp_path / "scratch")


def test_the_audit_page_runs(demo: Demo, tmp_path: Path) -> None:
    """So do those of the page about audit hashes; the script is the one beside the page."""
    clone = a_clone(tmp_path / "clone", **{"mrv-demo": demo.folder, "docs": REPOSITORY / "docs"})

    assert_page_runs(AUDIT, clone, tmp_path / "scratch")


def test_the_export_page_runs(demo: Demo, tmp_path: Path) -> None:
    """So do those of the page about exports; its scripts read what was exported with other people's software."""
    clone = a_clone(tmp_path / "clone", **{"mrv-demo": demo.folder})

    assert_page_runs(EXPORT, clone, tmp_path / "scratch")


def test_the_lake_page_has_every_column_of_the_table(demo: Demo) -> None:
    """Column, type, unit and meaning stand in the page as they stand in the file's own metadata, in its order."""
    table = demo.lake.current(Partition(PRODUCT, TILE, "2018-07")).data / "parcels.parquet"
    columns = [field for field in pq.read_schema(table) if field.name != "geometry"]

    rows = [
        f"| `{field.name}` | {field.type} | {unit or '-'} | {source} |"
        for field in columns
        for _, unit, source in [column_meaning(field.name)]
    ]

    assert "\n".join(rows) in LAKE
    for field in columns:
        _, unit, source = column_meaning(field.name)
        assert field.metadata == {b"unit": unit.encode(), b"source": source.encode()}


@pytest.mark.parametrize(
    ("page", "printed", "same"),
    [
        ("done in 0.4 s\n", "done in 12.9 s\n", True),
        ("hash <audit hash>\n", f"hash {'0a' * 32}\n", True),
        ("a\n...\nz\n", "a\nb\nc\nz\n", True),
        ("- ... - done\n", "- 4711 - done\n", True),
        ("NDVI 0.8326\n", "NDVI 0.8327\n", False),
        ("a\nz\n", "a\nb\nz\n", False),
        ("a\n", "a\nz\n", False),
    ],
)
def test_a_page_is_compared_strictly_but_for_what_changes_from_run_to_run(page: str, printed: str, same: bool) -> None:
    """Times, digests and what the page leaves out may differ; a digit or a line may not."""
    assert (differences(page, printed) == "") == same
