"""Places in another CRS: what pyproj says, made once for all threads."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from pyproj import Transformer
from pyproj.exceptions import CRSError, ProjError
from pyproj.transformer import TransformerFromCRS

from mrv_assets.science.projection import knows_a_way, transformed

ETRS, UTM = "EPSG:3035", "EPSG:32634"
X, Y = np.array([[5.2e6, 5.3e6], [5.4e6, 5.5e6]]), np.array([[2.6e6, 2.7e6], [2.8e6, 2.9e6]])


def test_places_are_those_that_pyproj_gives() -> None:
    """Eastward first whatever the authority's order, the shape kept, infinite where there is no such place."""
    expected = Transformer.from_crs(ETRS, UTM, always_xy=True).transform(X, Y)

    np.testing.assert_array_equal(transformed(ETRS, UTM, X, Y), expected)
    lon, lat = transformed("EPSG:4326", UTM, [21.0], [95.0])
    assert np.isinf([*lon, *lat]).all()


def test_threads_share_one_transformer(monkeypatch: pytest.MonkeyPatch) -> None:
    """To make one costs a tenth of a second for some CRS, in which every other thread waits."""
    pair, made, make = ("EPSG:32635", "EPSG:3035"), [], TransformerFromCRS.__call__

    def counted(self: TransformerFromCRS) -> object:
        # pyproj calls it in every thread that uses a transformer.
        made.append((self.crs_from.decode(), self.crs_to.decode()))
        return make(self)

    monkeypatch.setattr(TransformerFromCRS, "__call__", counted)

    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda _: transformed(*pair, X, Y), range(32)))

    assert made == [pair]
    assert all(np.array_equal(one, found[0]) for one in found)


def test_a_forked_process_has_a_thread_of_its_own() -> None:
    """The parent's is not there: to wait for it would be for ever."""
    expected = transformed(ETRS, UTM, X, Y)

    child = os.fork()
    if child == 0:
        signal.alarm(60)
        try:
            os._exit(7 if np.array_equal(transformed(ETRS, UTM, X, Y), expected) else 1)
        finally:
            os._exit(2)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


def test_a_crs_that_is_none_is_said() -> None:
    """No way leads from it, and asking for one is an error."""
    assert knows_a_way(ETRS, UTM)
    assert not knows_a_way("EPSG:1", UTM)
    with pytest.raises((ProjError, CRSError)):
        transformed("EPSG:1", UTM, X, Y)
