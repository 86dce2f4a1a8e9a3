"""S3: buckets that someone named, links to their objects, and signatures that are good for half an hour."""

import asyncio
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote, unquote, unquote_plus, urlsplit

from mrv_assets.errors import HostRefused, ObjectReadError
from mrv_assets.scenes.links import without_query
from mrv_assets.transport.hosts import is_name
from mrv_assets.transport.retry import Failure
from mrv_assets.transport.signing import Signed, SingleFlight

Access = Literal["anonymous", "signed", "requester pays"]

_ACCESS: dict[str, Access] = {"anonymous": "anonymous", "signed": "signed", "requester-pays": "requester pays"}
_NAME = re.compile(r"(?!.*\.\.)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_REGION = re.compile(r"[a-z]{2,4}(-[a-z]+)+-[0-9]")
_ENDPOINT = re.compile(r"https?://[a-z0-9.-]+(:[0-9]{1,5})?")
_LONGEST_KEY = 1024

EXPIRES_S = 1800
"""Seconds that a signature holds: a request may have to wait for its turn, and a link that leaks is soon worthless."""

_CURE = (
    "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (and AWS_SESSION_TOKEN for temporary ones), or name a profile of "
    "~/.aws/credentials in AWS_PROFILE"
)


@dataclass(frozen=True, kw_only=True)
class Bucket:
    """A bucket that scenes may be read from, and how. Data of a preset or of a deployment."""

    name: str
    region: str
    """Part of the signature, and of the host's name at Amazon."""
    access: Access = "anonymous"
    """Whether its objects are read without credentials, with them, or with them and at the reader's expense."""
    endpoint: str | None = None
    """The store, where it is not Amazon's: ``https://minio.example.org:9000``. The bucket then stands in the path."""

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"bucket {self.name!r}: write its name in lower case, like usgs-landsat")
        if not _REGION.fullmatch(self.region):
            raise ValueError(f"bucket {self.name}: region {self.region!r}: write it like us-west-2")
        if self.endpoint is not None and not _ENDPOINT.fullmatch(self.endpoint):
            # The endpoint is not shown: someone may have put a password into it.
            raise ValueError(f"bucket {self.name}: write its endpoint like https://minio.example.org:9000")
        if not is_name(self.host):
            raise ValueError(f"bucket {self.name}: its endpoint's host is not a name; write it like minio.example.org")

    @property
    def base(self) -> str:
        """The beginning of its objects' links."""
        if self.endpoint is not None:
            return f"{self.endpoint}/{self.name}/"
        host = f"s3.{self.region}.{self._domain}"
        # Amazon's certificates cover one label before the host's name, and a dot makes two labels of it.
        return f"https://{host}/{self.name}/" if "." in self.name else f"https://{self.name}.{host}/"

    @property
    def host(self) -> str:
        """The host of its objects, which ``HostRules`` has to name. All buckets with a dot share one."""
        return urlsplit(self.base).hostname or ""

    def url(self, key: str) -> str:
        """The unsigned link to an object.

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
            # S3 itself refuses such keys, and a proxy before another store may read it as another bucket.
            raise ValueError("its key leads out of the bucket")
        return self.base + quote(encoded, safe="/~")

    def key(self, href: str) -> str | None:
        """The key of the object that a link means, in any spelling in use; None for other links.

        A key stands in ``s3://bucket/key`` as it is, ``?``, ``#`` and ``%`` included, as Amazon's tools read it; in an
        https link it is percent-encoded, and at Amazon ``+`` is a space there. An https link with a query has no key,
        since its author has signed it already.
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
    """The bucket that a deployment writes as ``name region [anonymous | signed | requester-pays] [endpoint]``.

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


class S3Signer:
    """A signer that makes ``s3://bucket/key`` an https link, signed where the bucket needs it. Other links pass.

    Credentials are looked up where Amazon's own tools find them, when the first signature needs them.
    """

    def __init__(self, buckets: Sequence[Bucket]) -> None:
        self._buckets = tuple(buckets)
        # Any: botocore has no types.
        self._credentials: Any = None
        self._flights = SingleFlight[Any]()

    async def sign(self, href: str, *, fresh: bool = False) -> Signed:
        """The link that brings the object.

        Raises:
            HostRefused: When it leads to a bucket that nobody named: our credentials are not meant for it.
            ObjectReadError: When no object can have this name, or there are no credentials.
        """
        matching = ((bucket, key) for bucket in self._buckets if (key := bucket.key(href)) is not None)
        bucket, key = next(matching, (None, ""))
        at_s3 = href.startswith("s3:")
        if bucket is None and at_s3:
            raise HostRefused(without_query(href), "its bucket is not one that was named; MRV_S3_BUCKETS names more")
        if bucket is None or (bucket.access == "anonymous" and not at_s3):
            return Signed(url=href)
        try:
            url = bucket.url(key)
        except ValueError as error:
            failure = Failure(reason=str(error), cure="Ask the publisher of the link for a right one", permanent=True)
        else:
            signed = url if bucket.access == "anonymous" else await self._presigned(bucket, url, fresh)
            if isinstance(signed, str):
                return Signed(url=signed)
            failure = signed
        # Outside the handler, so that no library's exception is ever the cause of ours.
        raise ObjectReadError(without_query(href), failure.reason, failure.permanent, failure.cure)

    async def _presigned(self, bucket: Bucket, url: str, fresh: bool) -> str | Failure:
        if fresh:
            # Their file may hold new ones by now.
            self._credentials = None
        credentials = self._credentials
        if credentials is None:
            credentials = await self._flights.joined("credentials", lambda: asyncio.to_thread(_credentials))
        if isinstance(credentials, Failure):
            return credentials
        self._credentials = credentials
        # In a thread: credentials that expire are renewed here, over the deployment's own network.
        return await asyncio.to_thread(_presigned, bucket, url, credentials)


def _climbs(key: str) -> bool:
    """Whether ``..`` leads above the bucket anywhere on the way."""
    depth = 0
    for step in key.split("/"):
        depth += -1 if step == ".." else step not in ("", ".")
        if depth < 0:
            return True
    return False


def _credentials() -> Any:
    """botocore's credentials, from its own chain of places; or a Failure."""
    # Importing it takes half a second, which only a deployment that signs pays.
    from botocore.exceptions import BotoCoreError
    from botocore.session import Session

    # At DEBUG it writes out the text that it signs, and the responses of services for credentials.
    log = logging.getLogger("botocore")
    log.setLevel(max(log.level, logging.INFO))
    try:
        credentials = Session().get_credentials()
    except (BotoCoreError, OSError, ValueError, RuntimeError) as error:
        return _unusable(error)
    return credentials or Failure(reason="there are no AWS credentials on this machine", cure=_CURE, permanent=True)


def _presigned(bucket: Bucket, url: str, credentials: Any) -> str | Failure:
    """A link with its signature; or why there is none."""
    from botocore.auth import S3SigV4QueryAuth
    from botocore.awsrequest import AWSRequest
    from botocore.exceptions import BotoCoreError, ClientError

    # In the query. A botocore client would sign it as a header that its link does not state (boto3's issue 3685).
    query = {"x-amz-request-payer": "requester"} if bucket.access == "requester pays" else {}
    request = AWSRequest(method="GET", url=url, params=query)
    try:
        # Only the host and the query are signed: ranges and conditions belong to the transport.
        S3SigV4QueryAuth(credentials.get_frozen_credentials(), "s3", bucket.region, EXPIRES_S).add_auth(request)
    except (BotoCoreError, ClientError, OSError, ValueError, RuntimeError) as error:
        return _unusable(error)
    return str(request.url)


def _unusable(error: Exception) -> Failure:
    """The reason why there are no credentials, without the output of a program that should print them."""
    from botocore.exceptions import ConfigParseError, HTTPClientError, PartialCredentialsError, ProfileNotFound

    harmless = (ConfigParseError, PartialCredentialsError, ProfileNotFound)
    detail = f": {error}" if isinstance(error, harmless) else ""
    return Failure(
        reason=f"no AWS credentials could be had ({type(error).__name__}{detail})",
        cure=_CURE,
        permanent=not isinstance(error, HTTPClientError),
    )
