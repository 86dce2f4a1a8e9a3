"""`mrv verify --rerun` sees no cache, no `.pyc` and no patched library: numbers that they made come out DIFFERENT."""

import importlib
import importlib._bootstrap_external as bootstrap
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from block_scenes import MONTH, TILE
from demo_lake import python
from edited_package import PACKAGE
from small_month import a_small_month
from tampering import quiet

from mrv_assets.deployment import Deployment
from mrv_assets.reports.verify import answer as verify
from mrv_assets.verify.again import Done, Job
from mrv_assets.verify.environment import edited_files
from mrv_assets.verify.isolated import apart
from mrv_assets.verify.verification import Options

Json = dict[str, Any]

KERNEL = Path("mrv_assets/science/indices.py")
TRUE, FALSE = "np.float32(10000) + np.float32(0.5)", "np.float32(10000) + np.float32(100.5)"
RUN = """\
import sys
from pathlib import Path
from mrv_assets.deployment import Deployment
for _ in Deployment(program_path=Path(sys.argv[1]), lake_path=Path(sys.argv[2])).run(sys.argv[3], sys.argv[4]):
    pass
"""
SITECUSTOMIZE = """\
import importlib.abc, importlib.util, sys

class Poison(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name != "mrv_assets.stages.indices":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        load = spec.loader.exec_module

        def exec_module(module):
            load(module)
            true = module.index_block
            def false(*given):
                values, counts = true(*given)
                return (values + 100 * (values > 0)).astype(values.dtype), counts
            module.index_block = false

        spec.loader.exec_module = exec_module
        return spec

sys.meta_path.insert(0, Poison())
"""


class Place:
    """A clone of the package, a folder of compiled kernels and a programme, where somebody may change anything."""

    def __init__(self, folder: Path) -> None:
        """The clone as it should be."""
        self.folder = folder
        self.code = folder / "code"
        shutil.copytree(PACKAGE, self.code / "mrv_assets", ignore=shutil.ignore_patterns("__pycache__", "catalogue"))
        self.program = a_small_month(folder / "programme").program_path
        self.variables = {"PYTHONPATH": str(self.code), "NUMBA_CACHE_DIR": str(folder / "kernels")}

    def run(self, lake: str) -> Path:
        """The month, by what is in place now."""
        path = self.folder / lake
        done = python("-c", RUN, str(self.program), str(path), TILE, MONTH, cwd=self.folder, **self.variables)
        assert done.returncode == 0, done.stderr
        return path

    def verified(self, lake: Path) -> Json:
        """What `mrv verify --rerun` says there."""
        start = "import sys; sys.argv[0] = 'mrv'; from mrv_assets.cli.main import main; main()"
        asked = ("verify", str(lake), "--rerun", "--json")
        done = python("-c", start, *asked, cwd=self.folder, **self.variables)
        answer: Json = json.loads(done.stdout)
        assert done.returncode == (0 if answer["verified"] else 1), done.stderr
        return answer


def a_sitecustomize(place: Place) -> None:
    """Python runs it at its start, whatever program it starts."""
    (place.code / "sitecustomize.py").write_text(SITECUSTOMIZE)


def a_pyc(place: Place) -> None:
    """Beside a source that is as it should be, with its time and size."""
    source = place.code / KERNEL
    code = compile(source.read_text().replace(TRUE, FALSE), str(source), "exec")
    status = source.stat()
    compiled = source.parent / "__pycache__" / f"{source.stem}.{sys.implementation.cache_tag}.pyc"
    compiled.parent.mkdir(exist_ok=True)
    compiled.write_bytes(bootstrap._code_to_timestamp_pyc(code, int(status.st_mtime), status.st_size))


def a_kernel(place: Place) -> None:
    """The machine code of an edited kernel in place of the true one's, in numba's cache."""
    source = place.code / KERNEL
    true, status = source.read_text(), source.stat()
    kernels = place.folder / "kernels"
    source.write_text(true.replace(TRUE, FALSE))
    place.run("edited")
    [false] = kernels.glob("*/*/indices._index-*.nbc")
    data = false.read_bytes()
    shutil.rmtree(kernels)
    source.write_text(true)
    os.utime(source, ns=(status.st_atime_ns, status.st_mtime_ns))
    place.run("true")
    [cached] = kernels.glob("*/*/indices._index-*.nbc")
    cached.write_bytes(data)


@pytest.mark.parametrize("poison", [a_sitecustomize, a_pyc, a_kernel])
def test_what_is_no_source_makes_no_number(poison: Callable[[Place], None], tmp_path: Path) -> None:
    """The lake that it made is found on the same machine, while it is in place; every digest of it fits."""
    place = Place(tmp_path)
    poison(place)

    lake = place.run("poisoned")
    answer = place.verified(lake)

    assert verify(lake, Options(), again=False, progress=quiet)["verified"]
    assert answer["verdict"] == "NOT VERIFIED"
    different = {one["asset"] for one in answer["rerun"] if one["answer"] == "DIFFERENT"}
    assert different == {"sentinel2/indices", "monthly_proxies"}
    assert not any(one["other"] for one in answer["rerun"] if one["asset"] == "sentinel2/indices")


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """A month as it should be."""
    deployment = a_small_month(tmp_path_factory.mktemp("sound"))
    for _ in deployment.run(TILE, MONTH):
        pass
    return deployment


def test_apart_it_comes_out_identical(sound: Deployment) -> None:
    """And the environment of the tests is as it was installed."""
    job = Job(tile=TILE, month=MONTH, assets=("sentinel2/indices", "monthly_proxies"))

    computed, environment = apart(sound.lake_path, [job])

    assert [(one.asset, one.answer, one.other) for one in computed.compared] == [
        ("sentinel2/indices", "IDENTICAL", ()),
        ("monthly_proxies", "IDENTICAL", ()),
    ]
    assert environment == Done()


def test_a_process_that_ends_early_is_no_answer(
    sound: Deployment, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Nothing was computed again then, and it is said why."""
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho 'no such thing' >&2\nexit 7\n")
    broken.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(broken))

    answer = verify(sound.lake_path, Options(), again=True, progress=quiet, compute=apart)

    assert answer["verdict"] == "INCOMPLETE"
    assert "ended with exit code 7 (no such thing)" in answer["incomplete"][0]


def test_an_installed_file_that_was_edited_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the RECORD of its distribution; one that is gone, and one that no distribution names, too."""
    monkeypatch.syspath_prepend(str(tmp_path))
    for name, text in (("mrv_sound", "A = 1\n"), ("mrv_edited", "A = 1\n"), ("mrv_stray", "A = 1\n")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(text)
        monkeypatch.setitem(sys.modules, name, importlib.import_module(name))
    digest = "Bu289DNhZaJx5lJAJaZDnDyqMkb9B5bxFncieXB6UyU"
    for name in ("mrv_sound", "mrv_edited"):
        info = tmp_path / f"{name}-1.0.dist-info"
        info.mkdir()
        rows = [f"{name}/__init__.py,sha256={digest},6", f"{name}/gone.py,sha256={digest},6", f"{info.name}/RECORD,,"]
        (info / "RECORD").write_text("\n".join(rows if name == "mrv_edited" else [rows[0], rows[2]]) + "\n")
    (tmp_path / "mrv_edited" / "__init__.py").write_text("A = 2\n")

    found = {Path(one.object).relative_to(tmp_path).as_posix(): one for one in edited_files([tmp_path])}

    assert set(found) == {"mrv_edited/__init__.py", "mrv_edited/gone.py", "mrv_stray/__init__.py"}
    assert {one.check for one in found.values()} == {"environment_edited"}
    assert "Install mrv_edited-1.0 again" in found["mrv_edited/gone.py"].cure
