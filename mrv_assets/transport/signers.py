"""Who signs what a catalogue links to."""

from collections.abc import Sequence

from mrv_assets.transport.bucket import Bucket
from mrv_assets.transport.s3 import S3Signer
from mrv_assets.transport.sas import SasService, SasSigner
from mrv_assets.transport.signing import Signed, Signer


class Signers:
    """Several signers: a link is signed by the first that does not let it pass."""

    def __init__(self, signers: Sequence[Signer]) -> None:
        self._signers = tuple(signers)

    async def sign(self, href: str, *, fresh: bool = False) -> Signed:
        """The link, signed by whose it is; as it is when it is nobody's."""
        for signer in self._signers:
            signed = await signer.sign(href, fresh=fresh)
            if signed.url != href or signed.headers:
                return signed
        return Signed(url=href)


def signer_for(
    buckets: Sequence[Bucket] = (),
    sas: SasService | None = None,
    *,
    subscription_key: str | None = None,
    loopback: bool = False,
) -> Signer:
    """The signer of a preset's links.

    Args:
        buckets: Those its ``s3://`` links may lead to, and those whose https links need a signature. Each one's
            ``host`` belongs on the list of hosts that may be asked.
        sas: Who gives tokens for its blobs.
        subscription_key: For whoever gives them.
        loopback: Whether that may be this machine.
    """
    tokens = () if sas is None else (SasSigner(sas, subscription_key=subscription_key, loopback=loopback),)
    return Signers((S3Signer(buckets), *tokens))
