"""Reads that outlive their process."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from servers import Fault, RangeServer, TokenSigner, made_content

from mrv_assets.errors import ObjectReadError
from mrv_assets.transport.read_cache import ReadCache
from mrv_assets.transport.store import ByteRange, DiskTransport

DATA = made_content("object-300000")
OTHER = made_content("another-300000")
RANGES = [ByteRange(100_000, 50_000), ByteRange(20_000, 0), ByteRange(30_000, 10), ByteRange(110_000, 5)]
WANTED = [DATA[100_000:150_000], b"", DATA[30_000:30_010], DATA[110_000:110_005]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where reads are kept; not there yet."""
    return tmp_path / "unfinished" / "partition"


def kept_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_a_read_that_is_kept_is_not_asked_for_again(server: RangeServer, opened: Any, folder: Path) -> None:
    """By another process, or by this one: only the version is asked for."""
    url = server.put("a", DATA)

    first = ReadCache(opened(), folder).read(url, RANGES)
    requests = len(server.log)
    second = ReadCache(opened(), folder).read(url, RANGES)

    assert first == second == WANTED
    assert server.asked("a")[requests:] == ["bytes=0-16383"]


def test_another_read_of_the_object_is_another(server: RangeServer, opened: Any, folder: Path) -> None:
    """Other ranges, another order, another object."""
    url, same = server.put("a", DATA), server.put("b", DATA)
    transport = ReadCache(opened(), folder)

    reads = [
        transport.read(url, RANGES),
        transport.read(url, RANGES[::-1]),
        transport.read(url, RANGES[:1]),
        transport.read(same, RANGES),
    ]

    assert reads == [WANTED, WANTED[::-1], WANTED[:1], WANTED]
    assert len(kept_files(folder)) == 4


def test_a_new_version_is_read_anew(server: RangeServer, opened: Any, folder: Path) -> None:
    """What is kept is of the version that its ETag names."""
    url = server.put("a", DATA)
    ReadCache(opened(), folder).read(url, RANGES)
    server.put("a", OTHER)

    assert ReadCache(opened(), folder).read(url, RANGES[:1]) == [OTHER[100_000:150_000]]
    assert ReadCache(opened(), folder).read(url, RANGES)[0] == OTHER[100_000:150_000]


@pytest.mark.parametrize("etag", [None, 'W/"weak"'])
def test_without_a_strong_etag_nothing_is_kept(
    server: RangeServer, opened: Any, folder: Path, etag: str | None
) -> None:
    """Nothing would tell whether it still is what is there."""
    url = server.put("a", DATA, etag=etag)
    transport = ReadCache(opened(), folder)

    assert transport.read(url, RANGES) == WANTED
    assert transport.digest(url, "md5") == hashlib.md5(DATA).hexdigest()
    assert not kept_files(folder)


def test_a_signature_changes_nothing(server: RangeServer, opened: Any, folder: Path) -> None:
    """The object is the same under every token that we put behind its link."""
    url = server.put("a", DATA)
    ReadCache(opened(signer=TokenSigner(tokens=["t1"])), folder).read(url, RANGES)
    requests = len(server.log)

    again = ReadCache(opened(signer=TokenSigner(tokens=["t2"])), folder).read(url, RANGES)

    assert again == WANTED
    assert len(server.log) == requests + 1


def test_a_query_may_be_what_names_an_object(server: RangeServer, opened: Any, folder: Path) -> None:
    """Two bands behind one path, of one size and with one ETag: each gets its own bytes, and its own digest."""
    red = server.put("download?band=red", DATA, etag='"scene-1"')
    nir = server.put("download?band=nir", OTHER, etag='"scene-1"')
    transport = ReadCache(opened(), folder)

    reads = [transport.read(url, RANGES[:1]) for url in (red, nir)]
    digests = [transport.digest(url, "md5") for url in (red, nir)]

    assert reads == [WANTED[:1], [OTHER[100_000:150_000]]]
    assert digests == [hashlib.md5(data).hexdigest() for data in (DATA, OTHER)]


@pytest.mark.parametrize("damage", ["empty", "short", "long", "flipped", "flipped digest"])
def test_a_damaged_file_is_dropped(server: RangeServer, opened: Any, folder: Path, damage: str) -> None:
    """Torn by a crash or a bad disk: it is read again, and kept again."""
    url = server.put("a", DATA)
    ReadCache(opened(), folder).read(url, RANGES)
    [file] = kept_files(folder)
    good = file.read_bytes()
    file.write_bytes(
        {
            "empty": b"",
            "short": good[:-1],
            "long": good + b"\0",
            "flipped": good[:-1] + bytes([good[-1] ^ 1]),
            "flipped digest": bytes([good[0] ^ 1]) + good[1:],
        }[damage]
    )

    assert ReadCache(opened(), folder).read(url, RANGES) == WANTED
    assert [path.read_bytes() for path in kept_files(folder)] == [good]


def test_a_read_that_fails_keeps_nothing(server: RangeServer, opened: Any, folder: Path) -> None:
    """Half of what was asked for is not it."""
    url = server.put("a", DATA)
    server.fail("a", "none", *[Fault(kind="broken")] * 20)

    with pytest.raises(ObjectReadError):
        ReadCache(opened(), folder).read(url, RANGES)

    assert not kept_files(folder)


def test_what_a_stat_brings_along_is_not_kept(server: RangeServer, opened: Any, folder: Path) -> None:
    """The next process asks for the version anyway, and gets the header with it."""
    url = server.put("a", DATA)

    header = ReadCache(opened(), folder).read(url, [ByteRange(0, 16_384)])

    assert header == [DATA[:16_384]]
    assert not kept_files(folder)


def test_a_digest_is_kept_too(server: RangeServer, opened: Any, folder: Path) -> None:
    """Whole objects are long; each function is kept for itself."""
    url = server.put("a", DATA)
    first = [ReadCache(opened(), folder).digest(url, name) for name in ("sha256", "md5")]
    requests = len(server.log)

    second = [ReadCache(opened(), folder).digest(url, name) for name in ("sha256", "md5")]

    assert first == second == [hashlib.sha256(DATA).hexdigest(), hashlib.md5(DATA).hexdigest()]
    assert server.asked("a")[requests:] == ["bytes=0-16383"] * 2


def test_a_digest_is_kept_with_what_was_cut_out_of_it(server: RangeServer, opened: Any, folder: Path) -> None:
    """The same ranges again ask for nothing; others are another reading."""
    url, ranges = server.put("a", DATA), [ByteRange(20_000, 5), ByteRange(0, 3)]
    first = ReadCache(opened(), folder).read_digested(url, "sha256", ranges)
    requests = len(server.log)

    second = ReadCache(opened(), folder).read_digested(url, "sha256", ranges)
    asked = server.asked("a")[requests:]
    others = ReadCache(opened(), folder).read_digested(url, "sha256", [ByteRange(20_000, 5), ByteRange(0, 4)])

    assert first == second == (hashlib.sha256(DATA).hexdigest(), [DATA[20_000:20_005], DATA[:3]])
    assert asked == ["bytes=0-16383"]
    assert others == (first[0], [DATA[20_000:20_005], DATA[:4]])


def test_what_is_forgotten_is_read_again(server: RangeServer, opened: Any, folder: Path) -> None:
    """Once the partition is in the lake its reads only take up room."""
    url = server.put("a", DATA)
    transport = ReadCache(opened(), folder)
    transport.read(url, RANGES)
    (folder / ".torn.tmp").write_bytes(b"left by a killed process")

    transport.forget()
    transport.forget()

    assert not folder.exists()
    assert transport.read(url, RANGES) == WANTED
    assert len(kept_files(folder)) == 1


def test_many_threads_keep_one_read(server: RangeServer, opened: Any, folder: Path) -> None:
    """Whoever comes first keeps it; all get the bytes."""
    url, transport = server.put("a", DATA), ReadCache(opened(), folder)

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: transport.read(url, RANGES), range(16)))

    assert found == [WANTED] * 16
    assert len(kept_files(folder)) == 1


def test_files_on_disk_are_not_kept(tmp_path: Path, folder: Path) -> None:
    """They are there already, and have no version."""
    (tmp_path / "a.tif").write_bytes(DATA)

    assert ReadCache(DiskTransport(tmp_path), folder).read("a.tif", RANGES) == WANTED
    assert not kept_files(folder)
