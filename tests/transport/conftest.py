"""What tests of ingest share: a server that does wrong on request, and transports that give up soon."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from servers import RangeServer, range_server

from mrv_assets.transport.hosts import HostRules
from mrv_assets.transport.http import HttpTransport
from mrv_assets.transport.limits import Limits
from mrv_assets.transport.signing import Signer

Opened = Callable[..., HttpTransport]
THIS_MACHINE = HostRules(loopback=True)


@pytest.fixture
def server() -> Iterator[RangeServer]:
    """A server of byte ranges on loopback."""
    with range_server() as running:
        yield running


@pytest.fixture
def opened() -> Iterator[Opened]:
    """Open transports that may ask this machine, with small waits; they are closed when the test ends."""
    with ExitStack() as stack:

        def open_one(*, rules: HostRules = THIS_MACHINE, signer: Signer | None = None, **limits: Any) -> HttpTransport:
            small = {"silence_s": 10, "connect_s": 10, "backoff_s": 0.01, "attempts": 4, "breaker_pause_s": 0.05}
            return stack.enter_context(HttpTransport(rules, signer=signer, limits=Limits(**{**small, **limits})))

        yield open_one
