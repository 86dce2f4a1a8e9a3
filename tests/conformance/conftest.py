"""What tests against stac-fastapi-pgstac share: one server a session; each test has collections of its own."""

from collections.abc import Iterator

import pytest
from pgstac_servers import Pgstac, pgstac
from postgres import postgres


@pytest.fixture(scope="session")
def stac() -> Iterator[Pgstac]:
    """A STAC API over a PostgreSQL, both made for this session, without an item."""
    with postgres() as database, pgstac(database) as running:
        yield running
