"""Builders of dask graphs to digest, and the functions and types that their tasks name."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, IntFlag
from types import ModuleType
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
from dask._task_spec import Task
from dask.core import flatten
from dask.delayed import Delayed, delayed
from dask.highlevelgraph import HighLevelGraph

from mrv_assets.audit.graph import Cut, graph_digest
from mrv_assets.stages.source_code import source

Json = dict[str, Any]


def plus(left: Any, right: Any = 0) -> Any:
    """A sum."""
    return left + right


def minus(left: Any, right: Any = 0) -> Any:
    """A difference."""
    return left - right


def gathered(*parts: Any, **named: Any) -> Any:
    """What it is given."""
    return parts, named


class Why(IntFlag):
    """Bits."""

    CLOUD = 1
    SHADOW = 2


class Way(Enum):
    """Names."""

    NEAR = "near"
    FAR = "far"


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Parameters of a task."""

    low: Any = 0
    high: Any = 1
    bands: frozenset[str] = frozenset({"red", "nir", "blue", "nir08", "swir16", "swir22", "scl"})
    why: Why = Why.CLOUD


@dataclass(frozen=True, kw_only=True)
class Opened:
    """Something opened: where it lies, and how it is chunked."""

    path: str
    chunks: tuple[int, ...]


def cut_opened(value: object) -> Json | None:
    """What stands for something opened; not where it lies."""
    return {"chunks": list(value.chunks)} if isinstance(value, Opened) else None


def digest(collection: Any, cut: Cut = cut_opened) -> str:
    """The graph digest of a delayed value, a dask array or a DataArray."""
    keys = list(flatten(collection.__dask_keys__()))
    return graph_digest(collection.__dask_graph__(), keys, source=source, cut=cut)


def digest_of_tasks(tasks: Mapping[Any, Any], *outputs: Any, cut: Cut = cut_opened) -> str:
    """The graph digest of one layer, written down by hand."""
    return graph_digest(HighLevelGraph({"layer": dict(tasks)}, {"layer": set()}), outputs, source=source, cut=cut)


def digest_of(value: object) -> str:
    """The digest of a graph of one task that is given one value."""
    return digest_of_tasks({"task": Task("task", gathered, value)}, "task")


def digest_calling(function: Callable[..., object], sources: Mapping[str, bytes] | None = None) -> str:
    """The digest of a graph of one task that calls a function; with sources of our modules that are made up."""
    graph = HighLevelGraph({"layer": {"task": Task("task", function, 1)}}, {"layer": set()})
    return graph_digest(graph, ["task"], source=source if sources is None else sources.get, cut=cut_opened)


def once(function: Callable[..., object], *arguments: object) -> Delayed:
    """A task of its own, under a name that is never given twice."""
    task: Delayed = delayed(function, pure=False, traverse=False)(*arguments)
    return task


def an_array(chunks: Any = (2, 3), dtype: str = "float64", name: str | None = None) -> da.Array:
    """Numbers 0 to 23, dims (y, x)."""
    return da.from_array(np.arange(24, dtype=dtype).reshape(4, 6), chunks=chunks, name=name)


def a_stack(chunks: Any = (2, 3)) -> xr.DataArray:
    """The same as a DataArray."""
    return xr.DataArray(an_array(chunks), dims=("y", "x"))


def samples() -> dict[str, Any]:
    """Graphs of every kind, whose tasks and layers have other names in each process."""
    block = once(plus, Opened(path=f"/run/{id(sys)}", chunks=(4, 4)), Limits())
    stack = a_stack()
    return {
        "delayed": once(gathered, [once(minus, block, n) for n in range(3)], block),
        "array": (an_array() + 1)[1:].rechunk((3, 2)).mean(axis=0),
        "blocks": an_array().map_blocks(plus, right=2, dtype="float64"),
        "DataArray": xr.apply_ufunc(plus, stack, stack.T, kwargs={}, dask="parallelized").max("y"),
        "parallelized": xr.apply_ufunc(
            minus, stack, kwargs={"right": Limits().high}, dask="parallelized", output_dtypes=["float64"]
        ),
    }


def a_module(name: str, text: str) -> ModuleType:
    """A module that is made up; whoever puts it among the loaded ones takes it out again."""
    module = ModuleType(name)
    sys.modules[name] = module
    exec(text, module.__dict__)
    return module
