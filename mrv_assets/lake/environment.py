"""The environment of a run: what is installed and imported, not what a lock file asks for. None of it is identity."""

import platform
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from functools import cache, lru_cache
from pathlib import Path

import mrv_assets
from mrv_assets.audit.canonical import Json, digest, sha256

_PACKAGE = Path(mrv_assets.__file__).parent
_GIT_S = 10
"""Most seconds that git may take to say whether anything was edited."""


def environment() -> Json:
    """Python, machine, our own files, and the version of every distribution that this process has imported."""
    return {
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "cpu": _cpu(),
        "mrv-assets": mrv_assets.__version__,
        "package_sha256": _package_sha256(),
        "commit": _commit(_PACKAGE.parent / ".git"),
        "dirty": _dirty(_PACKAGE.parent),
        "distributions": _distributions(frozenset(_imported())),
    }


@cache
def _package_sha256() -> str:
    """SHA-256 over the package's Python files as they are installed: the digest of each by its path."""
    return digest(
        {path.relative_to(_PACKAGE).as_posix(): sha256(path.read_bytes()) for path in sorted(_PACKAGE.rglob("*.py"))}
    )


def _imported() -> Iterator[str]:
    """Top-level names of what is imported."""
    return (name for name in list(sys.modules) if "." not in name)


@lru_cache(maxsize=8)
def _distributions(imported: frozenset[str]) -> dict[str, str]:
    """Version of each distribution that installed something of these names, by its name, sorted."""
    found: dict[str, str] = {}
    for folder in (Path(path) for path in sys.path if path):
        for record in folder.glob("*.dist-info/RECORD"):
            name, _, version = record.parent.name.removesuffix(".dist-info").partition("-")
            with suppress(OSError):
                tops = re.findall(rb"^([A-Za-z_]\w*)(?:/|\.py,|\.[^/,\n]*\.so,)", record.read_bytes(), re.MULTILINE)
                if imported & {top.decode() for top in tops}:
                    found.setdefault(name.lower().replace("_", "-"), version)
    return dict(sorted(found.items()))


@cache
def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")


@cache
def _commit(git: Path) -> str | None:
    """The commit that is checked out; None outside a checkout."""
    try:
        head = (git / "HEAD").read_text().strip()
        if not head.startswith("ref: "):
            return head
        name = head.removeprefix("ref: ")
        if (git / name).is_file():
            return (git / name).read_text().strip()
        packed = (git / "packed-refs").read_text().splitlines()
    except OSError:
        return None
    return next((line.partition(" ")[0] for line in packed if line.endswith(f" {name}")), None)


@cache
def _dirty(checkout: Path) -> bool | None:
    """Whether files of the package are other than the commit has them; None where nobody can tell."""
    if not (checkout / ".git").exists():
        return None
    command = ["git", "--no-optional-locks", "-c", "core.fsmonitor=false", "status", "--porcelain", "--", _PACKAGE.name]
    try:
        done = subprocess.run(command, cwd=checkout, capture_output=True, timeout=_GIT_S, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return bool(done.stdout.strip())
