"""Links in the form that may be displayed and stored."""

import re


def without_query(href: str) -> str:
    """A link without its query and fragment, which carry signatures, and without any password."""
    link = re.split(r"[?#]", href, maxsplit=1)[0]
    return re.sub(r"^([a-zA-Z][a-zA-Z0-9+.-]*:)?(//)?[^/]*@", r"\1\2", link)
