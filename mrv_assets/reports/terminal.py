"""Text for a terminal: quoted text escaped, nouns counted."""


def escape(text: str) -> str:
    """Escape non-printable characters, so that quoted text cannot move the cursor or forge our own lines."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def escape_lines(text: str) -> str:
    """Escape a text of our own that quotes others: its line breaks stay."""
    return "\n".join(map(escape, text.split("\n")))


def counted(number: int, noun: str) -> str:
    """A number with its noun, in the plural unless it is 1."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
