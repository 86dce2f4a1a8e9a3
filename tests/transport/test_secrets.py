"""No token, signed link or password is ever shown: in no error, cause, context, log record, warning or repr."""

import gc
import logging
import pickle
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from servers import FAULTS, Fault, RangeServer, TokenSigner, made_content

from mrv_assets.errors import MrvError
from mrv_assets.transport.hosts import HostRules
from mrv_assets.transport.signing import Signed
from mrv_assets.transport.store import ByteRange

SECRET = "s3cr3t"
DATA = made_content("object-100000")

FAILING = [
    *(Fault(kind=kind, after=20_000) for kind in FAULTS if kind != "no_range"),
    *(Fault(kind=kind) for kind in ("endless", "unknown_size", "slow")),
    *(Fault(kind="status", status=status, body=SECRET.encode()) for status in (400, 401, 403, 404, 409, 412, 418, 500)),
    *(
        Fault(kind="status", status=302, headers={"Location": location})
        for location in (
            f"https://evil.example.com/a?sig={SECRET}",
            f"https://user:{SECRET}@evil.example.com/a",
            f"https://user:{SECRET}@[::1",
            f"/a?sig={SECRET}#{SECRET}",
            f"https:\\\\user:{SECRET}@evil.example.com",
            f"http://localhost:1/a?sig={SECRET}",
        )
    ),
    Fault(kind="none", headers={"Content-Encoding": "gzip", "Set-Cookie": f"k{SECRET}\x7f={SECRET}; =;"}),
]


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error and all that is behind it, suppressed or not."""
    seen: set[int] = set()
    todo = [error]
    while todo:
        one = todo.pop()
        if one is not None and id(one) not in seen:
            seen.add(id(one))
            yield one
            todo += [one.__cause__, one.__context__, *getattr(one, "exceptions", ())]


def shown(error: BaseException) -> str:
    """Everything that a log, a page or another process could show of an error."""
    texts = [*traceback.format_exception(error)]
    for one in chain(error):
        texts += [str(one), repr(one), repr(one.args), repr(vars(one)), *getattr(one, "__notes__", [])]
    return "\n".join([*texts, repr(pickle.dumps(error))])


@pytest.mark.parametrize("fault", FAILING, ids=lambda fault: f"{fault.kind}-{fault.status}")
def test_no_failure_shows_a_secret(
    server: RangeServer, opened: Any, caplog: pytest.LogCaptureFixture, fault: Fault
) -> None:
    """Whatever goes wrong, and in whichever call; nor is a library's exception behind the error, which could."""
    caplog.set_level(logging.DEBUG)
    href = f"{server.put('a', DATA)}?sig={SECRET}#{SECRET}"
    signer = TokenSigner(tokens=[SECRET])
    transport = opened(
        signer=signer, attempts=2, silence_s=0.1, deadline_s=0.3, slowest_bytes_s=10**9, cheap_bytes=300_000
    )
    server.always["a"] = fault
    errors = [failure(call) for call in calls(transport, href)]
    # What was read before is known, so that the fault meets a read in the middle as well.
    del server.always["a"]
    while failure(lambda: transport.stat(href)) is not None:
        # A busy machine may need longer than failures are given here.
        assert len(server.log) < 500
    server.always["a"] = fault
    errors += [failure(call) for call in calls(transport, href)]
    gc.collect()

    assert sum(error is not None for error in errors) >= 3
    for error in errors:
        assert error is None or isinstance(error, MrvError)
        assert error is None or list(chain(error)) == [error]
        assert error is None or SECRET not in shown(error)
    records = [(record.getMessage(), record.args, record.exc_text) for record in caplog.records]
    assert SECRET not in repr(records)
    assert SECRET not in repr([transport, vars(transport)["_connections"], transport.counters()])


def calls(transport: Any, href: str) -> list[Callable[[], Any]]:
    return [
        lambda: transport.read(href, [ByteRange(50_000, 40_000)]),
        lambda: transport.digest(href, "md5"),
        lambda: transport.stat(href),
    ]


def failure(call: Callable[[], Any]) -> BaseException | None:
    try:
        call()
    except BaseException as error:
        return error
    return None


@pytest.mark.parametrize(
    "href",
    [
        f"https://user:{SECRET}@data.example.org/a",
        f"https://evil.example.com/a?sig={SECRET}",
        f"ftp://data.example.org/a?sig={SECRET}",
        f"https://data.example.org\\@user:{SECRET}@x/a",
        f"https://user:{SECRET}\x00@x/a",
        f"//user:{SECRET}@x/a",
        f"https://data.example.org/\n?sig={SECRET}",
        f"https://a:{SECRET}@data.example.org:99999/",
        f"user:{SECRET}@data.example.org/a",
    ],
)
def test_no_refusal_shows_a_secret(opened: Any, href: str) -> None:
    """A link that is refused is shown without what only its owner should know."""
    error = failure(lambda: opened(rules=HostRules(hosts=("data.example.org",))).stat(href))

    assert isinstance(error, MrvError)
    assert list(chain(error)) == [error]
    assert SECRET not in shown(error)


def test_a_signed_link_shows_nothing() -> None:
    """Where one is printed by mistake."""
    signed = Signed(url=f"https://data.example.org/a?sig={SECRET}", headers={"Authorization": SECRET})

    assert SECRET not in f"{signed} {signed!r}"


@pytest.mark.parametrize("error", [OSError(SECRET), TimeoutError(SECRET)])
def test_a_signer_that_fails_shows_no_secret(server: RangeServer, opened: Any, error: Exception) -> None:
    """Its exceptions may quote what it was about to send: they are named, not shown; and it is asked again."""

    class Failing:
        asked = 0

        async def sign(self, href: str, *, fresh: bool = False) -> Signed:
            self.asked += 1
            raise error

    signer = Failing()
    got = failure(lambda: opened(signer=signer, attempts=3).stat(server.put("a", DATA)))

    assert isinstance(got, MrvError)
    assert f"could not be signed ({type(error).__name__})" in str(got)
    assert list(chain(got)) == [got]
    assert SECRET not in shown(got)
    assert signer.asked == 3
