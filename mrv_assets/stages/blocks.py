"""Running a task over blocks: one dask task is one block, here or on a cluster; results come in order."""

import ctypes
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from multiprocessing.pool import ThreadPool
from typing import Any, TypeVar

from dask.base import compute
from dask.delayed import delayed

from mrv_assets.lake.arrays import ArraySpec, block_name
from mrv_assets.science.blocks import Block
from mrv_assets.stages.plan import Plan

Result = TypeVar("Result")

_M_ARENA_MAX = -8
"""glibc's name for it, from malloc.h."""


def over_blocks(plan: Plan, task: Callable[[Block], Result], blocks: Iterable[Block]) -> list[Result]:
    """Run a task on each block and give the results in the order of the blocks.

    Args:
        plan: Says how many blocks at once, and on which scheduler.
        task: Picklable; holds what it needs.
        blocks: The blocks to work on.
    """
    tasks = [delayed(task, pure=False)(block) for block in blocks]
    if not tasks:
        return []
    if plan.dask_address is not None:
        from distributed import Client

        with Client(plan.dask_address, set_as_default=False) as client:  # type: ignore[no-untyped-call]
            results: list[Result] = client.gather(client.compute(tasks))
            return results
    _keep_arenas_few()
    with ThreadPool(plan.workers) as pool:
        return list(compute(*tasks, scheduler="threads", pool=pool, optimize_graph=False))  # type: ignore[no-untyped-call]


@cache
def _keep_arenas_few() -> None:
    """Let threads share two of glibc's memory arenas: one each keeps a hundred megabytes that nobody uses."""
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 2)


def written_blocks(
    specs: Sequence[ArraySpec], blocks: Sequence[Block], digests: Sequence[Mapping[str, str | None]]
) -> dict[str, dict[str, str]]:
    """Per variable, the digest of each block that was written."""
    written: dict[str, dict[str, str]] = {spec.name: {} for spec in specs}
    for block, found in zip(blocks, digests, strict=True):
        for name, value in found.items():
            if value is not None:
                written[name][block_name(block)] = value
    return written


def summed(counts: Sequence[Any]) -> Any:
    """Element-wise sum of equally shaped lists and dicts of whole numbers."""
    first = counts[0]
    if isinstance(first, dict):
        return {key: summed([count[key] for count in counts]) for key in first}
    if isinstance(first, list):
        return [summed(list(items)) for items in zip(*counts, strict=True)]
    return sum(counts)
