"""The response to a request for a range, held against the request. Pure: status and headers in, a verdict out."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from mrv_assets.transport.limits import Limits
from mrv_assets.transport.retry import Failure, retry_after_s
from mrv_assets.transport.store import ByteRange

# Statuses that may pass; a 5xx that says "never" is not among them.
_PASSING = frozenset({408, 425, 429, *range(500, 600)} - {501, 505, 506, 510})
_PERMANENT = {
    401: (
        "the publisher wants to know who asks (HTTP 401)",
        "Give the credentials for this catalogue, and see that they are for this host",
    ),
    403: (
        "the publisher refuses (HTTP 403)",
        "Check that your account may read this collection and that this machine's clock is right",
    ),
    404: (
        "it is not there (HTTP 404)",
        "The catalogue lists an object that its publisher does not have: ask them, or leave the scene out",
    ),
    409: (
        "it may not be read without a signature (HTTP 409)",
        "Name the catalogue's preset, which signs its links",
    ),
    410: (
        "it was taken away (HTTP 410)",
        "The catalogue lists an object that its publisher no longer has: ask them, or leave the scene out",
    ),
}


@dataclass(frozen=True, kw_only=True)
class Version:
    """One state of an object, as far as a server tells it from another."""

    size: int
    """Bytes."""
    etag: str | None
    modified: str | None
    """Last-Modified, as stated."""
    ranged: bool
    """Whether the server gave a range when it was asked for one."""

    @property
    def strong(self) -> str | None:
        """The ETag, where equal ones mean equal bytes; only then may parts of two responses be joined."""
        return self.etag if is_strong(self.etag) else None


@dataclass(frozen=True, kw_only=True)
class Response:
    """A response whose body is worth reading."""

    skip: int
    """Bytes of the body before the first that was asked for."""
    length: int | None
    """Bytes of the body that were asked for; None where only its end will tell."""
    exact: bool
    """Whether the body holds the bytes that were asked for and no others."""
    total: int | None
    """The object's size; None where the server does not say."""
    etag: str | None
    modified: str | None

    def version(self, total: int) -> Version:
        """The object's version, with the size that was stated or counted."""
        return Version(size=total, etag=self.etag, modified=self.modified, ranged=self.exact)


def is_strong(etag: str | None) -> bool:
    """Whether an ETag names bytes, and not only their meaning."""
    return etag is not None and re.fullmatch(r'"[\x21\x23-\x7e\x80-\xff]*"', etag) is not None


def read_response(
    status: int, headers: Mapping[str, str], asked: ByteRange, known: Version | None, limits: Limits
) -> Response | Failure:
    """How to read the response to a request for a range, or why it is not read.

    Args:
        status: 200, 206 or 416; for others see ``read_refusal``.
        headers: The response's, by case-insensitive name.
        asked: The range. Where no version is known it may reach beyond the object's end.
        known: The version asked for; None on first contact.
        limits: How much of an unwanted body is worth reading.
    """
    coding = headers.get("Content-Encoding", "identity").strip().lower()
    if coding not in ("identity", ""):
        return Failure(
            reason=f"the server sends it compressed ({coding[:20]}), though asked not to",
            cure="Ask the publisher, or the operator of the proxy, to send files as they are",
            permanent=True,
        )
    length = _count(headers.get("Content-Length"))
    wanted: int | None
    first, last, total = _content_range(headers.get("Content-Range"))
    if status == 416:
        if total is None or (known is None and total > 0):
            return Failure(reason="the server says that the range is not there")
        if known is not None:
            return Failure(reason=f"it has {total} bytes where it had {known.size}", changed=total != known.size)
        # An empty object has no first byte to give.
        skip, wanted, exact = 0, 0, False
    elif status == 206:
        if first is None or last is None or first != asked.offset or last >= asked.offset + asked.length:
            return Failure(reason=f"the server sends another range than the {asked.length} bytes from {asked.offset}")
        if total is None:
            total = known.size if known else None
        if total is None or last >= total:
            return Failure(
                reason="the server does not say how long the file is",
                cure="Ask the publisher for a server that states sizes",
                permanent=total is None,
            )
        skip, wanted, exact = 0, last + 1 - first, True
        if length is not None and length != wanted:
            return Failure(reason=f"the server announces {wanted} bytes and then {length}")
    else:
        # The whole object, from its first byte.
        total = length if length is not None else known.size if known else None
        skip, exact = asked.offset, False
        end = asked.offset + asked.length
        if end > limits.cheap_bytes:
            return Failure(
                reason=f"the server ignores ranges and sends the whole file to give {asked.length} bytes of it",
                cure="Ask the publisher for a server that answers range requests, or keep a copy of the catalogue",
                # A server that knows ranges and forgets them now and then is worth another try.
                permanent=known is None or not known.ranged,
            )
        wanted = None if total is None else max(0, min(end, total) - asked.offset)
    response = Response(
        skip=skip,
        length=wanted,
        exact=exact,
        total=total,
        etag=headers.get("ETag"),
        modified=headers.get("Last-Modified"),
    )
    if known is not None and _differs(response, known):
        return Failure(reason="it was replaced while it was read", changed=True)
    return response


def read_refusal(status: int, headers: Mapping[str, str], now: datetime, may_renew: bool) -> Failure | None:
    """Why a response brings no bytes of an object; None where it does.

    Args:
        status: The response's.
        headers: The response's.
        now: The time now, for a Retry-After that is a date.
        may_renew: Whether the request was signed, with a signature that has not been renewed yet.
    """
    if status in (200, 206, 416):
        return None
    if status == 412:
        return Failure(reason="it was replaced while it was read", changed=True)
    if (failure := busy(status, headers, now)) is not None:
        return failure
    reason, cure = _PERMANENT.get(
        status, (f"the server does not give it (HTTP {status})", "Check that the link opens in a browser")
    )
    if status == 403 and may_renew:
        return Failure(reason=reason, cure=cure, resign=True)
    return Failure(reason=reason, cure=cure, permanent=True, status=status)


def busy(status: int, headers: Mapping[str, str], now: datetime, host: str = "the server") -> Failure | None:
    """The failure that a status states which may pass; None for every other status.

    Args:
        status: The response's.
        headers: The response's.
        now: The time now, for a Retry-After that is a date.
        host: The server's name in the failure.
    """
    if status not in _PASSING:
        return None
    pause_s = retry_after_s(headers.get("Retry-After"), headers.get("Date"), now)
    return Failure(reason=f"{host} is busy or broken (HTTP {status})", retry_after_s=pause_s, status=status)


def _differs(response: Response, known: Version) -> bool:
    if response.total is not None and response.total != known.size:
        return True
    if known.etag is not None or response.etag is not None:
        return response.etag != known.etag
    return response.modified != known.modified


def _content_range(stated: str | None) -> tuple[int | None, int | None, int | None]:
    """First byte, last byte, size; None for each that is not stated."""
    match = re.fullmatch(r"bytes\s+(?:([0-9]{1,18})-([0-9]{1,18})|\*)/([0-9]{1,18}|\*)", (stated or "").strip())
    if match is None:
        return None, None, None
    first, last, total = (_count(text) for text in match.groups())
    return (None, None, None) if first is not None and last is not None and last < first else (first, last, total)


def _count(text: str | None) -> int | None:
    return int(text) if text is not None and re.fullmatch(r"[0-9]{1,18}", text.strip()) else None
