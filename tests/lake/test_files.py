"""Writing once: whole or not at all, and never over anything."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mrv_assets.lake.files import publish, staging, write_once


def test_the_first_writer_of_a_name_wins(tmp_path: Path) -> None:
    """A name is taken once; what stands under it is never another's."""
    path = tmp_path / "heads" / "000001.json"

    first = write_once(path, b"one")
    second = write_once(path, b"two")

    assert (first, second) == (True, False)
    assert path.read_bytes() == b"one"


def test_of_many_writers_one_wins_and_nothing_is_mixed(tmp_path: Path) -> None:
    """Twenty threads write different content under one name; exactly one succeeds, with its whole content."""
    path = tmp_path / "record.json"
    contents = [bytes([65 + i]) * 100_000 for i in range(20)]

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(lambda data: write_once(path, data), contents))

    assert won.count(True) == 1
    assert path.read_bytes() == contents[won.index(True)]
    assert [p.name for p in tmp_path.iterdir()] == ["record.json"]


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
