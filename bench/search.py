"""``python -m bench.search``: the time of searches of a distant STAC API, one after the other and in parallel."""

import json
import multiprocessing
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection
from typing import Any

from tabulate import tabulate

from mrv_assets.stac.api import ApiCatalogue
from mrv_assets.stac.presets import preset_of
from mrv_assets.transport.hosts import HostRules

SEARCHES = 64
"""Partitions of a backfill: tiles times months."""
AT_ONCE = (1, 4, 16)
LATENCY_S = 0.1
"""Time from a request to the first byte of its answer, as from a catalogue on another continent."""
PAGES, PAGE_ITEMS, ITEM_BYTES = 2, 10, 26_000
"""Size of one search: a month of a tile, with items as large as those of Earth Search."""
ROUNDS = 3
BOUNDS = (22.0, 45.0, 23.0, 46.0)
MONTH = ("2018-07-01T00:00:00Z", "2018-08-01T00:00:00Z")


def main() -> None:
    """Measure and print; exit code 1 when an answer was not whole."""
    times: dict[int, list[float]] = {}
    with _distant_api() as root:
        for _ in range(ROUNDS):
            for at_once in AT_ONCE:
                times.setdefault(at_once, []).append(_measured(root, at_once))
    first = statistics.median(times[AT_ONCE[0]])
    rows = [[at_once, (middle := statistics.median(took)), first / middle] for at_once, took in times.items()]
    print(
        f"{SEARCHES} searches of {PAGES} pages, each {PAGE_ITEMS} items of {ITEM_BYTES // 1000} kB, "
        f"{LATENCY_S * 1000:.0f} ms to the first byte; medians of {ROUNDS} rounds"
    )
    print(tabulate(rows, headers=["at once", "seconds", "times as fast"], floatfmt=("d", ".2f", ".1f")))


def _measured(root: str, at_once: int) -> float:
    """Seconds that all searches take, by one catalogue that a number of threads share."""
    catalogue = ApiCatalogue(preset_of(root), HostRules(loopback=True))
    began = time.perf_counter()
    with ThreadPoolExecutor(at_once) as threads:
        results = list(threads.map(lambda _: catalogue.search("a", BOUNDS, *MONTH), range(SEARCHES)))
    took = time.perf_counter() - began
    if any(result.returned != PAGES * PAGE_ITEMS for result in results):
        sys.exit("A search was not whole")
    return took


@contextmanager
def _distant_api() -> Iterator[str]:
    """A STAC API on this machine, in a process of its own, that answers late; gives its address."""
    spawning = multiprocessing.get_context("spawn")
    ours, theirs = spawning.Pipe()
    process = spawning.Process(target=_serve, args=(theirs,), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{ours.recv()}"
    finally:
        # A child ignores SIGTERM where the parent of this process did.
        process.kill()
        process.join()


def _serve(told: Connection) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    told.send(server.server_address[1])
    server.serve_forever()


def _page(root: str, number: int) -> bytes:
    following = {"rel": "next", "href": f"{root}/search", "method": "POST", "body": {"page": number + 1}}
    features = [_item(f"{number}-{index}") for index in range(PAGE_ITEMS)]
    page = {
        "type": "FeatureCollection",
        "features": features,
        "numberMatched": PAGES * PAGE_ITEMS,
        "links": [following] if number + 1 < PAGES else [],
    }
    return json.dumps(page).encode()


def _item(name: str) -> dict[str, Any]:
    asset = {"href": f"https://example.org/{name}.tif", "type": "image/tiff", "roles": ["data"], "gsd": 10}
    assets = {f"band-{number}": asset for number in range(ITEM_BYTES // 115)}
    return {"type": "Feature", "id": name, "collection": "a", "bbox": list(BOUNDS), "assets": assets}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Otherwise the second of two small writes waits for the acknowledgement of the first.
    disable_nagle_algorithm = True
    pages: Sequence[bytes] = ()

    def do_GET(self) -> None:
        link = {"rel": "search", "href": "/search", "method": "POST"}
        self._answer(json.dumps({"type": "Catalog", "id": "a", "links": [link]}).encode())

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if not _Handler.pages:
            # Pages are written once, because searching is measured and not writing.
            root = f"http://{self.headers['Host']}"
            _Handler.pages = [_page(root, number) for number in range(PAGES)]
        self._answer(_Handler.pages[asked.get("page", 0)])

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def _answer(self, body: bytes) -> None:
        time.sleep(LATENCY_S)
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self.wfile.write(head.encode() + body)


if __name__ == "__main__":
    main()
