"""The `mrv` command, ended by the first step that would change anything beneath a folder.

It runs in a process of its own: ``forked.run(watched_mrv.run, FOLDER, "verify", ...)``; exit code 99 says that a step
was seen, and stderr which.
"""

import os
import sys
from pathlib import Path
from typing import Any

STEPS = (
    *("os.rename", "os.link", "os.symlink", "os.mkdir", "os.remove", "os.rmdir", "os.truncate"),
    *("os.chmod", "os.chown", "os.utime", "os.setxattr", "shutil.rmtree"),
)
CHANGED = 99


def watch(folder: Path) -> None:
    """From now on no step beneath a folder gets past its announcement."""
    root = os.path.realpath(folder)

    def announced(event: str, args: tuple[Any, ...]) -> None:
        writes = event == "open" and bool((args[2] or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))
        if not (writes or event in STEPS):
            return
        # What a symbolic link points to is not changed by it.
        for path in args[1:2] if event == "os.symlink" else args[:2]:
            # Through links too: what is lent to a temporary folder is still the lake's.
            if isinstance(path, str | os.PathLike) and f"{_real(path)}/".startswith(f"{root}/"):
                os.write(2, f"{event} {os.fspath(path)}\n".encode())
                os._exit(CHANGED)

    sys.addaudithook(announced)


def _real(path: "str | os.PathLike[str]") -> str:
    """The folder that an entry lies in, links resolved, and its name: a step on a link is a step beside it."""
    entry = Path(path)
    return str(entry.parent.resolve() / entry.name)


def run(folder: str, *arguments: str) -> None:
    """Run the command."""
    from mrv_assets.cli.main import main

    sys.argv = ["mrv", *arguments]
    watch(Path(folder))
    main()
