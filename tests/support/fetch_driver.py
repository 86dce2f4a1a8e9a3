"""A process that reads objects, to be measured or killed: ``fetch_driver.py <what> <base URL> <count> [folder]``.

Objects are named so that anyone can tell what they hold (``servers.made_content``). Prints one JSON document a line.
"""

import hashlib
import json
import resource
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from servers import made_content

from mrv_assets.transport.hosts import HostRules
from mrv_assets.transport.http import HttpTransport
from mrv_assets.transport.limits import Limits
from mrv_assets.transport.read_cache import ReadCache
from mrv_assets.transport.store import ByteRange, Transport

LIMITS = Limits(silence_s=0.3, connect_s=5, backoff_s=0.01, longest_backoff_s=0.2, part_bytes=256 << 10, attempts=12)
THREADS = 12


def names(count: int) -> Iterator[str]:
    """Objects of 200 to 700 kB."""
    return (f"object-{i}-{200_000 + i * 1009 % 500_000}" for i in range(count))


def ranges(name: str) -> list[ByteRange]:
    """Some of an object: near, far, overlapping and empty ranges, out of order."""
    size = int(name.rpartition("-")[2])
    third = size // 3
    return [
        ByteRange(2 * third, size - 2 * third),
        ByteRange(0, 1000),
        ByteRange(20_000, third),
        ByteRange(third, 0),
        ByteRange(third, third // 2),
    ]


def right(name: str, parts: list[bytes]) -> bool:
    """Whether these are the bytes."""
    data = made_content(name)
    return parts == [data[r.offset : r.offset + r.length] for r in ranges(name)]


def read_one(transport: Transport, base: str, name: str) -> dict[str, Any]:
    """Read some of an object as raw_tiles does: its size, its header, its ranges; every tenth whole as well."""
    href = f"{base}/{name}"
    size = transport.stat(href).size
    header = transport.read(href, [ByteRange(0, 1000)])
    parts = transport.read(href, ranges(name))
    found = right(name, parts) and header == [made_content(name)[:1000]] and f"-{size}" in name
    if name.partition("-")[2].partition("-")[0].endswith("0"):
        found = found and transport.digest(href, "sha256") == hashlib.sha256(made_content(name)).hexdigest()
    return {"name": name, "right": found, "bytes": sum(map(len, parts))}


def main(what: str, base: str, count: str, folder: str = "") -> None:
    """Read objects side by side."""
    with HttpTransport(HostRules(loopback=True), limits=LIMITS) as network, ThreadPoolExecutor(THREADS) as pool:
        transport: Transport = ReadCache(network, Path(folder)) if folder else network
        if what == "measure":
            # Libraries, threads, connections and what is remembered to compare with are there before it is measured
            # what reading adds.
            list(pool.map(lambda name: read_one(transport, base, name), [f"warm-{i}-700000" for i in range(80)]))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for one in pool.map(lambda name: read_one(transport, base, name), names(int(count))):
            print(json.dumps(one), flush=True)
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        counters = network.counters()
        print(
            json.dumps({"grown_kb": after - before, "retries": counters.retries, "bytes": counters.bytes}), flush=True
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
