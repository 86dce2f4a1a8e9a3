"""Searches of STAC APIs on this machine, and of what they do wrong."""

from collections.abc import Callable
from typing import Any

import pytest
from scene_builders import romanian
from stac_servers import Asked, Json, Reply, StacServer, Twist, stac_server

from mrv_assets.errors import CatalogueError
from mrv_assets.stac.api import ApiCatalogue
from mrv_assets.stac.presets import preset_of
from mrv_assets.stac.source import SearchResult
from mrv_assets.transport.hosts import HostRules
from mrv_assets.transport.limits import Limits

HERE = (22.0, 45.0, 23.0, 46.0)
JULY = ("2018-07-01T00:00:00Z", "2018-08-01T00:00:00Z")
SMALL = {"silence_s": 10.0, "connect_s": 5.0, "backoff_s": 0.01, "attempts": 4, "deadline_s": 20.0}
"""Limits that give up soon."""
ITEMS = tuple(romanian(f"i{number:02d}", f"2018-07-{number + 1:02d}T09:30:00Z") for number in range(25))


def api(root: str, *, rules: HostRules | None = None, **limits: Any) -> ApiCatalogue:
    """A catalogue that may ask this machine, and gives up soon."""
    return ApiCatalogue(preset_of(root), rules or HostRules(loopback=True), Limits(**{**SMALL, **limits}))


def search(root: str, collection: str = "sentinel-2", **limits: Any) -> SearchResult:
    """The items of July in SW Romania."""
    return api(root, **limits).search(collection, HERE, *JULY)


def failing(twist: Twist, **options: Any) -> tuple[CatalogueError, StacServer]:
    """The error of a search of a server that does this wrong, and the server with its log."""
    limits = {name: options.pop(name) for name in tuple(options) if name in Limits.__dataclass_fields__}
    with stac_server(ITEMS, twist=twist, **options) as server, pytest.raises(CatalogueError) as error:
        search(server.root, **limits)
    return error.value, server


def at_search(number: int | None, reply: Callable[[Asked, Json], Json | Reply]) -> Twist:
    """Do something wrong at one request for a page, or at all of them."""
    return lambda asked, document: (
        reply(asked, document) if asked.path == "/search" and number in (None, asked.number) else document
    )


def names(found: SearchResult) -> list[str]:
    """The items' ids, in order."""
    return [item["id"] for item in found.items]
