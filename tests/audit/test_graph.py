"""The graph digest sees what is done to what, in which order and over which chunks; not what things are called."""

import json
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import dask.array as da
import graph_builders
import numpy as np
import pytest
import xarray as xr
from dask._task_spec import Set, Task, TaskRef
from dask.delayed import delayed
from dask.highlevelgraph import HighLevelGraph
from demo_lake import python
from graph_builders import (
    Opened,
    a_stack,
    an_array,
    cut_opened,
    digest,
    digest_of_tasks,
    gathered,
    minus,
    once,
    plus,
    samples,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from mrv_assets.audit.graph import NotCanonical, graph_digest
from mrv_assets.formats.arrays import ArraySpec, BlockArrays, create_group
from mrv_assets.science.grid import Grid
from mrv_assets.stages.blocks import as_node, topology
from mrv_assets.stages.source_code import source

TESTS = Path(graph_builders.__file__).parent


# --- what it does not see -----------------------------------------------------------------------------------------


def test_every_process_gives_the_same_digest() -> None:
    """Other tokens, other names of tasks, other orders of sets, another place of what is opened."""
    here = {name: digest(collection) for name, collection in samples().items()}
    say = "print(json.dumps({n: g.digest(c) for n, c in reversed(g.samples().items())}))"

    there = python(
        "-c", f"import json, graph_builders as g; {say}", cwd=TESTS, PYTHONPATH=str(TESTS), PYTHONHASHSEED="4294967295"
    )

    assert there.returncode == 0, there.stderr
    assert json.loads(there.stdout) == here
    assert len(set(here.values())) == len(here)


def test_names_of_tasks_and_arrays_are_not_topology() -> None:
    """Neither tokens nor names that someone chose."""
    named, other = (an_array(name=name).map_blocks(plus, name=f"{name} plus") for name in ("one", "other"))
    keyed, again = (delayed(plus)(1, 2, dask_key_name=key) for key in ("plus-1", "of all the sum"))

    assert digest(named) == digest(other)
    assert digest(keyed) == digest(again) == digest_of_tasks({"x": Task("x", plus, 1, 2)}, "x")


def test_where_an_opened_array_lies_is_not_topology() -> None:
    """How it is chunked is."""
    arrays = [Opened(path="a", chunks=(4,)), Opened(path="b", chunks=(4,)), Opened(path="a", chunks=(2,))]

    here, there, finer = (digest(once(plus, as_node(array))) for array in arrays)

    assert here == there != finer


def test_a_stage_sees_how_stored_arrays_are_chunked(tmp_path: Path) -> None:
    """Type and chunks of the real thing, wherever its folder is."""
    grid = Grid(crs="EPSG:32634", x0=0.0, y0=0.0, dx=10.0, dy=-10.0, width=1100, height=1100)

    def read(name: str, times: int = 2, dtype: str = "uint16") -> str:
        create_group(tmp_path / name, grid, range(times), [ArraySpec(name="red", dtype=dtype, fill=0, timed=True)], {})
        opened = BlockArrays(tmp_path / name)
        return topology(lambda folder: once(gathered, as_node(opened), folder))

    first = read("one")

    assert first == read("other")
    assert len({first, read("longer", times=3), read("signed", dtype="int16")}) == 3


# --- what it sees -------------------------------------------------------------------------------------------------

BASE = (an_array() - 1).map_blocks(plus, right=2, dtype="float64").sum(axis=0)
ARRAYS = {
    "as it was": BASE,
    "an added operation": (an_array() - 1 + 0).map_blocks(plus, right=2, dtype="float64").sum(axis=0),
    "an operation at the end": BASE + 0,
    "another function": (an_array() + 1).map_blocks(plus, right=2, dtype="float64").sum(axis=0),
    "another block function": (an_array() - 1).map_blocks(minus, right=2, dtype="float64").sum(axis=0),
    "another constant": (an_array() - 2).map_blocks(plus, right=2, dtype="float64").sum(axis=0),
    "another parameter": (an_array() - 1).map_blocks(plus, right=3, dtype="float64").sum(axis=0),
    "a constant of another type": (an_array() - 1.0).map_blocks(plus, right=2, dtype="float64").sum(axis=0),
    "a parameter of another type": (an_array() - 1).map_blocks(plus, right="2", dtype="float64").sum(axis=0),
    "swapped operands": (1 - an_array()).map_blocks(plus, right=2, dtype="float64").sum(axis=0),
    "another order of operations": (an_array().map_blocks(plus, right=2, dtype="float64") - 1).sum(axis=0),
    "another axis": (an_array() - 1).map_blocks(plus, right=2, dtype="float64").sum(axis=1),
    "another reduction": (an_array() - 1).map_blocks(plus, right=2, dtype="float64").max(axis=0),
    "another chunking": (an_array((4, 3)) - 1).map_blocks(plus, right=2, dtype="float64").sum(axis=0),
    "another order of chunks": (an_array(((1, 3), 3)) - 1).map_blocks(plus, right=2, dtype="float64").sum(axis=0),
    "a chunking in between": (an_array() - 1).rechunk((4, 3)).map_blocks(plus, right=2, dtype="float64").sum(axis=0),
    "another type of pixels": (an_array(dtype="float32") - 1).map_blocks(plus, right=2, dtype="float64").sum(axis=0),
    "part of it": BASE[:3],
    "zeros": da.zeros(4, chunks=2),
    "ones": da.ones(4, chunks=2),
    "sevens": da.full(4, 7.0, chunks=2),
    "every": (an_array() > 3).all(),
    "any": (an_array() > 3).any(),
    "deviation of all": an_array().std(),
    "deviation of a sample": an_array().std(ddof=1),
    "DataArray": (a_stack() - 1).data,
    "xarray's mean": a_stack().mean("y").data,
    "xarray's mean without missing": a_stack().mean("y", skipna=False).data,
    "applied": xr.apply_ufunc(minus, a_stack(), 1, dask="parallelized", output_dtypes=["float64"]).data,
    "applied to another": xr.apply_ufunc(minus, 1, a_stack(), dask="parallelized", output_dtypes=["float64"]).data,
    "another applied": xr.apply_ufunc(plus, a_stack(), 1, dask="parallelized", output_dtypes=["float64"]).data,
    "applied with a parameter": xr.apply_ufunc(
        plus, a_stack(), kwargs={"right": 1}, dask="parallelized", output_dtypes=["float64"]
    ).data,
    "applied with another": xr.apply_ufunc(
        plus, a_stack(), kwargs={"right": 1.0}, dask="parallelized", output_dtypes=["float64"]
    ).data,
}


def test_no_two_of_these_arrays_have_one_digest() -> None:
    """Each is another way to compute something; several differ in one function, parameter, type or chunk alone."""
    found = {name: digest(array) for name, array in ARRAYS.items()}

    assert [pair for pair in combinations(found, 2) if found[pair[0]] == found[pair[1]]] == []


def test_the_outputs_and_their_order_count() -> None:
    """A graph is digested from what is wanted of it."""
    tasks = {"a": Task("a", plus, 1), "b": Task("b", plus, 2)}

    assert len({digest_of_tasks(tasks, *outputs) for outputs in ("a", "b", "ab", "ba", "aa")}) == 5


def test_all_tasks_of_a_layer_count() -> None:
    """Those that are not read too: a part of a larger array is no array of that size. So does where layers end."""
    a, b = {"a": Task("a", plus, 1)}, {"b": Task("b", plus, 2)}
    apart = HighLevelGraph({"one": a, "other": b}, {"one": set(), "other": set()})

    found = [digest_of_tasks(a, "a"), digest_of_tasks({**a, **b}, "a")]

    assert len(set(found)) == 2
    assert graph_digest(apart, ["a"], source=source, cut=cut_opened) == found[0]
    assert digest(an_array()[:2]) != digest(da.from_array(np.arange(12.0).reshape(2, 6), chunks=(2, 3)))


def test_a_container_of_tasks_counts_with_its_kind_and_order() -> None:
    """Whose place in it is whose."""
    one, other = once(plus, 1), once(plus, 2)
    containers = [
        *([one, other], [other, one], [one, one], (one, other), (other, one), (one,)),
        *({"a": one, "b": other}, {"a": other, "b": one}, {"b": other, "a": one}, {"a": one, "c": other}),
    ]

    found = [digest(delayed(gathered, pure=False)(container)) for container in containers]

    assert len(set(found)) == len(containers)


def test_parameters_by_name_are_not_parameters_by_place() -> None:
    """Nor is one name another."""
    calls = [Task("x", gathered, 1), Task("x", gathered, left=1), Task("x", gathered, right=1)]

    assert len({digest_of_tasks({"x": call}, "x") for call in calls}) == 3


# --- which of equal tasks -----------------------------------------------------------------------------------------


def test_one_task_read_twice_is_not_two_equal_tasks() -> None:
    """Two blocks that write into one new array, or each into one of its own."""
    one, other = once(plus, 1), once(plus, 1)
    first, last = once(gathered, one, "a"), once(gathered, one, "b")

    shared = digest(once(gathered, [first, last]))

    assert shared != digest(once(gathered, [first, once(gathered, other, "b")]))
    assert digest(once(gathered, [one, one])) != digest(once(gathered, [one, other]))
    assert digest(once(gathered, [one, other])) == digest(once(gathered, [other, one]))


def test_equal_tasks_wired_crosswise_are_not_equal_tasks_wired_straight() -> None:
    """Same tasks, same number of each, same readers of each."""
    a, b = once(plus, 1), once(plus, 1)
    straight = [once(gathered, a, b), once(gathered, a, b)]
    crosswise = [once(gathered, a, b), once(gathered, b, a)]
    apart = [once(gathered, a, a), once(gathered, b, b)]

    assert len({digest(once(gathered, pair)) for pair in (straight, crosswise, apart)}) == 3


def test_equal_tasks_of_one_layer_differ_by_their_place() -> None:
    """A block of ones is not the next block of ones."""
    tasks = {("x", n): Task(("x", n), plus, 1) for n in range(2)}

    first, second = (
        digest_of_tasks({**tasks, "y": Task("y", gathered, TaskRef(("x", n)))}, "y", ("x", 0), ("x", 1)) for n in (0, 1)
    )

    assert first != second


Program = list[tuple[bool, list[int]]]
"""Tasks: which of two functions, and the tasks before it that it reads. The last one is wanted."""


@st.composite
def programs(draw: st.DrawFn) -> Program:
    """Up to five tasks; few enough that equal ones are common."""
    reads = [draw(st.lists(st.integers(0, n - 1), max_size=2)) if n else [] for n in range(draw(st.integers(1, 5)))]
    return [(draw(st.booleans()), read) for read in reads]


def written(program: Program, name: Callable[[int], str], layered: bool) -> str:
    """The digest of a program as a graph: a layer for each task, or one for all."""
    tasks = {
        name(n): Task(name(n), plus if which else minus, *(TaskRef(name(read)) for read in reads))
        for n, (which, reads) in enumerate(program)
    }
    if not layered:
        return digest_of_tasks(dict(sorted(tasks.items())), name(len(program) - 1))
    layers = {key: {key: task} for key, task in sorted(tasks.items())}
    graph = HighLevelGraph(layers, {key: set(task.dependencies) for key, task in tasks.items()})
    return graph_digest(graph, [name(len(program) - 1)], source=source, cut=cut_opened)


def same_work(one: Program, other: Program) -> bool:
    """Whether what is wanted is computed alike: by tasks that can be paired, with all they read."""
    pairs: dict[int, int] = {}
    waiting = [(len(one) - 1, len(other) - 1)]
    for a, b in waiting:
        if a in pairs:
            if pairs[a] != b:
                return False
            continue
        pairs[a] = b
        if one[a][0] != other[b][0] or len(one[a][1]) != len(other[b][1]):
            return False
        waiting += zip(one[a][1], other[b][1], strict=True)
    return len(set(pairs.values())) == len(pairs)


@settings(deadline=None, max_examples=200)
@given(programs(), programs())
def test_graphs_have_one_digest_just_where_they_do_the_same_work(one: Program, other: Program) -> None:
    """Whatever their tasks are called and in which order they are written down."""
    digests = written(one, "task-{}".format, True), written(other, lambda n: f"other-{-n}", True)

    assert (digests[0] == digests[1]) == same_work(one, other)


@settings(deadline=None, max_examples=100)
@given(programs(), st.permutations("abcde"), st.booleans())
def test_other_names_and_another_order_are_the_same_graph(program: Program, names: list[str], layered: bool) -> None:
    """Also where tasks of one layer read each other."""
    assert written(program, "task-{}".format, layered) == written(program, names.__getitem__, layered)


# --- layers whose tasks read each other ---------------------------------------------------------------------------


def test_a_long_way_through_one_layer_is_digested() -> None:
    """A running sum is a layer as deep as it has chunks; one that forks at each step would double each time."""
    ones = np.ones(1100)
    fork = {"x0": Task("x0", plus, 1)} | {
        f"x{n}": Task(f"x{n}", plus, TaskRef(f"x{n - 1}"), TaskRef(f"x{n - 1}")) for n in range(1, 200)
    }

    sums = [digest(da.from_array(ones[:size], chunks=1).cumsum(axis=0)) for size in (1100, 1099)]
    forks = [digest_of_tasks(fork, key) for key in ("x199", "x198")]

    assert len({*sums, *forks}) == 4


def test_a_cycle_has_no_digest() -> None:
    """It is said where, by the layer's name without its token."""
    tasks = {"a": Task("a", plus, TaskRef("b")), "b": Task("b", plus, TaskRef("a"))}
    graph = HighLevelGraph({"sum-0123": tasks}, {"sum-0123": set()})

    with pytest.raises(NotCanonical, match="layer 'sum'"):
        graph_digest(graph, ["a"], source=source, cut=cut_opened)


@pytest.mark.parametrize("output", ["b", "a"])
def test_a_task_that_is_not_there_has_no_digest(output: str) -> None:
    """Neither wanted nor read."""
    with pytest.raises(NotCanonical, match="'b'"):
        digest_of_tasks({"a": Task("a", plus, TaskRef("b")) if output == "a" else Task("a", plus)}, output)


def test_tasks_written_as_tuples_read_what_they_name() -> None:
    """A text or a tuple that is a task's name is that task, in whichever layer; any other is what it is."""

    def reading(key: object, value: int) -> str:
        layers = {"one": {"a": value, ("a", 0): value}, "two": {"x": (gathered, key)}}
        graph = HighLevelGraph(layers, {"one": set(), "two": {"one"}})
        return graph_digest(graph, ["x"], source=source, cut=cut_opened)

    assert len({reading(key, value) for key in ("a", ("a", 0)) for value in (1, 2)}) == 4
    assert {reading("b", 1), reading("b", 2)} == {digest_of_tasks({"x": Task("x", gathered, "b")}, "x")}


def test_a_set_of_tasks_has_no_digest() -> None:
    """In which order its members come, the hash seed decides."""
    tasks = {"a": Task("a", plus, 1), "x": Task("x", gathered, Set(TaskRef("a")))}

    with pytest.raises(NotCanonical, match="Set"):
        digest_of_tasks(tasks, "x")
