"""Paths of a lake: built from names, and read back as the very same names."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mrv_assets.audit.record import Partition
from mrv_assets.lake.layout import KINDS, LakePath, Slot

HASH = "0" * 64
PARTITION = Partition("sentinel2/indices", "34TER", "2018-07")

words = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)
digests = st.from_regex(r"[0-9a-f]{64}", fullmatch=True)
partitions = st.builds(
    Partition,
    words | st.builds("{}/{}".format, words, words),
    st.from_regex(r"[0-9]{2}[A-Z]{3}", fullmatch=True),
    st.builds("{:04d}-{:02d}".format, st.integers(0, 9999), st.integers(1, 12)),
)
names = {
    "heads": st.builds("{:06d}".format, st.integers(0, 10**9)),
    "runs": st.builds("{}Z-{}".format, st.from_regex(r"[0-9]{8}T[0-9]{6}\.[0-9]{6}", fullmatch=True), digests),
}
below = st.lists(
    st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1).filter(
        lambda part: part not in (".", "..")
    ),
    max_size=3,
).map("/".join)


@st.composite
def lake_paths(draw: st.DrawFn) -> LakePath:
    """Any object of any partition, and any file of its data."""
    kind = draw(st.sampled_from(KINDS))
    name = draw(names.get(kind, digests))
    return LakePath(draw(partitions), kind, name, draw(below) if kind == "data" else "")


@given(lake_paths())
def test_a_path_that_was_built_is_parsed_to_what_it_was_built_from(lake_path: LakePath) -> None:
    """The parser is the inverse of the builder, for every object and every file of data."""
    assert LakePath.parse(str(lake_path)) == lake_path


@given(st.text() | lake_paths().map(str).flatmap(lambda path: st.builds(path.replace, st.just("/"), st.text())))
def test_a_path_that_is_parsed_is_the_one_that_would_be_built(path: str) -> None:
    """No path has a second spelling, and whatever else there is has no place in a lake."""
    lake_path = LakePath.parse(path)

    assert lake_path is None or str(lake_path) == path


@pytest.mark.parametrize("kind", KINDS)
def test_a_slot_builds_the_paths_that_are_parsed(kind: str, tmp_path: Path) -> None:
    """Writers and the walk of `mrv verify` mean the same file."""
    slot = Slot(tmp_path, PARTITION)
    run = f"20180901T000000.000000Z-{HASH}"
    built = {
        "records": slot.record(HASH),
        "heads": slot.head(7),
        "requests": slot.request(HASH),
        "runs": slot.run(run),
        "decisions": slot.decision(HASH),
        "data": slot.data(HASH),
    }

    parsed = LakePath.parse(slot.name_of(built[kind]))

    name = {"heads": "000007", "runs": run}.get(kind, HASH)
    assert parsed == LakePath(PARTITION, kind, name)
    assert parsed.is_file == (kind != "data")


def test_heads_beyond_a_million_still_have_a_place(tmp_path: Path) -> None:
    """Six digits are the fewest; a number has one spelling."""
    slot = Slot(tmp_path, PARTITION)

    path = slot.name_of(slot.head(1_234_567))

    assert path.endswith("heads/1234567.json")
    assert LakePath.parse(path) == LakePath(PARTITION, "heads", "1234567")
    assert LakePath.parse(path.replace("1234567", "01234567")) is None


@pytest.mark.parametrize(
    "names_of",
    [
        ("../x", "34TER", "2018-07"),
        ("/etc", "34TER", "2018-07"),
        ("a/b/c", "34TER", "2018-07"),
        ("sentinel2/indices", "../..", "2018-07"),
        ("sentinel2/indices", "34ter", "2018-07"),
        ("sentinel2/indices", "34TER", "2018-13"),
        ("sentinel2/indices", "34TER", "2018-07/.."),
        ("sentinel2/indices", "34TER", None),
        ([], "34TER", "2018-07"),
    ],
)
def test_names_that_could_leave_the_lake_are_refused(names_of: tuple[Any, ...], tmp_path: Path) -> None:
    """Only an asset, a tile and a month become folders, whatever a forged document states."""
    with pytest.raises(ValueError, match="cannot be the"):
        Slot(tmp_path, Partition(*names_of))


@pytest.mark.parametrize(
    ("kind", "name", "path_below"),
    [
        ("records", "../lake", ""),
        ("records", HASH.upper().replace("0", "A"), ""),
        ("records", HASH, "more"),
        ("heads", "1", ""),
        ("heads", "0000001", ""),
        ("runs", HASH, ""),
        ("data", HASH, "../../records"),
        ("data", HASH, "a//b"),
        ("notes", HASH, ""),
    ],
)
def test_objects_of_other_names_are_refused(kind: str, name: str, path_below: str) -> None:
    """A digest is 64 hexadecimal digits, and a file of data lies below its folder."""
    with pytest.raises(ValueError, match=r"cannot be|is not a kind"):
        LakePath(PARTITION, kind, name, path_below)
