"""Which machines may be asked for bytes: hosts that someone named, at addresses that everyone can reach."""

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
# Readers differ on what these mean, and a URL has no business holding them.
_UNSAFE = re.compile(r"[^\x21-\x7e]|\\")
# Resolvers read 127.1, 0x7f000001 and 017700000001 as addresses, each in its own way.
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_LONGEST = 8192
_NAT64 = IPv6Network("64:ff9b::/96")


@dataclass(frozen=True, kw_only=True)
class HostRules:
    """Which links may be followed."""

    hosts: tuple[str, ...] = ()
    """Names that may be asked, over https: ``data.example.org``, or ``*.example.org`` for all names beneath one."""
    loopback: bool = False
    """Whether this machine itself may be asked too, over http as well. For servers one runs oneself."""

    def __post_init__(self) -> None:
        for pattern in self.hosts:
            name = pattern.removeprefix("*.")
            if not is_name(name) or (name != pattern and "." not in name):
                raise ValueError(f"host {pattern!r}: write it in lower case, like data.example.org or *.example.org")

    def check(self, href: str) -> URL:
        """The link as it is to be requested, its spelling untouched, since a signature may cover it.

        Raises:
            HostRefused: When it is no link that may be followed.
        """
        shown = without_query(href)
        try:
            url = None if _UNSAFE.search(href) or len(href) > _LONGEST else URL(href, encoded=True)
            host = "" if url is None else (url.raw_host or "").lower().removesuffix(".")
        except (ValueError, IndexError):
            # yarl's own parser gives up on some brackets with an IndexError.
            url, host = None, ""
        if url is None:
            # Where its parts end is anyone's guess, a password's too.
            raise HostRefused(_UNSAFE.sub("?", shown.rpartition("@")[2])[:200], "it is no well-formed URL")
        if url.scheme not in ("https", "http") or not host:
            raise HostRefused(shown, "it does not begin with https:// and a host")
        if url.raw_user is not None or url.raw_password is not None:
            raise HostRefused(f"{url.scheme}://{host}{url.raw_path}", "it carries a user name or password")
        address = _literal(host)
        if address is None and not (is_name(host) and _decodes(url) and not _NUMBER.fullmatch(host.rpartition(".")[2])):
            # Records repeat the reason, and no name is longer.
            raise HostRefused(shown, f"{host[:253]} is neither a host's name nor an address written in full")
        here = _is_loopback(address) if address else host == "localhost" or host.endswith(".localhost")
        if here and self.loopback:
            return url
        if url.scheme != "https":
            raise HostRefused(shown, "it is not https")
        if here or (address is not None and not _is_public(address)):
            raise HostRefused(shown, f"{host} is an address of this machine or of a private network")
        if not any(_matches(host, pattern) for pattern in self.hosts):
            raise HostRefused(shown, f"{host} is not a host that was named; MRV_ALLOW_HOSTS names more")
        return url

    def check_address(self, host: str, address: str) -> None:
        """Hold an address that a name leads to against the rules.

        Raises:
            HostRefused: When it is not one that everyone can reach, or this machine where that is allowed.
        """
        found = _literal(address)
        if found is None or not (_is_public(found) or (self.loopback and _is_loopback(found))):
            raise HostRefused(
                host, f"its name leads to {address}, an address of this machine, a private network or no one"
            )


class CheckedResolver(AbstractResolver):
    """Finds a name's addresses. What it gives is what is connected to, so no second answer can differ from the first.

    One address that is refused refuses the name: such a name answers differently from time to time.
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
        found = await self._inner.resolve(host, port, family)
        for result in found:
            self._rules.check_address(host, result["host"])
        return found

    async def close(self) -> None:
        """Nothing is held."""


def is_name(host: str) -> bool:
    """Whether it is a host's name as it goes over the wire: lower-case ASCII, each label as long as it may be."""
    return _NAME.fullmatch(host) is not None


def is_link(href: str) -> bool:
    """Whether it can be taken apart, as every library does that is handed one."""
    try:
        urlsplit(href)
    except ValueError:
        return False
    return True


def host_of(url: str) -> str:
    """Who a link leads to, lower case; empty where it is no link."""
    return (urlsplit(url).hostname or "") if is_link(url) else ""


def joined(base: str, href: str) -> str:
    """Where a link leads from an address; a link that is none as it is, to be refused where every link is."""
    return urljoin(base, href) if is_link(base) and is_link(href) else href


def _matches(host: str, pattern: str) -> bool:
    return host.endswith(pattern[1:]) and len(host) >= len(pattern) if pattern.startswith("*.") else host == pattern


def _decodes(url: URL) -> bool:
    """Whether the name in a link can be shown as it is meant, which whoever sends the request does; xn--0 stands for
    none."""
    try:
        return bool(url.host)
    except ValueError:
        return False


def _literal(text: str) -> IPv4Address | IPv6Address | None:
    """An address written in full; None for everything else."""
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
    """The IPv4 address that an IPv6 address stands for, if it does."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address
