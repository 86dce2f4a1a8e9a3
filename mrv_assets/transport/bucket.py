"""Buckets of S3: where their objects are found, and what a link says of them. Pure: names in, links out."""

import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote, unquote, unquote_plus, urlsplit

from mrv_assets.transport.hosts import is_name

Access = Literal["anonymous", "signed", "requester pays"]

_ACCESS: dict[str, Access] = {"anonymous": "anonymous", "signed": "signed", "requester-pays": "requester pays"}
_NAME = re.compile(r"(?!.*\.\.)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_REGION = re.compile(r"[a-z]{2,4}(-[a-z]+)+-[0-9]")
_ENDPOINT = re.compile(r"https?://[a-z0-9.-]+(:[0-9]{1,5})?")
_LONGEST_KEY = 1024


@dataclass(frozen=True, kw_only=True)
class Bucket:
    """A bucket that scenes may be read from, and how. Data of a preset or a deployment."""

    name: str
    region: str
    """Part of what is signed, and of the host's name at Amazon."""
    access: Access = "anonymous"
    """Whether its objects are read without credentials, with them, or with them and at the reader's expense."""
    endpoint: str | None = None
    """Who keeps it, when that is not Amazon: ``https://minio.example.org:9000``. The bucket then stands in the path."""

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"bucket {self.name!r}: write its name in lower case, like usgs-landsat")
        if not _REGION.fullmatch(self.region):
            raise ValueError(f"bucket {self.name}: region {self.region!r}: write it like us-west-2")
        if self.endpoint is not None and not _ENDPOINT.fullmatch(self.endpoint):
            # It is not shown: someone may have put a password into it.
            raise ValueError(f"bucket {self.name}: write its endpoint like https://minio.example.org:9000")
        if not is_name(self.host):
            raise ValueError(f"bucket {self.name}: its endpoint's host is no name; write it like minio.example.org")

    @property
    def base(self) -> str:
        """What its objects' links begin with."""
        if self.endpoint is not None:
            return f"{self.endpoint}/{self.name}/"
        host = f"s3.{self.region}.{self._domain}"
        # Amazon's certificates are for one label before the host's name, and a dot makes two of it.
        return f"https://{host}/{self.name}/" if "." in self.name else f"https://{self.name}.{host}/"

    @property
    def host(self) -> str:
        """Who is asked for its objects: what ``HostRules`` has to name. All buckets with a dot share one."""
        return urlsplit(self.base).hostname or ""

    def url(self, key: str) -> str:
        """The plain link to an object.

        Raises:
            ValueError: When no object can have this key.
        """
        try:
            encoded = key.encode()
        except UnicodeEncodeError:
            raise ValueError("its key is not Unicode text") from None
        if not 1 <= len(encoded) <= _LONGEST_KEY:
            raise ValueError(f"its key has {len(encoded)} bytes, and may have 1 to {_LONGEST_KEY}")
        if _climbs(key):
            # S3 itself refuses such keys, and what stands before another store may read it as another bucket.
            raise ValueError("its key leads out of the bucket")
        return self.base + quote(encoded, safe="/~")

    def key(self, href: str) -> str | None:
        """The key of the object that a link means, in any of the spellings that are about; None for other links.

        A key stands in ``s3://bucket/key`` as it is, ``?``, ``#`` and ``%`` included, as Amazon's tools read it; in an
        https link it is percent-encoded, and at Amazon ``+`` is a space there. An https link with a query is none:
        whoever wrote it has signed it already.
        """
        if href.startswith(own := f"s3://{self.name}/"):
            return href.removeprefix(own)
        if re.search(r"[?#]", href):
            return None
        decoded = unquote_plus if self.endpoint is None else unquote
        return next((decoded(href.removeprefix(base)) for base in self._bases if href.startswith(base)), None)

    @property
    def _domain(self) -> str:
        return "amazonaws.com.cn" if self.region.startswith("cn-") else "amazonaws.com"

    @property
    def _bases(self) -> tuple[str, ...]:
        if self.endpoint is not None:
            return (self.base,)
        hosts = [
            f"{host}.{self._domain}"
            for host in (f"s3.{self.region}", f"s3-{self.region}", f"s3.dualstack.{self.region}", "s3")
        ]
        return tuple(
            base for host in hosts for base in (f"https://{self.name}.{host}/", f"https://{host}/{self.name}/")
        )


def bucket_of(stated: str) -> Bucket:
    """A bucket as a deployment writes it: ``name region [anonymous | signed | requester-pays] [endpoint]``.

    Raises:
        ValueError: When it is not written like that.
    """
    match stated.split():
        case [name, region, *rest] if len(rest) <= 2:
            endpoint = rest.pop() if rest and "://" in rest[-1] else None
            access = _ACCESS.get(rest[0]) if rest else "anonymous"
            if len(rest) <= 1 and access is not None:
                return Bucket(name=name, region=region, access=access, endpoint=endpoint)
    raise ValueError("write a bucket like: my-scenes eu-central-1 signed https://minio.example.org:9000")


def _climbs(key: str) -> bool:
    """Whether ``..`` leads above the bucket anywhere on the way."""
    depth = 0
    for step in key.split("/"):
        depth += -1 if step == ".." else step not in ("", ".")
        if depth < 0:
            return True
    return False
