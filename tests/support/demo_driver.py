"""The simulated part of `mrv demo` in processes that kill themselves -9 before a step that gives something a name."""

import itertools
import os
import signal
import sys
from collections.abc import Callable
from functools import partial
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

from mrv_assets.demo.inputs import make_inputs
from mrv_assets.demo.run import run_simulated
from mrv_assets.settings import demo_settings, simulated_settings

STEPS = ("os.rename", "os.link", "os.mkdir")


def make(folder: Path) -> None:
    """Make the folder."""
    make_inputs(folder)


def run(folder: Path) -> None:
    """Do all that `mrv demo` does with it."""
    run_simulated(simulated_settings(demo_settings(folder.parent)), lambda _: None)


def exit_code(
    context: ForkServerContext, work: Callable[[Path], None], folder: Path, before: int = 0, part: str = ""
) -> int | None:
    """Work on the folder in a process that dies before its N-th step whose path has a part in it; 0: it lives."""
    process = context.Process(target=partial(_do, work, folder, before, part))
    process.start()
    process.join(300)
    return process.exitcode


def _do(work: Callable[[Path], None], folder: Path, before: int, part: str) -> None:
    steps = itertools.count(1)

    def announced(event: str, args: tuple[Any, ...]) -> None:
        creates = event == "open" and bool((args[2] or 0) & os.O_CREAT)
        if (creates or event in STEPS) and part in "|".join(map(str, args[:2])) and next(steps) == before:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(announced)
    work(folder)
