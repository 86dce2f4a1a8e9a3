"""What servers send instead of a file, pages and messages: it tells of the server, and nothing of the file."""

from mrv_assets.cog.tiff import other_than_tiff
from mrv_assets.transport.retry import Failure


def no_file(head: bytes | bytearray) -> Failure | None:
    """Why an object's first bytes are no scene's file, in which case they are to be asked for again.

    JPEG 2000 is what catalogues really link to, and stays so however often it is asked for.
    """
    refusal = other_than_tiff(bytes(head[:1024]))
    if refusal is None or refusal.code == "jp2":
        return None
    what, _, cure = refusal.detail.partition(". ")
    return Failure(reason=f"{refusal.code}: {what}", cure=cure)
