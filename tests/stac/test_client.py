"""Documents of an API: a failure that passes is tried again, any other is told, and everything has a bound."""

import asyncio
import gzip
import json
import os
import pickle
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import searching
from certificates import a_certificate
from searching import HERE, ITEMS, JULY, SMALL, api, at_search, failing, names, search
from stac_servers import Asked, Json, Reply, Twist, stac_server

from mrv_assets.errors import CatalogueError
from mrv_assets.stac.api import ApiCatalogue
from mrv_assets.stac.json_document import MAX_DEPTH, MAX_DOCUMENT_BYTES, MAX_MARKS
from mrv_assets.stac.presets import preset_of
from mrv_assets.transport.hosts import HostRules
from mrv_assets.transport.limits import Limits

GZIP_HEADER = b"\x1f\x8b\x08" + bytes(7)


@pytest.mark.parametrize("header", ["1", "Thu, 01 Jan 2026 00:00:01 GMT"], ids=["seconds", "date"])
def test_a_busy_api_is_asked_again_when_it_says(header: str) -> None:
    """429 with Retry-After, in seconds or as a date by the server's own clock."""
    busy = Reply(status=429, headers={"Retry-After": header, "Date": "Thu, 01 Jan 2026 00:00:00 GMT"})
    with stac_server(ITEMS, twist=at_search(2, lambda _, page: busy)) as server:
        found = search(server.root)

    asked = server.asked("/search")
    assert names(found) == [item["id"] for item in ITEMS]
    assert len(asked) == 4
    assert 1.0 <= asked[2].at - asked[1].at < 5.0


def cut(asked: Asked, document: Json) -> Reply:
    body = json.dumps(document).encode()
    return Reply(body=body[: len(body) // 2], length=len(body))


@pytest.mark.parametrize(
    "wrong",
    [
        *(lambda _, page, status=status: Reply(status=status) for status in (408, 500, 502, 503, 504)),
        lambda _, page: Reply(status=503, headers={"Retry-After": "soon"}),
        lambda _, page: Reply(status=503, headers={"Retry-After": "Thu, 01 Jan 99999999999 00:00:00 GMT"}),
        cut,
        lambda _, page: Reply(wait_s=3.0),
        lambda _, page: Reply(headers={"Content-Encoding": "gzip"}, body=b"no gzip"),
        lambda _, page: Reply(status=0),
        lambda _, page: Reply(),
    ],
    ids=[
        *("408", "500", "502", "503", "504", "retry-after", "no-date", "cut", "stall", "no-gzip", "no-http"),
        "empty",
    ],
)
def test_what_may_pass_is_asked_again(wrong: Callable[[Asked, Json], Json | Reply]) -> None:
    """Once wrong, in whatever way, at the second page: the search is whole all the same."""
    with stac_server(ITEMS, twist=at_search(2, wrong)) as server:
        found = search(server.root, silence_s=1.5)

    assert names(found) == [item["id"] for item in ITEMS]
    assert [one.body.get("token") for one in server.asked("/search")] == [None, 10, 10, 20]


def test_what_does_not_pass_ends_with_how_often_and_how_long() -> None:
    """Host, reason, attempts, seconds and cure in one message."""
    error, server = failing(at_search(None, lambda _, page: Reply(status=503)))

    assert len(server.asked("/search")) == 4
    assert error.catalogue == server.root
    assert re.search(r"127\.0\.0\.1 is busy or broken \(HTTP 503\); asked 4 times in \d+ s\. Check", str(error))
    assert "Check that this machine reaches 127.0.0.1" in str(error)


def test_a_pause_longer_than_the_search_may_take_is_not_waited_for() -> None:
    """An hour's Retry-After is cut to the longest that is waited, and to the deadline."""
    began = time.monotonic()

    error, server = failing(
        at_search(None, lambda _, page: Reply(status=429, headers={"Retry-After": "3600"})), deadline_s=3.0
    )

    assert time.monotonic() - began < 3.0
    assert len(server.asked("/search")) == 1
    assert "HTTP 429" in str(error)


@pytest.mark.parametrize(
    "reply",
    [
        Reply(body=b" " * 400, body_pause_s=0.05),
        Reply(body=GZIP_HEADER + b"\x00\x00\x00\xff\xff" * 80, body_pause_s=0.05, headers={"Content-Encoding": "gzip"}),
        Reply(body=b"2\r\n{}\r\n0\r\n" + b"X: y\r\n" * 70, body_pause_s=0.05, headers={"Transfer-Encoding": "chunked"}),
        Reply(header_pause_s=0.3),
    ],
    ids=["body", "empty-blocks", "trailers", "header"],
)
def test_an_answer_that_trickles_in_ends_with_the_deadline(reply: Reply) -> None:
    """Each letter comes in time, the page never; nor end blocks that hold nothing, or trailers."""
    began = time.monotonic()

    error, _ = failing(at_search(None, lambda _, page: reply), deadline_s=0.5, attempts=1)

    assert time.monotonic() - began < 5.0
    assert "took longer than 0.5 s" in str(error)


def test_a_header_that_trickles_in_is_cut_off_and_asked_for_again() -> None:
    """Each letter comes in time, the header would take a minute; it is given the time of a silent server."""
    began = time.monotonic()

    with stac_server(ITEMS, twist=at_search(2, lambda _, page: Reply(header_pause_s=0.8))) as server:
        found = search(server.root, silence_s=1.5)

    assert len(found.items) == 25
    assert len(server.asked("/search")) == 4
    assert time.monotonic() - began < 30.0


def bomb(asked: Asked, document: Json) -> Reply:
    return Reply(headers={"Content-Encoding": "gzip"}, body=gzip.compress(b" " * (MAX_DOCUMENT_BYTES + 1), 1))


def crowd(asked: Asked, document: Json) -> Reply:
    return Reply(headers={"Content-Encoding": "gzip"}, body=gzip.compress(b"[%b[]]" % (b"[]," * MAX_MARKS), 1))


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (lambda _, page: Reply(body=b"<!DOCTYPE html><html>Sign in</html>"), "127.0.0.1 is a web page"),
        (lambda _, page: Reply(body=b"not json"), "127.0.0.1 is not JSON"),
        (lambda _, page: Reply(body=b'{"features": [NaN]}'), "NaN is not a JSON number"),
        (lambda _, page: Reply(body=b'{"features": [1e999]}'), "1e999 is beyond all floats"),
        (lambda _, page: {**page, "x": json.loads("[" * MAX_DEPTH + "]" * MAX_DEPTH)}, "nests deeper than 64"),
        (lambda _, page: Reply(body=b"[" * 200_000), "nests deeper than 64"),
        (lambda _, page: Reply(body=b" " * (1 << 20), endless=True), "larger than 16 MB"),
        (bomb, "larger than 16 MB"),
        (crowd, "holds more than 2000000 values"),
        (lambda _, page: Reply(body=b"\xff\xfe"), "127.0.0.1 is not JSON"),
    ],
    ids=["html", "text", "nan", "infinite", "deep", "bottomless", "endless", "bomb", "crowd", "no-utf8"],
)
def test_what_is_no_document_is_refused_at_once(wrong: Callable[[Asked, Json], Json | Reply], reason: str) -> None:
    """Sizes and depths are bounded, and asking again would bring the same."""
    error, server = failing(at_search(1, wrong))

    assert reason in str(error)
    assert len(server.asked("/search")) == 1


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (400, b'{"code": 1, "description": "bbox?key=SECRET is bad"}', "(HTTP 400: bbox is bad)"),
        (400, b'{"detail": "\\u001b[31m"}', "(HTTP 400)"),
        (401, b"", "(HTTP 401)"),
        (404, b"<html>", "(HTTP 404)"),
        (204, b"", "(HTTP 204)"),
    ],
)
def test_a_refusal_is_final_and_says_why(status: int, body: bytes, reason: str) -> None:
    """What the API explains is passed on, in one plain line without queries."""
    error, server = failing(at_search(1, lambda _, page: Reply(status=status, body=body)))

    assert f"127.0.0.1 refuses the request {reason}" in str(error)
    assert len(server.asked("/search")) == 1


@pytest.mark.parametrize(
    ("landing", "reason"),
    [
        (b'{"type": "Catalog", "links": []}', "offers no search"),
        (b'{"type": "Catalog", "links": [{"rel": "search", "href": 7}]}', "offers no search"),
        (b'{"type": "Catalog", "links": [{"rel": "search", "href": "/s", "method": "PUT"}]}', "neither GET nor POST"),
        (b'{"type": "Catalog"}', "is not the landing page of a STAC API"),
        (b"[]", "is not the landing page of a STAC API"),
        (b"<html>", "is a web page"),
    ],
)
def test_what_is_no_stac_api_is_said_to_be_none(landing: bytes, reason: str) -> None:
    """A static catalogue on the web, a browser's page, a list."""
    error, _ = failing(lambda asked, page: Reply(body=landing) if asked.path == "/" else page)

    assert reason in str(error)


def moved(status: int, target: Callable[[Asked], str]) -> Twist:
    return at_search(1, lambda asked, page: Reply(status=status, headers={"Location": target(asked)}))


@pytest.mark.parametrize(
    "href",
    [
        "http://169.254.169.254/latest/meta-data",
        "https://example.org/search",
        "http://example.org/search",
        "https://user:SECRET@example.org/?key=SECRET",
        "file:///etc/passwd",
    ],
)
@pytest.mark.parametrize("by", ["redirect", "next"])
def test_nothing_leads_to_a_host_that_was_not_named(href: str, by: str) -> None:
    """Neither a redirect nor a link to the next page; the error names the host and nothing secret."""
    link = {"rel": "next", "href": href, "method": "POST", "body": {}}
    twist = moved(307, lambda _: href) if by == "redirect" else at_search(1, lambda _, page: {**page, "links": [link]})

    error, server = failing(twist)

    assert "a link of it leads to" in str(error)
    assert "MRV_ALLOW_HOSTS" in str(error)
    assert "SECRET" not in str(error)
    assert len(server.asked("/search")) == 1


def linking(rel: str, href: str) -> Twist:
    """Have every link of a kind lead there, and the search find nothing, so that its collection is looked up."""

    def twist(asked: Asked, document: Json) -> Json:
        if asked.path == "/search":
            links = [{"rel": "next", "href": href, "method": "GET"}] if rel == "next" else []
            return {**document, "features": document["features"] if links else [], "numberMatched": 0, "links": links}
        return {**document, "links": [{**one, "href": href} if one["rel"] == rel else one for one in document["links"]]}

    return twist


@pytest.mark.parametrize("href", ["https://[::1/", "//[x", "https://[::1]%40%40@", "https://\ud800.example/"])
@pytest.mark.parametrize("rel", ["search", "data", "next", "redirect"])
def test_what_is_no_address_is_an_error_of_the_search(rel: str, href: str) -> None:
    """Wherever it stands, and whichever library would take it apart."""
    location = href if href.isascii() else "https://\xff.example/"

    error, server = failing(moved(307, lambda _: location) if rel == "redirect" else linking(rel, href))

    assert re.search("not a well-formed|offers no search|cannot be followed", str(error))
    assert len(server.asked("/search")) == (rel != "search")


def test_a_redirect_that_keeps_the_search_is_followed() -> None:
    """307 and 308 send the body along; the answer is of what was asked for."""
    twist = moved(308, lambda asked: "/elsewhere/../search?x=1")
    with stac_server(ITEMS, twist=twist) as server:
        found = search(server.root)

    assert len(found.items) == 25
    assert server.asked("/search")[1].body == server.asked("/search")[0].body


def test_a_redirect_that_would_lose_the_search_is_not_followed() -> None:
    """After 301 clients ask by GET and without a body: for everything, everywhere. The new address is said instead."""
    error, server = failing(moved(301, lambda asked: f"http://{asked.headers['Host']}/v2/search?key=SECRET"))

    assert f"it moved to {server.root}/v2/search (HTTP 301)" in str(error).replace("127.0.0.1 says that ", "")
    assert "SECRET" not in str(error)


def test_redirects_that_never_end_do() -> None:
    """Five are followed."""
    error, server = failing(at_search(None, lambda _, page: Reply(status=307, headers={"Location": "/search"})))

    assert "redirected more than 5 times" in str(error)
    assert len(server.asked("/search")) == 6


def test_a_name_that_leads_to_this_machine_gets_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The address that a name leads to is looked at before it is connected to, and no other look-up follows."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.2)
        address = listening.getsockname()
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_: [(socket.AF_INET, socket.SOCK_STREAM, 6, "", address)])
        catalogue = api("https://stac.example.org/v1", rules=HostRules(hosts=("stac.example.org",)))
        with pytest.raises(CatalogueError) as error:
            catalogue.search("sentinel-2", HERE, *JULY)
        with pytest.raises(TimeoutError):
            listening.accept()

    assert "its name leads to 127.0.0.1" in str(error.value)


def test_an_offline_machine_is_told_which_host_how_often_and_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """No name is found, or no one listens: each is said in words, after every attempt."""

    def not_found(*_: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(CatalogueError) as refused:
        search(f"http://127.0.0.1:{port}")
    monkeypatch.setattr(socket, "getaddrinfo", not_found)
    rules = HostRules(hosts=("earth-search.aws.element84.com",))
    catalogue = ApiCatalogue(preset_of("earth-search"), rules, Limits(**SMALL))
    with pytest.raises(CatalogueError) as offline:
        catalogue.search("sentinel-2-c1-l2a", HERE, *JULY)

    assert "no connection to 127.0.0.1 (Connection refused); asked 4 times in " in str(refused.value)
    assert re.sub(r"in \d+ s", "in 0 s", str(offline.value)) == (
        "Catalogue https://earth-search.aws.element84.com/v1: the name earth-search.aws.element84.com was not found; "
        "asked 4 times in 0 s. Check that this machine reaches earth-search.aws.element84.com, then run again; a "
        "catalogue on disk needs no network"
    )


def test_a_proxy_of_the_environment_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whose address it is could not be told, nor who answers behind it."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with stac_server(ITEMS) as server:
        assert len(search(server.root).items) == 25


def everything_said(error: BaseException) -> str:
    """An error, its arguments, and whatever is behind it."""
    said, seen = [], error
    while seen is not None:
        said += [str(seen), repr(seen), repr(seen.args)]
        seen = seen.__cause__ or seen.__context__  # type: ignore[assignment]
    return " ".join(said)


@pytest.mark.parametrize("wrong", ["status", "stall", "cut", "refused", "redirect", "port"])
def test_what_stands_in_a_link_s_query_is_never_said(wrong: str, caplog: pytest.LogCaptureFixture) -> None:
    """Links to next pages may hold keys: neither error, nor what is behind it, nor any log has them."""
    caplog.set_level(0)

    def twist(asked: Asked, page: Json) -> Json | Reply:
        if asked.path != "/search":
            return page
        root = f"http://{asked.headers['Host']}"
        if asked.number == 1:
            href = {"refused": "https://example.org/s?key=SECRET", "port": "http://127.0.0.1:9/?key=SECRET"}
            return {**page, "links": [{"rel": "next", "href": href.get(wrong, f"{root}/search?key=SECRET")}]}
        assert asked.query == {"key": "SECRET"}
        return {
            "status": Reply(status=503),
            "stall": Reply(wait_s=2.0),
            "cut": Reply(body=b"{", length=10),
            "redirect": Reply(status=302, headers={"Location": "https://example.org/?key=SECRET"}),
        }[wrong]

    error, _ = failing(twist, attempts=2, silence_s=1.0)

    assert "SECRET" not in everything_said(error)
    assert "SECRET" not in caplog.text
    assert "SECRET" not in " ".join(repr(record.__dict__) for record in caplog.records)


def in_a_process(code: str, root: str, *options: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Run code in a Python of its own, with the builders of these tests and an API's address."""
    return subprocess.run(
        [sys.executable, *options, "-c", code, root],
        env={**os.environ, "PYTHONPATH": str(Path(searching.__file__).parent), **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_an_api_over_tls_is_asked_over_tls_whatever_its_links_say(tmp_path: Path) -> None:
    """Behind a proxy that ends TLS an API writes http into its own links and redirects; it is asked over https.

    The certificate is trusted as a deployment would trust it: by a variable that is set when the process starts.
    """
    context = a_certificate(tmp_path / "certificate.pem")

    def plain(asked: Asked, document: Json) -> Json | Reply:
        if asked.path == "/search" and asked.number == 1:
            return Reply(status=307, headers={"Location": f"http://{asked.headers['Host']}/search"})
        return json.loads(json.dumps(document).replace("https://", "http://"))

    code = "import sys; from searching import names, search; print(*names(search(sys.argv[1])))"
    with stac_server(ITEMS, twist=plain, tls=context) as server:
        done = in_a_process(code, server.root, SSL_CERT_FILE=str(tmp_path / "certificate.pem"))

    assert server.root.startswith("https://")
    assert done.stdout.split() == [item["id"] for item in ITEMS], done.stderr


def test_a_certificate_that_no_one_vouches_for_is_no_one_s(tmp_path: Path) -> None:
    """Said at once: asking again would meet the same."""
    context = a_certificate(tmp_path / "certificate.pem")
    with stac_server(ITEMS, tls=context) as server, pytest.raises(CatalogueError) as error:
        search(server.root)

    assert "the certificate of 127.0.0.1 cannot be trusted. Check who answers" in str(error.value)
    assert not server.log


def test_errors_cross_processes() -> None:
    """As all of ours."""
    error, _ = failing(at_search(1, lambda _, page: Reply(status=400)))

    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_a_search_may_be_made_where_an_event_loop_runs() -> None:
    """An async asset, a notebook, a dask worker: the request is sent by another loop, in a thread of its own."""

    async def searching_there() -> list[str]:
        return names(search(server.root))

    with stac_server(ITEMS) as server:
        found = asyncio.run(searching_there())

    assert found == [item["id"] for item in ITEMS]


SEARCH_ON_BOTH_SIDES_OF_A_FORK = """
import os, sys
from searching import HERE, JULY, api, names
catalogue = api(sys.argv[1])
found = [catalogue.search("sentinel-2", HERE, *JULY)]
if (child := os.fork()) == 0:
    print(len(names(catalogue.search("sentinel-2", HERE, *JULY))), flush=True)
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
print(len(names(catalogue.search("sentinel-2", HERE, *JULY))), flush=True)
"""


def test_a_forked_child_searches_over_connections_of_its_own() -> None:
    """Neither process disturbs the other's, and none is left open at the end."""
    with stac_server(ITEMS) as server:
        done = in_a_process(SEARCH_ON_BOTH_SIDES_OF_A_FORK, server.root, "-W", "error::ResourceWarning")

    assert done.stdout.split() == ["25", "25"]
    assert done.stderr == ""


@pytest.mark.parametrize("coding", ["br", "deflate", "gzip, gzip"])
def test_a_compression_that_was_not_asked_for_is_refused(coding: str) -> None:
    """Named at once: asking again would bring the same."""
    error, server = failing(at_search(1, lambda _, page: Reply(headers={"Content-Encoding": coding}, body=b"{}")))

    assert f"compresses its response in a way that was not asked for ({coding})" in str(error)
    assert len(server.asked("/search")) == 1


@pytest.mark.parametrize("coding", ["br", "gzip"])
def test_a_refusal_whose_explanation_cannot_be_read_is_one_all_the_same(coding: str) -> None:
    """Its status counts: a collection that is not there is said not to be."""

    def twist(asked: Asked, document: Json) -> Json | Reply:
        if asked.path.startswith("/collections/"):
            return Reply(status=404, headers={"Content-Encoding": coding}, body=b"not compressed")
        return {**document, "features": [], "links": [], "numberMatched": 0} if asked.path == "/search" else document

    with stac_server(ITEMS, twist=twist) as server, pytest.raises(CatalogueError, match="no collection 'landsat'"):
        search(server.root, "landsat")


@pytest.mark.parametrize("body", [gzip.compress(b"{}")[:-4], gzip.compress(b"{}") + b"rest"], ids=["short", "long"])
def test_a_compressed_body_that_is_not_whole_is_asked_for_again(body: bytes) -> None:
    """Its end is in the compressed bytes; a body that stops before it, or goes on behind it, is damaged."""
    damaged = Reply(headers={"Content-Encoding": "gzip"}, body=body)
    with stac_server(ITEMS, twist=at_search(1, lambda _, page: damaged)) as server:
        found = search(server.root)

    assert len(found.items) == 25
    assert len(server.asked("/search")) == 4
