"""Content digests: what stored values say, whatever codec, chunks or byte order holds them; and where they stand."""

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from groups import leaves_of
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from merkle_proofs import climbed
from numpy.typing import NDArray
from zarr.codecs import BytesCodec, GzipCodec

from mrv_assets.audit import merkle
from mrv_assets.audit.content import (
    LEAF_PX,
    all_fill,
    array_content,
    canonical_values,
    in_order,
    leaf_header,
    leaves,
    values_sha256,
)
from mrv_assets.formats.arrays import ArraySpec, Group, GroupWriter
from mrv_assets.science.blocks import BLOCK, Block, block_window
from mrv_assets.science.grid import Grid

# --- values -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dtype", "nans", "one"),
    [
        ("f2", [0x7E00, 0xFE00, 0x7C01, 0xFDFF], "007e"),
        ("f4", [0x7FC00000, 0xFFC00000, 0x7F800001, 0xFFFFFFFF], "0000c07f"),
        ("f8", [0x7FF8000000000000, 0xFFF8000000000000, 0x7FF0000000000001, 0xFFFFFFFFFFFFFFFF], "000000000000f87f"),
    ],
)
def test_every_nan_is_the_same_nan(dtype: str, nans: list[int], one: str) -> None:
    """Quiet or signalling, of either sign, whatever its payload: the positive quiet one without any."""
    values = np.array(nans, dtype.replace("f", "u")).view(dtype)

    assert canonical_values(values).hex() == one * len(nans)


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", ">f4"])
def test_a_negative_zero_is_zero_and_nothing_else_moves(dtype: str) -> None:
    """Down to the smallest number there is."""
    tiny = np.finfo(dtype).smallest_subnormal
    values = np.array([-0.0, 0.0, tiny, -tiny, 1.5, -math.inf], dtype)

    canonical = np.frombuffer(canonical_values(values), np.dtype(dtype).newbyteorder("<"))

    assert not np.signbit(canonical[:2]).any()
    np.testing.assert_array_equal(canonical[2:], values[2:])


def test_values_are_little_endian_in_the_order_of_c() -> None:
    """Rows one after the other, observations outermost; written out by hand."""
    values = np.array([[[1, 2], [3, 258]], [[5, 6], [7, 8]]], ">u2")
    by_hand = bytes.fromhex("0100 0200 0300 0201 0500 0600 0700 0800")

    assert bytes(canonical_values(values)) == bytes(canonical_values(np.asfortranarray(values))) == by_hand
    assert values_sha256(values) == hashlib.sha256(by_hand).hexdigest()


def test_the_values_given_are_left_as_they_are() -> None:
    """They are stored after they are digested."""
    values = np.array([-0.0, np.nan, 1.0], "f4")
    values.view("u4")[1] = 0x7F800001
    before = values.tobytes()

    canonical_values(values)

    assert values.tobytes() == before


# --- leaves -------------------------------------------------------------------------------------------------------

GRID = Grid(crs="EPSG:32634", x0=500000.0, y0=5000000.0, dx=10.0, dy=-10.0, width=1500, height=1300)
DN = ArraySpec(name="red", dtype="uint16", fill=0, timed=True)
MEAN = ArraySpec(name="red", dtype="float32", fill=math.nan, timed=False)
OBSERVATIONS = 2


def numbers(spec: ArraySpec) -> NDArray[Any]:
    """An array of a spec on the grid: numbers in places, nothing elsewhere, a whole leaf and a whole block of it."""
    random = np.random.default_rng(1)
    values = random.integers(0, 3, spec.shape(GRID, OBSERVATIONS)).astype(spec.dtype)
    values[values == 0] = spec.fill
    values[..., :LEAF_PX, LEAF_PX : 2 * LEAF_PX] = spec.fill
    values[..., :, 2 * LEAF_PX :] = spec.fill
    return values


def by_hand(spec: ArraySpec, values: NDArray[Any], name: str = "red") -> dict[str, bytes]:
    """Digests of the leaves as the documentation tells them, without any of our code."""
    found = {}
    for row in range(0, GRID.height, 512):
        for col in range(0, GRID.width, 512):
            part = values[..., row : row + 512, col : col + 512]
            if (np.isnan(part) if math.isnan(spec.fill) else part == spec.fill).all():
                continue
            dtype = {"uint16": "<u2", "float32": "<f4"}[spec.dtype]
            said = {"array": name, "dtype": dtype, "origin": [row, col], "shape": list(part.shape)}
            header = json.dumps(said, separators=(",", ":"), sort_keys=True).encode()
            data = len(header).to_bytes(4, "big") + header + np.ascontiguousarray(part, dtype).tobytes()
            found[f"{row // 512}.{col // 512}"] = hashlib.sha256(b"\x00" + data).digest()
    return found


@pytest.mark.parametrize("spec", [DN, MEAN], ids=["(time, y, x)", "(y, x)"])
def test_leaves_are_squares_from_the_corner_smaller_at_the_edges(spec: ArraySpec, tmp_path: Path) -> None:
    """Written block by block, each leaf is what the documentation says; where all is fill there is none."""
    values = numbers(spec)
    Group(grid=GRID, times_us=tuple(range(OBSERVATIONS)), specs=(spec,)).create(tmp_path / "g")
    arrays = GroupWriter(tmp_path / "g")
    written: dict[str, bytes] = {}
    for row, col in ((0, 0), (0, 1), (1, 0), (1, 1)):
        window = block_window(GRID, Block(row, col))
        written |= arrays.write("red", window, values[..., window.rows, window.cols])

    assert written == by_hand(spec, values)
    assert leaves_of(tmp_path / "g", "red") == written
    assert in_order(written) == ["0.0", "1.0", "1.1", "2.0", "2.1"]


STORED: Mapping[str, Mapping[str, Any]] = {
    "as the lake does": {"chunks": (OBSERVATIONS, BLOCK, BLOCK)},
    "an observation a chunk": {"chunks": (1, BLOCK, BLOCK)},
    "chunks across blocks": {"chunks": (1, 300, 700)},
    "one chunk": {"chunks": (OBSERVATIONS, 1300, 1500)},
    "another codec": {"chunks": (OBSERVATIONS, BLOCK, BLOCK), "compressors": [GzipCodec(level=1)]},
    "no codec": {"chunks": (OBSERVATIONS, BLOCK, BLOCK), "compressors": None},
    "another byte order": {"chunks": (OBSERVATIONS, BLOCK, BLOCK), "serializer": BytesCodec(endian="big")},
    "shards": {"chunks": (1, 256, 256), "shards": (OBSERVATIONS, BLOCK, BLOCK)},
    "empty chunks too": {"chunks": (OBSERVATIONS, BLOCK, BLOCK), "config": {"write_empty_chunks": True}},
}


@pytest.mark.parametrize("spec", [DN, MEAN], ids=["(time, y, x)", "(y, x)"])
@pytest.mark.parametrize("how", STORED)
def test_how_values_are_stored_is_not_content(how: str, spec: ArraySpec, tmp_path: Path) -> None:
    """Codec, chunks, shards, byte order, and whether nothing is written down: the same leaves."""
    values = numbers(spec)
    told = {
        name: value if spec.timed or name not in ("chunks", "shards") else value[1:]
        for name, value in STORED[how].items()
    }
    group = zarr.create_group(tmp_path / "g", zarr_format=3)
    dims = ("time", "y", "x") if spec.timed else ("y", "x")
    stored = {"shape": values.shape, "dtype": spec.dtype, "fill_value": spec.fill, "dimension_names": dims}
    group.create_array("red", **stored, **told)[:] = values

    assert leaves_of(tmp_path / "g", "red") == by_hand(spec, values)


def test_a_lake_is_digested_alike_before_and_after_it_is_stored(tmp_path: Path) -> None:
    """What a stage says it wrote is what is read back, for every array of a group."""
    specs = [DN, ArraySpec(name="blue", dtype="uint16", fill=0, timed=True, attrs={"units": "1"})]
    Group(grid=GRID, times_us=tuple(range(OBSERVATIONS)), specs=tuple(specs)).create(tmp_path / "g")
    arrays = GroupWriter(tmp_path / "g")
    window = block_window(GRID, Block(1, 1))

    red, blue = (arrays.write(spec.name, window, numbers(DN)[..., : window.height, : window.width]) for spec in specs)

    assert leaves_of(tmp_path / "g", "red") == red
    assert leaves_of(tmp_path / "g", "blue") == blue
    # The same values under another name are another array's.
    assert set(red) == set(blue)
    assert set(red.values()).isdisjoint(blue.values())


SQUARE = np.arange(1, 2 * LEAF_PX * LEAF_PX + 1, dtype="u4").reshape(2, LEAF_PX, LEAF_PX)


@pytest.mark.parametrize(
    ("what", "name", "values", "row", "col"),
    [
        ("another array", "nir", SQUARE, 0, 0),
        ("further down", "red", SQUARE, LEAF_PX, 0),
        ("further right", "red", SQUARE, 0, LEAF_PX),
        ("another type", "red", SQUARE.astype("i4"), 0, 0),
        ("a wider type", "red", SQUARE.astype("u8"), 0, 0),
        ("another shape of the same values", "red", SQUARE.reshape(1, 2 * LEAF_PX, LEAF_PX)[:, :LEAF_PX], 0, 0),
        ("one observation", "red", SQUARE[:1], 0, 0),
        ("without the axis of time", "red", SQUARE[0], 0, 0),
        ("observations swapped", "red", SQUARE[::-1], 0, 0),
        ("rows and columns swapped", "red", SQUARE.swapaxes(1, 2), 0, 0),
        ("cut at the edge", "red", SQUARE[..., :-1], 0, 0),
    ],
)
def test_a_leaf_says_what_it_is_of_and_where(what: str, name: str, values: NDArray[Any], row: int, col: int) -> None:
    """None can be passed off as another array's, or as another place's."""
    [(_, before)] = leaves("red", SQUARE, 0, 0, 0)

    assert before not in dict(leaves(name, values, row, col, 0)).values(), what


@settings(deadline=None, max_examples=60)
@given(
    hnp.arrays(np.float32, (2, 3, 4), elements=st.sampled_from([0.0, -0.0, 1.0, math.nan, math.inf])),
    hnp.arrays(np.float32, (2, 3, 4), elements=st.sampled_from([0.0, -0.0, 1.0, math.nan, math.inf])),
)
def test_leaves_are_equal_just_where_values_are(one: NDArray[np.float32], other: NDArray[np.float32]) -> None:
    """As numpy compares them, NaN equal to NaN."""
    found, others = (dict(leaves("red", values, 0, 0, math.nan)) for values in (one, other))

    assert (found == others) == np.array_equal(one, other, equal_nan=True)
    assert (found == {}) == bool(np.isnan(one).all())


def test_one_value_of_a_leaf_is_enough() -> None:
    """Wherever it hides: a glance at some pixels decides nothing alone."""
    for place in [(0, 0), (0, 1), (1, 0), (60, 61), (61, 61), (511, 511), (300, 7)]:
        values = np.zeros((LEAF_PX, LEAF_PX), np.uint16)
        values[place] = 1
        assert not all_fill(values, 0)
        assert [name for name, _ in leaves("red", values, 0, 0, 0)] == ["0.0"]
        assert list(leaves("red", values - values, 0, 0, 0)) == []


def test_no_pixels_are_all_fill() -> None:
    """A month without observations has no leaves."""
    assert list(leaves("red", np.empty((0, 1024, 1024), np.uint16), 0, 0, 7)) == []


def test_a_header_cannot_be_taken_for_values() -> None:
    """Its length stands before it, and no name can lengthen one header into another."""
    header = leaf_header('a","b":"', np.dtype("u1"), 0, 0, (1, 1))

    assert int.from_bytes(header[:4], "big") == len(header) - 4
    assert json.loads(header[4:]) == {"array": 'a","b":"', "dtype": "|u1", "origin": [0, 0], "shape": [1, 1]}


# --- what a record says of an array -------------------------------------------------------------------------------

WRITTEN = {f"{row}.{col}": merkle.leaf(bytes([row, col])) for row in (0, 2, 10) for col in (0, 9, 10)}
CONTENT: dict[str, Any] = {
    "dtype": "uint16",
    "shape": (2, 6000, 6000),
    "fill": 0,
    "written": WRITTEN,
    "attrs": {"units": "1", "scale_factor": 1e-4},
}
SWAPPED = {**WRITTEN, "0.0": WRITTEN["0.9"], "0.9": WRITTEN["0.0"]}
FEWER = {name: digest for name, digest in WRITTEN.items() if name != "2.9"}


def test_an_arrays_root_is_over_its_leaves_row_by_row() -> None:
    """By number, not by text; in whichever order they came from the workers."""
    content = array_content(**CONTENT)
    names = ["0.0", "0.9", "0.10", "2.0", "2.9", "2.10", "10.0", "10.9", "10.10"]

    assert content["written_blocks"] == names
    assert content["root"] == merkle.root([WRITTEN[name] for name in names]).hex()
    assert array_content(**{**CONTENT, "written": dict(reversed(WRITTEN.items()))}) == content


@pytest.mark.parametrize(
    "changed",
    [
        {"dtype": "int16"},
        {"shape": (2, 6000, 5999)},
        {"fill": 1},
        {"written": SWAPPED},
        {"written": FEWER},
        {"written": {**FEWER, "2.8": WRITTEN["2.9"]}},
        {"written": {}},
        {"attrs": {"units": "1", "scale_factor": 2e-4}},
        {"attrs": {"units": 1, "scale_factor": 1e-4}},
        {"attrs": {"units": "1"}},
        {"attrs": {"units": "1", "scale_factor": 1e-4, "more": None}},
    ],
    ids=lambda changed: "".join(changed),
)
def test_every_change_of_an_array_is_seen(changed: dict[str, Any]) -> None:
    """Type, shape, fill, a value, which leaves are written, where they stand, and each attribute."""
    assert array_content(**{**CONTENT, **changed}) != array_content(**CONTENT)


def test_the_order_of_attributes_says_nothing() -> None:
    """They are a JSON object."""
    attrs = dict(reversed(CONTENT["attrs"].items()))

    assert array_content(**{**CONTENT, "attrs": attrs}) == array_content(**CONTENT)


def test_a_fill_of_nan_is_said_as_text() -> None:
    """JSON has no NaN; and an array of which nothing is written has the root of nothing."""
    content = array_content(dtype="float32", shape=(1, 1), fill=math.nan, written={}, attrs={})

    assert content["fill"] == "NaN"
    assert content["root"] == hashlib.sha256(b"").hexdigest()


@pytest.mark.parametrize("place", range(len(WRITTEN)))
def test_a_leaf_is_proven_to_belong_to_an_array(place: int) -> None:
    """By its values and an inclusion proof, against the root in the record."""
    content = array_content(**CONTENT)
    name = content["written_blocks"][place]

    siblings = merkle.proof([WRITTEN[other] for other in content["written_blocks"]], place)

    assert climbed(WRITTEN[name], siblings).hex() == content["root"]
    assert climbed(WRITTEN[content["written_blocks"][place - 1]], siblings).hex() != content["root"]
