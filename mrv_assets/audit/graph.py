"""Graph digest: which function is applied to what, over which blocks and in which order, before anything is computed.

A stage writes its work down as nodes. The digest of the nodes is part of the stage's request; only then are they turned
into tasks of a scheduler, whose names, tokens and classes are not part of the digest.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from mrv_assets.audit.canonical import Json
from mrv_assets.audit.code import Source
from mrv_assets.audit.values import Spelling, spelling_digest

SCHEME = "mrv-graph/2"


class Node:
    """One task: a function of a module, applied to the results of other nodes and to values.

    Two nodes are the same node only if they are one object: an array that is created once and read twice is not two
    arrays.
    """

    def __init__(self, function: Callable[..., object], arguments: tuple[object, ...]) -> None:
        """Apply a function.

        Args:
            function: Found by its name in its module.
            arguments: Nodes, lists of nodes, opened data, or values that have one spelling. A node deeper inside a
                value is refused when the graph is digested.
        """
        self.function, self.arguments = function, arguments

    def nodes(self) -> Iterator["Node"]:
        """The nodes whose results this one is given, in the order of its arguments."""
        for argument in self.arguments:
            for part in argument if isinstance(argument, list) else (argument,):
                if isinstance(part, Node):
                    yield part


class StagingFolder:
    """The folder that a stage's data is put in; whoever computes a graph puts a path in its place."""

    def leaf(self) -> Json:
        """Its entry in a graph, without the place where it lies."""
        return {"folder": "staging"}


STAGING = StagingFolder()


def task(function: Callable[..., object], *arguments: object) -> Node:
    """A node that applies a function to arguments."""
    return Node(function, arguments)


def in_order(output: Node) -> list[Node]:
    """Every node that an output rests on, each once, after all those that it reads; the output is last."""
    order: dict[Node, None] = {}
    pending: list[tuple[Node, Iterator[Node]]] = [(output, output.nodes())]
    # A loop, since a chain of nodes may be longer than Python's stack.
    while pending:
        node, remaining = pending[-1]
        following = next((read for read in remaining if read not in order), None)
        if following is None:
            order[node] = None
            pending.pop()
        else:
            pending.append((following, following.nodes()))
    return list(order)


def graph_digest(output: Node, source: Source) -> str:
    """SHA-256 of the graph that gives a result: its nodes, numbered in the order in which their results are needed.

    Args:
        output: The node whose result is wanted.
        source: Gives the source of a module of this package, whose functions are known by their syntax trees. Functions
            of other packages are known by name.

    Returns:
        Lower-case hex; the same in every process, folder and Python, and for every version of dask.

    Raises:
        NotCanonical: For an argument that is neither a node, opened data nor a plain value.
    """
    spelling = Spelling(source)
    order = in_order(output)
    numbers = {node: number for number, node in enumerate(order)}
    # A value that every block is given is spelled once.
    digests: dict[int, str] = {}

    def argument(value: object) -> Json:
        match value:
            case Node():
                return {"node": numbers[value]}
            case list() if any(isinstance(part, Node) for part in value):
                return {"nodes": [argument(part) for part in value]}
        if id(value) not in digests:
            digests[id(value)] = spelling_digest(spelling.value(value))
        return {"value_sha256": digests[id(value)]}

    nodes = [
        {"function": spelling.function(node.function), "arguments": [argument(value) for value in node.arguments]}
        for node in order
    ]
    return spelling_digest({"scheme": SCHEME, "nodes": nodes})


@dataclass(frozen=True, kw_only=True)
class Step:
    """One operation of a stage that has no graph, declared beside the code that does it."""

    name: str
    function: Callable[..., object]
    """The function that does it."""
    reads: tuple[str, ...]
    """Variables and steps it reads."""


def steps_digest(steps: Sequence[Step], source: Source) -> str:
    """SHA-256 of a stage's declared steps, in order; functions are spelled as in :func:`graph_digest`.

    Raises:
        NotCanonical: For a step whose function nobody can look up by its name.
    """
    spelling = Spelling(source)
    spelled_steps = [
        {"name": step.name, "function": spelling.function(step.function), "reads": list(step.reads)} for step in steps
    ]
    return spelling_digest({"scheme": SCHEME, "steps": spelled_steps})
