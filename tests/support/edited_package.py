"""Builders of edited copies of the package, and of what a month's run by such a copy gave."""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import forked
import month_driver
from demo_lake import a_deployment
from stage_names import PRODUCT, STAGES

import mrv_assets
from mrv_assets.audit.code import Source
from mrv_assets.deployment import Deployment
from mrv_assets.stages.materialize import Materialized

Json = dict[str, Any]

PACKAGE = Path(mrv_assets.__file__).parent
ASSETS = (*(f"sentinel2/{stage}" for stage in STAGES), PRODUCT)


@dataclass(frozen=True, kw_only=True)
class Edit:
    """One edit of one file of the package."""

    file: str
    old: str = ""
    """Stands in the file exactly once; empty for what is added at its end, or is a file of its own."""
    new: str

    def of(self, text: str) -> str:
        """The file's text with the edit."""
        if not self.old:
            return text + self.new
        assert text.count(self.old) == 1, f"{self.file} has {text.count(self.old)} times, not once: {self.old!r}"
        return text.replace(self.old, self.new)

    def apply(self, package: Path) -> None:
        """Edit the file in a copy of the package."""
        path = package / self.file
        path.write_text(self.of(path.read_text() if path.exists() else ""))


def source_with(*edits: Edit) -> Source:
    """The package's modules as the code digest asks for them, edited in memory."""

    def source(module: str) -> bytes | None:
        path = PACKAGE.joinpath(*module.split(".")[1:])
        for file in (path.with_suffix(".py"), path / "__init__.py"):
            if file.is_file():
                text = file.read_text()
                for edit in edits:
                    if PACKAGE / edit.file == file:
                        text = edit.of(text)
                return text.encode()
        return None

    return source


@dataclass(frozen=True, kw_only=True)
class Ran:
    """What a run of the month gave."""

    deployment: Deployment
    hashes: dict[str, str]
    """Audit hash by asset."""
    records: dict[str, Json]
    """The record of each, as a document."""


def ran(deployment: Deployment, done: Mapping[str, Materialized]) -> Ran:
    """What a run in this process gave."""
    return Ran(
        deployment=deployment,
        hashes={asset: one.audit_hash for asset, one in done.items()},
        records={asset: one.record.document for asset, one in done.items()},
    )


def changes(before: Ran, after: Ran) -> dict[str, list[str]]:
    """The assets whose audit hash changed, upstream first, each with the fields of its record that differ."""
    assert tuple(before.hashes) == tuple(after.hashes) == ASSETS
    return {
        asset: [name for name, value in after.records[asset].items() if before.records[asset].get(name) != value]
        for asset in ASSETS
        if before.hashes[asset] != after.hashes[asset]
    }


@dataclass(frozen=True, kw_only=True)
class Workshop:
    """One place on disk where edited copies of the package run one programme's month, each on a lake of its own.

    Always the same place and one folder of compiled kernels, since numba tells its files apart by their paths: this
    is where an old kernel would be found again.
    """

    folder: Path
    program: Path
    tile: str
    month: str

    @property
    def code(self) -> Path:
        """The folder of the copy, as a clone of the repository would be."""
        return self.folder / "code"

    def copy(self, edits: Sequence[Edit] = ()) -> Path:
        """A fresh copy of the package with some edits; files that are not edited keep their times."""
        shutil.rmtree(self.code, ignore_errors=True)
        package = self.code / "mrv_assets"
        shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__", "catalogue"))
        for edit in edits:
            edit.apply(package)
        return package

    def run(self, lake: str, *, path: Sequence[Path] = ()) -> Ran:
        """The month, by the copy as it is now, in a lake that is not there yet.

        Args:
            lake: Its name.
            path: Folders that come before everything installed.
        """
        deployment = a_deployment(self.program, self.folder / "lakes" / lake)
        assert not deployment.lake_path.exists()
        done = forked.run(
            month_driver.run,
            *(str(self.program), str(deployment.lake_path), self.tile, self.month),
            *(str(folder) for folder in (self.code, *path)),
            cwd=self.folder,
            NUMBA_CACHE_DIR=str(self.folder / "kernels"),
        )
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout)
        assert Path(found["package"]).parent == self.code / "mrv_assets"
        return Ran(deployment=deployment, hashes=found["hashes"], records=found["records"])
