"""stac-fastapi-pgstac over a PostgreSQL: its tables, what is loaded into them, and its API on this machine."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import Request, urlopen

from postgres import DATABASE, OWNER, Postgres
from scene_builders import Item
from servers import free_port

Json = dict[str, Any]

STARTS_WITHIN_S = 120
WORLD = {"spatial": {"bbox": [[-180, -90, 180, 90]]}, "temporal": {"interval": [["2015-01-01T00:00:00Z", None]]}}


@dataclass(frozen=True, kw_only=True)
class Pgstac:
    """A STAC API that reads and writes one database."""

    root: str
    """Its address."""
    database: Postgres

    def load(self, items: Sequence[Item], item_assets: Json | None = None) -> None:
        """Load items, and their collections, by pgstac's own command.

        Args:
            items: Of any collections, none of which is there yet.
            item_assets: What the collections say of all their items' assets. pgstac stores of an item only what differs
                from it, and puts it back into what a search gives.
        """
        collections = [_collection(name, item_assets) for name in sorted({item["collection"] for item in items})]
        for table, documents in (("collections", collections), ("items", items)):
            path = self.database.folder / f"{table}.ndjson"
            path.write_text("".join(f"{json.dumps(document)}\n" for document in documents))
            _pypgstac(self.database, "load", table, str(path), "--method", "insert")

    def put(self, item: Item) -> None:
        """Replace an item by one with its id and collection."""
        self._change("PUT", f"{_items_of(item)}/{quote(item['id'], safe='')}", item)

    def post(self, item: Item) -> None:
        """Add an item."""
        self._change("POST", _items_of(item), item)

    def delete(self, item: Item) -> None:
        """Take an item away."""
        self._change("DELETE", f"{_items_of(item)}/{quote(item['id'], safe='')}", None)

    @contextmanager
    def not_counting(self) -> Iterator[None]:
        """Searches do not state how many items match, which is how pgstac comes."""
        self._count("off")
        try:
            yield
        finally:
            self._count("on")

    def _count(self, context: str) -> None:
        self.database.psql(f"UPDATE pgstac.pgstac_settings SET value = '{context}' WHERE name = 'context'")

    def _change(self, method: str, path: str, document: Item | None) -> None:
        body = None if document is None else json.dumps(document).encode()
        request = Request(f"{self.root}{path}", body, {"Content-Type": "application/json"}, method=method)
        try:
            with urlopen(request, timeout=60) as answer:
                answer.read()
        except HTTPError as error:
            raise AssertionError(f"{method} {path}: {error.code} {error.read()[:2000]!r}") from None


@contextmanager
def pgstac(database: Postgres) -> Iterator[Pgstac]:
    """An API over an empty database; it counts what matches."""
    _pypgstac(database, "migrate")
    # Through a socket, whose folder stands where a host would.
    settings = {
        "PGHOST": quote(str(database.folder), safe=""),
        "PGPORT": "5432",
        "PGUSER": OWNER,
        "PGPASSWORD": "none",
        "PGDATABASE": DATABASE,
        "ENABLE_TRANSACTIONS_EXTENSIONS": "true",
    }
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "--factory", "stac_fastapi.pgstac.app:create_app", "--no-access-log"]
    log = database.folder / "api.log"
    with log.open("wb") as said:
        process = subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--port", str(port)],
            cwd=database.folder,
            env={**os.environ, **settings},
            stdout=said,
            stderr=said,
        )
    try:
        api = Pgstac(root=f"http://127.0.0.1:{port}", database=database)
        _wait_for(api.root, process, log)
        api._count("on")
        yield api
    finally:
        process.kill()
        process.wait(10)


def _pypgstac(database: Postgres, *arguments: str) -> None:
    command = [str(Path(sys.executable).parent / "pypgstac"), *arguments, "--dsn", database.url]
    done = subprocess.run(command, cwd=database.folder, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


def _collection(name: str, item_assets: Json | None) -> Json:
    return {
        "type": "Collection",
        "stac_version": "1.0.0",
        "id": name,
        "description": "",
        "license": "other",
        "extent": WORLD,
        "links": [],
        **({} if item_assets is None else {"item_assets": item_assets}),
    }


def _items_of(item: Item) -> str:
    return f"/collections/{quote(item['collection'], safe='')}/items"


def _wait_for(root: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    until = time.monotonic() + STARTS_WITHIN_S
    while time.monotonic() < until and process.poll() is None:
        try:
            with urlopen(root, timeout=10):
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"The API did not start (exit code {process.poll()}): {log.read_text()[-2000:]}")
