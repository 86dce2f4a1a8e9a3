"""TIFFs that Hypothesis tampers with: tags, types, counts, values, pointers and bytes."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st
from tiff_builders import SIZES, SPELLINGS, Directory, Entry, Tiff

KNOWN_CODES = (
    *(254, 256, 257, 258, 259, 262, 266, 273, 277, 279, 284, 317, 320, 322, 323, 324, 325, 330, 338, 339, 347),
    *(33550, 33922, 34264, 34735, 34736, 34737, 42112, 42113),
)
GEO_KEYS = (
    *(1024, 1025, 1026, 2048, 2049, 2050, 2052, 2054, *range(2056, 2063)),
    *(*range(3072, 3096), 4096, 4097, 4098, 4099),
)
EDGES = (
    *(0, 1, 2, 3, 7, 8, 15, 16, 17, 31, 32, 33, 64, 255, 256, 1024, 4096, 32634, 32767, 65535, 65536, 1 << 17),
    *(1 << 20, 1 << 24, (1 << 31) - 1, 1 << 31, (1 << 32) - 1, 1 << 32, 1 << 40, 1 << 60, 1 << 63, (1 << 64) - 1),
)
FLOATS = st.sampled_from(
    [0.0, -0.0, 1.0, -1.0, 10.0, 20.0, 0.5, 1e-9, 5e-324, 1e300, -1e300, 6e5, 5e6, math.inf, -math.inf, math.nan, 90.0]
) | st.floats(width=32)

Draw = Callable[[st.SearchStrategy[Any]], Any]
"""Hypothesis's ``data.draw``."""
Change = Callable[[Draw, Tiff], Tiff]


def numbers(draw: Draw, limit: int) -> int:
    """A whole number below a limit, often one that arithmetic goes wrong at."""
    return int(draw(st.sampled_from(EDGES) | st.integers(0, 200))) % limit


def _value(draw: Draw, tiff: Tiff, kind: int, count: int) -> bytes:
    """Values of a type."""
    if kind not in SPELLINGS:
        return bytes(draw(st.binary(min_size=count, max_size=count)))
    if SPELLINGS[kind] in "fd":
        values: list[float] = draw(st.lists(FLOATS, min_size=count, max_size=count))
        # What a single float cannot hold is infinite.
        return tiff.spelled(kind, *(v if kind == 12 or abs(v) < 3e38 else math.copysign(math.inf, v) for v in values))
    size, signed = SIZES[kind], SPELLINGS[kind].islower()
    top = 1 << (8 * size - signed)
    return b"".join(tiff.spelled(kind, numbers(draw, top)) for _ in range(count))


def _one_entry(draw: Draw, tiff: Tiff, change: Callable[[Entry], tuple[Entry, ...]]) -> Tiff:
    """Change one entry of one directory into others."""
    at = draw(st.integers(0, len(tiff.directories) - 1)) if draw(st.booleans()) else 0
    directory = tiff.directories[at]
    if not directory.entries:
        return tiff
    index = draw(st.integers(0, len(directory.entries) - 1))
    entries = (*directory.entries[:index], *change(directory.entries[index]), *directory.entries[index + 1 :])
    return _with(tiff, at, replace(directory, entries=entries))


def _with(tiff: Tiff, at: int, directory: Directory) -> Tiff:
    return replace(tiff, directories=(*tiff.directories[:at], directory, *tiff.directories[at + 1 :]))


def _pointers(draw: Draw, tiff: Tiff) -> int:
    end = len(tiff.data)
    place = draw(st.sampled_from(EDGES) | st.integers(0, end) | st.integers(end, end + 4000))
    return int(place) % (1 << (64 if tiff.big else 32))


def remove(draw: Draw, tiff: Tiff) -> Tiff:
    """An entry is missing."""
    return _one_entry(draw, tiff, lambda entry: ())


def repeat(draw: Draw, tiff: Tiff) -> Tiff:
    """An entry stands twice."""
    return _one_entry(draw, tiff, lambda entry: (entry, entry))


def retype(draw: Draw, tiff: Tiff) -> Tiff:
    """The same bytes as another type."""
    kind = draw(st.sampled_from([*SIZES, 0, 14, 19, 65535]))
    return _one_entry(draw, tiff, lambda entry: (replace(entry, type=kind),))


def recount(draw: Draw, tiff: Tiff) -> Tiff:
    """More values, or fewer, than there are."""
    count = numbers(draw, 1 << (64 if tiff.big else 32))
    return _one_entry(draw, tiff, lambda entry: (replace(entry, count=count),))


def repoint(draw: Draw, tiff: Tiff) -> Tiff:
    """Values that lie somewhere else."""
    pointer = _pointers(draw, tiff)
    return _one_entry(draw, tiff, lambda entry: (replace(entry, pointer=pointer),))


def revalue(draw: Draw, tiff: Tiff) -> Tiff:
    """Other values of the same type."""

    def change(entry: Entry) -> tuple[Entry, ...]:
        return (
            replace(entry, value=_value(draw, tiff, entry.type, min(entry.count, 16)).ljust(len(entry.value), b"\0")),
        )

    return _one_entry(draw, tiff, change)


def add(draw: Draw, tiff: Tiff) -> Tiff:
    """An entry that was not there, or not like this."""
    code = draw(st.sampled_from(KNOWN_CODES) | st.integers(0, 65535))
    kind = draw(st.sampled_from([*SIZES]))
    count = draw(st.integers(0, 20))
    value = _value(draw, tiff, kind, count).ljust(SIZES[kind] * count, b"\0")
    return tiff.having(Entry(code=code, type=kind, count=count, value=value))


def replace_geokeys(draw: Draw, tiff: Tiff) -> Tiff:
    """A CRS of any keys."""
    keys = draw(st.lists(st.sampled_from(GEO_KEYS), max_size=16, unique=True))
    entries = [
        (key, draw(st.sampled_from([0, 0, 0, 34736, 34737, 1])), draw(st.sampled_from([1, 1, 0, 3, 65535])),
         draw(st.sampled_from([0, 1, 2, 3, 4326, 32634, 3035, 32767, 9001, 9102, 7030]) | st.integers(0, 65535)))
        for key in sorted(keys)
    ]  # fmt: skip
    flat = (1, 1, 0, len(entries), *(number for entry in entries for number in entry))
    return tiff.having(tiff.entry(34735, 3, *flat))


def replace_place(draw: Draw, tiff: Tiff) -> Tiff:
    """Pixels of another size, or somewhere else."""
    code, count = draw(st.sampled_from([(33550, 3), (33922, 6), (34264, 16), (34736, 7)]))
    return tiff.having(Entry(code=code, type=12, count=count, value=_value(draw, tiff, 12, count)))


def retable(draw: Draw, tiff: Tiff) -> Tiff:
    """COG tiles somewhere else, of other sizes, or all in one place."""
    code = draw(st.sampled_from([273, 279, 324, 325]))
    count = max([entry.count for entry in tiff.directories[0].entries if entry.code == code], default=4) % 5000
    top = 1 << (64 if tiff.big else 32)
    values = [_pointers(draw, tiff) if draw(st.booleans()) else numbers(draw, top) for _ in range(min(count, 64))]
    return tiff.having(tiff.entry(code, 16 if tiff.big else 4, *(values * count)[:count]))


def resize(draw: Draw, tiff: Tiff) -> Tiff:
    """Another image of the same COG tiles."""
    code = draw(st.sampled_from([256, 257, 278, 322, 323]))
    return tiff.having(tiff.entry(code, 4, numbers(draw, 1 << 32)))


def relink(draw: Draw, tiff: Tiff) -> Tiff:
    """A chain of directories that ends early, late, or never."""
    at = draw(st.integers(0, len(tiff.directories) - 1))
    return _with(tiff, at, replace(tiff.directories[at], next=_pointers(draw, tiff)))


def append(draw: Draw, tiff: Tiff) -> Tiff:
    """One more image: an overview, a mask, or neither."""
    entry = tiff.entry(254, draw(st.sampled_from([3, 4])), draw(st.sampled_from([0, 1, 2, 4, 5, 7])))
    return replace(tiff, directories=(*tiff.directories, Directory(entries=(entry,))))


def shuffle(draw: Draw, tiff: Tiff) -> Tiff:
    """Entries in no order."""
    before = tiff.directories[0].entries
    entries = [before[index] for index in draw(st.permutations(range(len(before))))]
    return _with(tiff, 0, replace(tiff.directories[0], entries=tuple(entries)))


CHANGES: tuple[Change, ...] = (
    *(remove, repeat, retype, recount, repoint, revalue, revalue, add, replace_geokeys, replace_place),
    *(retable, resize, relink, append, shuffle),
)


def tampered(draw: Draw, sound: tuple[Tiff, ...]) -> bytes:
    """One of some sound files, with one to four changes, and sometimes a damaged byte or end."""
    # By number: Hypothesis may want to print what it draws from, and these are whole files.
    tiff = sound[draw(st.integers(0, len(sound) - 1))]
    for change in draw(st.lists(st.sampled_from(CHANGES), min_size=1, max_size=4)):
        tiff = change(draw, tiff)
    data = tiff.bytes()
    return damaged(draw, data) if draw(st.integers(0, 9)) == 9 else data


def damaged(draw: Draw, data: bytes) -> bytes:
    """Bytes changed, cut off or put in; most of them where a header is."""
    changed = bytearray(data)
    for _ in range(draw(st.integers(1, 6))):
        place = draw(st.integers(0, min(len(changed), 700)) | st.integers(0, len(changed)))
        match draw(st.sampled_from(["set", "set", "set", "cut", "put"])):
            case "set":
                changed[place : place + 1] = bytes([draw(st.integers(0, 255))])
            case "cut":
                del changed[place : place + draw(st.integers(1, 64))]
            case _:
                changed[place:place] = draw(st.binary(max_size=16))
    return bytes(changed[: len(changed) if draw(st.booleans()) else draw(st.integers(0, len(changed)))])
