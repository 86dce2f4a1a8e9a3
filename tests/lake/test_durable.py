"""Writing once: whole or not at all, and never over anything."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mrv_assets.lake.files import write_once


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
