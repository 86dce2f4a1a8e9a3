"""`mrv hashes`: every audit hash of a lake, to be kept where the lake's owner cannot change it."""

from pathlib import Path

from mrv_assets.audit.canonical import Json
from mrv_assets.verify.expected import hashes_of
from mrv_assets.verify.verification import NotALake, Options
from mrv_assets.verify.walk import Contents


def answer(root: Path, options: Options) -> Json:
    """The JSON document of `mrv hashes`. Nothing is compared: `mrv verify` does.

    Args:
        root: The lake's folder.
        options: The partitions to list.

    Raises:
        NotALake: When there is no lake, or none of the partitions asked for in it.
    """
    if not root.is_dir():
        raise NotALake(str(root), "There is no lake. Name the folder that holds lake.json.")
    chosen = [partition for partition in Contents.of(root).partitions if options.takes(partition)]
    if not chosen:
        raise NotALake(str(root), "It holds no partition of those that were asked for.")
    return {"lake": str(root), "hashes": hashes_of(chosen)}


def text(answer: Json) -> str:
    """One line an audit hash: the hash, its asset, tile and month, and whether it is current."""
    return "\n".join(
        f"{entry['audit_hash']}  {entry['asset']} {entry['tile']} {entry['month']} {entry['state']}"
        for entry in answer["hashes"]
    )
