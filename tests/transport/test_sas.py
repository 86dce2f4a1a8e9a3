"""Tokens of Azure's blob storage: one for each container, renewed in time, shown to nobody else."""

import asyncio
import hashlib
import pickle
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from signing_servers import ACCOUNT, CONTAINER, Answer, Azure, answering, azure_server

from mrv_assets.errors import ObjectReadError
from mrv_assets.transport.hosts import HostRules
from mrv_assets.transport.http import HttpTransport
from mrv_assets.transport.limits import Limits
from mrv_assets.transport.sas import SasService, SasSigner
from mrv_assets.transport.signing import Signed
from mrv_assets.transport.store import ByteRange

QUICK = Limits(attempts=3, backoff_s=0.01, longest_backoff_s=0.02, deadline_s=10.0, connect_s=2.0, silence_s=2.0)
DATA = bytes(range(256)) * 400
HTML = "<html>Please log in</html>"


@pytest.fixture
def azure(tmp_path: Path) -> Iterator[Azure]:
    with azure_server(tmp_path / "blobs") as server:
        yield server


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def service(azure: Azure) -> SasService:
    blobs = rf"http://127\.0\.0\.1:{azure.port}/(?P<account>[a-z0-9]+)/(?P<container>[a-z0-9-]+)/"
    return SasService(token_url=azure.url("token/{account}/{container}"), blobs=blobs)


def signer(azure: Azure, clock: Clock | None = None, subscription_key: str | None = None) -> SasSigner:
    return SasSigner(
        service(azure), loopback=True, limits=QUICK, clock=clock or Clock(), subscription_key=subscription_key
    )


def reading(signs: SasSigner) -> HttpTransport:
    return HttpTransport(HostRules(loopback=True), signer=signs, limits=QUICK)


def signed(signs: SasSigner, *hrefs: str, fresh: bool = False) -> list[str]:
    """Links signed side by side."""

    async def all_of_them() -> list[Signed]:
        return await asyncio.gather(*(signs.sign(href, fresh=fresh) for href in hrefs))

    return [got.url for got in asyncio.run(all_of_them())]


def test_blobs_are_read_with_a_token(azure: Azure) -> None:
    """Size, ranges and digest of a blob that is refused without a token, all with the same one."""
    href = azure.put("path/to/B04.tif", DATA)

    with reading(signer(azure)) as transport:
        size = transport.stat(href).size
        parts = transport.read(href, [ByteRange(70_000, 5), ByteRange(20_000, 1000)])
        digest = transport.digest(href, "sha256")

    assert (size, parts) == (len(DATA), [DATA[70_000:70_005], DATA[20_000:21_000]])
    assert digest == hashlib.sha256(DATA).hexdigest()
    assert azure.asked == [f"{ACCOUNT}/{CONTAINER}"]
    assert set(azure.answers) == {206}


def test_without_a_signer_a_blob_is_refused(azure: Azure) -> None:
    """The server is no easier to please than Azure: no token, no bytes."""
    href = azure.put("B04.tif", DATA)

    with HttpTransport(HostRules(loopback=True), limits=QUICK) as transport, pytest.raises(ObjectReadError) as caught:
        transport.stat(href)

    assert "HTTP 409" in str(caught.value)
    assert azure.answers == {409: 1}


def test_one_token_serves_a_container_and_no_other(azure: Azure) -> None:
    """Every blob of a container is signed alike; another container has a token of its own."""
    signs = signer(azure)
    hrefs = [azure.put(f"{n}.tif", DATA) for n in range(3)]
    other = azure.put("B04.tif", DATA, container="sentinel2-l2")

    queries = [url.partition("?")[2] for url in signed(signs, *hrefs)]
    theirs = signed(signs, other)[0].partition("?")[2]

    assert queries == azure.given[:1] * 3
    assert theirs == azure.given[1]
    assert azure.asked == [f"{ACCOUNT}/{CONTAINER}", f"{ACCOUNT}/sentinel2-l2"]


def test_readers_who_begin_together_share_one_request_for_a_token(azure: Azure) -> None:
    """Sixteen threads read sixteen blobs at once; the token service is asked once."""
    azure.late_s = 0.2
    hrefs = [azure.put(f"{n}.tif", DATA + bytes([n])) for n in range(16)]

    with reading(signer(azure)) as transport, ThreadPoolExecutor(16) as threads:
        got = list(threads.map(lambda href: transport.read(href, [ByteRange(len(DATA), 1)]), hrefs))

    assert got == [[bytes([n])] for n in range(16)]
    assert len(azure.asked) == 1


def test_a_waiting_reader_who_gives_up_takes_the_token_from_nobody(azure: Azure) -> None:
    """The reader that asked first is cancelled; the one that joined it gets the token all the same."""
    azure.late_s = 0.3
    signs, href = signer(azure), azure.put("B04.tif", DATA)

    async def first_gives_up() -> Signed:
        first = asyncio.create_task(signs.sign(href))
        await asyncio.sleep(0.05)
        second = asyncio.create_task(signs.sign(href))
        await asyncio.sleep(0.05)
        first.cancel()
        return await second

    got = asyncio.run(first_gives_up())

    assert got.url == f"{href}?{azure.given[0]}"
    assert len(azure.asked) == 1


@pytest.mark.parametrize(
    ("life", "used_at_s", "renewed_at_s"),
    [(timedelta(minutes=45), 40 * 60 - 5, 40 * 60 + 5), (timedelta(minutes=4), 115, 125)],
    ids=["five minutes before it ends", "half its life when that is short"],
)
def test_a_token_is_renewed_before_it_ends(
    azure: Azure, life: timedelta, used_at_s: float, renewed_at_s: float
) -> None:
    """A request may wait for its turn, so no link is signed with a token that is about to end."""
    azure.life, clock, href = life, Clock(), azure.put("B04.tif", DATA)
    signs, start = signer(azure, clock), clock.now

    first = signed(signs, href)
    clock.now = start + used_at_s
    kept = signed(signs, href)
    clock.now = start + renewed_at_s
    renewed = signed(signs, href)

    assert first == kept == [f"{href}?{azure.given[0]}"]
    assert renewed == [f"{href}?{azure.given[1]}"]


@pytest.mark.parametrize("hours", [-3, 3])
def test_a_clock_that_is_wrong_does_no_harm(azure: Azure, hours: int) -> None:
    """How long a token lives is told by the service's own clock."""
    azure.ahead, clock, href = timedelta(hours=hours), Clock(), azure.put("B04.tif", DATA)
    signs = signer(azure, clock)

    first = signed(signs, href)
    clock.now += 39 * 60
    kept = signed(signs, href)
    clock.now += 2 * 60
    renewed = signed(signs, href)

    assert first == kept != renewed
    assert len(azure.asked) == 2


def test_a_token_that_is_refused_is_dropped_and_the_read_goes_on(azure: Azure) -> None:
    """A token may end early, between two ranges of a blob: a new one is fetched, once."""
    href = azure.put("B04.tif", DATA)

    with reading(signer(azure)) as transport:
        size = transport.stat(href).size
        azure.void.update(azure.given)
        [got] = transport.read(href, [ByteRange(50_000, 1000)])

    assert (size, got) == (len(DATA), DATA[50_000:51_000])
    assert len(azure.asked) == 2
    assert azure.answers == {206: 2, 403: 1}


def test_a_publisher_who_refuses_new_tokens_too_is_asked_twice(azure: Azure) -> None:
    """A new token may help once; then it is said who refuses, and that asking again is of no use."""
    azure.all_void, href = True, azure.put("B04.tif", DATA)

    with reading(signer(azure)) as transport, pytest.raises(ObjectReadError, match="HTTP 403") as caught:
        transport.stat(href)

    assert caught.value.permanent
    assert azure.answers == {403: 2}
    assert len(azure.asked) == 2


def test_refused_readers_share_the_new_token(azure: Azure) -> None:
    """Eight readers whose token is refused at the same time cause one request for a new one."""
    azure.late_s, signs = 0.2, signer(azure)
    hrefs = [azure.put(f"{n}.tif", DATA) for n in range(8)]
    signed(signs, *hrefs)

    again = signed(signs, *hrefs, fresh=True)

    assert len(azure.asked) == 2
    assert {url.partition("?")[2] for url in again} == {azure.given[1]}


@pytest.mark.parametrize(
    "href",
    [
        "https://landsateuwest.blob.core.windows.net.example.org/landsat-c2/a.tif",
        "https://example.org/landsateuwest.blob.core.windows.net/landsat-c2/a.tif",
        "https://someone@landsateuwest.blob.core.windows.net/landsat-c2/a.tif",
        "https://landsateuwest.blob.core.windows.net:8443/landsat-c2/a.tif",
        "http://landsateuwest.blob.core.windows.net/landsat-c2/a.tif",
        "https://landsateuwest.blob.core.windows.net/",
        "https://landsateuwest.blob.core.windows.net/../landsat-c2/a.tif",
        "https://landsateuwest.blob.core.windows.net/landsat-c2/a.tif?se=2024&sig=theirs",
        "https://sentinel-cogs.s3.us-west-2.amazonaws.com/a.tif",
        "s3://landsateuwest.blob.core.windows.net/landsat-c2/a.tif",
    ],
)
def test_other_links_pass_and_nobody_is_asked(azure: Azure, href: str) -> None:
    """A token is put into links of blob hosts only, over https only; one that is signed already is left as it is."""
    signs = SasSigner(SasService(token_url=service(azure).token_url), loopback=True, limits=QUICK)

    got = signed(signs, href)

    assert got == [href]
    assert azure.asked == []


@pytest.mark.parametrize(
    ("href", "signed_as"),
    [
        ("/a.tif", "/a.tif?{token}"),
        ("/a%20b.tif?versionid=1", "/a%20b.tif?versionid=1&{token}"),
        ("/a.tif#band", "/a.tif?{token}"),
    ],
)
def test_real_hosts_tell_account_and_container(azure: Azure, href: str, signed_as: str) -> None:
    """The account is the host's first label, the container the path's first step; the rest stays as it is spelt."""
    signs = SasSigner(SasService(token_url=service(azure).token_url), loopback=True, limits=QUICK)
    base = "https://sentinel2l2a01.blob.core.windows.net/sentinel2-l2"

    got = signed(signs, base + href)

    assert got == [base + signed_as.format(token=azure.given[0])]
    assert azure.asked == ["sentinel2l2a01/sentinel2-l2"]


def test_the_subscription_key_goes_to_the_token_service_alone(azure: Azure) -> None:
    """It is sent when a token is asked for, never with a blob."""
    azure.subscription_key, href = "s3cr3t-key", azure.put("B04.tif", DATA)
    signs = signer(azure, subscription_key="s3cr3t-key")

    async def sign() -> Signed:
        return await signs.sign(href)

    got = asyncio.run(sign())

    assert azure.keys == ["s3cr3t-key"]
    assert dict(got.headers) == {}
    assert "s3cr3t-key" not in got.url


def test_a_date_beyond_all_dates_is_as_good_as_none(azure: Azure) -> None:
    """The service's clock cannot be read from it, so ours counts."""
    token = {"token": "sig=x", "msft:expiry": "2090-01-01T00:00:00Z"}
    azure.wrong.append(answering(200, token, Date="Thu, 01 Jan 99999999999 00:00:00 GMT"))
    href = azure.put("B04.tif", DATA)

    got = signed(signer(azure), href)

    assert got == [f"{href}?sig=x"]


@pytest.mark.parametrize(
    ("answer", "asked", "permanent", "said"),
    [
        (answering(401), 1, True, "HTTP 401"),
        (answering(403), 1, True, "HTTP 403"),
        (answering(404), 1, True, "HTTP 404"),
        (answering(429, Retry_After="0"), 3, False, "HTTP 429"),
        (answering(503), 3, False, "HTTP 503"),
        (answering(200, HTML), 3, False, "not a token"),
        (answering(200, "[" * 10_000), 3, False, "not a token"),
        (answering(200, {"token": "se=1&sig=x"}), 3, False, "not a token"),
        (answering(200, {"token": "a b\nc", "msft:expiry": "2090-01-01T00:00:00Z"}), 3, False, "not a token"),
        (answering(200, {"token": "x" * 100_000, "msft:expiry": "2090-01-01T00:00:00Z"}), 3, False, "not a token"),
        (answering(200, {"token": "sig=x", "msft:expiry": "soon"}), 3, False, "not a token"),
        (answering(200, {"token": "sig=x", "msft:expiry": "2001-02-03T04:05:06Z"}), 3, False, "2001-02-03 04:05:06"),
        (answering(200, {"token": "sig=x", "msft:expiry": "0001-01-01T00:00:00+14:00"}), 3, False, "not a token"),
        (answering(302, Location="https://elsewhere.example.org/?sig=s3cr3t"), 1, True, "not a host that was named"),
    ],
    ids=[
        *("401", "403", "404", "429", "503", "page", "deep", "no expiry", "not a query", "endless", "no date", "past"),
        "before all time",
        "redirect",
    ],
)
def test_a_service_that_gives_no_token_is_named(
    azure: Azure, answer: Answer, asked: int, permanent: bool, said: str
) -> None:
    """The error names service, account and container, and why; a few attempts are made where another may help."""
    azure.always_wrong, href = answer, azure.put("B04.tif", DATA)

    with pytest.raises(ObjectReadError, match=re.escape(said)) as caught:
        signed(signer(azure), href)

    assert f"no token for container {CONTAINER} of account {ACCOUNT} from 127.0.0.1" in str(caught.value)
    assert len(azure.asked) == asked
    assert caught.value.permanent is permanent
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_a_service_that_is_busy_for_a_while_is_asked_again(azure: Azure) -> None:
    """Two answers without a token, then one with it: the read succeeds."""
    azure.wrong.extend([answering(503), answering(429, Retry_After="0")])
    href = azure.put("B04.tif", DATA)

    with reading(signer(azure)) as transport:
        size = transport.stat(href).size

    assert size == len(DATA)
    assert len(azure.asked) == 3


def test_a_blob_without_a_token_service_is_an_error_of_the_read(azure: Azure) -> None:
    """Through the transport: the link, what was missing and the cure, and no request for the blob."""
    azure.always_wrong, href = answering(404), azure.put("B04.tif", DATA)

    with reading(signer(azure)) as transport, pytest.raises(ObjectReadError) as caught:
        transport.stat(href)

    assert str(caught.value).startswith(f"{href}: no token for container landsat-c2 of account landsateuwest")
    assert "preset" in caught.value.cure
    assert azure.answers == {}
