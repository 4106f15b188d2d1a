"""Text from outside made fit for tables, logs and files."""

from __future__ import annotations

LONGEST = 500


def printable(text: str, longest: int = LONGEST) -> str:
    """The text on one line without anything that a terminal, an HDF5 attribute or UTF-8 cannot hold.

    Control characters, NUL and lone surrogates (bytes of a file name that are no UTF-8) become escapes; what is longer
    than ``longest`` characters is cut.
    """
    if not text.isprintable():
        text = "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)
    return text if len(text) <= longest else text[: longest - 1] + "\u2026"
