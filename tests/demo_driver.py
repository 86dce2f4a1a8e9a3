"""The simulated part of `mrv demo`, killed -9 before its N-th step that gives a name to something.

``python demo_driver.py INTO N PART``: steps count whose path has PART in it; N = 0: it lives.
"""

import itertools
import os
import signal
import sys
from pathlib import Path
from typing import Any

from mrv_assets.demo.running import run_simulated
from mrv_assets.settings import demo_settings, simulated_settings

STEPS = ("os.rename", "os.link", "os.mkdir")


def die_before(number: int, part: str) -> None:
    """From now on this process dies before so many such steps are done."""
    steps = itertools.count(1)

    def announced(event: str, args: tuple[Any, ...]) -> None:
        creates = event == "open" and bool((args[2] or 0) & os.O_CREAT)
        if (creates or event in STEPS) and part in "|".join(map(str, args[:2])) and next(steps) == number:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(announced)


if __name__ == "__main__":
    into, number, part = sys.argv[1:]
    die_before(int(number), part)
    run_simulated(simulated_settings(demo_settings(Path(into))), print)
