"""TIFFs taken apart into their directories and put together again, with whatever a writer should never write."""

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
SPELLINGS = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 11: "f", 12: "d", 13: "I", 16: "Q", 17: "q", 18: "Q"}


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One entry of a directory."""

    code: int
    type: int
    count: int
    value: bytes
    """All its values, in the file's byte order."""
    pointer: int | None = None
    """Where the entry says its values lie; None where they really do."""


@dataclass(frozen=True, kw_only=True)
class Directory:
    """One directory, and where it says the next one lies; None where that really does."""

    entries: tuple[Entry, ...]
    next: int | None = None


@dataclass(frozen=True, kw_only=True)
class Tiff:
    """A TIFF's bytes, and the directories it shall have in place of its own."""

    order: str
    big: bool
    # Hypothesis prints what strategies are made of.
    data: bytes = field(repr=False)
    directories: tuple[Directory, ...] = field(repr=False)

    @classmethod
    def read(cls, data: bytes) -> "Tiff":
        """Take a sound TIFF apart."""
        order = {b"II": "<", b"MM": ">"}[data[:2]]
        big = struct.unpack_from(f"{order}H", data, 2)[0] == 43
        width, pointer = ("Q", 8) if big else ("I", 4)
        (at,) = struct.unpack_from(f"{order}{width}", data, 8 if big else 4)
        directories = []
        while at:
            (count,) = struct.unpack_from(f"{order}{'Q' if big else 'H'}", data, at)
            at += 8 if big else 2
            entries = []
            for _ in range(count):
                code, kind, values = struct.unpack_from(f"{order}HH{width}", data, at)
                size = SIZES[kind] * values
                place = at + 4 + pointer
                if size > pointer:
                    (place,) = struct.unpack_from(f"{order}{width}", data, place)
                entries.append(Entry(code=code, type=kind, count=values, value=data[place : place + size]))
                at += 4 + 2 * pointer
            directories.append(Directory(entries=tuple(entries)))
            (at,) = struct.unpack_from(f"{order}{width}", data, at)
        return cls(order=order, big=big, data=data, directories=tuple(directories))

    def entry(self, code: int, kind: int, *values: float) -> Entry:
        """An entry of numbers."""
        return Entry(code=code, type=kind, count=len(values), value=self.spelled(kind, *values))

    def spelled(self, kind: int, *values: float) -> bytes:
        """Numbers in this file's byte order."""
        return struct.pack(f"{self.order}{len(values)}{SPELLINGS[kind]}", *values)

    def having(self, *entries: Entry) -> "Tiff":
        """With entries in the first directory, in place of those of the same code."""
        codes = {entry.code for entry in entries}
        first, *others = self.directories
        kept = (entry for entry in first.entries if entry.code not in codes)
        ordered = tuple(sorted((*kept, *entries), key=lambda entry: entry.code))
        return replace(self, directories=(replace(first, entries=ordered), *others))

    def without(self, *codes: int) -> "Tiff":
        """Without some entries of the first directory."""
        first, *others = self.directories
        entries = tuple(entry for entry in first.entries if entry.code not in codes)
        return replace(self, directories=(replace(first, entries=entries), *others))

    def numbers(self, code: int) -> tuple[float, ...]:
        """Values of an entry of the first directory."""
        [entry] = [entry for entry in self.directories[0].entries if entry.code == code]
        return struct.unpack(f"{self.order}{entry.count}{SPELLINGS[entry.type]}", entry.value)

    def bytes(self) -> bytes:
        """The file as it was, with the directories and their values behind it: what lay somewhere still lies there."""
        width, pointer = ("Q", 8) if self.big else ("I", 4)
        out = bytearray(self.data)
        linked = 8 if self.big else 4
        for directory in self.directories:
            places: Mapping[int, int] = {}
            for index, entry in enumerate(directory.entries):
                if len(entry.value) > pointer:
                    places = {**places, index: len(out)}
                    out += entry.value
            self._link(out, linked, len(out))
            out += struct.pack(f"{self.order}{'Q' if self.big else 'H'}", len(directory.entries))
            for index, entry in enumerate(directory.entries):
                out += struct.pack(f"{self.order}HH{width}", entry.code, entry.type, entry.count)
                stated = entry.pointer if entry.pointer is not None else places.get(index)
                inline = entry.value.ljust(pointer, b"\0")
                out += inline if stated is None else struct.pack(f"{self.order}{width}", stated)
            linked = len(out)
            out += bytes(pointer)
            if directory.next is not None:
                self._link(out, linked, directory.next)
        if self.directories and self.directories[-1].next is None:
            self._link(out, linked, 0)
        return bytes(out)

    def _link(self, out: bytearray, at: int, to: int) -> None:
        struct.pack_into(f"{self.order}{'Q' if self.big else 'I'}", out, at, to)
