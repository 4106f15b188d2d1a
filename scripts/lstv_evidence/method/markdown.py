"""Results as Markdown tables, in one way of writing numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table; the first column to the left, the others as they come."""
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    lines += ["| " + " | ".join(_cell(value) for value in row) + " |" for row in rows]
    return "\n".join(lines)


def _cell(value: object) -> str:
    return "" if value is None else str(value).replace("|", "\\|").replace("\n", " ")


def number(value: float | None, digits: int = 2, sign: bool = False) -> str:
    """Fixed digits, a true minus sign, and a dash for what is undefined."""
    if value is None:
        return "–"
    text = f"{value:{'+' if sign else ''}.{digits}f}"
    if float(text) == 0:
        text = text.lstrip("+-")
    return text.replace("-", "−")


def with_interval(
    value: float | None, low: float | None, high: float | None, digits: int = 2, sign: bool = False
) -> str:
    """Such as ``0.91 (0.88 to 0.94)``."""
    if value is None:
        return "–"
    if low is None or high is None:
        return number(value, digits, sign)
    return f"{number(value, digits, sign)} ({number(low, digits, sign)} to {number(high, digits, sign)})"


def entry(record: dict, name: str, digits: int = 2, sign: bool = False) -> str:
    """``with_interval`` of the keys name, name_low and name_high of a record."""
    return with_interval(record.get(name), record.get(f"{name}_low"), record.get(f"{name}_high"), digits, sign)


def words(name: str) -> str:
    """A name of the code as words: ``crop_bottom`` -> ``crop bottom``, ``l5_s1_degenerated`` -> ``L5/S1 degenerated``."""
    spaced = re.sub(r"\b([ls]\d) ([ls]\d)\b", r"\1/\2", name.replace("_", " "))
    return re.sub(r"\b[ls]\d\b", lambda vertebra: vertebra[0].upper(), spaced)
