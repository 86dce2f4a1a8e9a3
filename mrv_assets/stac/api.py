"""A STAC API, searched by bbox and time: pystac-client turns the pages, which come over our wire."""

import time
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from pystac_client import ItemSearch
from pystac_client.stac_api_io import StacApiIO

from mrv_assets.errors import CatalogueError, HrefRefused
from mrv_assets.scenes.bbox import spans
from mrv_assets.scenes.item import item_id as id_of
from mrv_assets.scenes.links import without_query
from mrv_assets.science.grid import Bounds
from mrv_assets.stac.client import LIMITS, ApiClient
from mrv_assets.stac.json_document import parsed
from mrv_assets.stac.pages import Pages
from mrv_assets.stac.presets import Preset
from mrv_assets.stac.source import Json, SearchResult
from mrv_assets.transport.hosts import HostRules, is_link, joined
from mrv_assets.transport.limits import Limits
from mrv_assets.transport.retry import Failure

PAGE_ITEMS = 100
"""Items asked for in one page; many APIs give fewer. A hundred of the largest items are 6 MB."""
LISTED = 10
"""Most collections that an error lists."""

BEYOND_DEG = 8.0
"""Degrees from the antimeridian within which scenes may be written past it."""
_METHOD_REFUSED = (403, 405, 501)
"""Statuses of APIs that are searched by GET only."""
_NOT_TAKEN = (400, 422)
"""Statuses of APIs that do not take a longitude beyond 180 degrees."""


class ApiCatalogue:
    """A STAC API as a catalogue. Safe to use from several threads; a thread waits for its search."""

    def __init__(self, preset: Preset, rules: HostRules, limits: Limits = LIMITS) -> None:
        """A catalogue by its preset, which has not been asked yet.

        Args:
            preset: Where it is.
            rules: The machines that may be asked: the preset's hosts, and those that the deployment adds.
            limits: Bounds on each request; the deadline is that of a whole search.
        """
        self._preset, self._limits = preset, limits
        self._client = ApiClient(preset.api, rules, limits)
        self._landing: Json | None = None
        self._selves: dict[tuple[str, str], str] = {}
        self._item_assets: dict[str, Json] = {}
        self._ways: list[tuple[str, str]] = []

    def search(self, collection: str, bounds: Bounds, start: str, end: str) -> SearchResult:
        """Items of a collection that touch a bbox and a time, both ends included.

        It is everything that the API has, or an error: pages that stop short, repeat themselves, or hold items of
        another bbox, month or collection than was asked for are refused.

        Args:
            collection: Collection id.
            bounds: West, south, east, north in degrees.
            start: First instant, ISO 8601.
            end: Last instant, ISO 8601.

        Returns:
            Items as published, in the order given; an item that was given twice is there twice. ``matched`` is None
            where the API does not count.

        Raises:
            CatalogueError: When it cannot be searched, or the result is not whole.
        """
        deadline = time.monotonic() + self._limits.deadline_s
        results = [self._searched(collection, bounds, _outline(bounds), (start, end), deadline)]
        if (beyond := _outline_beyond(bounds)) is not None:
            try:
                results.append(self._searched(collection, bounds, beyond, (start, end), deadline))
            except CatalogueError as error:
                # An API that does not take longitudes beyond 180 degrees has no items there.
                if error.status not in _NOT_TAKEN:
                    raise
        if not any(result.items for result in results):
            self._check_collection(collection, deadline)
        for result in results:
            self._remember(result, collection)
        return SearchResult(
            # An item of both sides of the antimeridian is found twice.
            items=(
                *results[0].items,
                *(i for result in results[1:] for i in result.items if i not in results[0].items),
            ),
            matched=results[0].matched if len(results) == 1 else None,
            returned=sum(result.returned for result in results),
        )

    def _searched(
        self, collection: str, bounds: Bounds, outline: Json, times: tuple[str, str], deadline: float
    ) -> SearchResult:
        """The items of one outline, by POST, or by GET where the API offers or takes nothing else."""
        ways = self._ways or _search_ways(self._root(deadline), self._preset.api)
        refused: CatalogueError | None = None
        for number, (method, url) in enumerate(ways):
            pages = Pages(catalogue=self._preset.api, collection=collection, bounds=bounds)
            search = ItemSearch(
                url=url,
                method=method,
                stac_io=_PageReader(self._client, pages, deadline),
                collections=[collection],
                intersects=outline,
                datetime="/".join(times),
                limit=PAGE_ITEMS,
            )
            try:
                for _ in search.pages_as_dicts():
                    # Each page was taken by its reader, which sees the empty ones too.
                    continue
            except CatalogueError as error:
                if error.status not in _METHOD_REFUSED or method == "GET":
                    raise refused or error from None
                refused = error
                continue
            self._ways = ways[number:]
            return pages.result()
        raise refused or ValueError("no way to search")

    def absolute_href(
        self, item_id: str, href: str, collection: str | None = None, *, item: Mapping[str, Any] | None = None
    ) -> str:
        """The object that an item's link means, as the transport names it.

        Args:
            item_id: The item that has the link, of a search of this catalogue.
            href: The link, as published.
            collection: The item's collection; needed only where several hold this id.
            item: The item itself, where several items have this id.

        Raises:
            HrefRefused: When the link is relative and its item states no address, or it is of a kind that is not read.
        """
        for published, read in self._preset.moved.items():
            if href.startswith(published):
                return read + href.removeprefix(published)
        if not is_link(href):
            raise HrefRefused(without_query(href), "it is not a well-formed link")
        scheme = urlsplit(href).scheme
        if scheme in ("https", "http", "s3"):
            return href
        if scheme:
            raise HrefRefused(
                without_query(href), f"links of a catalogue on the network may not be {scheme[:20]}: links"
            )
        if item is not None and (self_link := _self_link(item)) is not None:
            return joined(self_link, href)
        selves = {own for (name, of), own in self._selves.items() if name == item_id and collection in (None, of)}
        if len(selves) != 1:
            raise HrefRefused(without_query(href), "it is relative, and its item does not state its own address")
        return joined(selves.pop(), href)

    def item_assets(self, collection: str) -> Json:
        """A collection's own description of its items' STAC assets, by key; empty where it has none.

        It is requested once.

        Raises:
            CatalogueError: When the API does not answer; a document that it does not give is not an error here.
        """
        if collection not in self._item_assets:
            deadline = time.monotonic() + self._limits.deadline_s
            address = self._address(collection, deadline)
            body = None if address is None else self._client.body(address, None, deadline)
            if isinstance(body, Failure) and address is not None and not _is_not_given(body.status):
                raise self._client.error(address, body)
            try:
                document = parsed(body) if isinstance(body, bytes) else {}
            except ValueError:
                document = {}
            described = document.get("item_assets") if isinstance(document, dict) else None
            self._item_assets[collection] = described if isinstance(described, dict) else {}
        return self._item_assets[collection]

    def _address(self, collection: str, deadline: float) -> str | None:
        """The address of a collection's document; None where the API lists no collections."""
        links = [link for link in _links(self._root(deadline), "data") if isinstance(link.get("href"), str)]
        if not links:
            return None
        url = joined(f"{self._preset.api}/", links[0]["href"])
        return f"{url.rstrip('/')}/{quote(collection, safe='')}"

    def _root(self, deadline: float) -> Json:
        """The API's landing page, requested once."""
        landing = self._landing
        if landing is None:
            # Threads that start together may each request it; none waits for another's attempts.
            landing, _ = self._client.document(self._preset.api, None, deadline)
            if not isinstance(landing, dict) or not isinstance(landing.get("links"), list):
                raise CatalogueError(
                    self._preset.api,
                    "the document at its address is not the landing page of a STAC API",
                    "Write the address of the API's root, such as https://stac.example.org/v1",
                )
            self._landing = landing
        return landing

    def _check_collection(self, collection: str, deadline: float) -> None:
        """Tell a collection without items in this month from one that does not exist.

        Raises:
            CatalogueError: When it does not exist, or the API does not say.
        """
        address = self._address(collection, deadline)
        if address is None:
            return
        body = self._client.body(address, None, deadline)
        if not isinstance(body, Failure):
            return
        if body.status != 404:
            raise self._client.error(address, body)
        present = self._collections(address.rpartition("/")[0], deadline)
        if collection in present:
            # The name has a slash, say, and the API finds no collection by such an address.
            return
        close = get_close_matches(collection, present, LISTED, cutoff=0.5) or sorted(present)[:LISTED]
        raise CatalogueError(
            self._preset.api,
            f"it has no collection {collection!r}",
            f"It has {len(present)}; the nearest are: {', '.join(close)}" if close else "Look its collections up there",
        )

    def _collections(self, url: str, deadline: float) -> list[str]:
        """Ids of the API's collections, as far as one page has them; none where it does not list them."""
        body = self._client.body(url, None, deadline)
        try:
            page = {} if isinstance(body, Failure) else parsed(body)
        except ValueError:
            page = {}
        listed = page.get("collections") if isinstance(page, dict) else None
        ids = (entry.get("id") for entry in listed if isinstance(entry, dict)) if isinstance(listed, list) else ()
        return [name for name in ids if isinstance(name, str) and name.isprintable() and len(name) <= 100]

    def _remember(self, result: SearchResult, collection: str) -> None:
        """Note the addresses of items with relative links, which few APIs publish."""
        for item in result.items:
            if _is_relative(item) and (own := _self_link(item)) is not None:
                self._selves[id_of(item), collection] = own


class _PageReader(StacApiIO):
    """pystac-client's access to an API: it follows the pages, which are requested and checked here."""

    def __init__(self, client: ApiClient, pages: Pages, deadline: float) -> None:
        # The session of requests that pystac-client makes here never sends anything.
        super().__init__(max_retries=None)
        self._client, self._pages, self._deadline = client, pages, deadline
        self._page: Json = {}

    def request(
        self,
        href: str,
        method: str | None = None,
        headers: dict[str, str] | None = None,
        parameters: dict[str, Any] | None = None,
    ) -> str:
        """Request the page at an address. Headers that a page wants to be sent with the next are left out.

        Returns:
            Nothing: the page is given by ``json_loads``, since it has been parsed and checked.

        Raises:
            CatalogueError: When it cannot be had, or is not a page of this search.
        """
        posted: Json | None = None
        if (method or "GET").upper() == "POST":
            posted = parameters or {}
        else:
            href = _with_query(href, parameters or {})
        self._pages.ask(href, posted)
        self._page = self._pages.take(*self._client.document(href, posted, self._deadline))
        return ""

    def json_loads(self, txt: str, *args: Any, **kwargs: Any) -> Json:
        """The page that was requested last."""
        return self._page


def _search_ways(landing: Json, root: str) -> list[tuple[str, str]]:
    """The methods and addresses by which an API may be searched, in the order to try them.

    Raises:
        CatalogueError: When it offers no search.
    """
    links = [link for link in _links(landing, "search") if isinstance(link.get("href"), str) and is_link(link["href"])]
    if not links:
        raise CatalogueError(
            root,
            "it offers no search: its landing page has no link to one",
            "Write the address of a STAC API's root; a catalogue of files is read from disk",
        )
    by_method = {str(link.get("method", "")).upper(): link for link in reversed(links)}
    # A long outline does not fit into an address, so POST where it is offered or no method is stated; an API that
    # refuses POST all the same is asked by GET.
    posted, got = (
        next((by_method[m] for m in methods if m in by_method), None) for methods in (("POST", ""), ("GET",))
    )
    if posted is None and got is None:
        raise CatalogueError(
            root, "its search asks for a method that is neither GET nor POST", "Name another catalogue"
        )
    ways = [("POST", posted), ("GET", got or posted)]
    return [(method, joined(f"{root}/", link["href"])) for method, link in ways if link is not None]


def _self_link(item: Mapping[str, Any]) -> str | None:
    hrefs = (link.get("href") for link in _links(item, "self"))
    return next((href for href in hrefs if isinstance(href, str) and is_link(href)), None)


def _links(document: Mapping[str, Any], rel: str) -> list[Json]:
    links = document.get("links")
    if not isinstance(links, list):
        return []
    return [link for link in links if isinstance(link, dict) and link.get("rel") == rel]


def _outline(bounds: Bounds) -> Json:
    """A bbox as GeoJSON: two polygons where it crosses the antimeridian, where APIs read bboxes in different ways."""
    south, north = bounds[1], bounds[3]
    rings = [
        [[west, south], [east, south], [east, north], [west, north], [west, south]]
        for west, east in spans(bounds[0], bounds[2])
    ]
    if len(rings) == 1:
        return {"type": "Polygon", "coordinates": rings}
    return {"type": "MultiPolygon", "coordinates": [[ring] for ring in rings]}


def _is_not_given(status: int) -> bool:
    """Whether a status says that a document is not to be had, and not that it may be had later."""
    return status == 501 or (400 <= status < 500 and status not in (408, 425, 429))


def _outline_beyond(bounds: Bounds) -> Json | None:
    """The place of a bbox near the antimeridian as catalogues write it that count longitudes past 180 degrees.

    None elsewhere: no scene reaches so far.
    """
    near = [span for span in spans(bounds[0], bounds[2]) if span[1] > 180 - BEYOND_DEG or span[0] < BEYOND_DEG - 180]
    shifted = [(west - 360, east - 360) if west > 0 else (west + 360, east + 360) for west, east in near]
    rings = [
        [[[west, bounds[1]], [east, bounds[1]], [east, bounds[3]], [west, bounds[3]], [west, bounds[1]]]]
        for west, east in shifted
    ]
    return {"type": "MultiPolygon", "coordinates": rings} if rings else None


def _with_query(href: str, parameters: Mapping[str, Any]) -> str:
    if not parameters:
        return href
    return f"{href}{'&' if '?' in href else '?'}{urlencode(parameters)}"


def _is_relative(item: Json) -> bool:
    assets = item.get("assets")
    if not isinstance(assets, dict):
        return False
    hrefs = [asset.get("href") for asset in assets.values() if isinstance(asset, dict)]
    return any(isinstance(href, str) and "://" not in href for href in hrefs)
