"""Links as they may be shown and kept."""

import re


def without_query(href: str) -> str:
    """A link as it may be shown: query and fragment, which carry signatures, cut off, and any password."""
    shown = re.split(r"[?#]", href, maxsplit=1)[0]
    return re.sub(r"^([a-zA-Z][a-zA-Z0-9+.-]*:)?(//)?[^/]*@", r"\1\2", shown)
