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


def capital(text: str) -> str:
    """The text with a capital first letter; ``str.capitalize`` would take the others down, L5/S1 to l5/s1."""
    return text[:1].upper() + text[1:]


def readable_bytes(count: int) -> str:
    """Bytes in a unit that people read: 1234567 -> ``1.2 MB``."""
    for size, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if count >= size:
            return f"{count / size:,.{2 if unit == 'GB' else 1}f} {unit}"
    return f"{count} bytes"


def duration(seconds: float) -> str:
    """Seconds as people say them: 42 -> ``42 s``, 192 -> ``3 min 12 s``, 7500 -> ``2 h 5 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def counted(value: int, noun: str) -> str:
    """1 -> ``1 study``, 1975 -> ``1,975 studies``; ``noun`` is the singular, with any words before it."""
    several = f"{noun[:-1]}ies" if noun.endswith("y") else noun if noun.endswith("series") else f"{noun}s"
    return f"{value:,} {noun if value == 1 else several}"
