"""Our own source in the installed package, from which code and graph digests are made."""

from functools import cache
from pathlib import Path

from mrv_assets.audit.code import code_digest

_ROOT = Path(__file__).parents[1]


@cache
def stage_code(module: str) -> str:
    """The code digest of a stage."""
    return code_digest(module, source)


def source(module: str) -> bytes | None:
    """Source of a module of ours, by its dotted name; None when there is none."""
    # By path: asking the import system would import the packages on the way, and with them numba.
    path = _ROOT.joinpath(*module.split(".")[1:])
    for file in (path.with_suffix(".py"), path / "__init__.py"):
        if file.is_file():
            return file.read_bytes()
    return None
