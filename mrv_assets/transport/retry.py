"""Trying again: the failure of an attempt, how long to wait, when to give up. tenacity turns the loop."""

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
    """The reason why a request brought nothing, or not everything.

    It is a value, so that no library's exception, which may quote a URL, is ever the cause of one of our errors.
    """

    reason: str
    cure: str = ""
    permanent: bool = False
    """Whether asking again is of no use."""
    changed: bool = False
    """Whether the object was replaced."""
    resign: bool = False
    """Whether a new signature may help."""
    retry_after_s: float | None = None
    """Seconds that the server asks to wait; None where it does not ask."""
    refused: tuple[str, str] | None = None
    """A link and the reason, when it leads to a machine that may not be asked."""
    status: int = 0
    """The response's HTTP status where that is the failure; 0 where it is not."""


def retry_after_s(stated: str | None, date: str | None, now: datetime) -> float | None:
    """Seconds that a Retry-After header asks to wait; None where it is missing or cannot be read.

    Args:
        stated: The header: seconds or an HTTP date.
        date: The response's Date header: the server's clock, by which its date was made.
        now: Our clock, where the server states no time.
    """
    if stated is None:
        return None
    if re.fullmatch(r"[0-9]+", stated.strip(), re.ASCII):
        # Infinite where it has hundreds of digits; the caller cuts it to the longest wait.
        return float(stated)
    until, since = http_date(stated), (http_date(date) if date else None) or now
    return None if until is None else max(0.0, (until - since).total_seconds())


def wait_s(key: str, attempt: int, fruitless: int, failure: Failure, limits: Limits) -> float:
    """Seconds before the next attempt: doubling, spread by a hash, never sooner than the server asked for.

    Args:
        key: The link without its query, and the range: every run waits alike, but no two readers wait in step.
        attempt: Number of attempts so far, from 1.
        fruitless: Number of the last attempts in a row that brought nothing.
        failure: The last attempt's.
        limits: The first wait and the longest.
    """
    if failure.resign:
        return 0.0
    digest = hashlib.blake2b(f"{key}|{attempt}".encode(errors="backslashreplace"), digest_size=8).digest()
    spread = 0.5 + int.from_bytes(digest) / (1 << 65)
    backoff = spread * min(limits.longest_backoff_s, limits.backoff_s * 2.0 ** min(max(fruitless, 1) - 1, 30))
    pause = min(failure.retry_after_s or 0.0, limits.longest_retry_after_s)
    return pause + (backoff if not pause else min(backoff, limits.backoff_s))


def retrying(
    wait: Callable[[int, Failure], float],
    stop: Callable[[float], bool],
    sleep: Callable[[float], Awaitable[None]],
) -> AsyncRetrying:
    """A caller of functions that give a value or a ``Failure``, called again after every failure that may pass.

    Args:
        wait: Gives the seconds to wait, by the number of attempts so far and the last failure.
        stop: Decides whether to give up rather than wait so many seconds.
        sleep: Waits.
    """

    def last(state: RetryCallState) -> Any:
        return state.outcome.result() if state.outcome else None

    return AsyncRetrying(
        retry=retry_if_result(
            lambda outcome: isinstance(outcome, Failure) and not (outcome.permanent or outcome.changed)
        ),
        wait=lambda state: wait(state.attempt_number, last(state)),
        stop=lambda state: stop(state.upcoming_sleep),
        sleep=sleep,
        # The last outcome is the result, instead of an exception about it.
        retry_error_callback=last,
    )


def http_date(stated: str) -> datetime | None:
    """The instant that a header states; None where it cannot be read."""
    try:
        instant = parsedate_to_datetime(stated)
    except (ValueError, OverflowError):
        return None
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)
