"""Signing for S3: links that are good for half an hour, to the buckets that someone named and to no others."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

from mrv_assets.errors import HostRefused, ObjectReadError
from mrv_assets.scenes.links import without_query
from mrv_assets.transport.bucket import Bucket
from mrv_assets.transport.retry import Failure
from mrv_assets.transport.signing import Signed
from mrv_assets.transport.single_flight import SingleFlight

EXPIRES_S = 1800
"""A request may have to wait for its turn; what leaks is worth nothing soon."""

_CURE = (
    "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (and AWS_SESSION_TOKEN for temporary ones), or name a profile of "
    "~/.aws/credentials in AWS_PROFILE"
)


class S3Signer:
    """Makes ``s3://bucket/key`` an https link, signed where the bucket wants it. Links to other places pass.

    Credentials are found where every tool of Amazon's finds them, when the first signature needs them.
    """

    def __init__(self, buckets: Sequence[Bucket]) -> None:
        self._buckets = tuple(buckets)
        # Any: botocore has no types.
        self._credentials: Any = None
        self._flights = SingleFlight[Any]()

    async def sign(self, href: str, *, fresh: bool = False) -> Signed:
        """The link that brings the object.

        Raises:
            HostRefused: When it leads to a bucket that nobody named: ours are not the credentials to read it with.
            ObjectReadError: When there is no object of this name, or are no credentials.
        """
        found = ((bucket, key) for bucket in self._buckets if (key := bucket.key(href)) is not None)
        bucket, key = next(found, (None, ""))
        at_s3 = href.startswith("s3:")
        if bucket is None and at_s3:
            raise HostRefused(without_query(href), "its bucket is not one that was named; MRV_S3_BUCKETS names more")
        if bucket is None or (bucket.access == "anonymous" and not at_s3):
            return Signed(url=href)
        try:
            url = bucket.url(key)
        except ValueError as error:
            failure = Failure(reason=str(error), cure="Ask whoever publishes the link for a right one", permanent=True)
        else:
            signed = url if bucket.access == "anonymous" else await self._presigned(bucket, url, fresh)
            if isinstance(signed, str):
                return Signed(url=signed)
            failure = signed
        # Outside of what caught it: no exception of others is ever behind ours.
        raise ObjectReadError(without_query(href), failure.reason, failure.permanent, failure.cure)

    async def _presigned(self, bucket: Bucket, url: str, fresh: bool) -> str | Failure:
        if fresh:
            # Whoever writes them may have written new ones.
            self._credentials = None
        credentials = self._credentials
        if credentials is None:
            credentials = await self._flights.joined("credentials", lambda: asyncio.to_thread(_credentials))
        if isinstance(credentials, Failure):
            return credentials
        self._credentials = credentials
        # In a thread: credentials that end are renewed here, over a network that is the deployment's own.
        return await asyncio.to_thread(_presigned, bucket, url, credentials)


def _credentials() -> Any:
    """What signs, from botocore's own chain of places; or a Failure."""
    # Half a second, which only those pay who sign.
    from botocore.exceptions import BotoCoreError
    from botocore.session import Session

    # At DEBUG it writes out what it signs, and what services for credentials answer.
    log = logging.getLogger("botocore")
    log.setLevel(max(log.level, logging.INFO))
    try:
        found = Session().get_credentials()
    except (BotoCoreError, OSError, ValueError, RuntimeError) as error:
        return _unusable(error)
    return found or Failure(reason="there are no AWS credentials on this machine", cure=_CURE, permanent=True)


def _presigned(bucket: Bucket, url: str, credentials: Any) -> str | Failure:
    """A link with its signature."""
    from botocore.auth import S3SigV4QueryAuth
    from botocore.awsrequest import AWSRequest
    from botocore.exceptions import BotoCoreError, ClientError

    # In the query. A botocore client would sign it as a header that its link does not say (boto3's issue 3685).
    query = {"x-amz-request-payer": "requester"} if bucket.access == "requester pays" else {}
    request = AWSRequest(method="GET", url=url, params=query)
    try:
        # Only the host is signed, and the query: ranges and conditions are the transport's.
        S3SigV4QueryAuth(credentials.get_frozen_credentials(), "s3", bucket.region, EXPIRES_S).add_auth(request)
    except (BotoCoreError, ClientError, OSError, ValueError, RuntimeError) as error:
        return _unusable(error)
    return str(request.url)


def _unusable(error: Exception) -> Failure:
    """Why there are no credentials, without the words of a program that was to print some."""
    from botocore.exceptions import ConfigParseError, HTTPClientError, PartialCredentialsError, ProfileNotFound

    harmless = (ConfigParseError, PartialCredentialsError, ProfileNotFound)
    told = f": {error}" if isinstance(error, harmless) else ""
    return Failure(
        reason=f"no AWS credentials could be had ({type(error).__name__}{told})",
        cure=_CURE,
        permanent=not isinstance(error, HTTPClientError),
    )
