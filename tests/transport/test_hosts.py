"""Which machines may be asked for bytes."""

import socket
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from servers import Fault, RangeServer, TokenSigner, range_server

from mrv_assets.errors import HostRefused, ObjectReadError
from mrv_assets.scenes.links import without_query
from mrv_assets.transport.hosts import HostRules
from mrv_assets.transport.http import HttpTransport

NAMED = HostRules(hosts=("data.example.org", "*.blob.example.net"))
HERE = HostRules(hosts=("data.example.org",), loopback=True)


@pytest.mark.parametrize(
    "href",
    [
        "https://data.example.org/a.tif",
        "https://DATA.example.org:8443/a.tif?sig=a%2Fb",
        "https://data.example.org./a.tif",
        "https://one.blob.example.net/a.tif",
        "https://a.b.blob.example.net/a.tif",
    ],
)
def test_a_named_host_may_be_asked(href: str) -> None:
    """Exactly named, or beneath a named suffix; and the link is requested as it is spelled."""
    assert str(NAMED.check(href)) == href


@pytest.mark.parametrize(
    ("href", "reason"),
    [
        ("http://data.example.org/a.tif", "not https"),
        ("ftp://data.example.org/a.tif", "does not begin with https"),
        ("file:///etc/passwd", "does not begin with https"),
        ("data.example.org/a.tif", "does not begin with https"),
        ("//data.example.org/a.tif", "does not begin with https"),
        ("https:///a.tif", "does not begin with https"),
        ("https://user@data.example.org/a.tif", "user name or password"),
        ("https://:secret@data.example.org/a.tif", "user name or password"),
        ("https://blob.example.net/a.tif", "not a host that was named"),
        ("https://xblob.example.net/a.tif", "not a host that was named"),
        ("https://data.example.org.evil.com/a.tif", "not a host that was named"),
        ("https://evil.com/data.example.org", "not a host that was named"),
        ("https://evil.com#@data.example.org/", "not a host that was named"),
        ("https://data.example.org@evil.com/", "user name or password"),
        ("https://data.example.org\\@evil.com/", "not a well-formed URL"),
        ("https://data.example.org\t.evil.com/", "not a well-formed URL"),
        ("https://data.example.org/a b.tif", "not a well-formed URL"),
        ("https://dáta.example.org/a.tif", "not a well-formed URL"),
        ("https://data.example.org:99999/a.tif", "not a well-formed URL"),
        ("https://data.example.org/" + "a" * 9000, "not a well-formed URL"),
        ("https://%64ata.example.org/a.tif", "neither a host's name nor an address"),
        ("https://data..example.org/a.tif", "neither a host's name nor an address"),
        ("https://xn--0.blob.example.net/a.tif", "neither a host's name nor an address"),
        ("https://[::1]%40%40@", "not a well-formed URL"),
        ("https://[%40]@?", "not a well-formed URL"),
    ],
)
def test_every_other_link_is_refused(href: str, reason: str) -> None:
    """Other schemes, other hosts, and spellings that readers of URLs disagree on."""
    with pytest.raises(HostRefused, match=reason):
        NAMED.check(href)


INNER = (
    *("127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1", "::ffff:7f00:1", "2002:7f00:1::", "64:ff9b::7f00:1"),
    *("10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "255.255.255.255"),
    *("224.0.0.1", "240.0.0.1", "192.0.2.1", "::ffff:10.0.0.1", "2002:0a00:1::", "64:ff9b::10.0.0.1", "::10.0.0.1"),
    *("fd00:ec2::254", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "ff0e::1", "::", "2001:db8::1", "4000::1"),
)


@pytest.mark.parametrize("address", INNER)
def test_no_inner_address_is_connected_to(address: str) -> None:
    """Loopback, private, link-local, multicast and reserved ones, and IPv6 that stands for such: not even for a name
    that was listed."""
    with pytest.raises(HostRefused, match="its name leads to"):
        NAMED.check_address("data.example.org", address)


def test_a_reason_repeats_no_more_than_a_name() -> None:
    """Records keep it, and a link may have 8000 characters."""
    with pytest.raises(HostRefused) as refused:
        NAMED.check(f"https://{'%41' * 2_000}/")

    assert len(refused.value.reason) < 320


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:808:808::"]
)
def test_public_addresses_are_connected_to(address: str) -> None:
    """In every form that a name may lead to them."""
    NAMED.check_address("data.example.org", address)
    HERE.check_address("data.example.org", address)


def test_where_this_machine_is_allowed_it_alone_is() -> None:
    """Not the networks that it is in."""
    reached = []
    for address in INNER:
        try:
            HERE.check_address("localhost", address)
        except HostRefused:
            continue
        reached.append(address)

    assert reached == list(INNER[:7])


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "10.0.0.1", "169.254.169.254", "0.0.0.0", "localhost", "a.localhost", "127.0.0.1."),
        *("2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "127.1", "017700000001", "127.0.0.0x1"),
    ],
)
def test_no_spelling_of_an_inner_address_is_asked(host: str) -> None:
    """Not even where it is listed: what answers there is not a publisher."""
    rules = HostRules(hosts=(host.removesuffix("."),))

    with pytest.raises(HostRefused):
        rules.check(f"https://{host}/a.tif")


def test_a_public_address_may_be_asked_where_it_is_named() -> None:
    """Some publishers have no name; nobody else's address is let through with theirs."""
    rules = HostRules(hosts=("8.8.8.8",))

    assert rules.check("https://8.8.8.8/a.tif").host == "8.8.8.8"
    with pytest.raises(HostRefused, match="not a host that was named"):
        rules.check("https://8.8.4.4/a.tif")


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost:8000", "[::1]:8000"])
def test_this_machine_is_asked_only_by_explicit_option(host: str) -> None:
    """Then over http too; the rest of the private networks stays refused."""
    assert HERE.check(f"http://{host}/a.tif").port == 8000
    with pytest.raises(HostRefused):
        NAMED.check(f"http://{host}/a.tif")
    for elsewhere in ("http://10.0.0.1/", "https://10.0.0.1/", "https://169.254.169.254/", "http://data.example.org/"):
        with pytest.raises(HostRefused):
            HERE.check(elsewhere)


def test_a_host_that_is_asked_over_https_alone_is_asked_so_where_a_link_says_http() -> None:
    """Its own http links, by host and port, are followed over https; another's are refused as before."""
    rules = HostRules(hosts=("data.example.org", "b.example.org"), https_only="data.example.org")

    assert str(rules.check("http://data.example.org/a%2fb?c=%20")) == "https://data.example.org/a%2fb?c=%20"
    for elsewhere in ("http://b.example.org/", "http://data.example.org:81/", "http://u@data.example.org/"):
        with pytest.raises(HostRefused):
            rules.check(elsewhere)


@pytest.mark.parametrize("pattern", ["*", "*.", "*.com", "https://a.org", "a.org/b", "A.org", "a.*.org", "a.org:1", ""])
def test_a_pattern_that_names_no_host_is_an_error(pattern: str) -> None:
    """A slip in a list of hosts neither opens the world nor passes unseen."""
    with pytest.raises(ValueError, match="write it in lower case"):
        HostRules(hosts=(pattern,))


@pytest.mark.parametrize(
    "addresses", [["10.1.2.3"], ["8.8.8.8", "10.1.2.3"], ["127.0.0.1"], ["::1"], ["::ffff:192.168.0.1"]]
)
def test_a_name_that_leads_to_an_inner_address_is_refused(
    addresses: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One such address among good ones is enough: which is used would be chance. Nothing is connected to."""
    monkeypatch.setattr(socket, "getaddrinfo", leading_to(addresses))

    with HttpTransport(NAMED) as transport, pytest.raises(HostRefused, match="its name leads to") as refusal:
        transport.stat("https://data.example.org/a.tif?sig=secret")

    assert "https://data.example.org/a.tif'" in str(refusal.value)
    assert transport.counters().retries == 0


def leading_to(addresses: list[str]) -> Any:
    def found(host: str, port: int, *args: Any, **kwargs: Any) -> list[Any]:
        return [
            (socket.AF_INET6, socket.SOCK_STREAM, 6, "", (address, port, 0, 0))
            if ":" in address
            else (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
            for address in addresses
        ]

    return found


def test_a_redirect_to_an_allowed_host_is_followed(server: RangeServer, opened: Any) -> None:
    """Catalogues link through redirects; every request begins at the link itself."""
    server.put("there", b"bytes")
    server.fail("here", *[Fault(kind="status", status=s, headers={"Location": "/there"}) for s in (301, 307)])

    transport = opened()

    assert transport.stat(server.url("here")).size == 5
    assert [request.name for request in server.log] == ["here", "there"]


@pytest.mark.parametrize(
    "location", ["https://evil.example.com/a?sig=secret", "http://10.0.0.1/a", "file:///etc/passwd", "https://[::1"]
)
def test_a_redirect_to_another_host_is_refused(server: RangeServer, opened: Any, location: str) -> None:
    """A publisher's server does not decide whom we talk to."""
    server.fail("here", Fault(kind="status", status=302, headers={"Location": location}))

    with pytest.raises(HostRefused) as refusal:
        opened().stat(server.url("here"))

    assert "secret" not in str(refusal.value)
    assert len(server.log) == 1


def test_a_circle_of_redirects_ends(server: RangeServer, opened: Any) -> None:
    """After five; asking again would be of no use."""
    server.always["here"] = Fault(kind="status", status=302, headers={"Location": server.url("here", "localhost")})

    with pytest.raises(ObjectReadError, match="redirected more than 5 times") as error:
        opened().stat(server.url("here"))

    assert error.value.permanent
    assert len(server.log) == 6


def test_credentials_stay_with_their_host(server: RangeServer, opened: Any) -> None:
    """A redirect within the host keeps them, one to another host or port loses them; a query never goes along."""
    with range_server() as other:
        other.put("there", b"bytes")
        server.put("near", b"bytes")
        server.fail("far", Fault(kind="status", status=302, headers={"Location": other.url("there")}))
        server.fail("next", Fault(kind="status", status=302, headers={"Location": "/near"}))
        transport = opened(signer=TokenSigner(tokens=["t"]))

        sizes = [transport.stat(server.url(name)).size for name in ("far", "next")]

        assert sizes == [5, 5]
        first, second, third = server.log
        assert [r.headers.get("Authorization") for r in (first, second, third)] == ["Bearer t"] * 3
        assert [r.query for r in (first, second, third)] == ["sig=t", "sig=t", ""]
        [asked] = other.log
        assert "Authorization" not in asked.headers
        assert asked.query == ""
        assert "Bearer" not in str(asked.headers)
        assert asked.range == "bytes=0-16383"


def test_a_proxy_of_the_environment_is_not_used(
    server: RangeServer, opened: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever sets it would choose the machine that is talked to."""
    server.put("a", b"bytes")
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")

    assert opened().stat(server.url("a")).size == 5


@pytest.mark.parametrize(
    ("href", "shown"),
    [
        ("https://a.org/b.tif?sig=x#y", "https://a.org/b.tif"),
        ("https://a.org/b.tif#sig=x?y", "https://a.org/b.tif"),
        ("https://user:p@ss@a.org/b@c.tif", "https://a.org/b@c.tif"),
        ("s3://bucket/key?versionId=1", "s3://bucket/key"),
        ("//user:pass@a.org/x", "//a.org/x"),
    ],
)
def test_what_is_shown_of_a_link_holds_no_secret(href: str, shown: str) -> None:
    """Queries, fragments, names and passwords are cut off."""
    assert without_query(href) == shown


def test_a_certificate_nobody_vouches_for_is_refused(opened: Any, tmp_path: Path) -> None:
    """Once, with what to look for; asking again would show the same one."""
    with range_server(tls=self_signed(tmp_path)) as imposter:
        imposter.put("a", b"bytes")

        with pytest.raises(ObjectReadError, match="the certificate of localhost cannot be trusted") as error:
            opened().stat(imposter.url("a", "localhost"))

        assert error.value.permanent
        assert imposter.log == []


def self_signed(folder: Path) -> ssl.SSLContext:
    """A server's side of TLS, with a certificate that only it believes in."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = folder / "server.pem"
    file.write_bytes(
        certificate.public_bytes(Encoding.PEM) + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context
