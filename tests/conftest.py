"""What every test stands on: an environment of its own, only this machine's network, and one demo lake a session."""

import gc
import json
import os
import shutil
import socket
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import garbage  # noqa: F401
import pytest
import unsynced  # noqa: F401
from demo_lake import Demo, mrv, run_demo
from hypothesis import settings
from once import Once, made_once

OURS = ("MRV_", "DAGSTER_")
REAL_DATA = "MRV_REAL_DATA"
"""The one variable meant for the tests themselves."""
LOOPBACK = ("127.", "::1", "localhost")
LONGEST = (
    *("product/test_determinism.py", "test_docs.py", "ui/test_qa_in_browser.py", "product/test_crash.py"),
    *("export/test_folder.py", "gate_paths/test_dagster.py", "stages/test_substitution.py"),
    *("product/test_sensitivity.py", "stages/test_fusion.py", "stages/test_network_month.py"),
    *("defs/test_dagster_runs.py", "product/test_tamper_missions.py", "product/test_mutations.py"),
    *("review/test_decide.py", "product/test_force.py", "verify/test_rerun.py", "export/test_rasters.py"),
    *(
        "stages/test_trust.py",
        "bench/test_bench.py",
        "product/test_offsets.py",
        "product/test_programme_sensitivity.py",
    ),
    *("stages/test_blocks.py", "product/test_tamper.py"),
)
"""Files that take longest, the longest first."""
LISTED = pytest.StashKey[list[str]]()

# Examples of all fuzz tests together (fuzzing.py); loaded for no other test. Hypothesis has a profile "ci" of its own.
settings.register_profile("fuzz", max_examples=2_000)
settings.register_profile("nightly", max_examples=50_000)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files come first: where several processes share them, none ends long after the others."""
    tests = Path(__file__).parent
    place = {tests / name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path, len(place)))


def pytest_collection_finish() -> None:
    """What there is by now is not looked through again."""
    gc.freeze()


@pytest.fixture(autouse=True)
def environment_of_its_own() -> Iterator[None]:
    """No deployment variable of whoever runs the tests reaches them, and none that a test sets outlives it."""
    before = dict(os.environ)
    for name in before:
        if name.startswith(OURS) and name != REAL_DATA:
            del os.environ[name]
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(autouse=True)
def only_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections reach loopback and Unix sockets; any other is an error that names the address."""

    def guarded(connect: Callable[[socket.socket, Any], Any]) -> Callable[[socket.socket, Any], Any]:
        def only_loopback(self: socket.socket, address: Any) -> Any:
            # A datagram socket that connects sends nothing: that is how libraries ask for their own address.
            if self.family in (socket.AF_INET, socket.AF_INET6) and self.type == socket.SOCK_STREAM:
                host = str(address[0])
                if not host.startswith(LOOPBACK):
                    raise AssertionError(f"a test reaches for {host}:{address[1]}; only loopback is allowed")
            return connect(self, address)

        return only_loopback

    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, guarded(getattr(socket.socket, name)))


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Once:
    """Makes a folder once a session."""
    here = tmp_path_factory.getbasetemp()
    shared = (here if worker_id == "master" else here.parent) / "once"
    shared.mkdir(exist_ok=True)
    return partial(made_once, shared)


@pytest.fixture(scope="session")
def demo(once: Once) -> Demo:
    """The demo, run by its command."""

    def run(folder: Path) -> None:
        (folder / "demo").mkdir()
        ran = run_demo(folder / "demo")
        (folder / "said.json").write_text(json.dumps([ran.page, ran.progress]))

    folder = once("demo", run)
    page, progress = json.loads((folder / "said.json").read_text())
    return Demo(folder=folder / "demo", page=page, progress=progress)


@pytest.fixture(scope="session")
def demo_again(demo: Demo, once: Once) -> tuple[Demo, dict[str, object]]:
    """A copy of the demo after its command ran a second time, and what that answered as JSON."""

    def run(folder: Path) -> None:
        shutil.copytree(demo.folder, folder / "demo")
        done = mrv("demo", "--into", str(folder / "demo"), "--json", cwd=folder / "demo")
        assert done.returncode == 0, done.stderr
        (folder / "answer.json").write_text(done.stdout)

    folder = once("demo-again", run)
    answer: dict[str, object] = json.loads((folder / "answer.json").read_text())
    return Demo(folder=folder / "demo", page="", progress=""), answer


@pytest.fixture
def listed(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Say something in the report's summary that is no failure and that a reader must see."""
    lines = request.config.stash.setdefault(LISTED, [])
    return lines.append


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object | None) -> None:
    """Take over what the tests of another process listed."""
    node.config.stash.setdefault(LISTED, []).extend(getattr(node, "workeroutput", {}).get("listed", []))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand over what the tests of this process listed, when there is another that reports."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["listed"] = session.config.stash.get(LISTED, [])


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Show what tests listed."""
    lines = config.stash.get(LISTED, [])
    if lines:
        terminalreporter.section("listed by tests")
        for line in lines:
            terminalreporter.write_line(line)


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A temporary folder that is also the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def lake(demo: Demo, tmp_path: Path) -> Path:
    """A month of the demo's lake that the gate passed, to be changed."""
    from tampering import PASSED, a_copy

    return a_copy(demo.folder / "lake", tmp_path / "lake", PASSED)
