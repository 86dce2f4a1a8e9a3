"""Objects of S3 through the real transport: signed or not, at whose expense, with whose credentials."""

import asyncio
import hashlib
import pickle
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from botocore.session import Session
from moto.server import ThreadedMotoServer
from signing_servers import ACCESS_KEY, S3, SECRET_KEY, SESSION_TOKEN, s3_server, signature

from mrv_assets.errors import HostRefused, ObjectChanged, ObjectReadError
from mrv_assets.transport.hosts import HostRules
from mrv_assets.transport.http import HttpTransport
from mrv_assets.transport.limits import Limits
from mrv_assets.transport.s3 import Bucket, S3Signer
from mrv_assets.transport.signing import Signed
from mrv_assets.transport.store import ByteRange

QUICK = Limits(attempts=3, backoff_s=0.01, longest_backoff_s=0.02, deadline_s=10.0, connect_s=2.0, silence_s=5.0)
DATA = bytes(range(256)) * 400
AWKWARD = ("a b.tif", "ü/Brașov.tif", "a+b.tif", "a#b.tif", "a?b=c&d.tif", "a/../b.tif", "100%25.tif", "a~(b)*'!.tif")


@pytest.fixture(autouse=True)
def no_credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """None of whoever runs the tests, and no asking around for some; gives the folder where files of them may be."""
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN", "PROFILE", "ENDPOINT_URL", "REGION"):
        monkeypatch.delenv(f"AWS_{name}", raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    return tmp_path


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)


@pytest.fixture
def s3(tmp_path: Path) -> Iterator[S3]:
    with s3_server(tmp_path / "buckets") as server:
        yield server


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    """Amazon's own client of an S3 that others wrote, to put objects there."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    session = Session()
    session.set_credentials("theirs", "theirs")
    yield session.create_client("s3", region_name="us-east-1", endpoint_url=f"http://{host}:{port}")
    server.stop()


@pytest.fixture
def moto(client: Any) -> str:
    """Its endpoint."""
    return str(client.meta.endpoint_url)


def a_bucket(endpoint: str, name: str = "scenes", access: Any = "signed", region: str = "us-west-2") -> Bucket:
    return Bucket(name=name, region=region, access=access, endpoint=endpoint)


def reading(*buckets: Bucket) -> HttpTransport:
    return HttpTransport(HostRules(loopback=True), signer=S3Signer(buckets), limits=QUICK)


def signed(signer: S3Signer, href: str, *, fresh: bool = False) -> Signed:
    return asyncio.run(signer.sign(href, fresh=fresh))


def test_the_test_server_reads_signatures_as_amazon_documents_them() -> None:
    """The example of "Authenticating Requests: Using Query Parameters" gives the signature printed there."""
    query = (
        "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2F"
        "aws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
    )
    headers = {"host": "examplebucket.s3.amazonaws.com"}

    got = signature(SECRET_KEY, "20130524", "us-east-1", "/test.txt", query, ["host"], headers)

    assert got == "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"


@pytest.mark.usefixtures("credentials")
@pytest.mark.parametrize("key", ["scene/B04.tif", *AWKWARD])
def test_objects_are_read_with_a_signature_that_covers_their_name(s3: S3, key: str) -> None:
    """Size, ranges and digest of an object of any name; the transport's own headers are no part of the signature."""
    href = s3.put("scenes", key, DATA)

    with reading(a_bucket(s3.endpoint)) as transport:
        size = transport.stat(href).size
        parts = transport.read(href, [ByteRange(70_000, 5), ByteRange(20_000, 1000)])
        digest = transport.digest(href, "sha256")

    assert (size, parts) == (len(DATA), [DATA[70_000:70_005], DATA[20_000:21_000]])
    assert digest == hashlib.sha256(DATA).hexdigest()
    assert s3.refused == []
    assert all(0 < int(parse_qs(urlsplit(asked).query)["X-Amz-Expires"][0]) < 3600 for asked in s3.log)


@pytest.mark.usefixtures("credentials")
@pytest.mark.parametrize("key", ["scene/B04.tif", *AWKWARD])
def test_moto_finds_the_same_objects(moto: str, client: Any, key: str) -> None:
    """An S3 that others wrote, at an endpoint of its own, brings the object that was put under the name."""
    client.create_bucket(Bucket="made.by-others")
    client.put_object(Bucket="made.by-others", Key=key, Body=DATA)

    with reading(a_bucket(moto, "made.by-others", region="us-east-1")) as transport:
        info = transport.stat(f"s3://made.by-others/{key}")
        [got] = transport.read(f"s3://made.by-others/{key}", [ByteRange(90_000, 1000)])
        digest = transport.digest(f"s3://made.by-others/{key}", "md5")

    assert (info.size, got) == (len(DATA), DATA[90_000:91_000])
    assert info.etag == f'"{digest}"'


@pytest.mark.usefixtures("credentials")
def test_an_object_that_is_replaced_between_two_reads_is_noticed(moto: str, client: Any) -> None:
    """If-Match goes with a signed link, and S3's 412 means what it says."""
    client.create_bucket(Bucket="replaced")
    client.put_object(Bucket="replaced", Key="B04.tif", Body=DATA)

    with reading(a_bucket(moto, "replaced", region="us-east-1")) as transport:
        transport.stat("s3://replaced/B04.tif")
        client.put_object(Bucket="replaced", Key="B04.tif", Body=DATA[::-1])
        with pytest.raises(ObjectChanged):
            transport.read("s3://replaced/B04.tif", [ByteRange(90_000, 1000)])


def test_an_anonymous_bucket_is_read_without_credentials(moto: str, client: Any) -> None:
    """Public objects need none, and are asked for by their plain links; private ones beside them are refused."""
    client.create_bucket(Bucket="open")
    client.put_object(Bucket="open", Key="B04.tif", Body=DATA, ACL="public-read")
    client.put_object(Bucket="open", Key="private.tif", Body=DATA)
    bucket = a_bucket(moto, "open", "anonymous")

    with reading(bucket) as transport:
        size = transport.stat("s3://open/B04.tif").size
        with pytest.raises(ObjectReadError, match="HTTP 403"):
            transport.stat("s3://open/private.tif")

    assert size == len(DATA)
    assert signed(S3Signer([bucket]), "s3://open/B04.tif").url == f"{moto}/open/B04.tif"


def test_links_to_public_buckets_stay_as_they_are_written() -> None:
    """What everyone may read over https is not touched, however it is spelt."""
    signer = S3Signer([Bucket(name="sentinel-cogs", region="us-west-2")])
    hrefs = ["https://sentinel-cogs.s3.us-west-2.amazonaws.com/a+b%2fc.tif", "https://example.org/a.tif"]

    assert [signed(signer, href).url for href in hrefs] == hrefs


@pytest.mark.usefixtures("credentials")
def test_the_reader_pays_where_the_bucket_wants_it(s3: S3) -> None:
    """Both kinds of link to a requester-pays bucket state who pays, under the signature; no other bucket's does."""
    s3.requester_pays.add("usgs-landsat")
    href, other = s3.put("usgs-landsat", "a b.tif", DATA), s3.put("scenes", "B04.tif", DATA)
    https = f"{s3.endpoint}/usgs-landsat/a%20b.tif"

    with reading(a_bucket(s3.endpoint, "usgs-landsat", "requester pays"), a_bucket(s3.endpoint)) as transport:
        sizes = [transport.stat(link).size for link in (href, https, other)]

    payers = [parse_qs(urlsplit(asked).query).get("x-amz-request-payer") for asked in s3.log]
    assert sizes == [len(DATA)] * 3
    assert payers == [["requester"], ["requester"], None]


@pytest.mark.usefixtures("credentials")
def test_a_requester_pays_bucket_refuses_who_does_not_say_so(s3: S3) -> None:
    """A signature alone is not enough: the test before would fail were the payer left out."""
    s3.requester_pays.add("usgs-landsat")
    href = s3.put("usgs-landsat", "B04.tif", DATA)

    with reading(a_bucket(s3.endpoint, "usgs-landsat")) as transport, pytest.raises(ObjectReadError, match="HTTP 403"):
        transport.stat(href)

    assert set(s3.refused) == {"AccessDenied"}


@pytest.mark.usefixtures("credentials")
def test_amazons_links_are_signed_for_the_buckets_own_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever endpoint the machine has configured for its own work, a public bucket's links lead to Amazon."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9000")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    bucket = Bucket(name="usgs-landsat", region="us-west-2", access="requester pays")
    https = "https://usgs-landsat.s3.us-west-2.amazonaws.com/collection02/B4.TIF"
    rules = HostRules(hosts=(bucket.host,))

    links = [signed(S3Signer([bucket]), href).url for href in ("s3://usgs-landsat/collection02/B4.TIF", https)]

    assert [link.partition("?")[0] for link in links] == [https, https]
    assert [str(rules.check(link)) for link in links] == links
    for link in links:
        query = urlsplit(link).query
        day = parse_qs(query)["X-Amz-Date"][0][:8]
        stated, host = parse_qs(query)["X-Amz-Signature"][0], {"host": bucket.host}
        assert signature(SECRET_KEY, day, "us-west-2", "/collection02/B4.TIF", query, ["host"], host) == stated


@pytest.mark.usefixtures("credentials")
def test_a_signature_that_has_ended_is_made_anew_once(s3: S3) -> None:
    """An hour passes at the server between signing and asking; the read goes on with a new signature."""
    href = s3.put("scenes", "B04.tif", DATA)
    s3.ahead.append(timedelta(hours=1))

    with reading(a_bucket(s3.endpoint)) as transport:
        size = transport.stat(href).size

    assert size == len(DATA)
    assert s3.refused == ["ExpiredToken"]


@pytest.mark.usefixtures("credentials")
def test_a_clock_that_is_wrong_is_a_clear_error_after_two_requests(s3: S3) -> None:
    """A second signature is as old as the first: the error says what to look at, and no third is tried."""
    href = s3.put("scenes", "B04.tif", DATA)
    s3.ahead.extend([timedelta(hours=1)] * 10)

    with reading(a_bucket(s3.endpoint)) as transport, pytest.raises(ObjectReadError, match="clock") as caught:
        transport.stat(href)

    assert caught.value.permanent
    assert s3.refused == ["ExpiredToken"] * 2


def test_credentials_that_were_replaced_meanwhile_are_read_again(s3: S3, no_credentials: Path) -> None:
    """Temporary credentials in a file end and are written anew by whoever keeps them; the read goes on."""
    file, href = no_credentials / "credentials", s3.put("scenes", "B04.tif", DATA)
    s3.session_token = SESSION_TOKEN
    stated = "[default]\naws_access_key_id={}\naws_secret_access_key={}\naws_session_token={}\n"
    file.write_text(stated.format(ACCESS_KEY, SECRET_KEY, SESSION_TOKEN))

    with reading(a_bucket(s3.endpoint)) as transport:
        before = transport.stat(href).size
        s3.session_token = "second"
        file.write_text(stated.format(ACCESS_KEY, SECRET_KEY, "second"))
        [after] = transport.read(href, [ByteRange(50_000, 10)])

    assert (before, after) == (len(DATA), DATA[50_000:50_010])
    assert s3.refused == ["InvalidAccessKeyId"]


def test_credentials_are_looked_for_once(s3: S3, no_credentials: Path) -> None:
    """Sixteen readers who begin together start one program that prints credentials, not sixteen."""
    runs, program = no_credentials / "runs", no_credentials / "program.py"
    program.write_text(
        "import json, time\n"
        f"open({str(runs)!r}, 'a').write('.')\n"
        "time.sleep(0.2)\n"
        f"print(json.dumps(dict(Version=1, AccessKeyId={ACCESS_KEY!r}, SecretAccessKey={SECRET_KEY!r})))\n"
    )
    (no_credentials / "config").write_text(f"[default]\ncredential_process = {sys.executable} {program}\n")
    hrefs = [s3.put("scenes", f"{n}.tif", DATA) for n in range(16)]

    with reading(a_bucket(s3.endpoint)) as transport, ThreadPoolExecutor(16) as threads:
        sizes = [info.size for info in threads.map(transport.stat, hrefs)]

    assert sizes == [len(DATA)] * 16
    assert runs.read_text() == "."


@pytest.mark.parametrize(
    ("environment", "config", "said"),
    [
        ({}, "", "there are no AWS credentials on this machine"),
        ({"AWS_ACCESS_KEY_ID": ACCESS_KEY}, "", "missing: AWS_SECRET_ACCESS_KEY"),
        ({"AWS_PROFILE": "nobody"}, "", "The config profile (nobody) could not be found"),
        (
            {},
            "[default]\ncredential_process = {python} -c \"exit(print('s3cr3t') or 1)\"\n",
            "CredentialRetrievalError",
        ),
        ({}, "[default]\ncredential_process = {python} -c \"print('s3cr3t')\"\n", "JSONDecodeError"),
        ({}, "[default\nnot ini", "ConfigParseError"),
    ],
    ids=["none", "half", "no such profile", "program fails", "program prints nonsense", "broken file"],
)
def test_without_credentials_nothing_is_asked(
    s3: S3,
    no_credentials: Path,
    monkeypatch: pytest.MonkeyPatch,
    environment: dict[str, str],
    config: str,
    said: str,
) -> None:
    """The error says what is missing and what to set, repeats nothing a program printed, and no request is made."""
    href = s3.put("scenes", "B04.tif", DATA)
    (no_credentials / "config").write_text(config.replace("{python}", sys.executable))
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    with reading(a_bucket(s3.endpoint)) as transport, pytest.raises(ObjectReadError) as caught:
        transport.stat(href)

    assert said in str(caught.value)
    assert "Set AWS_ACCESS_KEY_ID" in str(caught.value)
    assert "s3cr3t" not in str(caught.value)
    assert caught.value.permanent
    assert s3.log == []
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


@pytest.mark.usefixtures("credentials")
@pytest.mark.parametrize("href", ["s3://somebodys-own/secret.tif", "s3://scenes", "s3:scenes/a.tif", "s3:///a.tif"])
def test_nothing_is_signed_for_a_bucket_that_nobody_named(s3: S3, href: str) -> None:
    """A catalogue cannot have us read what only we may read: a link to another bucket is refused, unasked."""
    with reading(a_bucket(s3.endpoint)) as transport, pytest.raises(HostRefused, match="not one that was named"):
        transport.stat(href)

    assert s3.log == []


@pytest.mark.usefixtures("credentials")
def test_a_key_that_leads_out_of_its_bucket_is_refused(s3: S3) -> None:
    """Neither as it is nor percent-encoded, and nothing is asked."""
    links = ["s3://scenes/a/../../private/secret.tif", f"{s3.endpoint}/scenes/%2e%2e/private/secret.tif"]

    for link in links:
        with reading(a_bucket(s3.endpoint)) as transport, pytest.raises(ObjectReadError, match="out of the bucket"):
            transport.stat(link)

    assert s3.log == []
