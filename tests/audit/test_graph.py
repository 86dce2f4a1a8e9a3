"""The graph digest sees which function is applied to what, and which of equal tasks is read; not what runs it."""

import json
from itertools import combinations
from pathlib import Path

import graph_builders
import pytest
from demo_lake import python
from graph_builders import Limits, OpenedArray, digest, gathered, minus, plus, samples
from hypothesis import given, settings
from hypothesis import strategies as st

from mrv_assets.audit.graph import STAGING, Node, in_order, task
from mrv_assets.audit.values import NotCanonical
from mrv_assets.formats.arrays import ArraySpec, Group
from mrv_assets.formats.stored_arrays import StoredArrays
from mrv_assets.science.grid import Grid
from mrv_assets.stages.blocks import computed
from mrv_assets.stages.options import RunOptions

TESTS = Path(graph_builders.__file__).parent


# --- what it does not see -----------------------------------------------------------------------------------------


def test_every_process_gives_the_same_digest() -> None:
    """Other addresses in memory, other orders of sets, another place of what is opened."""
    here = {name: digest(node) for name, node in samples().items()}
    say = "print(json.dumps({n: g.digest(c) for n, c in reversed(g.samples().items())}))"

    there = python(
        "-c", f"import json, graph_builders as g; {say}", cwd=TESTS, PYTHONPATH=str(TESTS), PYTHONHASHSEED="4294967295"
    )

    assert there.returncode == 0, there.stderr
    assert json.loads(there.stdout) == here
    assert len(set(here.values())) == len(here)


def test_no_scheduler_is_needed_for_a_digest() -> None:
    """An update of dask, or another scheduler in its place, moves no audit hash."""
    imported = python(
        "-c", "import sys, graph_builders; print('dask' in sys.modules)", cwd=TESTS, PYTHONPATH=str(TESTS)
    )

    assert imported.stdout.strip() == "False", imported.stderr


def test_where_opened_data_lies_is_not_topology() -> None:
    """How it is chunked is."""
    arrays = [
        OpenedArray(path="a", chunks=(4,)),
        OpenedArray(path="b", chunks=(4,)),
        OpenedArray(path="a", chunks=(2,)),
    ]

    here, there, finer = (digest(task(plus, array)) for array in arrays)

    assert here == there != finer


def test_a_stage_sees_how_stored_arrays_are_chunked(tmp_path: Path) -> None:
    """Type and chunks of the real thing, wherever its folder is."""
    grid = Grid(crs="EPSG:32634", x0=0.0, y0=0.0, dx=10.0, dy=-10.0, width=1100, height=1100)

    def read(name: str, times: int = 2, dtype: str = "uint16") -> str:
        spec = ArraySpec(name="red", dtype=dtype, fill=0, timed=True)
        said = Group(grid=grid, times_us=tuple(range(times)), specs=(spec,)).content({})
        return digest(task(gathered, StoredArrays(tmp_path / name, said, {}), STAGING))

    first = read("one")

    assert first == read("other")
    assert len({first, read("longer", times=3), read("signed", dtype="int16")}) == 3


# --- what it sees -------------------------------------------------------------------------------------------------


def block(number: int = 2, function: object = plus, before: object = minus, last: int = 3) -> Node:
    """A small graph: two blocks of one created array, and what puts them together."""
    created = task(before, 1, Limits())  # type: ignore[arg-type]
    blocks = [task(function, created, n) for n in (number, last)]  # type: ignore[arg-type]
    return task(gathered, blocks, created)


GRAPHS = {
    "as it was": block(),
    "another function": block(function=minus),
    "another function before": block(before=plus),
    "another parameter": block(number=4),
    "a parameter of another type": block(number=2.0),  # type: ignore[arg-type]
    "blocks in another order": block(number=3, last=2),
    "an added operation": task(gathered, block()),
    "an added parameter": task(gathered, *block().arguments, 0),
    "one argument fewer": task(gathered, *block().arguments[:1]),
    "swapped arguments": task(gathered, *reversed(block().arguments)),
    "blocks apart": task(gathered, *block().nodes()),
}


def test_no_two_of_these_graphs_have_one_digest() -> None:
    """Each is another way to compute something; several differ in one function, parameter, type or order alone."""
    digests = {name: digest(graph) for name, graph in GRAPHS.items()}

    assert [pair for pair in combinations(digests, 2) if digests[pair[0]] == digests[pair[1]]] == []


@pytest.mark.parametrize(
    "hidden", [(task(plus, 1),), {"a": task(plus, 1)}, [[task(plus, 1)]], Limits(low=task(plus, 1))]
)
def test_a_node_inside_a_value_is_refused(hidden: object) -> None:
    """Nothing would compute it, and its place in the graph would go unseen."""
    with pytest.raises(NotCanonical, match=r"graph\.Node"):
        digest(task(gathered, hidden))


# --- which of equal tasks -----------------------------------------------------------------------------------------


def test_one_task_read_twice_is_not_two_equal_tasks() -> None:
    """Two blocks that write into one new array, or each into one of its own."""
    one, other = task(plus, 1), task(plus, 1)
    first, last = task(gathered, one, "a"), task(gathered, one, "b")

    shared = digest(task(gathered, [first, last]))

    assert shared != digest(task(gathered, [first, task(gathered, other, "b")]))
    assert digest(task(gathered, [one, one])) != digest(task(gathered, [one, other]))
    assert digest(task(gathered, [one, other])) == digest(task(gathered, [other, one]))


def test_equal_tasks_wired_crosswise_are_not_equal_tasks_wired_straight() -> None:
    """Same tasks, same number of each, same readers of each."""
    a, b = task(plus, 1), task(plus, 1)
    straight = [task(gathered, a, b), task(gathered, a, b)]
    crosswise = [task(gathered, a, b), task(gathered, b, a)]
    apart = [task(gathered, a, a), task(gathered, b, b)]

    assert len({digest(task(gathered, pair)) for pair in (straight, crosswise, apart)}) == 3


Program = list[tuple[bool, list[int]]]
"""Tasks: which of two functions, and the tasks before it that it reads. The last one is wanted."""


@st.composite
def programs(draw: st.DrawFn) -> Program:
    """Up to five tasks; few enough that equal ones are common."""
    reads = [draw(st.lists(st.integers(0, n - 1), max_size=2)) if n else [] for n in range(draw(st.integers(1, 5)))]
    return [(draw(st.booleans()), read) for read in reads]


def written(program: Program) -> Node:
    """A program as a graph."""
    nodes: list[Node] = []
    for which, reads in program:
        nodes.append(task(plus if which else minus, *(nodes[read] for read in reads)))
    return nodes[-1]


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
    """Whatever tasks there are besides, and in which order they were written down."""
    assert (digest(written(one)) == digest(written(other))) == same_work(one, other)


# --- long and deep graphs -----------------------------------------------------------------------------------------


def test_a_long_chain_and_one_that_forks_at_each_step_are_digested() -> None:
    """Neither Python's stack nor time is used up: each task is looked at once."""
    chain = fork = task(plus, 1)
    for _ in range(3000):
        chain, fork = task(plus, chain), task(plus, fork, fork)

    digests = {digest(node) for node in (chain, fork, *chain.nodes(), *fork.nodes())}

    assert len(digests) == 4


def test_every_task_comes_after_those_that_it_reads() -> None:
    """Each once, the output last."""
    output = block()

    order = in_order(output)

    assert order[-1] is output
    assert len(order) == len(set(order)) == 4
    assert all(order.index(read) < order.index(node) for node in order for read in node.nodes())


# --- computing ----------------------------------------------------------------------------------------------------


def test_a_graph_is_computed_as_it_was_digested(tmp_path: Path) -> None:
    """Results in their order, lists of results as lists, values as they are, the folder in its place."""
    shared = Limits(low=[1], high={"a": (2,)})
    one, other = task(plus, 1, 2), task(minus, 1, 2)

    result = computed(
        task(gathered, [one, other, one], shared, STAGING, ("a", 1), None), tmp_path, RunOptions(workers=2)
    )

    assert result == ([3, -1, 3], shared, tmp_path, ("a", 1), None)
