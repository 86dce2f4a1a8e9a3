"""Compiled kernels: what is kept, for which code, and where there is no place to keep it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import mrv_assets

HELPER = """\
from mrv_assets.science.jit import kernel


@kernel
def helped(x: float) -> float:
    return x + {}
"""
CALLER = """\
from mrv_assets.science.jit import kernel
from mrv_assets.science.probe_helper import helped


@kernel
def called(x: float) -> float:
    return helped(x) * 10
"""
RUN = """\
from mrv_assets.science.jit import CACHE
from mrv_assets.science.probe_caller import called
print(called(1.0), sum(called.stats.cache_hits.values()), CACHE)
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the package's kernels with a caller and its helper, in two files."""
    science = tmp_path / "project" / "mrv_assets" / "science"
    science.mkdir(parents=True)
    here = Path(mrv_assets.__file__).parent
    shutil.copy(here / "__init__.py", science.parent)
    for name in ("__init__.py", "jit.py"):
        shutil.copy(here / "science" / name, science)
    (science / "probe_helper.py").write_text(HELPER.format(1))
    (science / "probe_caller.py").write_text(CALLER)
    return science


def run(science: Path, home: Path, first: str = "", **environment: str) -> tuple[float, int, Path | None]:
    """Call the kernel in a new process: its result, how often the cache was hit, and the cache's folder."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA")}
    done = subprocess.run(
        [sys.executable, "-c", first + RUN],
        env={**variables, "PYTHONPATH": str(science.parents[1]), "HOME": str(home), **environment},
        cwd=science.parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    value, hits, folder = done.stdout.split(maxsplit=2)
    return float(value), int(hits), None if folder.strip() == "None" else Path(folder.strip())


def test_an_edited_helper_in_another_file_is_seen(project: Path, tmp_path: Path) -> None:
    """Its caller is kept for the code it was compiled from, and for no other."""
    first, hits, folder = run(project, tmp_path)
    again, hits_again, folder_again = run(project, tmp_path)
    (project / "probe_helper.py").write_text(HELPER.format(2))
    edited, _, folder_edited = run(project, tmp_path)

    assert (first, hits) == (20.0, 0)
    assert (again, hits_again) == (20.0, 1)
    assert folder == folder_again
    assert edited == 30.0
    assert folder_edited != folder
    assert folder is not None
    assert folder.is_relative_to(tmp_path)
    assert list(folder.rglob("probe_caller*.nbi"))


def test_without_a_writable_place_kernels_still_run(project: Path, tmp_path: Path) -> None:
    """A container may have no home to write to: compiling anew costs seconds, failing costs the run."""
    file = tmp_path / "file"
    file.touch()

    value, hits, folder = run(project, file / "home")

    assert (value, hits, folder) == (20.0, 0, None)
    # Nor does numba fall back on the source tree, where it would not see an edited helper.
    assert not list(project.rglob("*.nbi"))


def test_the_place_a_user_chose_is_kept_to(project: Path, tmp_path: Path) -> None:
    """NUMBA_CACHE_DIR is obeyed, whoever imported numba first, and stays as it was for everybody else."""
    chosen = tmp_path / "chosen"
    first = "import numba\n"

    value, _, folder = run(project, tmp_path, first, NUMBA_CACHE_DIR=str(chosen))

    assert value == 20.0
    assert folder is not None
    assert folder.parent == chosen
    assert list(folder.rglob("probe_caller*.nbi"))
    assert not (tmp_path / ".cache").exists()
