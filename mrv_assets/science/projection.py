"""From one CRS to another, by PROJ, in one thread of the process.

pyproj makes a transformer anew for every thread that uses it. Between some CRS that takes PROJ a tenth of a second, in
which all other threads stand still; a stage has a dozen threads.
"""

from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from multiprocessing import current_process

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pyproj import Transformer
from pyproj.exceptions import ProjError

Places = tuple[NDArray[np.float64], NDArray[np.float64]]


def transformed(source: str, target: str, x: ArrayLike, y: ArrayLike) -> Places:
    """Places in another CRS: (x, y) in either, longitude and latitude where it is geographic.

    Args:
        source: CRS of the places, as ``EPSG:nnnnn`` or WKT.
        target: CRS of the result.
        x: Eastward coordinates, any shape, units of the source.
        y: Northward coordinates, same shape.

    Returns:
        Both, in the shape of ``x`` and the target's units; inf where the target has no such place.

    Raises:
        ProjError: When PROJ knows no way; also for a CRS it does not know.
    """
    return _thread().submit(_transformed, source, target, x, y).result()


@lru_cache(maxsize=256)
def knows_a_way(source: str, target: str) -> bool:
    """Whether PROJ knows both CRS and a way from one to the other."""
    return _thread().submit(_knows_a_way, source, target).result()


def _transformed(source: str, target: str, x: ArrayLike, y: ArrayLike) -> Places:
    places = _transformer(source, target).transform(np.asarray(x, np.float64), np.asarray(y, np.float64))
    return np.asarray(places[0], np.float64), np.asarray(places[1], np.float64)


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
"""By process: one that was forked has none of the threads there were."""


def _thread() -> ThreadPoolExecutor:
    """The thread of this process. Of two made at once one is kept; a thread starts with its first work."""
    process = current_process().pid
    found = _threads.get(process)
    return found or _threads.setdefault(process, ThreadPoolExecutor(1, thread_name_prefix="mrv-proj"))
