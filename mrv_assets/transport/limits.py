"""Bounds on requests, waits and memory, in one place."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Bounds of one transport. Every wait and every loop has one."""

    total: int = 16
    """Requests under way at once."""
    per_host: int = 8
    """Requests to one host under way at once."""
    part_bytes: int = 4 << 20
    """The most bytes that one request brings. Memory beyond the bytes asked for stays below twice this a request."""
    gap_bytes: int = 64 << 10
    """Ranges no farther apart than this are read in one request; a round trip costs about as much."""
    cheap_bytes: int = 8 << 20
    """How far a body is read to reach a range that the server ignored."""
    connect_s: float = 15.0
    """For a name to be found, a connection made and its certificate shown."""
    silence_s: float = 30.0
    """Without any byte, after which a connection is given up. With ``connect_s``, the most that a header may take."""
    attempts: int = 8
    """Attempts in a row that bring nothing to keep; one that does starts the count anew."""
    versions: int = 3
    """Versions of an object that is replaced while it is read, before it is given up."""
    redirects: int = 5
    """Redirects followed for one request."""
    deadline_s: float = 600.0
    """For one call, all its attempts and waits; the bytes asked for add to it by ``slowest_bytes_s``."""
    slowest_bytes_s: int = 64 << 10
    """Bytes a second that a large object must arrive with, all waits included."""
    backoff_s: float = 0.25
    """The first wait between attempts; each doubles."""
    longest_backoff_s: float = 20.0
    longest_retry_after_s: float = 120.0
    """The longest wait when a server asks for a pause."""
    breaker_failures: int = 10
    """Failures in a row after which a host is left alone."""
    breaker_pause_s: float = 5.0
    """Before one request tries whether the host is back."""
