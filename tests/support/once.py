"""What many tests look at and none changes, made once a session, whichever of its processes needs it first."""

import fcntl
import shutil
from collections.abc import Callable
from pathlib import Path

Once = Callable[[str, Callable[[Path], object]], Path]
"""What the fixture ``once`` is: of a name and what fills a folder, the folder. Who changes what is in it copies it."""


def made_once(shared: Path, name: str, make: Callable[[Path], object]) -> Path:
    """The folder of a name, filled by whoever asks first; the others wait.

    Args:
        shared: A folder that all processes of the session share.
        name: Of the folder in it.
        make: Fills the folder, which is there and empty.
    """
    folder, done = shared / name, shared / f"{name}.done"
    with (shared / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            # Of one who failed.
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            done.touch()
    return folder
