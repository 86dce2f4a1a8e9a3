"""Folders of data: published whole or not at all, and never over anything."""

import subprocess
import sys
from pathlib import Path

import pytest

from mrv_assets.lake.files import publish, staging


def test_a_folder_gets_its_name_with_all_its_content(tmp_path: Path) -> None:
    """Published data is whole, and staging leaves nothing behind."""
    with staging(tmp_path / ".staging") as folder:
        (folder / "a").mkdir()
        (folder / "a" / "b").write_bytes(b"x")
        publish(folder, tmp_path / "data" / "d1")

    assert (tmp_path / "data" / "d1" / "a" / "b").read_bytes() == b"x"
    assert list((tmp_path / ".staging").iterdir()) == []


def test_publishing_what_exists_keeps_what_exists(tmp_path: Path) -> None:
    """The name is the content's digest, so the first publication stands."""
    for content in (b"first", b"second"):
        with staging(tmp_path / ".staging") as folder:
            (folder / "x").write_bytes(content)
            publish(folder, tmp_path / "data" / "d1")

    assert (tmp_path / "data" / "d1" / "x").read_bytes() == b"first"


def test_a_failure_while_building_publishes_nothing(tmp_path: Path) -> None:
    """An exception inside staging leaves no data and no rubbish."""

    def fail_half_way() -> None:
        with staging(tmp_path / ".staging") as folder:
            (folder / "x").write_bytes(b"half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_half_way()

    assert list((tmp_path / ".staging").iterdir()) == []


def test_what_a_dead_process_left_is_swept_and_what_a_living_one_builds_is_not(tmp_path: Path) -> None:
    """kill -9 cannot clean up after itself; the next run does, and touches no one else's work."""
    root = tmp_path / ".staging"
    child = subprocess.run(
        [sys.executable, "-c", _LEAVE_BEHIND, str(root)], check=False, capture_output=True, text=True, timeout=60
    )
    assert child.returncode == -9, child.stderr
    left = set(root.iterdir())
    assert len([path for path in left if path.is_dir()]) == 1

    with staging(root) as mine, staging(root) as other:
        present = set(root.iterdir())

    assert not left & present
    assert {mine, other} <= present
    assert list(root.iterdir()) == []


_LEAVE_BEHIND = """
import os, signal, sys
from pathlib import Path
from mrv_assets.lake.files import staging
with staging(Path(sys.argv[1])) as folder:
    (folder / "half").write_bytes(b"x")
    os.kill(os.getpid(), signal.SIGKILL)
"""
