"""Processes of their own without the seconds that importing costs: forked from a server that has imported everything.

Such a process has its own folder, variables, files and exit code, and can be killed like any other. What only a new
interpreter shows (imports, variables that libraries read then, the installed command) wants ``demo_lake.python`` or
the command itself.
"""

import multiprocessing
import os
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext
from pathlib import Path

PRELOADED = (
    *("garbage", "unsynced"),
    *(f"mrv_assets.{name}" for name in ("cli.main", "deployment", "programme.parcels", "stac.open", "lake.view")),
    *(
        f"mrv_assets.reports.{name}"
        for name in ("drift", "explain", "export", "plan", "qa_decide", "qa_list", "run", "tiles", "verify")
    ),
    *(f"mrv_assets.verify.{name}" for name in ("drift", "proof", "rerun", "verification")),
    *(f"mrv_assets.defs.{name}" for name in ("build", "partitions", "runs")),
    *(f"mrv_assets.export.{name}" for name in ("build", "cog", "csv", "geoparquet", "stac")),
    *(f"mrv_assets.stages.{name}" for name in ("raw_tiles", "aligned_tiles", "masked_tiles", "indices")),
    *(f"mrv_assets.stages.{name}" for name in ("gated_tiles", "manual_decisions", "monthly_proxies")),
    *("mrv_assets.stages.not_evaluated", "mrv_assets.stages.run", "mrv_assets.demo.report"),
    *(f"dagster._core.execution.{name}" for name in ("api", "asset_backfill", "execute_in_process")),
    *(f"dagster._core.{name}" for name in ("instance.factory", "storage.sqlite_storage", "workspace.context")),
    *("dagster._core.storage.local_compute_log_manager", "dagster._grpc.impl", "dagster._scheduler.scheduler"),
    *("dagster._daemon.controller", "PIL.PngImagePlugin", "upath.implementations.local", "mrv_assets.defs.metadata"),
    *("multiprocessing.dummy", "pyarrow.dataset", "pyarrow.pandas_compat", "pystac.extensions.ext"),
    *("demo_lake", "demo_driver", "export_months", "racing", "watched_mrv", "forked_ready"),
)
"""What processes import, with all that it rests on; anything else is imported by each that needs it."""
TIMEOUT_S = 300


def a_server() -> ForkServerContext:
    """Where processes come from, ready: one server for all tests of this process."""
    context = multiprocessing.get_context("forkserver")
    # Only the first to ask starts it; it finds the modules of the tests by its variables alone.
    context.set_forkserver_preload(list(PRELOADED))
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = str(Path(__file__).parent)
    try:
        forkserver.ensure_running()
    finally:
        del os.environ["PYTHONPATH"]
        if before is not None:
            os.environ["PYTHONPATH"] = before
    return context


def run(
    command: Callable[..., object], *arguments: str, cwd: Path, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a command in a process of its own; gives its exit code and both outputs.

    Args:
        command: A function of some module; how it ends is how the process ends.
        arguments: What it is given.
        cwd: The process's folder.
        environment: Variables besides those of this process.
    """
    variables = {**os.environ, **environment}
    with tempfile.TemporaryDirectory() as folder:
        said = Path(folder, "stdout"), Path(folder, "stderr")
        process = a_server().Process(target=_run, args=(command, arguments, cwd, variables, said))
        process.start()
        process.join(TIMEOUT_S)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired(list(arguments), TIMEOUT_S)
        stdout, stderr = (path.read_text() for path in said)
    return subprocess.CompletedProcess(list(arguments), process.exitcode, stdout, stderr)


def _run(
    command: Callable[..., object],
    arguments: Sequence[str],
    cwd: Path,
    variables: Mapping[str, str],
    said: Sequence[Path],
) -> None:
    for stream, path in zip((1, 2), said, strict=True):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), stream)
    os.environ.clear()
    os.environ.update(variables)
    os.chdir(cwd)
    # Where the variables say it is, not where they said so for the server.
    tempfile.tempdir = None
    command(*arguments)
