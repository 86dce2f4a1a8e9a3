"""Reading published objects over the network: what is right, in how many requests, and within which bounds."""

import asyncio
import hashlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import ThreadingHTTPServer
from typing import Any

import pytest
from servers import Fault, RangeServer, TokenSigner, made_content, ranges_of
from stac_servers import QuietHandler, serving

from mrv_assets.audit.canonical import canonical
from mrv_assets.errors import ObjectReadError
from mrv_assets.transport import event_loop
from mrv_assets.transport.store import ByteRange

DATA = made_content("object-300000")


def test_a_stat_brings_the_header_along(server: RangeServer, opened: Any) -> None:
    """Size, ETag and the first 16 kB by one request; reading a header costs no second."""
    url, transport = server.put("a", DATA), opened()

    info = transport.stat(url)
    again = transport.stat(url)
    header = transport.read(url, [ByteRange(0, 8), ByteRange(8000, 8384), ByteRange(16384, 0)])

    assert (info.size, info.etag) == (300_000, server.contents["a"].etag)
    assert again == info
    assert header == [DATA[:8], DATA[8000:16384], b""]
    assert server.asked("a") == ["bytes=0-16383"]


def test_ranges_come_as_asked(server: RangeServer, opened: Any) -> None:
    """In any order, twice, overlapping, empty, across parts; the last byte included."""
    url, transport = server.put("a", DATA), opened(part_bytes=50_000, gap_bytes=1000)
    asked = [(299_999, 1), (20_000, 120_000), (20_000, 120_000), (16_000, 800), (7, 0), (100_000, 60_000), (300_000, 0)]

    parts = transport.read(url, [ByteRange(*pair) for pair in asked])

    assert parts == [DATA[offset : offset + length] for offset, length in asked]
    assert all(last - first < 50_000 for first, last in ranges_of(server.log))


@pytest.mark.parametrize("data", [b"", b"x", DATA[:16_384], DATA[:16_385]])
def test_objects_of_every_size_are_read_whole(server: RangeServer, opened: Any, data: bytes) -> None:
    """An empty one too, of which a server has no range to give."""
    url, transport = server.put("a", data), opened()

    assert transport.stat(url).size == len(data)
    assert transport.read(url, [ByteRange(0, len(data))]) == [data]
    assert transport.digest(url, "sha256") == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("algorithm", ["sha256", "sha3_256", "md5"])
def test_a_digest_is_of_every_byte(server: RangeServer, opened: Any, algorithm: str) -> None:
    """Read in parts, in order, through breaks."""
    url, transport = server.put("a", DATA), opened(part_bytes=20_000)
    server.fail("a", "none", Fault(kind="reset", after=5000), "busy", Fault(kind="truncate", after=999))

    found = transport.digest(url, algorithm)

    assert found == hashlib.new(algorithm, DATA).hexdigest()
    with pytest.raises(ValueError, match="sha1"):
        transport.digest(url, "sha1")


def test_ranges_are_cut_out_of_what_is_digested(server: RangeServer, opened: Any) -> None:
    """In any order, overlapping, empty, across parts and through breaks: each byte is read once."""
    url, transport = server.put("a", DATA), opened(part_bytes=20_000)
    server.fail("a", "none", Fault(kind="reset", after=5000), "busy")
    asked = [(299_999, 1), (20_000, 120_000), (100_000, 60_000), (7, 0), (0, 16), (19_999, 2), (300_000, 0)]

    digest, parts = transport.read_digested(url, "md5", [ByteRange(*pair) for pair in asked])

    assert digest == hashlib.md5(DATA).hexdigest()
    assert parts == [DATA[offset : offset + length] for offset, length in asked]
    # The first is that which learns of the object.
    assert {first for first, _ in ranges_of(server.log)[1:] if not first % 20_000} == set(range(0, 300_000, 20_000))
    with pytest.raises(ObjectReadError, match="ends at byte 300000"):
        transport.read_digested(url, "md5", [ByteRange(299_999, 2)])


def test_a_range_beyond_the_end_is_an_error_and_asks_nothing(server: RangeServer, opened: Any) -> None:
    """A claimed length allocates nothing."""
    url, transport = server.put("a", DATA), opened()
    transport.stat(url)

    with pytest.raises(ObjectReadError, match="ends at byte 300000, before the 2 bytes from 299999"):
        transport.read(url, [ByteRange(299_999, 2)])
    with pytest.raises(ObjectReadError, match="ends at byte 300000"):
        transport.read(url, [ByteRange(0, 1 << 62)])
    with pytest.raises(ValueError, match="at or above 0"):
        transport.read(url, [ByteRange(-1, 2)])

    assert len(server.log) == 1


def test_near_ranges_share_a_request(server: RangeServer, opened: Any) -> None:
    """The gap between them is read along; one that is wider is not."""
    url, transport = server.put("a", DATA), opened(gap_bytes=1000)
    transport.stat(url)

    parts = transport.read(url, [ByteRange(40_000, 10), ByteRange(20_000, 10), ByteRange(41_010, 10)])

    assert parts == [DATA[40_000:40_010], DATA[20_000:20_010], DATA[41_010:41_020]]
    assert sorted(ranges_of(server.log)[1:]) == [(20_000, 20_009), (40_000, 41_019)]


def test_links_are_requested_as_they_are_spelled(server: RangeServer, opened: Any) -> None:
    """A signature covers the spelling: escapes, plus signs and their case stay."""
    server.made = lambda name: b"bytes"
    target = "/a%2Fb/c+d?X-Amz-Credential=A%2f20%2Faws4_request&sig=a%2Bb=="

    opened().stat(server.url("").rstrip("/") + target)

    assert [request.target for request in server.log] == [target]


def test_bytes_come_as_they_lie_there(server: RangeServer, opened: Any) -> None:
    """Nothing is unpacked on the way: what is hashed is what is published. And a server is told so."""
    server.put("a", DATA)
    server.fail("a", Fault(kind="none", headers={"Content-Encoding": "gzip"}))

    with pytest.raises(ObjectReadError, match="sends it compressed") as error:
        opened().stat(server.url("a"))

    assert error.value.permanent
    assert server.log[0].headers["Accept-Encoding"] == "identity"


class _Latin(QuietHandler):
    """Answers every request for a range, with an ETag that is no UTF-8."""

    def answer(self) -> None:
        first, last = self.headers["Range"].removeprefix("bytes=").split("-")
        body = DATA[int(first) : int(last) + 1]
        self.send_response(206)
        self.send_header("ETag", '"\xff-1"')
        self.send_header("Content-Range", f"bytes {first}-{int(first) + len(body) - 1}/{len(DATA)}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def test_a_version_is_told_as_a_record_can_hold_it(opened: Any) -> None:
    """An ETag may hold bytes that are no text; the object is read all the same."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Latin) as server, serving(server):
        url, transport = f"http://127.0.0.1:{server.server_address[1]}/a", opened()

        info = transport.stat(url)
        [read] = transport.read(url, [ByteRange(30_000, 10)])

    assert canonical({"etag": info.etag}) == rb'{"etag":"\"\\udcff-1\""}'
    assert read == DATA[30_000:30_010]


def test_a_digest_runs_ahead_by_a_few_parts(server: RangeServer, opened: Any) -> None:
    """One part is late: no more than two others are held while it is waited for, of however large an object."""
    url = server.put("a", DATA)
    transport = opened(part_bytes=10_000)
    transport.stat(url)
    server.fail("a", Fault(kind="late", pause_s=0.6))

    found = transport.digest(url, "md5")

    parts = [asked for asked in server.log if asked.range != "bytes=0-16383"]
    assert found == hashlib.md5(DATA).hexdigest()
    assert len(parts) == 30
    # Any of the first three may be the late one; those before it go on to the next.
    assert 3 <= sum(part.at < parts[0].at + 0.5 for part in parts) <= 5


def test_no_cookie_is_sent_back(server: RangeServer, opened: Any) -> None:
    """Nothing that one answer says is told in the next request; only of a name would aiohttp keep cookies."""
    server.put("a", DATA)
    server.always["a"] = Fault(kind="none", headers={"Set-Cookie": "session=1; Path=/"})
    transport = opened()

    transport.read(server.url("a", "localhost"), [ByteRange(0, 10), ByteRange(200_000, 10)])

    assert len(server.log) >= 2
    assert [asked.headers.get("Cookie") for asked in server.log] == [None] * len(server.log)


def test_requests_stay_within_their_caps(server: RangeServer, opened: Any) -> None:
    """So many to one host and so many in all, whatever number of threads asks."""
    server.made = made_content
    hosts = ["127.0.0.1", "localhost"]
    for i in range(40):
        server.always[f"{i}-1000"] = Fault(kind="late", pause_s=0.02)

    def most(transport: Any, names: list[str]) -> int:
        server.most_under_way = 0
        with ThreadPoolExecutor(20) as pool:
            list(pool.map(transport.stat, names))
        return server.most_under_way

    one_host = most(opened(per_host=3, total=5), [server.url(f"{i}-1000") for i in range(40)])
    two_hosts = most(opened(per_host=3, total=5), [server.url(f"{i}-1000", hosts[i % 2]) for i in range(40)])

    assert (one_host, two_hosts) == (3, 5)


def test_a_read_of_many_ranges_stays_within_the_caps(server: RangeServer, opened: Any) -> None:
    """Its parts wait for each other."""
    url, transport = server.put("a", DATA), opened(per_host=4, gap_bytes=0)
    server.always["a"] = Fault(kind="late", pause_s=0.01)
    ranges = [ByteRange(20_000 + i * 2000, 500) for i in range(100)]

    parts = transport.read(url, ranges)

    assert parts == [DATA[r.offset : r.offset + r.length] for r in ranges]
    assert server.most_under_way == 4


def test_an_object_is_reached_once_for_all_threads(server: RangeServer, opened: Any) -> None:
    """Twenty threads ask for one object at once, and all learn of one version from one request."""
    url, transport = server.put("a", DATA), opened()
    server.always["a"] = Fault(kind="late", pause_s=0.05)

    with ThreadPoolExecutor(20) as pool:
        found = set(pool.map(lambda _: transport.stat(url), range(20)))

    assert len(found) == 1
    assert len(server.log) == 1


def test_counters_tell_what_was_done(server: RangeServer, opened: Any) -> None:
    """Requests, retries, bytes and waits; for the run record."""
    url, transport = server.put("a", DATA), opened()
    server.fail("a", "busy", Fault(kind="truncate", after=100))

    transport.read(url, [ByteRange(100_000, 1000)])
    counters = transport.counters()

    assert (counters.requests, counters.retries, counters.waits) == (4, 2, 2)
    assert counters.bytes == 16_384 + 1000
    assert 0.01 <= counters.waited_s < 1


def test_a_closed_transport_reads_nothing(server: RangeServer, opened: Any) -> None:
    """Connections do not come back behind the caller's back."""
    url, transport = server.put("a", DATA), opened()
    transport.stat(url)
    transport.close()

    with pytest.raises(RuntimeError, match="closed"):
        transport.stat(url)


def test_the_loop_goes_on_while_threads_digest(server: RangeServer, opened: Any) -> None:
    """64 MB are hashed beside the loop: others' bytes go on moving meanwhile."""
    data = made_content("large-64000000")
    url, transport = server.put("a", data), opened(part_bytes=64_000_000, silence_s=10)
    began = time.perf_counter()
    expected = hashlib.sha3_256(data).hexdigest()
    took = time.perf_counter() - began

    lags = []
    for _ in range(3):
        done = threading.Event()
        ticking = event_loop.start(longest_lag(done))
        assert transport.digest(url, "sha3_256") == expected
        done.set()
        lags.append(ticking.result(5))

    assert min(lags) < took / 2, (lags, took)


async def longest_lag(done: threading.Event) -> float:
    """How late the loop was at worst, in seconds."""
    worst, clock = 0.0, asyncio.get_running_loop().time
    while not done.is_set():
        before = clock()
        await asyncio.sleep(0.002)
        worst = max(worst, clock() - before - 0.002)
    return worst


def test_a_signature_is_made_for_every_request(server: RangeServer, opened: Any) -> None:
    """Just before it is sent: a token lives for minutes, a month of scenes is read for hours."""
    url, signer = server.put("a", DATA), TokenSigner(tokens=["t1"])
    server.token = "t1"

    data = opened(signer=signer, part_bytes=100_000).read(url, [ByteRange(0, 300_000)])

    assert data == [DATA]
    assert signer.signed == len(server.log) == 4
    assert signer.renewed == 0
