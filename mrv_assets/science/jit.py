"""Compilation of kernels: by numba, deterministic, cached in a folder named by a digest of their code."""

import hashlib
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba

# numba creates the fields of its config at import, where no type checker can see them.
_config: Any = numba.config


def code_digest(package: Path) -> str:
    """SHA-256 over the Python files of a folder, which hold all code that a kernel in them is compiled from."""
    digest = hashlib.sha256()
    for source in sorted(package.glob("*.py")):
        digest.update(source.name.encode() + b"\0" + hashlib.sha256(source.read_bytes()).digest())
    return digest.hexdigest()


def cache_folder(digest: str) -> Path | None:
    """The folder for the compiled kernels of this code, created; None where no such folder is writable.

    It is below ``NUMBA_CACHE_DIR`` where the user set it (numba's config has it), else in the user's cache.
    """
    try:
        # Path.home() raises RuntimeError for a user without a home.
        base = Path(_config.CACHE_DIR or Path.home() / ".cache" / "mrv_assets" / "numba")
        folder = base / digest[:16]
        folder.mkdir(parents=True, exist_ok=True)
        # Only a write proves that the folder is writable: its mode shows neither quotas nor read-only mounts.
        tempfile.TemporaryFile(dir=folder).close()
    except (OSError, RuntimeError):
        return None
    return folder


# numba keys a cached kernel by the file that defines it. After an edit of a helper in another file, its cached callers
# would stay in use: old code that computes under a new digest. This is the only place where science reads files, its
# own source.
CACHE = cache_folder(code_digest(Path(__file__).parent))
"""Folder of the compiled kernels; None where each process compiles them again."""


def kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a kernel so that it gives the same bits on every x86-64 CPU: no fastmath, IEEE division.

    The kernel releases the GIL; its machine code is stored in ``CACHE``.
    """
    before = _config.CACHE_DIR
    # numba looks the folder up while it decorates. The setting lasts for that moment only and is not made in the
    # environment, so that it affects neither other packages' kernels nor child processes, and works
    # whichever code imported numba first.
    _config.CACHE_DIR = str(CACHE or before)
    try:
        compiled: Callable[..., Any] = numba.njit(error_model="numpy", nogil=True, cache=CACHE is not None)(function)
    finally:
        _config.CACHE_DIR = before
    return compiled
