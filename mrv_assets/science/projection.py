"""Transformation of coordinates from one CRS to another, by PROJ, in one thread of the process.

pyproj creates a new transformer for every thread that uses it. For some pairs of CRS this takes PROJ a tenth of a
second, in which all other threads stand still; a stage has a dozen threads.
"""

from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from multiprocessing import current_process

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pyproj import Transformer
from pyproj.exceptions import ProjError

Coordinates = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Eastward and northward coordinates, float64, of one shape."""


def transformed(source: str, target: str, x: ArrayLike, y: ArrayLike) -> Coordinates:
    """Coordinates in another CRS: (x, y) in both, longitude and latitude where the CRS is geographic.

    Args:
        source: CRS of the given coordinates, as ``EPSG:nnnnn`` or WKT.
        target: CRS of the result.
        x: Eastward coordinates, any shape, units of the source.
        y: Northward coordinates, same shape.

    Returns:
        Both coordinates, float64, in the shape of ``x`` and the target's units; inf where a point is outside the
        target's domain.

    Raises:
        ProjError: When PROJ knows no transformation between the two; also for a CRS that it does not know.
    """
    return _thread().submit(_transformed, source, target, x, y).result()


@lru_cache(maxsize=256)
def knows_a_way(source: str, target: str) -> bool:
    """Whether PROJ knows both CRS and a transformation from one to the other."""
    return _thread().submit(_knows_a_way, source, target).result()


def _transformed(source: str, target: str, x: ArrayLike, y: ArrayLike) -> Coordinates:
    coordinates = _transformer(source, target).transform(np.asarray(x, np.float64), np.asarray(y, np.float64))
    return np.asarray(coordinates[0], np.float64), np.asarray(coordinates[1], np.float64)


def _knows_a_way(source: str, target: str) -> bool:
    try:
        _transformer(source, target)
    except ProjError:
        return False
    return True


@lru_cache(maxsize=256)
def _transformer(source: str, target: str) -> Transformer:
    return Transformer.from_crs(source, target, always_xy=True)


_threads: dict[int | None, ThreadPoolExecutor] = {}
"""The thread by process id: a forked process inherits none of its parent's threads."""


def _thread() -> ThreadPoolExecutor:
    """The thread of this process. Where two are created at once, one is kept; a thread starts with its first work."""
    process = current_process().pid
    thread = _threads.get(process)
    return thread or _threads.setdefault(process, ThreadPoolExecutor(1, thread_name_prefix="mrv-proj"))
