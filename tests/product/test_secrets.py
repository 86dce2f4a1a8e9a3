"""Signed links, tokens and keys leave no trace: in no log, error, repr, file of the lake, or process listing."""

import asyncio
import gc
import json
import logging
import os
import pickle
import re
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from block_scenes import CORNER, MONTH, TILE, Box, SceneSpec, parcels, publish
from demo_lake import a_deployment, a_program
from signing_servers import ACCESS_KEY, S3, SECRET_KEY, SESSION_TOKEN, Azure, answering, azure_server, s3_server
from stac_servers import rustac_server

from mrv_assets.errors import MrvError, SceneReadError
from mrv_assets.stac.api import ApiCatalogue
from mrv_assets.stac.presets import Preset
from mrv_assets.stac.source import Published
from mrv_assets.stages.raw_tiles import copy_scenes
from mrv_assets.transport.hosts import HostRules
from mrv_assets.transport.http import HttpTransport
from mrv_assets.transport.limits import Limits
from mrv_assets.transport.read_cache import ReadCache
from mrv_assets.transport.s3 import Bucket, S3Signer
from mrv_assets.transport.sas import SasService, SasSigner
from mrv_assets.transport.signing import Signer, Signers
from mrv_assets.transport.store import ByteRange

SUBSCRIPTION_KEY = "subscr1pt10n-k3y"
PASSED_ON = "s3cr3t-0f-4n0th3r"
"""What servers put into answers that go wrong."""
NEVER_SHOWN = re.compile(
    "|".join(
        [
            *map(re.escape, (SUBSCRIPTION_KEY, PASSED_ON, ACCESS_KEY, SECRET_KEY, SESSION_TOKEN)),
            *map(re.escape, (quote(SECRET_KEY, safe=""), quote(SESSION_TOKEN, safe=""))),
            # Of every token that the service gives, and of every signed link.
            *("S3cr3t[0-9]", "sig=", "X-Amz-Signature", "X-Amz-Credential"),
        ]
    )
)
DATA = bytes(range(256)) * 400
QUICK = Limits(attempts=2, backoff_s=0.01, longest_backoff_s=0.02, deadline_s=5.0, connect_s=2.0, silence_s=2.0)


@dataclass(frozen=True, kw_only=True)
class Publisher:
    """Blobs that want tokens and objects that want signatures, with what reads both."""

    azure: Azure
    s3: S3
    blob: str
    object: str
    signer: Signer
    kept: Path

    @property
    def links(self) -> tuple[str, str]:
        return self.blob, self.object


@pytest.fixture
def publisher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Publisher]:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    monkeypatch.setenv("AWS_SESSION_TOKEN", SESSION_TOKEN)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    # Of the million objects that imports made, none is looked at.
    gc.freeze()
    with azure_server(tmp_path / "azure") as azure, s3_server(tmp_path / "s3") as s3:
        azure.subscription_key, s3.session_token = SUBSCRIPTION_KEY, SESSION_TOKEN
        s3.requester_pays.add("scenes")
        yield Publisher(
            azure=azure,
            s3=s3,
            blob=azure.put("a.tif", DATA),
            object=s3.put("scenes", "a.tif", DATA),
            signer=signer_of(azure, s3),
            kept=tmp_path / "kept",
        )
    gc.unfreeze()


def signer_of(azure: Azure, s3: S3) -> Signer:
    bucket = Bucket(name="scenes", region="us-west-2", access="requester pays", endpoint=s3.endpoint)
    tokens = SasSigner(sas_of(azure), subscription_key=SUBSCRIPTION_KEY, loopback=True, limits=QUICK)
    return Signers((S3Signer([bucket]), tokens))


def sas_of(azure: Azure) -> SasService:
    blobs = rf"http://127\.0\.0\.1:{azure.port}/(?P<account>[a-z0-9]+)/(?P<container>[a-z0-9-]+)/"
    return SasService(token_url=azure.url("token/{account}/{container}"), blobs=blobs)


@dataclass
class Seen:
    """Everything that others could have looked at meanwhile."""

    texts: list[str] = field(default_factory=list)

    def leaks(self) -> list[str]:
        """What of it holds a secret, with what stands around it."""
        return [
            text[max(0, found.start() - 60) : found.end() + 20]
            for text in self.texts
            for found in NEVER_SHOWN.finditer(text)
        ]


@contextmanager
def watching(caplog: pytest.LogCaptureFixture) -> Iterator[Seen]:
    """Look at every log record, at DEBUG, and at the command line of every process of ours."""
    seen, done = Seen(), threading.Event()

    def listings() -> None:
        while not done.wait(0.05):
            seen.texts += command_lines()

    # As in a process that nobody has set up, but for the root, which lets everything through.
    for name in ("botocore", "mrv_assets"):
        caplog.set_level(logging.NOTSET, logger=name)
    caplog.set_level(logging.DEBUG)
    looking = threading.Thread(target=listings)
    looking.start()
    try:
        yield seen
    finally:
        done.set()
        looking.join()
    for record in caplog.records:
        seen.texts += [record.getMessage(), repr(record.args), record.exc_text or ""]


def command_lines() -> list[str]:
    """Those of this process and of all beneath it."""
    found, mine = {}, {os.getpid()}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            found[int(folder.name)] = parent, (folder / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
    for pid in sorted(found):
        if found[pid][0] in mine:
            mine.add(pid)
    return [found[pid][1] for pid in mine if pid in found]


def texts_of(error: BaseException) -> list[str]:
    """Everything that a log, a page or another process could show of an error, and of all behind it."""
    texts, todo, met = [*traceback.format_exception(error), repr(pickle.dumps(error))], [error], set()
    while todo:
        one = todo.pop()
        if id(one) not in met:
            met.add(id(one))
            texts += [str(one), repr(one), repr(one.args), repr(vars(one)), *getattr(one, "__notes__", [])]
            todo += [behind for behind in (one.__cause__, one.__context__) if behind is not None]
    return texts


def reprs_of_ours() -> list[str]:
    """Of every object that the package has made since the test began and that is still there."""
    things = [thing for thing in gc.get_objects() if str(type(thing).__module__).startswith("mrv_assets.")]
    return [f"{thing!r} {thing!s}" for thing in things]


def read_in_every_way(publisher: Publisher, href: str) -> tuple[list[Any], list[MrvError]]:
    """What each call gives, and what it raises."""
    given, errors = [], []
    with HttpTransport(HostRules(loopback=True), signer=publisher.signer, limits=QUICK) as network:
        kept = ReadCache(network, publisher.kept)
        calls: list[Callable[[], Any]] = [
            lambda: kept.stat(href),
            lambda: kept.read(href, [ByteRange(50_000, 40_000)]),
            lambda: kept.digest(href, "sha256"),
        ]
        for call in calls:
            try:
                given.append(call())
            except MrvError as error:
                errors.append(error)
        given += [repr(network), repr(kept), repr(network.counters())]
    return given, errors


def files_beneath(folder: Path) -> list[str]:
    """Names and contents."""
    found = [path for path in folder.rglob("*") if path.is_file()]
    assert found
    return [f"{path}\n{path.read_bytes().decode('latin-1')}" for path in found]


def calm(publisher: Publisher) -> None:
    pass


def refused_once(publisher: Publisher) -> None:
    asyncio.run(publisher.signer.sign(publisher.blob))
    publisher.azure.void.update(publisher.azure.given)
    publisher.s3.ahead.append(timedelta(hours=2))


@pytest.mark.parametrize("happens", [calm, refused_once])
def test_reads_that_succeed_leave_no_trace(
    publisher: Publisher, caplog: pytest.LogCaptureFixture, happens: Callable[[Publisher], None]
) -> None:
    """Every log at DEBUG, kept reads, objects with the signed links among them, and process listings."""
    happens(publisher)

    with watching(caplog) as seen:
        errors = [read_in_every_way(publisher, href)[1] for href in publisher.links]
        signed = [asyncio.run(publisher.signer.sign(href)) for href in publisher.links]
        seen.texts += [*reprs_of_ours(), *files_beneath(publisher.kept)]

    assert errors == [[], []]
    assert all(NEVER_SHOWN.search(link.url) for link in signed)
    assert set(publisher.azure.keys) == {SUBSCRIPTION_KEY}
    assert seen.leaks() == []


def test_the_watch_would_see_a_leak(publisher: Publisher, caplog: pytest.LogCaptureFixture) -> None:
    """A signed link in a log record, in an error's cause, or behind a process is found: the other tests can fail."""
    [blob, _] = (asyncio.run(publisher.signer.sign(href)).url for href in publisher.links)

    with watching(caplog) as logged:
        logging.getLogger("aiohttp.client").debug("GET %s", blob)
    with watching(caplog) as listed:
        subprocess.run([sys.executable, "-c", "import time; time.sleep(0.3)", blob], check=True)
    caplog.clear()
    error = ValueError("it went wrong")
    error.__context__ = OSError(blob)

    assert logged.leaks()
    assert listed.leaks()
    assert Seen(texts=texts_of(error)).leaks()


def refused_for_good(publisher: Publisher) -> None:
    publisher.azure.all_void = True
    publisher.s3.ahead.extend([timedelta(hours=2)] * 100)


def without_rights(publisher: Publisher) -> None:
    publisher.azure.always_wrong = answering(403, PASSED_ON)
    publisher.s3.secrets.clear()


def wrong_keys(publisher: Publisher) -> None:
    publisher.azure.subscription_key = "another"
    publisher.s3.secrets[ACCESS_KEY] = "another"


def gone(publisher: Publisher) -> None:
    for path in [*publisher.azure.folder.rglob("*.tif"), *publisher.s3.folder.rglob("*")]:
        if path.is_file():
            path.unlink()


def no_tokens(status: int, body: object = PASSED_ON, **headers: str) -> Callable[[Publisher], None]:
    def happens(publisher: Publisher) -> None:
        publisher.azure.always_wrong = answering(status, body, **headers)
        publisher.s3.secrets.clear()

    return happens


HAPPENINGS = {
    "refused for good": refused_for_good,
    "no rights": without_rights,
    "wrong keys": wrong_keys,
    "gone": gone,
    "token service broken": no_tokens(503),
    "token service busy": no_tokens(429, Retry_After="0"),
    "token service elsewhere": no_tokens(
        302, Location=f"https://user:{PASSED_ON}@elsewhere.example.org/?sig={PASSED_ON}"
    ),
    "token service unreadable": no_tokens(200, f"<html>{PASSED_ON}"),
    "token that is none": no_tokens(200, {"token": f"{PASSED_ON} \n", "msft:expiry": "2090-01-01T00:00:00Z"}),
    "token of the past": no_tokens(200, {"token": f"sig={PASSED_ON}", "msft:expiry": "2001-01-01T00:00:00Z"}),
    "token with a date that is none": no_tokens(200, {"token": f"sig={PASSED_ON}", "msft:expiry": PASSED_ON}),
}


@pytest.mark.parametrize("happens", HAPPENINGS.values(), ids=HAPPENINGS)
def test_reads_that_fail_leave_no_trace(
    publisher: Publisher, caplog: pytest.LogCaptureFixture, happens: Callable[[Publisher], None]
) -> None:
    """Nor does the error, with all that is behind it, wherever a signature goes wrong."""
    happens(publisher)

    with watching(caplog) as seen:
        errors = [error for href in publisher.links for error in read_in_every_way(publisher, href)[1]]
        seen.texts += [text for error in errors for text in texts_of(error)] + reprs_of_ours()

    assert len(errors) == 6
    assert [behind for error in errors for behind in (error.__cause__, error.__context__) if behind is not None] == []
    assert seen.leaks() == []


@pytest.mark.parametrize(
    ("variable", "value"),
    [("AWS_SECRET_ACCESS_KEY", ""), ("AWS_PROFILE", "nobody"), ("AWS_CONFIG_FILE", "{folder}/config")],
)
def test_credentials_that_cannot_be_had_leave_no_trace(
    publisher: Publisher,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    variable: str,
    value: str,
) -> None:
    """Half a pair of keys, a profile that is none, a program that prints them together with an error."""
    program = f"{sys.executable} -c \"import sys; sys.stderr.write('{PASSED_ON[:8]}' '{PASSED_ON[8:]}'); sys.exit(1)\""
    (tmp_path / "config").write_text(f"[default]\ncredential_process = {program}\n")
    if variable == "AWS_CONFIG_FILE":
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv(variable, value.format(folder=tmp_path))

    with watching(caplog) as seen:
        errors = read_in_every_way(publisher, publisher.object)[1]
        seen.texts += [text for error in errors for text in texts_of(error)] + reprs_of_ours()

    assert ["AWS_SECRET_ACCESS_KEY" in str(error) for error in errors] == [True] * 3
    assert publisher.s3.log == []
    assert seen.leaks() == []


def test_verbose_is_our_own_words_only() -> None:
    """``mrv -v`` turns on what this project says, and of no library that writes out what it sends."""
    names = ("", "botocore.auth", "botocore.endpoint", "aiohttp.client", "urllib3.connectionpool", "asyncio")
    code = (
        "import json, logging; from mrv_assets.cli.main import verbs; verbs.callback(verbose=True);"
        f"print(json.dumps([logging.getLogger(n).isEnabledFor(logging.INFO) for n in {(*names, 'mrv_assets')!r}]))"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)

    assert json.loads(done.stdout) == [False] * len(names) + [True]


@pytest.fixture
def month(publisher: Publisher, tmp_path: Path) -> Iterator[tuple[Any, Any, Published]]:
    """A lake, a plan, and a catalogue whose scenes lie half in Azure and half in S3."""
    catalogue = publish(tmp_path / "catalogue", (SceneSpec(id="one", when="2018-07-10T09:30:00Z"),))
    items = [json.loads(path.read_bytes()) for path in catalogue.glob("items/*/*.json")]
    for number, (key, asset) in enumerate(sorted(items[0]["assets"].items())):
        [path] = catalogue.glob(f"items/*/{asset['href']}")
        data = path.read_bytes()
        put = publisher.azure.put(f"{key}.tif", data) if number % 2 else publisher.s3.put("scenes", f"{key}.tif", data)
        asset["href"] = put
        asset["file:checksum"] = f"1220{sha256(data).hexdigest()}"
    (tmp_path / "api").mkdir()
    program = a_program(
        tmp_path / "programme",
        parcels=parcels(p=Box(row=CORNER - 40, col=CORNER - 40, height=20, width=20)),
        catalog=str(catalogue),
        collection="sentinel-2",
        months={"start": MONTH, "end": MONTH},
    )
    deployment = a_deployment(program)
    with rustac_server(tmp_path / "api", items) as root:
        rules = HostRules(loopback=True)
        preset = Preset(name="ours", api=root, hosts=())
        with HttpTransport(rules, signer=publisher.signer, limits=QUICK) as network:
            kept = ReadCache(network, deployment.lake_path / ".unfinished" / "kept")
            published = Published(
                name="ours", catalogue=ApiCatalogue(preset, rules), transport=kept, named_by_bytes=False
            )
            yield deployment.lake, deployment.plan(TILE, MONTH, deployment.missions[0]), published


def test_a_month_of_signed_scenes_leaves_no_trace_in_the_lake(
    publisher: Publisher, month: tuple[Any, Any, Published], caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    """Records, run records, sidecars, items and kept reads; every band was read with a signature all the same."""
    lake, plan, published = month

    with watching(caplog) as seen:
        copy_scenes(lake, plan, published)
        seen.texts += files_beneath(tmp_path / "programme" / "lake")

    assert len(publisher.azure.given) == 1
    assert all("X-Amz-Signature" in asked for asked in publisher.s3.log)
    assert sum(publisher.azure.answers.values()) >= 3
    assert len(publisher.s3.log) >= 3
    assert seen.leaks() == []


def test_a_month_that_fails_names_the_band_and_no_secret(
    publisher: Publisher, month: tuple[Any, Any, Published], caplog: pytest.LogCaptureFixture
) -> None:
    """The error of the stage, with what is behind it."""
    lake, plan, published = month
    publisher.azure.all_void = True

    with watching(caplog) as seen, pytest.raises(SceneReadError, match="HTTP 403") as caught:
        copy_scenes(lake, plan, published)
    seen.texts += texts_of(caught.value)

    assert seen.leaks() == []
