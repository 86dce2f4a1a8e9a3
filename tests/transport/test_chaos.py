"""Everything going wrong at once: five hundred objects of which nothing is lost, doubled or mixed up."""

import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from servers import RangeServer, made_content, ranges_of

from mrv_assets.transport.store import PREFIX_BYTES

TESTS = Path(__file__).parents[1] / "support"
COUNT = 500


def reading(*arguments: str) -> "subprocess.Popen[str]":
    """A process that reads objects from a server."""
    command = [sys.executable, str(TESTS / "fetch_driver.py"), *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finished(process: "subprocess.Popen[str]") -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """What it said of each object, and at its end."""
    out, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert errors == ""
    *objects, end = map(json.loads, out.splitlines())
    return objects, end


def test_five_hundred_objects_through_chaos(server: RangeServer) -> None:
    """Of all requests 30 % are spoilt. Every byte is right, no object is lost or comes twice, and memory stays flat."""
    server.made, server.chaos = made_content, random.Random(20260102)

    objects, end = finished(reading("measure", server.url("").rstrip("/"), str(COUNT)))

    assert [one["right"] for one in objects] == [True] * COUNT
    assert len({one["name"] for one in objects}) == COUNT
    assert server.spoilt > 0.25 * len(server.log) > 250
    assert end["retries"] > 0.8 * server.spoilt
    assert sum(one["bytes"] for one in objects) > 100e6
    assert end["grown_kb"] < 64 << 10


def test_what_a_killed_process_had_read_is_not_read_again(server: RangeServer, tmp_path: Path) -> None:
    """kill -9 in the middle; the next process asks only for the versions of what is there, and reads the rest."""
    server.made = made_content
    base, folder = server.url("").rstrip("/"), tmp_path / "kept"

    first = reading("read", base, "60", str(folder))
    assert first.stdout is not None
    done = [json.loads(first.stdout.readline())["name"] for _ in range(25)]
    os.kill(first.pid, signal.SIGKILL)
    first.communicate(timeout=20)
    server.log.clear()
    objects, _ = finished(reading("read", base, "60", str(folder)))

    assert [one["right"] for one in objects] == [True] * 60
    again = [request for request in server.log if request.name in done]
    assert {request.name for request in again} == set(done)
    assert all(last < PREFIX_BYTES for _, last in ranges_of(again))
    assert len(again) == len(done)
