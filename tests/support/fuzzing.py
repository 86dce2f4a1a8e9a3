"""How hard fuzz tests try: they share the examples of a Hypothesis profile, ``fuzz`` unless HYPOTHESIS_PROFILE says so.

Profiles are registered in conftest.py; ``make nightly`` runs the larger one.
"""

import gc
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from hypothesis import HealthCheck, settings

SHARES = {
    "tiff structure": 0.35,
    "tiff bytes": 0.15,
    "no tiff": 0.05,
    "tile bytes": 0.15,
    "items": 0.3,
}
"""Which part of a profile's examples each test takes."""
assert abs(sum(SHARES.values()) - 1) < 1e-9

LIMIT_S = 1.0
"""Processor time one hostile input may take."""


def share(name: str) -> settings:
    """Settings of one fuzz test."""
    profile = settings.get_profile(os.environ.get("HYPOTHESIS_PROFILE", "fuzz"))
    return settings(
        profile,
        deadline=None,
        max_examples=round(profile.max_examples * SHARES[name]),
        # Examples are whole files, and most of them are no good.
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
    )


@contextmanager
def within_limit() -> Iterator[None]:
    """Fails where the block takes more of this thread's time than a hostile input may; waiting for a core is free."""
    # A collection takes as long as all that a search of thousands remembers is large: not this input's doing.
    gc.disable()
    try:
        began = time.thread_time()
        yield
        took = time.thread_time() - began
    finally:
        gc.enable()
    assert took <= LIMIT_S, f"it took {took:.2f} s"
