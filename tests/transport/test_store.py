"""Reading files of a catalogue on disk, and only those."""

import hashlib
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest

from mrv_assets.errors import HrefRefused, ObjectChanged, ObjectReadError
from mrv_assets.transport.store import ByteRange, DiskTransport, of_one_version


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A catalogue's folder with one file in it, and a secret beside it."""
    folder = tmp_path / "catalogue"
    (folder / "scene").mkdir(parents=True)
    (folder / "scene" / "red.tif").write_bytes(bytes(range(100)))
    (tmp_path / "secret.tif").write_bytes(b"secret")
    return folder


@pytest.mark.parametrize(
    "spelled",
    [
        "scene/red.tif",
        "./scene/red.tif",
        "scene/../scene/red.tif",
        "{root}/scene/red.tif",
        "file://{root}/scene/red.tif",
    ],
)
def test_a_file_beneath_the_root_is_read_however_it_is_spelled(root: Path, spelled: str) -> None:
    """Relative, absolute and file: links to it all mean the same file."""
    transport, href = DiskTransport(root), spelled.format(root=root)

    parts = transport.read(href, [ByteRange(90, 10), ByteRange(0, 2), ByteRange(5, 0)])

    assert parts == [bytes(range(90, 100)), b"\0\1", b""]
    assert transport.stat(href).size == 100
    assert transport.stat(href).etag is None


@pytest.mark.parametrize(
    "href",
    [
        "../secret.tif",
        "scene/../../secret.tif",
        "{outside}/secret.tif",
        "/etc/passwd",
        "file:///etc/passwd",
        "file://{outside}/secret.tif",
        "file://{root}/%2e%2e/secret.tif",
        "%2e%2e/secret.tif",
        "file://elsewhere{root}/scene/red.tif",
        "link.tif",
        "folder/secret.tif",
        "circle.tif",
        "scene/red.tif\0",
        "",
        "/vsicurl/https://example.com/red.tif",
        "/vsizip/{root}/scene/red.tif",
        "https://example.com/red.tif",
        "s3://bucket/red.tif",
        "{root}-beside/red.tif",
    ],
)
def test_nothing_else_is_reached(root: Path, href: str) -> None:
    """Neither above the root nor through links, archives or the network; and nothing is learnt about it."""
    (root / "link.tif").symlink_to(root.parent / "secret.tif")
    (root / "folder").symlink_to(root.parent)
    (root / "circle.tif").symlink_to(root / "circle.tif")
    transport, link = DiskTransport(root), href.format(root=root, outside=root.parent)

    with pytest.raises(HrefRefused):
        transport.stat(link)
    with pytest.raises(HrefRefused):
        transport.read(link, [ByteRange(0, 1)])


def test_a_link_within_the_root_is_followed(root: Path) -> None:
    """What counts is where the file lies, not how one gets there."""
    (root / "alias.tif").symlink_to(root / "scene" / "red.tif")

    assert DiskTransport(root).stat("alias.tif").size == 100


def test_a_percent_sign_may_be_a_name_or_an_escape(root: Path) -> None:
    """Links are URIs, but most writers put the plain file name: the file that is there is meant."""
    (root / "10%25.tif").write_bytes(b"plain")
    (root / "a b.tif").write_bytes(b"escaped")

    read = [DiskTransport(root).read(href, [ByteRange(0, 5)])[0] for href in ("10%25.tif", "a%20b.tif")]

    assert read == [b"plain", b"escap"]


@pytest.mark.parametrize("name", ["a%20b", "10%25", "a b", "a%2fb"])
@pytest.mark.parametrize("write", [str, quote], ids=["plain", "escaped"])
@pytest.mark.parametrize("prefix", ["", "file://"])
def test_a_percent_sign_may_be_part_of_a_folder(
    name: str, write: Callable[[str], str], prefix: str, tmp_path: Path
) -> None:
    """Above the catalogue or its own, in absolute links as they are or escaped; outside of it nothing is read."""
    root = tmp_path / name / "catalogue"
    (root / name).mkdir(parents=True)
    (root / name / "red.tif").write_bytes(b"bytes")
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b").write_bytes(b"outside")
    disk = DiskTransport(root)

    assert disk.stat(prefix + write(str(root / name / "red.tif"))).size == 5
    with pytest.raises(HrefRefused, match="leads out"):
        disk.stat(prefix + write(str(tmp_path / "a" / "b")))


def test_queries_are_not_shown_in_errors(root: Path) -> None:
    """A signature never reaches a log."""
    with pytest.raises(HrefRefused) as refusal:
        DiskTransport(root).stat("https://example.com/red.tif?sig=secret")

    assert "secret" not in str(refusal.value)


@pytest.mark.parametrize("part", [ByteRange(90, 11), ByteRange(101, 1), ByteRange(0, 1 << 62)])
def test_a_short_read_is_an_error(root: Path, part: ByteRange) -> None:
    """Fewer bytes than asked are never handed on, and a claimed length allocates nothing."""
    with pytest.raises(ObjectReadError, match="ends at byte 100"):
        DiskTransport(root).read("scene/red.tif", [part])


@pytest.mark.parametrize(("href", "reason"), [("scene/blue.tif", "No such file"), ("scene", "regular file")])
def test_a_missing_file_or_a_folder_is_an_error(root: Path, href: str, reason: str) -> None:
    """With the file's name and what to do."""
    with pytest.raises(ObjectReadError, match=rf"{href}: .*{reason}.*run the partition again"):
        DiskTransport(root).read(href, [ByteRange(0, 1)])
    with pytest.raises(ObjectReadError, match=reason):
        DiskTransport(root).stat(href)


def test_a_pipe_is_not_waited_for(root: Path) -> None:
    """Opening a pipe for reading blocks until someone writes."""
    os.mkfifo(root / "pipe.tif")

    with pytest.raises(ObjectReadError, match="regular"):
        DiskTransport(root).read("pipe.tif", [ByteRange(0, 1)])


@pytest.mark.parametrize("algorithm", ["sha256", "sha512", "sha3_256", "md5"])
def test_a_digest_is_of_the_whole_file(root: Path, algorithm: str) -> None:
    """Longer than one step, and under the same rules as reading."""
    data = bytes(range(256)) * 10_000
    (root / "long.tif").write_bytes(data)
    transport = DiskTransport(root)

    assert transport.digest("long.tif", algorithm) == hashlib.new(algorithm, data).hexdigest()
    assert transport.digest("scene/red.tif", algorithm) == hashlib.new(algorithm, bytes(range(100))).hexdigest()
    with pytest.raises(HrefRefused):
        transport.digest("../secret.tif", algorithm)
    with pytest.raises(ObjectReadError, match="No such file"):
        transport.digest("gone.tif", algorithm)


def test_ranges_are_cut_out_of_what_is_digested(root: Path) -> None:
    """Across steps, overlapping and in any order; none may end behind the file."""
    data = bytes(range(256)) * 10_000
    (root / "long.tif").write_bytes(data)
    asked = [ByteRange(2_559_999, 1), ByteRange(1_000_000, 100_000), ByteRange(0, 1_048_577), ByteRange(5, 0)]

    digest, parts = DiskTransport(root).read_digested("long.tif", "sha256", asked)

    assert digest == hashlib.sha256(data).hexdigest()
    assert parts == [data[part.offset : part.offset + part.length] for part in asked]
    with pytest.raises(ObjectReadError, match="ends at byte 2560000"):
        DiskTransport(root).read_digested("long.tif", "sha256", [ByteRange(2_559_999, 2)])


def test_only_what_publishers_state_is_digested(root: Path) -> None:
    """A function that nobody checks against is a slip."""
    with pytest.raises(ValueError, match="not 'sha1'"):
        DiskTransport(root).digest("scene/red.tif", "sha1")


def test_work_begins_anew_when_an_object_changed_and_not_for_ever() -> None:
    """What it made of the old version is gone; other errors are its own."""

    def changing(times: int, then: Exception | None = None) -> list[int]:
        done: list[int] = []

        def work() -> list[int]:
            done.append(len(done))
            if len(done) <= times:
                raise ObjectChanged("https://a.org/b", "it was replaced")
            if then is not None:
                raise then
            return done

        return of_one_version(work, tries=3)

    assert changing(0) == [0]
    assert changing(2) == [0, 1, 2]
    with pytest.raises(ObjectChanged):
        changing(3)
    with pytest.raises(ZeroDivisionError):
        changing(1, ZeroDivisionError())


def test_an_error_crosses_processes_whole() -> None:
    """With its cure, and with whether asking again helps."""
    for kind in (ObjectReadError, ObjectChanged):
        error = kind("https://a.org/b", "it is not there (HTTP 404)", True, "Ask them")

        read = pickle.loads(pickle.dumps(error))

        assert type(read) is kind
        assert (str(read), read.permanent) == ("https://a.org/b: it is not there (HTTP 404). Ask them.", True)
