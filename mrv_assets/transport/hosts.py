"""Rules on the machines that may be asked: hosts that someone named, at addresses that everyone can reach."""

import re
import socket
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from urllib.parse import urljoin, urlsplit

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from yarl import URL

from mrv_assets.errors import HostRefused
from mrv_assets.scenes.links import without_query

_NAME = re.compile(r"(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*")
# Readers differ on the meaning of these characters, which a URL may not hold.
_UNSAFE = re.compile(r"[^\x21-\x7e]|\\")
# Resolvers read 127.1, 0x7f000001 and 017700000001 as addresses, each in its own way.
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_LONGEST = 8192
_NAT64 = IPv6Network("64:ff9b::/96")


@dataclass(frozen=True, kw_only=True)
class HostRules:
    """Rules on links that may be followed."""

    hosts: tuple[str, ...] = ()
    """Names that may be asked, over https: ``data.example.org``, or ``*.example.org`` for all names beneath one."""
    loopback: bool = False
    """Whether this machine itself may be asked too, over http as well. For servers that one runs oneself."""
    https_only: str | None = None
    """A host, with its port where one is stated, whose http links are asked over https. Behind a proxy that ends TLS,
    APIs write http into their own links and redirects."""

    def __post_init__(self) -> None:
        for pattern in self.hosts:
            name = pattern.removeprefix("*.")
            if not is_name(name) or (name != pattern and "." not in name):
                raise ValueError(f"host {pattern!r}: write it in lower case, like data.example.org or *.example.org")

    def check(self, href: str) -> URL:
        """The link as it is to be requested, its spelling untouched, since a signature may cover it.

        Raises:
            HostRefused: When it may not be followed.
        """
        safe = without_query(href)
        try:
            url = None if _UNSAFE.search(href) or len(href) > _LONGEST else URL(href, encoded=True)
            host = "" if url is None else (url.raw_host or "").lower().removesuffix(".")
        except (ValueError, IndexError):
            # yarl's own parser gives up on some brackets with an IndexError.
            url, host = None, ""
        if url is None:
            # Nothing tells where its parts end, a password included.
            raise HostRefused(_UNSAFE.sub("?", safe.rpartition("@")[2])[:200], "it is not a well-formed URL")
        if url.scheme not in ("https", "http") or not host:
            raise HostRefused(safe, "it does not begin with https:// and a host")
        if url.raw_user is not None or url.raw_password is not None:
            raise HostRefused(f"{url.scheme}://{host}{url.raw_path}", "it carries a user name or password")
        if url.scheme == "http" and url.raw_authority == self.https_only:
            url = url.with_scheme("https")
        address = _literal(host)
        if address is None and not (is_name(host) and _decodes(url) and not _NUMBER.fullmatch(host.rpartition(".")[2])):
            # Records repeat the reason, and no name is longer.
            raise HostRefused(safe, f"{host[:253]} is neither a host's name nor an address written in full")
        here = _is_loopback(address) if address else host == "localhost" or host.endswith(".localhost")
        if here and self.loopback:
            return url
        if url.scheme != "https":
            raise HostRefused(safe, "it is not https")
        if here or (address is not None and not _is_public(address)):
            raise HostRefused(safe, f"{host} is an address of this machine or of a private network")
        if not any(_matches(host, pattern) for pattern in self.hosts):
            raise HostRefused(safe, f"{host} is not a host that was named; MRV_ALLOW_HOSTS names more")
        return url

    def check_address(self, host: str, address: str) -> None:
        """Hold an address that a name leads to against the rules.

        Raises:
            HostRefused: When it is neither an address that everyone can reach, nor this machine where that is allowed.
        """
        literal = _literal(address)
        if literal is None or not (_is_public(literal) or (self.loopback and _is_loopback(literal))):
            raise HostRefused(
                host, f"its name leads to {address}, an address of this machine, a private network or no one"
            )


class CheckedResolver(AbstractResolver):
    """Looks up a name's addresses and holds them against the rules.

    The addresses it gives are those that are connected to, so that no second look-up can differ from the first. One
    address that is refused refuses the name: such a name answers differently from time to time.
    """

    def __init__(self, rules: HostRules) -> None:
        self._rules, self._inner = rules, ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Addresses of a name.

        Raises:
            HostRefused: When one of them may not be asked.
            OSError: When there is none.
        """
        addresses = await self._inner.resolve(host, port, family)
        for address in addresses:
            self._rules.check_address(host, address["host"])
        return addresses

    async def close(self) -> None:
        """Do nothing: nothing is held."""


def is_name(host: str) -> bool:
    """Whether a text is a host's name as it goes over the wire: lower-case ASCII, each label as long as it may be."""
    return _NAME.fullmatch(host) is not None


def is_link(href: str) -> bool:
    """Whether a text can be taken apart as a link, which every library does with a link it is handed."""
    try:
        urlsplit(href)
    except ValueError:
        return False
    return True


def host_of(url: str) -> str:
    """The host that a link leads to, lower case; empty where the text is not a link."""
    return (urlsplit(url).hostname or "") if is_link(url) else ""


def joined(base: str, href: str) -> str:
    """The address that a link leads to from ``base``. A text that is not a link is given back, to be refused later."""
    return urljoin(base, href) if is_link(base) and is_link(href) else href


def _matches(host: str, pattern: str) -> bool:
    return host.endswith(pattern[1:]) and len(host) >= len(pattern) if pattern.startswith("*.") else host == pattern


def _decodes(url: URL) -> bool:
    """Whether the name in a link stands for a name in Unicode, as the HTTP client needs it; ``xn--0`` does not."""
    try:
        return bool(url.host)
    except ValueError:
        return False


def _literal(text: str) -> IPv4Address | IPv6Address | None:
    """The address that a text writes in full; None for every other text."""
    try:
        return ip_address(text.partition("%")[0])
    except ValueError:
        return None


def _is_loopback(address: IPv4Address | IPv6Address) -> bool:
    return _embedded(address).is_loopback


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    meant = _embedded(address)
    if isinstance(meant, IPv6Address) and meant.is_site_local:
        return False
    return meant.is_global and not (meant.is_multicast or meant.is_reserved or meant.is_unspecified)


def _embedded(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address that an IPv6 address stands for, where it does; else the address itself."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address
