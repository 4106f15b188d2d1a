"""How numbers are written: thousands separators, sensible digits, and a dash for what is undefined."""

from __future__ import annotations

import math

UNDEFINED = "–"


def count(value: int) -> str:
    """1975 -> ``1,975``."""
    return f"{value:,}"


def number(value: float | None, digits: int = 2) -> str:
    """A number with fixed decimals, a true minus sign and thousands separators; a dash where it is undefined."""
    if value is None or not math.isfinite(value):
        return UNDEFINED
    text = f"{value:,.{digits}f}"
    return text.replace("-", "−") if float(text.replace(",", "")) else f"{0:.{digits}f}"


def percent(part: int, whole: int) -> str:
    """Share in percent with one decimal; a dash where the whole is empty."""
    return f"{100 * part / whole:.1f} %" if whole else UNDEFINED


def significant(value: int | float | None, digits: int = 3) -> str:
    """A number of unknown size with at least ``digits`` significant digits; a whole number as it is."""
    if value is None or not math.isfinite(value):
        return UNDEFINED
    if isinstance(value, int):
        return number(value, 0)
    if value == 0:
        return "0"
    decimals = digits - 1 - math.floor(math.log10(abs(value)))
    if decimals > 6:
        return f"{value:.{digits - 1}e}".replace("-", "−")
    return number(value, max(decimals, 0))
