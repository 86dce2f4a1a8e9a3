"""The synthetic month on a distant server: files by range and a STAC API, each answer some milliseconds late.

``python -m bench.served MONTH --delay-ms 50`` prints its address and serves until it is stopped. ``/_bytes`` gives the
number of bytes of files that it has sent, and the number of requests for them.
"""

import argparse
import asyncio
import json
from pathlib import Path
from typing import Any

from aiohttp import web

from bench.month import COLLECTION, Month

Json = dict[str, Any]


class _Server:
    """The month's files and items."""

    def __init__(self, month: Month, delay_s: float) -> None:
        self._root = month.catalogue.parent
        self._delay_s = delay_s
        self._sent = 0
        self._requests = 0

    async def file(self, request: web.Request) -> web.StreamResponse:
        """A file, or a range of its bytes."""
        path = self._root / request.match_info["scene"] / request.match_info["name"]
        if not path.is_file():
            raise web.HTTPNotFound
        self._requests += 1
        await asyncio.sleep(self._delay_s)
        size = path.stat().st_size
        part = request.http_range
        start, stop = part.start or 0, min(part.stop or size, size)
        if start < 0:
            start, stop = max(0, size + start), size
        headers = {"Accept-Ranges": "bytes", "ETag": f'"{size}-{path.name}"', "Content-Type": "image/tiff"}
        if request.method == "HEAD":
            return web.Response(headers={**headers, "Content-Length": str(size)})
        partial = "Range" in request.headers
        if partial:
            headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
        with path.open("rb") as file:
            file.seek(start)
            body = file.read(stop - start)
        self._sent += len(body)
        return web.Response(status=206 if partial else 200, headers=headers, body=body)

    async def landing(self, request: web.Request) -> web.Response:
        """The STAC API's root."""
        root = f"{request.scheme}://{request.host}"
        search = {"rel": "search", "href": f"{root}/search", "type": "application/geo+json"}
        return web.json_response(
            {
                "type": "Catalog",
                "stac_version": "1.0.0",
                "id": "served",
                "description": "",
                "conformsTo": ["https://api.stacspec.org/v1.0.0/core", "https://api.stacspec.org/v1.0.0/item-search"],
                "links": [{**search, "method": "POST"}, {**search, "method": "GET"}],
            }
        )

    async def search(self, request: web.Request) -> web.Response:
        """Every item, whatever was searched for: there is one month and one tile."""
        await asyncio.sleep(self._delay_s)
        items = [self._item(path, f"{request.scheme}://{request.host}") for path in sorted(self._root.glob("*/*.json"))]
        page = {"type": "FeatureCollection", "features": items, "links": []}
        return web.json_response({**page, "numberMatched": len(items), "numberReturned": len(items)})

    @staticmethod
    def _item(path: Path, root: str) -> Json:
        item: Json = json.loads(path.read_bytes())
        for asset in item["assets"].values():
            asset["href"] = f"{root}/files/{path.parent.name}/{Path(asset['href']).name}"
        return {**item, "links": [], "collection": COLLECTION}

    async def bytes(self, request: web.Request) -> web.Response:
        """Bytes of files sent so far, and requests for them."""
        return web.json_response({"bytes": self._sent, "requests": self._requests})


def main() -> None:
    """Serve the month until stopped."""
    parser = argparse.ArgumentParser(prog="python -m bench.served")
    parser.add_argument("month", type=Path)
    parser.add_argument("--delay-ms", type=float, default=50.0)
    options = parser.parse_args()
    asyncio.run(_serve(_Server(Month.at(options.month), options.delay_ms / 1000)))


async def _serve(server: _Server) -> None:
    app = web.Application()
    app.router.add_get("/files/{scene}/{name}", server.file, allow_head=True)
    app.router.add_get("/", server.landing)
    app.router.add_post("/search", server.search)
    app.router.add_get("/search", server.search)
    app.router.add_get("/_bytes", server.bytes)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    [(_, port)] = runner.addresses
    print(f"http://127.0.0.1:{port}", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    main()
