"""A PostgreSQL of its own: made in a temporary folder, reached by a socket in it, and gone with it."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DATABASE, OWNER = "stac", "stac"
STARTS_WITHIN_S = 60
STOPS_WITHIN_S = 30
NEEDED = "PostgreSQL with PostGIS is not on this machine; run: sudo apt-get install postgresql postgresql-postgis"


@dataclass(frozen=True, kw_only=True)
class Postgres:
    """A server with one database, which only its own user and root can reach."""

    binaries: Path
    folder: Path
    """Where its socket is."""

    @property
    def url(self) -> str:
        """The database, as libpq reads it."""
        return f"postgresql:///{DATABASE}?host={self.folder}&user={OWNER}"

    def psql(self, statement: str, database: str = DATABASE) -> str:
        """Run a statement; gives what it returns, a row a line."""
        command = ["psql", "-h", str(self.folder), "-U", OWNER, "-d", database, "-XqAt", "-v", "ON_ERROR_STOP=1"]
        done = subprocess.run(
            [str(self.binaries / command[0]), *command[1:], "-c", statement],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


def newest_binaries() -> Path:
    """Where Debian keeps the programs of the newest PostgreSQL that has PostGIS."""
    versions = Path("/usr/share/postgresql").glob("*/extension/postgis.control")
    found = sorted((path.parents[1].name for path in versions), key=lambda name: [int(n) for n in name.split(".")])
    binaries = [path for name in found if (path := Path("/usr/lib/postgresql") / name / "bin").is_dir()]
    assert binaries, NEEDED
    return binaries[-1]


@contextmanager
def postgres() -> Iterator[Postgres]:
    """A new server with an empty database."""
    binaries, who = newest_binaries(), _unprivileged()
    # Not pytest's folder: another user may have to enter, and a socket's path has 107 characters at most.
    folder = Path(tempfile.mkdtemp(prefix="mrv-postgres-"))
    try:
        if who:
            os.chown(folder, who["user"], who["group"])
        _initialized(binaries, folder, who)
        server = Postgres(binaries=binaries, folder=folder)
        with _running(server, who):
            server.psql(f"CREATE DATABASE {DATABASE}", database="postgres")
            yield server
    finally:
        shutil.rmtree(folder)


def _unprivileged() -> Mapping[str, Any]:
    """Whom to run it as: PostgreSQL refuses root."""
    if os.getuid():
        return {}
    names = {one.pw_name: one for one in pwd.getpwall()}
    who = names.get("postgres") or names["nobody"]
    return {"user": who.pw_uid, "group": who.pw_gid, "extra_groups": []}


def _initialized(binaries: Path, folder: Path, who: Mapping[str, Any]) -> None:
    options = ["--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions"]
    command = [str(binaries / "initdb"), "-D", str(folder / "data"), "-U", OWNER, *options]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False, **who)
    assert done.returncode == 0, done.stderr


@contextmanager
def _running(server: Postgres, who: Mapping[str, Any]) -> Iterator[None]:
    # Its data need not outlive a power cut.
    options = ("listen_addresses=", "fsync=off", "full_page_writes=off", "synchronous_commit=off", "timezone=UTC")
    command = [str(server.binaries / "postgres"), "-D", str(server.folder / "data"), "-k", str(server.folder)]
    command += [part for option in options for part in ("-c", option)]
    log = server.folder / "postgres.log"
    with log.open("wb") as said:
        process = subprocess.Popen(command, cwd=server.folder, stdout=said, stderr=said, **who)
    try:
        _wait_for(server, process, log)
        yield
    finally:
        # A fast shutdown: whoever is connected is sent away.
        process.send_signal(signal.SIGINT)
        try:
            process.wait(STOPS_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(STOPS_WITHIN_S)


def _wait_for(server: Postgres, process: "subprocess.Popen[bytes]", log: Path) -> None:
    ready = [str(server.binaries / "pg_isready"), "-h", str(server.folder), "-q"]
    until = time.monotonic() + STARTS_WITHIN_S
    while time.monotonic() < until and process.poll() is None:
        if subprocess.run(ready, timeout=10, check=False).returncode == 0:
            return
        time.sleep(0.1)
    raise AssertionError(f"PostgreSQL did not start (exit code {process.poll()}): {log.read_text()[-2000:]}")
