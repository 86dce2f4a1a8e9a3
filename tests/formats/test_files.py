"""Files of a folder of data: regular ones inside it, of a limited size; a change ends what is remembered of them."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from mrv_assets.errors import DamagedLake
from mrv_assets.formats.files import Newest, digest_of, file_bytes, opened_file


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder of data with a file in a folder, and a secret outside."""
    folder = tmp_path / "data"
    (folder / "inner").mkdir(parents=True)
    (folder / "inner" / "a").write_bytes(b"ten bytes!")
    (tmp_path / "secret").write_bytes(b"secret")
    return folder


def pipe(path: Path) -> None:
    """A pipe that nobody writes to."""
    os.mkfifo(path)


@pytest.mark.parametrize(
    ("name", "make", "reason"),
    [
        ("../secret", None, "outside its folder"),
        ("inner/../../secret", None, "outside its folder"),
        ("/etc/hostname", None, "outside its folder"),
        ("", None, "outside its folder"),
        ("inner//a", None, "outside its folder"),
        ("no\0name", None, "null"),
        ("absent", None, "No such file"),
        ("inner", None, "not a file"),
        ("pipe", pipe, "not a file"),
        ("link", lambda path: path.symlink_to(path.parents[1] / "secret"), "symbolic links"),
        ("folder/secret", lambda path: path.parent.symlink_to(path.parents[2]), "on the way to it is a link"),
    ],
)
def test_nothing_else_is_opened(name: str, make: Callable[[Path], object] | None, reason: str, data: Path) -> None:
    """Nothing outside, no link, no pipe that would wait for ever."""
    if make is not None:
        make(data / name)

    with pytest.raises(DamagedLake, match=reason):
        file_bytes(data, name, 100)


def test_a_file_has_to_be_of_the_expected_size(data: Path) -> None:
    """Ten bytes where nine are the most."""
    assert file_bytes(data, "inner/a", 10)[0] == b"ten bytes!"
    with pytest.raises(DamagedLake, match="it has 10 bytes, and at most 9 are expected"):
        file_bytes(data, "inner/a", 9)


def test_a_digest_is_remembered_until_the_file_changes(data: Path) -> None:
    """Also where size and time are set back to what they were."""
    path = data / "inner" / "a"

    def digest() -> str:
        with opened_file(data, "inner/a", 100) as (file, identity):
            return digest_of(file, identity)

    first, before = digest(), path.stat()
    assert digest() == first == hashlib.sha256(b"ten bytes!").hexdigest()
    path.write_bytes(b"TEN BYTES!")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert digest() == hashlib.sha256(b"TEN BYTES!").hexdigest()


def test_the_newest_are_remembered() -> None:
    """As many as are to be kept."""
    known: Newest[int] = Newest(2)
    for number in range(3):
        known.set(number, number * 10)

    assert [known.get(number) for number in range(3)] == [None, 10, 20]
