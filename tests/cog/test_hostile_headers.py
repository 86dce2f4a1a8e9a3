"""Headers that were written to do harm: each is refused with a code of its own, in little time and memory."""

import struct
import time
import tracemalloc
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scene_builders import geotiff_bytes, pixels, romanian
from tiff_builders import Directory, Entry, Tiff

from mrv_assets.cog.header import MAX_TILES, Header, check_header, read_header, tiles_for
from mrv_assets.cog.tiff import MAX_HEADER_BYTES, MAX_READS, MAX_TAG_BYTES
from mrv_assets.errors import HeaderRefused
from mrv_assets.missions.sentinel2 import SENTINEL2
from mrv_assets.science.grid import Window

SHORT, LONG, DOUBLE, LONG8 = 3, 4, 12, 16


@cache
def sound(big: bool = False) -> Tiff:
    """A small GeoTIFF of a Sentinel-2 band, taken apart."""
    return Tiff.read(geotiff_bytes(pixels(64, 64), BIGTIFF="YES" if big else "NO", blockxsize=32))


def header_of(data: bytes, size: int | None = None, reads: list[tuple[int, int]] | None = None) -> Header:
    """The header of a file of which these are the first bytes, and zeros the rest."""
    size = len(data) if size is None else size

    def read(offset: int, length: int) -> bytes:
        if reads is not None:
            reads.append((offset, length))
        return data[offset : offset + length].ljust(length, b"\0")

    return read_header(read, size)


def code_of(data: bytes, size: int | None = None, reads: list[tuple[int, int]] | None = None) -> str:
    """Why a file is refused; empty where it is not. Every refusal says what to do."""
    try:
        header = header_of(data, size, reads)
        check_header(header, size or len(data), SENTINEL2, "red", {}, romanian())
        return ""
    except HeaderRefused as found:
        refusal = found
    assert ". " in refusal.detail
    return refusal.code


def endless(code: int, kind: int, count: int) -> Callable[[Tiff], Tiff]:
    """An entry that claims very many values."""
    return lambda tiff: tiff.having(Entry(code=code, type=kind, count=count, value=b"", pointer=4096))


BYTES = b"\x80" * (3 << 20)
ATTACKS: dict[str, tuple[Callable[[Tiff], Tiff], str]] = {
    "nothing": (lambda tiff: tiff, ""),
    "width-2^31": (lambda tiff: tiff.having(tiff.entry(256, LONG, 1 << 31)), "oversize"),
    "sides-2^17-of-one-tile-each": (
        lambda tiff: tiff.having(*(tiff.entry(code, LONG, 1 << 17) for code in (256, 257, 322, 323))),
        "oversize",
    ),
    "an-image-of-more-than-4-GB": (
        lambda tiff: tiff.having(
            *(tiff.entry(code, LONG, 1 << 16) for code in (256, 257)),
            *(tiff.entry(code, LONG, 4096) for code in (322, 323)),
            *(tiff.entry(code, LONG, *[0] * 256) for code in (324, 325)),
        ),
        "oversize",
    ),
    "a-million-tiles": (
        lambda tiff: tiff.having(
            *(tiff.entry(code, LONG, 16_000) for code in (256, 257)),
            *(tiff.entry(code, SHORT, 16) for code in (322, 323)),
            *(tiff.entry(code, LONG, *[0] * 1_000_000) for code in (324, 325)),
        ),
        "oversize",
    ),
    "tables-of-3-million": (
        lambda tiff: tiff.having(*(Entry(code=code, type=1, count=len(BYTES), value=BYTES) for code in (324, 325))),
        "header_malformed",
    ),
    "one-value-too-many": (lambda tiff: tiff.having(tiff.entry(324, LONG, *tiff.numbers(324), 8)), "header_malformed"),
    "no-sizes": (lambda tiff: tiff.without(325), "header_malformed"),
    "no-values": (lambda tiff: tiff.having(Entry(code=325, type=LONG, count=0, value=b"")), "header_malformed"),
    "text-of-2-GB": (endless(34737, 2, (1 << 31) - 1), "oversize"),
    "geokeys-of-100-kB": (lambda tiff: tiff.having(tiff.entry(34735, SHORT, *[1] * 50_000)), "oversize"),
    "text-beyond-the-file": (endless(34737, 2, 60_000), "truncated"),
    "twice": (
        lambda tiff: Tiff(order=tiff.order, big=tiff.big, data=tiff.data,
            directories=(Directory(entries=(*tiff.directories[0].entries, tiff.entry(256, LONG, 1))),)),
        "header_malformed",
    ),
    "a-tile-where-the-file-begins": (
        lambda tiff: tiff.having(tiff.entry(324, LONG, 0, *tiff.numbers(324)[1:])), "header_malformed",
    ),
    "a-tile-beyond-the-file": (
        lambda tiff: tiff.having(tiff.entry(324, LONG, 1 << 31, *tiff.numbers(324)[1:])), "truncated",
    ),
    "a-tile-of-a-gigabyte": (
        lambda tiff: tiff.having(tiff.entry(325, LONG, 1 << 30, *tiff.numbers(325)[1:])), "oversize",
    ),
    "tiles-that-overlap": (
        lambda tiff: tiff.having(tiff.entry(324, LONG, *[8] * 4), tiff.entry(325, LONG, *[4096] * 4)),
        "tiles_overlap",
    ),
    "nan": (lambda tiff: tiff.having(tiff.entry(33550, DOUBLE, float("nan"), 10, 0)), "transform_invalid"),
    "inf": (lambda tiff: tiff.having(tiff.entry(33550, DOUBLE, 10, float("inf"), 0)), "transform_invalid"),
    "nowhere": (lambda tiff: tiff.having(tiff.entry(33922, DOUBLE, 0, 0, 0, 1e300, 5e6, 0)), "transform_invalid"),
    "without-size": (lambda tiff: tiff.having(tiff.entry(33550, DOUBLE, 0, 0, 0)), "transform_invalid"),
    "south-up": (lambda tiff: tiff.having(tiff.entry(33550, DOUBLE, 10, -10, 0)), "rotated"),
    "pixels-of-an-atom": (lambda tiff: tiff.having(tiff.entry(33550, DOUBLE, 1e-9, 1e-9, 0)), "transform_invalid"),
    "pixels-of-a-centimetre": (
        lambda tiff: tiff.having(tiff.entry(33550, DOUBLE, 0.01, 0.01, 0)), "resolution_unexpected",
    ),
    "a-preview": (lambda tiff: tiff.having(tiff.entry(33550, DOUBLE, 320, 320, 0)), "resolution_unexpected"),
    "beyond-its-projection": (
        lambda tiff: tiff.having(tiff.entry(33922, DOUBLE, 0, 0, 0, 9e8, 9e8, 0)), "transform_invalid",
    ),
}  # fmt: skip


@pytest.mark.parametrize("big", [False, True], ids=["classic", "big"])
@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_is_refused_by_its_name(attack: str, big: bool) -> None:
    """Within a second of this thread's time, and a few times the header's 8 MB."""
    change, code = ATTACKS[attack]
    data = change(sound(big)).bytes()
    code_of(sound(big).bytes())
    reads: list[tuple[int, int]] = []
    began = time.thread_time()

    found = code_of(data, reads=reads)

    assert found == code
    assert time.thread_time() - began < 1
    assert sum(length for _, length in reads) <= MAX_HEADER_BYTES
    tracemalloc.start()
    try:
        code_of(data)
        assert tracemalloc.get_traced_memory()[1] < 8 * MAX_HEADER_BYTES
    finally:
        tracemalloc.stop()


def test_a_tag_of_no_values_is_as_good_as_none() -> None:
    """Readers differ in what they make of it: it is not copied."""
    nothing = Entry(code=338, type=SHORT, count=0, value=b"")

    header = header_of(sound().having(nothing).bytes())

    assert 338 not in header.tiff.tags
    assert header.tiff.tags.keys() >= {256, 257, 322, 323}


def test_bigtiff_counts_of_2_60_are_refused_unread() -> None:
    """Whatever the file's size says: nothing is asked for beyond the header's bound."""
    for code, kind in ((324, LONG8), (34737, 2), (254, LONG)):
        data = endless(code, kind, 1 << 60)(sound(big=True)).bytes()
        reads: list[tuple[int, int]] = []

        assert code_of(data, size=1 << 62, reads=reads) == "oversize"
        assert sum(length for _, length in reads) <= MAX_HEADER_BYTES


def test_a_bigtiff_of_another_offset_size_is_refused() -> None:
    """Its pointers would be read from the wrong bytes."""
    data = bytearray(sound(big=True).bytes())
    struct.pack_into("<H", data, 4, 4)

    assert code_of(bytes(data)) == "header_malformed"


@pytest.mark.parametrize("target", ["itself", "the-first", "beyond"])
def test_directories_in_a_loop_are_refused(target: str) -> None:
    """A chain that never ends, and one that leaves the file."""
    tiff = sound()
    overview = Directory(entries=(tiff.entry(254, LONG, 1),))
    chained = Tiff(order="<", big=False, data=tiff.data, directories=(*tiff.directories, overview))
    data = chained.bytes()
    first = struct.unpack_from("<I", data, 4)[0]
    last = len(data) - 4 - 12 - 2
    to = {"itself": last, "the-first": first, "beyond": len(data) + 100}[target]

    code = code_of(data[:-4] + struct.pack("<I", to))

    assert code == ("truncated" if target == "beyond" else "header_malformed")


def test_a_header_in_many_places_is_refused() -> None:
    """Every read is a request over the network: a header all over the file would take hours."""
    tiff = sound()
    data = bytearray(tiff.bytes())
    size, step = 40 << 20, 64 << 10
    data = data.ljust(size, b"\0")
    (at,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, at)
    link = at + 2 + 12 * count
    # From the end backwards, so that no read ahead holds the next one.
    for number in range(1, 60):
        place = size - number * step // 8
        struct.pack_into("<I", data, link, place)
        data[place : place + 18] = struct.pack("<HHHIII", 1, 254, LONG, 1, 1, 0)
        link = place + 14
    reads: list[tuple[int, int]] = []

    assert code_of(bytes(data), reads=reads) == "oversize"
    assert len(reads) <= MAX_READS


@pytest.mark.parametrize("kind", [4, 13, 16])
def test_a_large_header_is_read_in_memory_of_its_size(kind: int) -> None:
    """The most COG tiles there may be: numbers in memory, not copies of the table."""
    values = np.zeros(MAX_TILES, f"<u{8 if kind == 16 else 4}").tobytes()
    tiff = sound(big=True).having(
        *(sound(big=True).entry(code, LONG, 16 << 9) for code in (256, 257)),
        *(sound(big=True).entry(code, SHORT, 16) for code in (322, 323)),
        *(Entry(code=code, type=kind, count=MAX_TILES, value=values) for code in (324, 325)),
    )
    data = tiff.bytes()
    began = time.thread_time()
    tracemalloc.start()
    try:
        header = header_of(data)
        kept, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert len(header.offsets) == MAX_TILES
    assert time.thread_time() - began < 1
    assert peak < 8 * MAX_HEADER_BYTES
    assert kept < MAX_HEADER_BYTES


def test_a_window_of_more_than_is_held_at_once_is_refused() -> None:
    """A block of the tile that would need gigapixels of a file needs another file."""
    tiff = sound().having(
        *(sound().entry(code, LONG, 1 << 14) for code in (256, 257)),
        *(sound().entry(code, LONG, 4096) for code in (322, 323)),
        *(sound().entry(code, LONG, *[0] * 16) for code in (324, 325)),
    )
    header = header_of(tiff.bytes())

    with pytest.raises(HeaderRefused, match="oversize"):
        tiles_for(header, Window(0, 0, 1 << 14, 1 << 14))
    assert tiles_for(header, Window(0, 0, 1 << 13, 1 << 13)) == (0, 1, 4, 5)


def test_a_file_of_an_invented_size_is_refused_unread() -> None:
    """A server may say any: nothing is read of the file, so nothing that grows with its size is begun."""
    reads: list[tuple[int, int]] = []
    data = sound().bytes()

    def read(offset: int, length: int) -> bytes:
        reads.append((offset, length))
        return data[offset : offset + length].ljust(length, b"\0")

    with pytest.raises(HeaderRefused, match="oversize: its stated size is 40000000000000 bytes"):
        read_header(read, 40_000_000_000_000)
    assert reads == []
    assert read_header(read, 16 << 30).grid == header_of(data).grid


def test_a_refusal_does_not_quote_the_file() -> None:
    """A record is no place for what happens to stand in a file that a link led to."""
    with pytest.raises(HeaderRefused) as refusal:
        header_of(b"AKIA-secret-key-" * 100)

    assert "AKIA" not in str(refusal.value)


@settings(deadline=None, max_examples=60)
@example("proj:transform", [10**400] * 6)
@given(
    st.sampled_from(["proj:code", "proj:epsg", "proj:transform", "proj:shape", "file:size"]),
    st.recursive(
        st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.floats() | st.text(max_size=200),
        lambda inner: st.lists(inner, max_size=20) | st.dictionaries(st.text(max_size=50), inner, max_size=20),
        max_leaves=200,
    ),
)
def test_findings_are_short_whatever_an_item_states(key: str, stated: object) -> None:
    """Items may state anything at any length: a finding quotes its beginning, as text that can be stored."""
    header = header_of(sound().bytes())

    findings = check_header(header, len(sound().bytes()), SENTINEL2, "red", {key: stated}, {"properties": {}})

    for finding in findings:
        assert finding.split(":")[0].endswith("_conflict")
        assert len(finding) < 400
        assert finding.encode()


def test_a_text_of_the_allowed_length_is_read() -> None:
    """The bound is far above what real files have, and not below it."""
    text = Entry(code=42112, type=2, count=MAX_TAG_BYTES, value=b"x" * MAX_TAG_BYTES)

    assert code_of(sound().having(text).bytes()) == ""
