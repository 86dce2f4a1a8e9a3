"""Connections to hosts that were named, at addresses everyone can reach, which give up a server that never finishes."""

import logging
import re
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from weakref import WeakKeyDictionary

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.response import BaseHTTPResponse, HTTPResponse

from mrv_assets.transport.hosts import HostRules

CONNECTIONS = 16
"""Kept open to one host, for as many threads."""
LONGEST_HEADER_S = 60.0
"""Where no time is set in which a server has to say something."""

# What each body comes through: a connection forgets it while the body is still coming.
_SOCKETS: WeakKeyDictionary[BaseHTTPResponse, socket.socket] = WeakKeyDictionary()


def guarded_pool(rules: HostRules) -> urllib3.PoolManager:
    """Connections that hold the address they reached against the rules before anything is sent.

    Safe to use from several threads. The host's name has to be checked before a request is made; here it is what the
    name led to, which no second look-up can change. Proxies and credentials that the environment names are not used.

    Args:
        rules: Which machines may be asked.
    """

    def checked(host: str, connection: socket.socket) -> socket.socket:
        try:
            rules.check_address(host, str(connection.getpeername()[0]))
        except BaseException:
            connection.close()
            raise
        return connection

    class Connection(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            return checked(self.host, super()._new_conn())

        def getresponse(self) -> HTTPResponse:  # type: ignore[override]
            with _answering(self) as sock:
                response = super().getresponse()
            _SOCKETS[response] = sock
            return response

    class SecureConnection(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            return checked(self.host, super()._new_conn())

        def getresponse(self) -> HTTPResponse:  # type: ignore[override]
            with _answering(self) as sock:
                response = super().getresponse()
            _SOCKETS[response] = sock
            return response

    class Pool(HTTPConnectionPool):
        ConnectionCls = Connection

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = SecureConnection

    # One context for all, since loading the certificates takes longer than a search.
    pool = urllib3.PoolManager(maxsize=CONNECTIONS, ssl_context=ssl.create_default_context())
    pool.pool_classes_by_scheme = {"http": Pool, "https": SecurePool}
    return pool


@contextmanager
def cut_off(response: BaseHTTPResponse, seconds: float) -> Iterator[None]:
    """Give up a body that is not whole after some seconds, however it comes: the read breaks off, or finds its end.

    Looking at the clock between two reads is not enough: one read of a compressed body, or of what follows the last
    chunk, goes on for as long as something comes.
    """
    sock = _SOCKETS.get(response)
    if sock is None:
        # It had no body to come.
        yield
        return
    with _shut_after(sock, seconds):
        yield


@contextmanager
def _answering(connection: HTTPConnection) -> Iterator[socket.socket]:
    """Give up an answer whose header lines trickle in for longer than a silent server is waited for."""
    sock = connection.sock
    assert sock is not None
    with _shut_after(sock, float(connection.timeout or LONGEST_HEADER_S)):
        yield sock


@contextmanager
def _shut_after(sock: socket.socket, seconds: float) -> Iterator[None]:
    def cut() -> None:
        try:
            # Of the plain socket: TLS would want to say goodbye first.
            socket.socket.shutdown(sock, socket.SHUT_RDWR)
        except OSError:
            # It ended by itself.
            return

    timer = threading.Timer(max(0.0, seconds), cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _without_query(record: logging.LogRecord) -> bool:
    """Cut the query off every address that is logged: it may hold a key."""
    if isinstance(record.args, tuple):
        record.args = tuple(re.sub(r"\?.*", "", part) if isinstance(part, str) else part for part in record.args)
    return True


logging.getLogger("urllib3.connectionpool").addFilter(_without_query)
