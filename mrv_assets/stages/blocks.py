"""Stages of block tasks: their graphs, with one task a block, digested first and then computed.

A graph is written down as nodes of :mod:`mrv_assets.audit.graph`, whose digest is known before anything is computed.
The same nodes then become tasks of dask, in threads of this process or on a cluster.
"""

import ctypes
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import Any

from dask.base import compute
from dask.delayed import Delayed, delayed
from dask.threaded import get as threads

from mrv_assets.audit.canonical import Json
from mrv_assets.audit.graph import STAGING, Node, graph_digest, in_order, task
from mrv_assets.audit.record import Record
from mrv_assets.formats.arrays import Group, Leaves
from mrv_assets.lake.store import Lake
from mrv_assets.science.blocks import Block
from mrv_assets.stages.materialize import Materialized, Plan, materialize
from mrv_assets.stages.options import RunOptions
from mrv_assets.stages.source_code import source

_M_ARENA_MAX = -8
"""glibc's number for the option M_ARENA_MAX, from malloc.h."""


@dataclass(frozen=True, kw_only=True)
class BlockWritten:
    """Result of a block task: the leaves and counts of one block."""

    leaves: Mapping[str, Leaves]
    """Leaves that hold anything but fill, by variable."""
    counts: Any = None
    """Whole numbers in lists and dicts, to be summed over the blocks; None where nothing is counted."""


def group_graph(
    group: Group,
    job: object,
    block_task: Callable[[Any, Path, Block], BlockWritten],
    blocks: Iterable[Block],
    *,
    counts: str | None = None,
) -> Node:
    """The graph that creates a group, writes its blocks, and gives the group's content for the record.

    Args:
        group: The arrays to store.
        job: Argument of every block task; sent to a worker once.
        block_task: Computes and stores one block, called with the job, the group's folder and the block.
        blocks: The blocks to write, in order.
        counts: Name under which the record states the sum of the blocks' counts; None where nothing is counted.
    """
    folder = task(_create, group, STAGING)
    written = [task(block_task, job, folder, block) for block in blocks]
    return task(_finish, group, folder, written, counts)


def _create(group: Group, folder: Path) -> Path:
    group.create(folder)
    return folder


def _finish(group: Group, folder: Path, blocks: Sequence[BlockWritten], counts: str | None) -> Json:
    written = merged([block.leaves for block in blocks])
    group.finish(folder, written)
    content = group.content(written)
    return content if counts is None else {**content, counts: summed([block.counts for block in blocks])}


def merged(blocks: Iterable[Mapping[str, Leaves]]) -> dict[str, Leaves]:
    """The leaves that all blocks wrote, by variable."""
    leaves: dict[str, dict[str, bytes]] = {}
    for block in blocks:
        for name, written in block.items():
            leaves.setdefault(name, {}).update(written)
    return dict(leaves)


def summed(counts: Sequence[Any]) -> Any:
    """Element-wise sum of equally shaped lists and dicts of whole numbers."""
    first = counts[0]
    if isinstance(first, dict):
        return {key: summed([count[key] for count in counts]) for key in first}
    if isinstance(first, list):
        return [summed(list(items)) for items in zip(*counts, strict=True)]
    return sum(counts)


def materialize_blocks(
    lake: Lake,
    plan: Plan,
    stage: str,
    *,
    graph: Node,
    manifest: Json,
    made_from: Sequence[Record],
    reads: Sequence[Record],
) -> Materialized:
    """Answer the request of a stage that computes a graph of block tasks.

    Args:
        lake: Where records and data live.
        plan: The tile and month, and how to run.
        stage: Module of the stage, named after its asset.
        graph: The node that gives the record's output; digested before it is computed.
        manifest: The parameter manifest.
        made_from: The upstream records that the record names as its inputs.
        reads: Records whose data is read.

    Raises:
        NotReproducible: When computing again gives another output than before.
        DamagedLake: When data that is read is not what its run wrote.
    """
    return materialize(
        lake,
        plan,
        plan.asset(stage.rpartition(".")[2]),
        stage=stage,
        manifest=manifest,
        graph=graph_digest(graph, source),
        inputs={record.partition.asset: record.audit_hash for record in made_from},
        reads=reads,
        produce=lambda folder: computed(graph, folder, plan.options),
    )


def computed(output: Node, folder: Path, options: RunOptions) -> Any:
    """Compute a graph and give its result.

    Args:
        output: The node whose result is returned.
        folder: Folder that the graph writes its data to.
        options: Number of blocks at once, and the scheduler.
    """
    work = _delayed(output, folder)
    if options.dask_address is not None:
        from distributed import Client

        with Client(options.dask_address, set_as_default=False) as client:  # type: ignore[no-untyped-call]
            return client.compute(work, optimize_graph=False).result()
    _keep_arenas_few()
    with ThreadPool(options.workers) as pool:
        [result] = compute(work, scheduler=threads, pool=pool, optimize_graph=False)  # type: ignore[no-untyped-call]
        return result


def _delayed(output: Node, folder: Path) -> Delayed:
    """A graph as dask tasks; a value that several nodes share is one task, so that it is sent once."""
    tasks: dict[Node, Delayed] = {}
    values: dict[int, Delayed] = {}

    def argument(value: object) -> object:
        match value:
            case Node():
                return tasks[value]
            case list() if any(isinstance(part, Node) for part in value):
                return [argument(part) for part in value]
        if id(value) not in values:
            # Not traversed: dask would look for tasks inside, and take dataclasses to pieces.
            plain = folder if value is STAGING else value
            values[id(value)] = delayed(plain, pure=False, traverse=False)
        return values[id(value)]

    for node in in_order(output):
        function = delayed(node.function, pure=False, traverse=False)
        tasks[node] = function(*(argument(value) for value in node.arguments))
    return tasks[output]


@cache
def _keep_arenas_few() -> None:
    """Let threads share two of glibc's memory arenas: one for each thread keeps a hundred megabytes unused."""
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 2)
