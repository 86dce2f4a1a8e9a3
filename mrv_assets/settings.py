"""Paths and run settings of a deployment, from the environment, which no other module reads."""

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from mrv_assets.errors import SettingError

_PACKAGE = Path(__file__).parent
DEMO_PROGRAM = _PACKAGE / "demo" / "program.yaml"
"""The programme shipped with the package."""
DAGSTER_YAML = _PACKAGE / "dagster.yaml"
"""Instance settings for a new Dagster home."""
_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_HOST = re.compile(rf"(\*\.)?(?=.{{1,253}}$)({_LABEL}\.)+{_LABEL}")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """One deployment: the programme, its lake, and how to run."""

    program_path: Path
    lake_path: Path
    """The lake's folder, absolute."""
    dagster_home: Path
    """``DAGSTER_HOME``; where unset, beside the lake."""
    workers: int = 1
    """Blocks worked on at once."""
    dask_address: str | None = field(default=None, repr=False)
    """Scheduler of a distributed cluster; None: threads of this process."""
    signing_key: str | None = field(default=None, repr=False)
    """Value of ``MRV_SIGNING_KEY``."""
    hosts: tuple[str, ...] = ()
    """Hosts that scenes may be read from besides the preset's; ``*.example.org`` means all hosts below it."""
    buckets: tuple[str, ...] = ()
    """S3 buckets that scenes may be read from besides the preset's, as ``transport.s3.bucket_of`` reads them."""
    loopback: bool = False
    """Whether this machine itself may be read from over HTTP; for tests and mirrors."""


def current(environ: Mapping[str, str] | None = None, folder: Path | None = None) -> Settings:
    """The settings that the environment describes. An empty variable counts as unset.

    Args:
        environ: Variables; those of this process by default.
        folder: Folder that relative paths start from; the working directory by default.

    Raises:
        SettingError: When a variable cannot be used.
    """
    environ = os.environ if environ is None else environ
    folder = Path.cwd() if folder is None else folder
    program = _program(environ, folder)
    return _settings(environ, program, _lake(environ, folder, program))


def demo_settings(
    into: Path | None = None, environ: Mapping[str, str] | None = None, folder: Path | None = None
) -> Settings:
    """The settings of the shipped demo, whatever programme the environment names.

    Args:
        into: Folder for its lake and Dagster home; by default where ``current`` has them for the demo, so that
            the UI opens what the demo wrote.
        environ: Variables; those of this process by default.
        folder: Folder that relative paths start from; the working directory by default.

    Raises:
        SettingError: When a variable cannot be used.
    """
    environ = os.environ if environ is None else environ
    folder = Path.cwd() if folder is None else folder
    if into is not None:
        return _settings(environ, DEMO_PROGRAM, folder / into / "lake")
    # MRV_LAKE is the lake of the current programme, which may be another.
    demo_environ = environ if _program(environ, folder) == DEMO_PROGRAM else {**environ, "MRV_LAKE": ""}
    return _settings(environ, DEMO_PROGRAM, _lake(demo_environ, folder, DEMO_PROGRAM))


def simulated_settings(demo: Settings) -> Settings:
    """The settings of the demo's simulated programme: a folder of its own beside the demo's lake.

    Its Dagster home is its own too, whatever ``DAGSTER_HOME`` says: both programmes have assets of the same names.
    """
    folder = demo.lake_path.parent / "simulated"
    return replace(
        demo, program_path=folder / "program.yaml", lake_path=folder / "lake", dagster_home=folder / "dagster"
    )


def variables_for(
    settings: Settings, environ: Mapping[str, str] | None = None, folder: Path | None = None
) -> dict[str, str]:
    """The variables to set so that a command works on a programme and lake; empty where it already does.

    Args:
        settings: The programme, its lake and its Dagster home.
        environ: Variables; those of this process by default.
        folder: Folder in which the command is to run; the working directory by default.
    """
    environ = os.environ if environ is None else environ
    variables = {"MRV_PROGRAM": str(settings.program_path), "MRV_LAKE": str(settings.lake_path)}
    with suppress(SettingError):
        if current(environ, folder) == settings:
            return {}
    if _dagster_home(environ, settings.lake_path) != settings.dagster_home:
        variables["DAGSTER_HOME"] = str(settings.dagster_home)
    return variables


def ensure_dagster_home(settings: Settings, template: Path = DAGSTER_YAML) -> Path:
    """Make the Dagster home ready, name it in this process's environment, and return its path.

    A home that is new or empty gets the template as its dagster.yaml; one in use is left as it is.

    Raises:
        SettingError: When the folder cannot be created or written to.
    """
    home = settings.dagster_home
    if wrong := sorted(set(str(home)) & set("%?")):
        raise SettingError(
            "DAGSTER_HOME",
            str(home),
            f"Dagster's database cannot lie in a folder with {' or '.join(wrong)} in its path: it would open another",
            "Rename the folder, or set DAGSTER_HOME to one without",
        )
    try:
        home.mkdir(parents=True, exist_ok=True)
        if not any(home.iterdir()):
            (home / "dagster.yaml").write_bytes(template.read_bytes())
    except OSError as error:
        raise SettingError(
            "DAGSTER_HOME", str(home), f"it cannot be made ready ({error.strerror})", "Name a writable folder"
        ) from error
    os.environ["DAGSTER_HOME"] = str(home)
    return home


def _settings(environ: Mapping[str, str], program: Path, lake: Path) -> Settings:
    return Settings(
        program_path=program,
        lake_path=lake,
        dagster_home=_dagster_home(environ, lake),
        workers=_workers(environ),
        dask_address=environ.get("MRV_DASK_ADDRESS") or None,
        signing_key=environ.get("MRV_SIGNING_KEY") or None,
        hosts=_hosts(environ),
        buckets=_buckets(environ),
        loopback=_loopback(environ),
    )


def _program(environ: Mapping[str, str], folder: Path) -> Path:
    stated = environ.get("MRV_PROGRAM")
    if stated:
        path = folder / Path(stated).expanduser()
        # The file that a link leads to: its parcels, lake and Dagster home lie beside it, whoever asks.
        return path.resolve() if path.is_symlink() and path.exists() else path
    here = folder / "program.yaml"
    if here.is_symlink() and not here.exists():
        raise SettingError(
            "MRV_PROGRAM", "", f"it is not set, and {here} is a link to a file that does not exist", "Mend the link"
        )
    other = folder / "program.yml"
    if not here.exists() and other.exists():
        raise SettingError(
            "MRV_PROGRAM",
            "",
            f"it is not set, and {other} is not read",
            f"Rename it to {here.name}, or set MRV_PROGRAM",
        )
    if not here.exists():
        return DEMO_PROGRAM
    return here.resolve() if here.is_symlink() else here


def _lake(environ: Mapping[str, str], folder: Path, program: Path) -> Path:
    stated = environ.get("MRV_LAKE")
    if not stated:
        # The package's own folder is not written to.
        return folder / "mrv-demo" / "lake" if program == DEMO_PROGRAM else program.parent / "lake"
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]*):/", stated)
    if scheme:
        reason = "lakes on S3 are not supported yet" if scheme[1] == "s3" else "a lake is a folder"
        raise SettingError(
            "MRV_LAKE", _without_secrets(stated), reason, "Set it to the path of a folder, or leave it unset"
        )
    return folder / Path(stated).expanduser()


def _dagster_home(environ: Mapping[str, str], lake: Path) -> Path:
    stated = environ.get("DAGSTER_HOME")
    if not stated:
        return lake.parent / "dagster"
    if not Path(stated).is_absolute():
        raise SettingError(
            "DAGSTER_HOME", stated, "Dagster needs an absolute path", "Write it in full, or leave it unset"
        )
    return Path(stated)


def _workers(environ: Mapping[str, str]) -> int:
    stated = environ.get("MRV_WORKERS")
    if not stated:
        return os.cpu_count() or 1
    if not re.fullmatch(r"[1-9]\d{0,3}", stated):
        raise SettingError(
            "MRV_WORKERS", stated, "it is not a number of threads", "Set it to a whole number from 1, or leave it unset"
        )
    return int(stated)


def _hosts(environ: Mapping[str, str]) -> tuple[str, ...]:
    stated = [part.strip().lower() for part in environ.get("MRV_ALLOW_HOSTS", "").split(",")]
    hosts = tuple(part for part in stated if part)
    for host in hosts:
        if not _HOST.fullmatch(host):
            raise SettingError(
                "MRV_ALLOW_HOSTS",
                _without_secrets(host),
                "it is not a host name",
                "Write names with commas between, such as data.example.org or *.example.org",
            )
    return hosts


def _buckets(environ: Mapping[str, str]) -> tuple[str, ...]:
    stated = (" ".join(part.split()) for part in environ.get("MRV_S3_BUCKETS", "").split(","))
    return tuple(part for part in stated if part)


def subscription_key(environ: Mapping[str, str] | None = None) -> str | None:
    """The key for Planetary Computer's tokens; None where unset. It is read where it is used, and never printed."""
    return (os.environ if environ is None else environ).get("MRV_PC_SUBSCRIPTION_KEY") or None


def _loopback(environ: Mapping[str, str]) -> bool:
    stated = environ.get("MRV_ALLOW_LOOPBACK", "")
    if stated not in ("", "0", "1"):
        raise SettingError(
            "MRV_ALLOW_LOOPBACK", stated, "it is neither 0 nor 1", "Set it to 1 to read from this machine over HTTP"
        )
    return stated == "1"


def _without_secrets(url: str) -> str:
    return re.sub(r"//[^/@]*@", "//***@", url).partition("?")[0]
