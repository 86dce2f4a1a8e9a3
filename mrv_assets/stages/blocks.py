"""The graph of a stage: one dask task is one block, and one more puts their results together.

A stage writes its work down as a graph first. The graph's digest is part of the request, so it is known before anything
is computed; then the same graph is computed, here or on a cluster.
"""

import ctypes
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import Any

import shapely
from dask.base import compute
from dask.delayed import Delayed, delayed
from dask.threaded import get as threads

from mrv_assets.audit.canonical import Json, sha256
from mrv_assets.audit.graph import graph_digest
from mrv_assets.cog.sparse_tiff import SparseTiff
from mrv_assets.formats.arrays import ArraySpec, BlockArrays, Leaves
from mrv_assets.science.blocks import Block
from mrv_assets.stages.plan import Plan
from mrv_assets.stages.source_code import source

Graph = Callable[[Path], Delayed]
"""Folder to put data in, to the graph that puts it there; the graph's result is the record's output."""

_M_ARENA_MAX = -8
"""glibc's name for it, from malloc.h."""

_ANYWHERE = Path("the folder that data is put in")


def once(task: Callable[..., Any], *arguments: object) -> Delayed:
    """One task of a graph. What other tasks give is passed on as their result; the rest as it is."""
    made: Delayed = delayed(task, pure=False, traverse=False)(*(as_node(argument) for argument in arguments))
    return made


def each(task: Callable[..., Any], blocks: Iterable[Block], *arguments: object) -> list[Delayed]:
    """One task per block, called with the arguments and the block; in the order of the blocks."""
    # One node for all: what every block needs is sent to a worker once.
    shared = [as_node(argument) for argument in arguments]
    return [once(task, *shared, block) for block in blocks]


def as_node(argument: object) -> object:
    """A value as a node of its own, for several tasks to share; what is one already stays as it is."""
    if isinstance(argument, Delayed) or (isinstance(argument, list) and argument and isinstance(argument[0], Delayed)):
        return argument
    # Left whole: dask would look for tasks inside, and take dataclasses to pieces. It quotes bare lists and dicts.
    assert not isinstance(argument, list | dict)
    return delayed(argument, pure=False, traverse=False)


def topology(graph: Graph) -> str:
    """The graph digest of a stage, before anything is computed.

    Raises:
        NotCanonical: When the graph holds something that has no one spelling.
    """
    work = graph(_ANYWHERE)
    return graph_digest(work.dask, work.__dask_keys__(), source=source, cut=_leaf)


def _leaf(value: object) -> Json | None:
    """What stands for opened data: its variables and how they are chunked. Which data it is, the inputs say."""
    match value:
        case BlockArrays():
            return {"arrays": value.chunking()}
        case SparseTiff():
            header = value.header
            return {"geotiff": value.name, "dtype": header.dtype, "chunks": list(header.block)}
        case shapely.Geometry():
            return {"wkb_sha256": sha256(shapely.to_wkb(value, byte_order=1))}
        case Path() if value == _ANYWHERE:
            return {"folder": "staging"}
    return None


def computed(plan: Plan, work: Delayed) -> Any:
    """Compute a graph.

    Args:
        plan: Says how many blocks at once, and on which scheduler.
        work: What :func:`once` gave.
    """
    if plan.dask_address is not None:
        from distributed import Client

        with Client(plan.dask_address, set_as_default=False) as client:  # type: ignore[no-untyped-call]
            return client.compute(work, optimize_graph=False).result()
    _keep_arenas_few()
    with ThreadPool(plan.workers) as pool:
        [result] = compute(work, scheduler=threads, pool=pool, optimize_graph=False)  # type: ignore[no-untyped-call]
        return result


@cache
def _keep_arenas_few() -> None:
    """Let threads share two of glibc's memory arenas: one each keeps a hundred megabytes that nobody uses."""
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 2)


def written(specs: Sequence[ArraySpec], blocks: Sequence[Mapping[str, Leaves]]) -> dict[str, dict[str, bytes]]:
    """Per variable, the leaves that all blocks wrote."""
    return {
        spec.name: {name: leaf for found in blocks for name, leaf in found.get(spec.name, {}).items()} for spec in specs
    }


def summed(counts: Sequence[Any]) -> Any:
    """Element-wise sum of equally shaped lists and dicts of whole numbers."""
    first = counts[0]
    if isinstance(first, dict):
        return {key: summed([count[key] for count in counts]) for key in first}
    if isinstance(first, list):
        return [summed(list(items)) for items in zip(*counts, strict=True)]
    return sum(counts)
