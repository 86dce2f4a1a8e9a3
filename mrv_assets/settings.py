"""Deployment: where things live on this machine. The only reader of the environment."""

import os
import shutil
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

from mrv_assets.errors import BadInputError


class SettingsError(BadInputError):
    """An environment variable has a value that cannot be used."""

    def __init__(self, variable: str, value: str, reason: str, cure: str) -> None:
        super().__init__(variable, value, reason, cure)
        self.variable, self.value, self.reason, self.cure = variable, value, reason, cure

    def __str__(self) -> str:
        return f"{self.variable}={self.value!r}: {self.reason}. {self.cure}"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the MRV_* variables and their defaults say."""

    program_path: Path
    lake: Path
    dagster_home: Path
    workers: int
    dask_address: str | None = None
    signing_key: str | None = field(default=None, repr=False)


def current() -> Settings:
    """The settings of this process.

    ``MRV_PROGRAM`` unset: ``program.yaml`` in the current folder if present, else the demo programme.
    ``MRV_LAKE`` unset: ``lake`` beside the programme, for the demo ``./mrv-demo/lake``.

    Raises:
        SettingsError: When a variable cannot be used.
    """
    stated = os.environ.get("MRV_PROGRAM")
    here = Path("program.yaml")
    if stated:
        program = Path(stated).expanduser().resolve()
    else:
        program = here.resolve() if here.is_file() else demo_program()
    return _settings(program, os.environ.get("MRV_LAKE"))


def demo_settings(into: Path | None = None) -> Settings:
    """The settings of the demo, in the folder given, else where ``MRV_LAKE`` says, else in ``./mrv-demo``.

    Raises:
        SettingsError: When a variable cannot be used.
    """
    lake = os.environ.get("MRV_LAKE") if into is None else str(into / "lake")
    return _settings(demo_program(), lake)


def demo_program() -> Path:
    """The programme file of the demo, shipped in the package."""
    return Path(str(resources.files("mrv_assets"))) / "demo" / "program.yaml"


def _settings(program: Path, lake_stated: str | None) -> Settings:
    default = Path("mrv-demo/lake") if program == demo_program() else program.parent / "lake"
    lake = _lake(lake_stated) if lake_stated else default.resolve()
    home = os.environ.get("DAGSTER_HOME")
    if home and not Path(home).is_absolute():
        raise SettingsError("DAGSTER_HOME", home, "must be an absolute path", "Write it from the root, or unset it.")
    return Settings(
        program_path=program,
        lake=lake,
        dagster_home=Path(home) if home else lake.parent / "dagster",
        workers=_workers(os.environ.get("MRV_WORKERS")),
        dask_address=os.environ.get("MRV_DASK_ADDRESS") or None,
        signing_key=os.environ.get("MRV_SIGNING_KEY") or None,
    )


def _lake(stated: str) -> Path:
    if "://" in stated:
        raise SettingsError(
            "MRV_LAKE", stated, "lakes on object storage are not supported yet", "Name a folder on this machine."
        )
    return Path(stated).expanduser().resolve()


def _workers(stated: str | None) -> int:
    if not stated:
        return os.cpu_count() or 1
    if not stated.isdigit() or int(stated) < 1:
        raise SettingsError("MRV_WORKERS", stated, "must be a whole number from 1", "Unset it to use every core.")
    return int(stated)


def ensure_dagster_home(settings: Settings) -> Path:
    """Create ``DAGSTER_HOME`` with our instance settings on first use, and name it to this process's Dagster."""
    home = settings.dagster_home
    home.mkdir(parents=True, exist_ok=True)
    if not (home / "dagster.yaml").exists():
        shutil.copyfile(Path(str(resources.files("mrv_assets"))) / "dagster.yaml", home / "dagster.yaml")
    os.environ["DAGSTER_HOME"] = str(home)
    return home
