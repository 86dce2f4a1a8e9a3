"""Text that someone else may have written, as it may be shown on a terminal."""


def plain(text: str) -> str:
    """On one line, so that it can say nothing to a terminal and nothing in our name, such as VERIFIED."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def plain_lines(text: str) -> str:
    """The same of a text of ours that quotes: its lines stay."""
    return "\n".join(map(plain, text.split("\n")))
