"""What servers and networks do wrong, one by one; and that no byte is wrong, lost or made of two versions for it."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from servers import FAULTS, Fault, RangeServer, TokenSigner, made_content, ranges_of

from mrv_assets.errors import ObjectChanged, ObjectReadError
from mrv_assets.transport.store import ByteRange, of_one_version

DATA = made_content("object-300000")
OTHER = made_content("another-300000")
PART = ByteRange(100_000, 100_000)


def part_of(data: bytes) -> list[bytes]:
    return [data[100_000:200_000]]


def patience(kind: str) -> dict[str, float]:
    """A busy machine may be silent for a while; only where silence is the fault is it given up soon."""
    return {"silence_s": 0.5} if kind == "stall" else {}


@pytest.mark.parametrize("kind", [*FAULTS, "shorter_range"])
def test_a_fault_that_passes_costs_no_byte(server: RangeServer, opened: Any, kind: str) -> None:
    """On the first contact and in the middle: the same bytes as without it, by one more request at most."""
    url, transport = server.put("a", DATA), opened(**patience(kind))

    server.fail("a", Fault(kind=kind, after=3000))
    size = transport.stat(url).size
    server.fail("a", Fault(kind=kind, after=3000))
    parts = transport.read(url, [PART])

    assert (size, parts) == (300_000, part_of(DATA))
    # A server that ignores the range is not asked again: what it sends is cut.
    assert len(server.log) == (2 if kind == "no_range" else 4)


@pytest.mark.parametrize("kind", ["reset", "truncate", "stall", "truncated_chunks"])
def test_what_came_before_a_break_is_kept(server: RangeServer, opened: Any, kind: str) -> None:
    """With a strong ETag the next request goes on where the last broke off, and only for that version."""
    url, transport = server.put("a", DATA), opened(**patience(kind))
    transport.stat(url)
    server.fail("a", Fault(kind=kind, after=30_000), Fault(kind=kind, after=20_000))

    assert transport.read(url, [PART]) == part_of(DATA)

    assert ranges_of(server.log)[1:] == [(100_000, 199_999), (130_000, 199_999), (150_000, 199_999)]
    assert {request.if_match for request in server.log[1:]} == {server.contents["a"].etag}
    assert transport.counters().bytes == 16_384 + 100_000


@pytest.mark.parametrize("etag", [None, 'W/"weak"', "unquoted"])
def test_without_a_strong_etag_nothing_is_spliced(server: RangeServer, opened: Any, etag: str | None) -> None:
    """Two answers might be of two versions: the range begins anew."""
    url, transport = server.put("a", DATA, etag=etag), opened()
    transport.stat(url)
    server.fail("a", Fault(kind="reset", after=30_000), Fault(kind="truncate", after=20_000))

    assert transport.read(url, [PART]) == part_of(DATA)

    assert ranges_of(server.log)[1:] == [(100_000, 199_999)] * 3
    assert {request.if_match for request in server.log} == {None}


@pytest.mark.parametrize("kind", ["short_length", "lying_length", "other_range", "more_bytes"])
def test_of_an_answer_that_contradicts_itself_nothing_is_kept(server: RangeServer, opened: Any, kind: str) -> None:
    """Whoever is wrong about the length may be wrong about the bytes: the range begins anew."""
    url, transport = server.put("a", DATA), opened()
    transport.stat(url)
    server.fail("a", Fault(kind=kind, after=30_000))

    assert transport.read(url, [PART]) == part_of(DATA)

    assert ranges_of(server.log)[1:] == [(100_000, 199_999)] * 2


def test_progress_starts_the_count_of_attempts_anew(server: RangeServer, opened: Any) -> None:
    """A connection that breaks every 4 kB is slow, not dead; one that brings nothing is given up."""
    url, transport = server.put("a", DATA), opened(attempts=2)
    transport.stat(url)

    server.fail("a", *[Fault(kind="truncate", after=4000)] * 15)
    parts = transport.read(url, [PART])
    server.fail("a", *["broken"] * 2)

    assert parts == part_of(DATA)
    with pytest.raises(ObjectReadError, match=r"broken \(HTTP 503\), after 2 attempts") as error:
        transport.read(url, [PART])
    assert not error.value.permanent


@pytest.mark.parametrize("kind", ["reset", "stall", "other_range", "short_length", "broken"])
def test_attempts_end(server: RangeServer, opened: Any, kind: str) -> None:
    """A server that never gets it right is given up after so many requests, with what went wrong."""
    server.put("a", DATA)
    server.always["a"] = Fault(kind=kind)

    with pytest.raises(ObjectReadError, match=r"after 3 attempts.*run the partition again") as error:
        opened(attempts=3, **patience(kind)).stat(server.url("a"))

    assert len(server.log) == 3
    assert not error.value.permanent


def test_a_body_that_drips_is_given_up_at_the_deadline(server: RangeServer, opened: Any) -> None:
    """It never falls silent and never ends: the deadline counts from the call, by what was asked for."""
    url, transport = server.put("a", DATA), opened(deadline_s=0.6, slowest_bytes_s=1_000_000)
    transport.stat(url)
    server.always["a"] = Fault(kind="slow")

    began = time.monotonic()
    with pytest.raises(ObjectReadError, match="longer than it may"):
        transport.read(url, [PART])

    assert 0.5 < time.monotonic() - began < 5


def test_no_wait_goes_beyond_the_deadline(server: RangeServer, opened: Any) -> None:
    """A pause that would end after it is not begun: the answer is known now."""
    server.put("a", DATA)
    server.always["a"] = Fault(kind="busy", headers={"Retry-After": "60"})

    began = time.monotonic()
    with pytest.raises(ObjectReadError, match=r"HTTP 429.*after 1 attempt\."):
        opened(deadline_s=1).stat(server.url("a"))

    assert time.monotonic() - began < 0.9


def test_a_pause_that_a_server_asks_for_is_kept_by_all(server: RangeServer, opened: Any) -> None:
    """Retry-After is of the host, not of the one request that happened to be told."""
    urls = [server.put(name, DATA) for name in "ab"]
    server.fail("a", Fault(kind="busy", headers={"Retry-After": "1"}))
    transport = opened()

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(transport.stat, urls[0])
        while not server.log:
            time.sleep(0.01)
        time.sleep(0.1)
        second = pool.submit(transport.stat, urls[1])
        assert first.result().size == second.result().size == 300_000

    told, *others = server.log
    assert {request.name for request in others} == {"a", "b"}
    assert all(request.at - told.at >= 0.95 for request in others)


def test_a_pause_may_be_stated_as_a_date(server: RangeServer, opened: Any) -> None:
    """By the server's own clock, which may be wrong by hours."""
    server.put("a", DATA)
    there = datetime(2001, 2, 3, tzinfo=UTC)
    headers = {"Date": format_datetime(there, usegmt=True)}
    headers["Retry-After"] = format_datetime(there + timedelta(seconds=1), usegmt=True)
    server.fail("a", Fault(kind="broken", headers=headers))

    opened().stat(server.url("a"))

    assert server.log[1].at - server.log[0].at >= 0.95


def test_an_object_replaced_during_a_read_is_read_anew(server: RangeServer, opened: Any) -> None:
    """Nobody was told of the first version, so all of it is dropped, and the second is read whole."""
    url, transport = server.put("a", DATA), opened(part_bytes=10_000, per_host=1)
    server.fail("a", *["none"] * 4, Fault(kind="none", meanwhile=lambda: server.put("a", OTHER)))

    parts = transport.read(url, [PART, ByteRange(50_000, 10)])

    assert parts == [*part_of(OTHER), OTHER[50_000:50_010]]
    assert transport.stat(url).etag == server.contents["a"].etag


@pytest.mark.parametrize(
    ("etag", "modified"),
    [("", None), ('W/"{}"', None), ("unquoted {}", None), (None, "Mon, 0{} Jan 2024 00:00:00 GMT")],
)
def test_an_object_replaced_after_its_stat_is_an_error_and_then_forgotten(
    server: RangeServer, opened: Any, etag: str | None, modified: str | None
) -> None:
    """What the caller made of the old version, its header say, does not fit the new one: the caller begins anew."""

    def put(data: bytes, version: int) -> str:
        stated = modified.format(version) if modified else None
        return server.put("a", data, etag=etag.format(version) if etag else etag, modified=stated)

    url, transport = put(DATA, 1), opened()
    seen = []

    def header_and_part() -> list[bytes]:
        seen.append(transport.read(url, [ByteRange(0, 10)])[0])
        if len(seen) == 1:
            put(OTHER, 2)
        return transport.read(url, [PART])

    assert of_one_version(header_and_part) == part_of(OTHER)

    assert seen == [DATA[:10], OTHER[:10]]


def test_a_change_of_size_alone_is_a_change(server: RangeServer, opened: Any) -> None:
    """Where a server names no version, its size is one."""
    url, transport = server.put("a", DATA, etag=None), opened()
    transport.stat(url)
    server.put("a", DATA + b"more", etag=None)

    with pytest.raises(ObjectChanged, match="replaced while it was read"):
        transport.read(url, [PART])
    assert transport.stat(url).size == 300_004


@pytest.mark.parametrize("ask", ["stat", "read", "digest"])
def test_an_object_that_never_rests_is_given_up(server: RangeServer, opened: Any, ask: str) -> None:
    """Replaced before every answer: after so many versions it is an error."""
    url, transport = server.put("a", DATA), opened(versions=3, part_bytes=50_000)
    count = iter(range(1000))
    server.always["a"] = Fault(
        kind="truncate", after=1000, meanwhile=lambda: server.put("a", DATA, etag=f'"{next(count)}"') and None
    )
    calls = {
        "stat": lambda: transport.stat(url),
        "read": lambda: transport.read(url, [PART]),
        "digest": lambda: transport.digest(url, "md5"),
    }

    with pytest.raises(ObjectChanged):
        calls[ask]()

    assert len(server.log) <= 20


def test_the_rest_of_an_old_version_is_never_taken_from_a_new_one(server: RangeServer, opened: Any) -> None:
    """Not even when the break and the change fall together."""
    url, transport = server.put("a", DATA), opened(part_bytes=1 << 20)
    server.fail(
        "a", "none", Fault(kind="reset", after=40_000), Fault(kind="none", meanwhile=lambda: server.put("a", OTHER))
    )

    assert transport.read(url, [PART]) == part_of(OTHER)


def test_a_server_without_ranges_is_read_where_that_is_cheap(server: RangeServer, opened: Any) -> None:
    """Its whole body is streamed and cut; where that would cost more than allowed, it is an error that says so."""
    url, transport = server.put("a", DATA), opened(cheap_bytes=200_000)
    server.always["a"] = Fault(kind="no_range")

    size, parts = transport.stat(url).size, transport.read(url, [PART, ByteRange(0, 5)])

    assert (size, parts) == (300_000, [*part_of(DATA), DATA[:5]])
    with pytest.raises(ObjectReadError, match="ignores ranges") as error:
        transport.read(url, [ByteRange(200_000, 1)])
    assert error.value.permanent
    # The prefix, then the body as far as it was wanted; each connection is closed with the rest unread.
    assert transport.counters().bytes < 16_384 + 200_000 + 2 * 150_000


def test_a_server_that_forgets_ranges_once_is_asked_again(server: RangeServer, opened: Any) -> None:
    """Caches answer the first request for a large object with all of it, and later ones as they should."""
    url, transport = server.put("a", DATA), opened(cheap_bytes=50_000)
    transport.stat(url)
    server.fail("a", "no_range")

    assert transport.read(url, [PART]) == part_of(DATA)


@pytest.mark.parametrize("kind", ["page", "chunked_page"])
def test_a_page_instead_of_bytes_is_read_as_it_is(server: RangeServer, opened: Any, kind: str) -> None:
    """Whether these are pixels is for the header gate to say."""
    server.always["a"] = Fault(kind=kind)
    transport = opened()

    info = transport.stat(server.url("a"))

    assert transport.read(server.url("a"), [ByteRange(0, info.size)]) == [b"<html>Please log in</html>"]


def test_an_endless_body_ends(server: RangeServer, opened: Any) -> None:
    """Without a size, no more is read than is cheap."""
    server.always["a"] = Fault(kind="endless")
    transport = opened(cheap_bytes=500_000)

    with pytest.raises(ObjectReadError, match="neither says how long it is") as error:
        transport.stat(server.url("a"))

    assert error.value.permanent
    assert transport.counters().bytes < 1_000_000


def test_a_size_that_is_not_stated_is_an_error(server: RangeServer, opened: Any) -> None:
    """Without it nothing tells a truncated file from a whole one."""
    server.put("a", DATA)
    server.always["a"] = Fault(kind="unknown_size")

    with pytest.raises(ObjectReadError, match="does not say how long"):
        opened().stat(server.url("a"))

    assert len(server.log) == 1


@pytest.mark.parametrize(
    ("status", "cure"),
    [
        (401, "credentials"),
        (403, "account"),
        (404, "its publisher does not have"),
        (409, "preset"),
        (410, "no longer"),
        (501, "browser"),
    ],
)
def test_what_asking_again_does_not_change_is_asked_once(
    server: RangeServer, opened: Any, status: int, cure: str
) -> None:
    """With the link, the status and what to do."""
    server.fail("a", Fault(kind="status", status=status, body=b"internals"))

    with pytest.raises(ObjectReadError, match=rf"^{server.url('a')}: .*HTTP {status}\).*{cure}") as error:
        opened().stat(server.url("a"))

    assert error.value.permanent
    assert len(server.log) == 1
    assert "internals" not in str(error.value)


def test_a_refused_signature_is_renewed_once(server: RangeServer, opened: Any) -> None:
    """Tokens expire in the middle of a month of scenes."""
    url, signer = server.put("a", DATA), TokenSigner(tokens=["old", "new"])
    transport = opened(signer=signer)
    server.token = "old"
    transport.stat(url)
    server.token = "new"

    assert transport.read(url, [PART]) == part_of(DATA)
    assert signer.renewed == 1
    assert [request.query for request in server.log] == ["sig=old", "sig=old", "sig=new"]


def test_a_signature_refused_twice_is_an_error(server: RangeServer, opened: Any) -> None:
    """A new one does not help: account or clock are wrong."""
    url, signer = server.put("a", DATA), TokenSigner(tokens=["bad", "worse"])
    server.token = "good"

    with pytest.raises(ObjectReadError, match=r"HTTP 403.*clock is right") as error:
        opened(signer=signer).stat(url)

    assert error.value.permanent
    assert len(server.log) == 2


def test_a_host_that_is_not_there_is_no_hang(opened: Any) -> None:
    """A refused connection, a name that does not exist: tried so often, and said in words."""
    from servers import free_port

    with pytest.raises(
        ObjectReadError, match=r"no connection to 127\.0\.0\.1 \(Connection refused\), after 2 attempts"
    ):
        opened(attempts=2).stat(f"http://127.0.0.1:{free_port()}/a")
