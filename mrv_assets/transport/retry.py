"""When to try again: what failed, how long to wait, when to give up. The loop itself is tenacity's."""

import hashlib
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from tenacity import AsyncRetrying, RetryCallState, retry_if_result

from mrv_assets.transport.limits import Limits


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Why a request brought nothing, or not all. A value, so that no library's exception, which may quote a URL, is
    ever behind an error of ours."""

    reason: str
    cure: str = ""
    permanent: bool = False
    """Whether asking again is of no use."""
    changed: bool = False
    """Whether the object is another than before."""
    resign: bool = False
    """Whether a new signature may help."""
    retry_after_s: float | None = None
    """What the server asks to wait."""
    refused: tuple[str, str] | None = None
    """A link and the reason, when it leads where it may not."""


def retry_after_s(stated: str | None, date: str | None, now: datetime) -> float | None:
    """Seconds that a Retry-After header asks to wait; None where there is none, or none that can be read.

    Args:
        stated: The header: seconds or an HTTP date.
        date: The answer's Date header; the server's clock is the one its date was made from.
        now: Our clock, where the server tells none.
    """
    if stated is None:
        return None
    if re.fullmatch(r"[0-9]+", stated.strip(), re.ASCII):
        # Infinite where it has hundreds of digits; who waits cuts it to the longest wait there is.
        return float(stated)
    until, since = http_date(stated), (http_date(date) if date else None) or now
    return None if until is None else max(0.0, (until - since).total_seconds())


def wait_s(key: str, attempt: int, fruitless: int, failure: Failure, limits: Limits) -> float:
    """Seconds before the next attempt: doubling, spread by a hash, never before the server asked for it.

    Args:
        key: The link without its query, and the range: every run waits alike, but no two readers in step.
        attempt: Attempts made so far, from 1.
        fruitless: Of them those in a row that brought nothing.
        failure: Of the last one.
        limits: The first wait and the longest.
    """
    if failure.resign:
        return 0.0
    digest = hashlib.blake2b(f"{key}|{attempt}".encode(errors="backslashreplace"), digest_size=8).digest()
    spread = 0.5 + int.from_bytes(digest) / (1 << 65)
    backoff = spread * min(limits.longest_backoff_s, limits.backoff_s * 2.0 ** min(max(fruitless, 1) - 1, 30))
    asked = min(failure.retry_after_s or 0.0, limits.longest_retry_after_s)
    return asked + (backoff if not asked else min(backoff, limits.backoff_s))


def retrying(
    wait: Callable[[int, Failure], float],
    stop: Callable[[float], bool],
    sleep: Callable[[float], Awaitable[None]],
) -> AsyncRetrying:
    """A caller of functions that give a Failure or something better; again after every Failure that may pass.

    Args:
        wait: Seconds to wait, by attempts so far and the last Failure.
        stop: Whether to give up rather than wait so many seconds.
        sleep: Waits.
    """

    def last(state: RetryCallState) -> Any:
        return state.outcome.result() if state.outcome else None

    return AsyncRetrying(
        retry=retry_if_result(lambda got: isinstance(got, Failure) and not (got.permanent or got.changed)),
        wait=lambda state: wait(state.attempt_number, last(state)),
        stop=lambda state: stop(state.upcoming_sleep),
        sleep=sleep,
        # What came last is the answer, instead of an exception about it.
        retry_error_callback=last,
    )


def http_date(stated: str) -> datetime | None:
    """The instant that a header states; None where it states none."""
    try:
        found = parsedate_to_datetime(stated)
    except (ValueError, OverflowError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
