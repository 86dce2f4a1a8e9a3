"""`mrv ui` as a process of its own, and a browser that looks at it."""

import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

from demo_lake import BIN
from playwright.sync_api import BrowserContext, Request, sync_playwright

CHROMIUM = shutil.which("chromium")
NO_CHROMIUM = "Chromium is needed; run: sudo apt-get install chromium"
"""The same that `make chromium` says."""
FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
)
STARTS_WITHIN_S = 90.0
STOPS_WITHIN_S = 20.0


def a_free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def a_ui(folder: Path, **environment: str) -> Iterator[str]:
    """`mrv ui` on a free port, with its daemon and code servers; gives its address. All of it ends with the test.

    Args:
        folder: Its working directory; what it says is in ``ui.log`` there.
        environment: Names programme, lake and Dagster home.
    """
    port = a_free_port()
    address = f"http://127.0.0.1:{port}"
    with (folder / "ui.log").open("wb") as log:
        process = subprocess.Popen(
            [str(BIN / "mrv"), "ui", "--port", str(port)],
            cwd=folder,
            env={**os.environ, **environment},
            stdout=log,
            stderr=subprocess.STDOUT,
            # A group of its own, so that no child outlives it.
            start_new_session=True,
        )
        try:
            _wait_for(process, address, folder / "ui.log")
            yield address
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                process.wait(STOPS_WITHIN_S)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait_for(process: "subprocess.Popen[bytes]", address: str, log: Path) -> None:
    deadline = time.monotonic() + STARTS_WITHIN_S
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(f"{address}/server_info", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise AssertionError(f"no answer within {STARTS_WITHIN_S} s: {log.read_text()}")


@contextmanager
def a_browser(folder: Path) -> Iterator[tuple[BrowserContext, set[str]]]:
    """Chromium with a new profile; gives it, and every host that its pages ask."""
    asked: set[str] = set()

    def note(request: Request) -> None:
        # data: and blob: addresses have no host.
        if (host := urlsplit(request.url).hostname) is not None:
            asked.add(host)

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch_persistent_context(
            folder / "profile",
            executable_path=CHROMIUM,
            headless=True,
            args=list(FLAGS),
            viewport={"width": 1440, "height": 1000},
        )
        browser.on("request", note)
        try:
            yield browser, asked
        finally:
            browser.close()
