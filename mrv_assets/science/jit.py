"""How kernels are compiled: numba, deterministic, cached under a folder keyed by their code."""

import hashlib
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba

# numba makes up its config's fields when it is imported, which no type checker can see.
_config: Any = numba.config


def code_digest(package: Path) -> str:
    """sha256 over a folder's Python files: over all code that a kernel in them may be compiled from."""
    digest = hashlib.sha256()
    for source in sorted(package.glob("*.py")):
        digest.update(source.name.encode() + b"\0" + hashlib.sha256(source.read_bytes()).digest())
    return digest.hexdigest()


def cache_folder(digest: str) -> Path | None:
    """The folder that keeps the compiled kernels of this code, created; None where no place is writable.

    It is below ``NUMBA_CACHE_DIR`` where the user set one (numba's config has it), else in the user's cache.
    """
    try:
        # Path.home() raises RuntimeError for a user without a home.
        place = Path(_config.CACHE_DIR or Path.home() / ".cache" / "mrv_assets" / "numba")
        folder = place / digest[:16]
        folder.mkdir(parents=True, exist_ok=True)
        # Only writing proves that it is writable: quotas and read-only mounts do not show in its mode.
        tempfile.TemporaryFile(dir=folder).close()
    except (OSError, RuntimeError):
        return None
    return folder


# numba keys a cached kernel by the file it stands in. An edited helper in another file would leave its
# callers in use: old code computing under a new digest. Only here does science read files: its own source.
CACHE = cache_folder(code_digest(Path(__file__).parent))
"""Where compiled kernels are kept; None: they are compiled anew in each process."""


def kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a kernel so that it gives the same bits on every x86-64 CPU: no fastmath, IEEE division.

    It releases the GIL; its machine code is kept in ``CACHE``.
    """
    before = _config.CACHE_DIR
    # numba looks the folder up while it decorates. Set for that moment only, and not in the environment, it
    # reaches neither other packages' kernels nor child processes, and it does not matter who imported numba.
    _config.CACHE_DIR = str(CACHE or before)
    try:
        compiled: Callable[..., Any] = numba.njit(error_model="numpy", nogil=True, cache=CACHE is not None)(function)
    finally:
        _config.CACHE_DIR = before
    return compiled
