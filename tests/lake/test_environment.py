"""What a run record says of its environment: what is installed and imported, and whether somebody edited it."""

import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest

import mrv_assets
from mrv_assets.lake import environment


def test_distributions_are_those_of_what_is_imported() -> None:
    """By the names of their modules, which may not be theirs; what is installed and not imported is left out."""
    found = environment._distributions(frozenset({"numpy", "PIL", "yaml", "mrv_assets"}))

    assert found == {name: version(name) for name in ("numpy", "pillow", "pyyaml")} | (
        {"mrv-assets": version("mrv-assets")} if "mrv-assets" in found else {}
    )


def test_an_edit_of_the_package_is_another_digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of its files as they are, whatever any lock file says."""
    package = tmp_path / "mrv_assets"
    shutil.copytree(
        Path(mrv_assets.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__", "catalogue")
    )
    monkeypatch.setattr(environment, "_PACKAGE", package)
    before = environment._package_sha256.__wrapped__()
    (package / "errors.py").write_text((package / "errors.py").read_text() + "# edited\n")

    assert environment._package_sha256.__wrapped__() != before


@pytest.mark.parametrize(
    ("change", "dirty"), [(None, False), ("mrv_assets/a.py", True), ("mrv_assets/b.py", True), ("README.md", False)]
)
def test_an_edited_checkout_says_so(change: str | None, dirty: bool, tmp_path: Path) -> None:
    """A file of the package that was edited, or is new; other files compute nothing."""
    git = ("git", "-c", "user.name=a", "-c", "user.email=a@example.org")
    (tmp_path / "mrv_assets").mkdir()
    (tmp_path / "mrv_assets" / "a.py").write_text("a = 1\n")
    for command in (("init", "-q"), ("add", "."), ("commit", "-qm", "a")):
        subprocess.run([*git, *command], cwd=tmp_path, check=True)
    if change is not None:
        (tmp_path / change).write_text("b = 2\n")

    assert environment._dirty.__wrapped__(tmp_path) is dirty


def test_outside_a_checkout_nobody_can_tell(tmp_path: Path) -> None:
    """An installed package has no commit."""
    assert environment._dirty.__wrapped__(tmp_path) is None
    assert environment._commit.__wrapped__(tmp_path / ".git") is None
