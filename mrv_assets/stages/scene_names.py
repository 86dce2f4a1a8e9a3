"""What scenes' folders are called in the lake, whatever their ids say."""

import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence


def folder_names(ids: Sequence[str]) -> Mapping[str, str]:
    """A folder name for each item id: readable, never a path, and unique by the id's digest."""
    whole = {
        one: f"{re.sub('[^A-Za-z0-9_-]', '_', one)[:80]}-{hashlib.sha256(one.encode()).hexdigest()}" for one in ids
    }
    short = {one: name[:-56] for one, name in whole.items()}
    shared = Counter(short.values())
    # Eight digits of a digest are found twice by whoever looks for it.
    return {one: short[one] if shared[short[one]] == 1 else name for one, name in whole.items()}
