"""Numbers on a command line, within limits: those of the configuration's key where there is one, as in the workflow."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from typing import TypeVar

from lstv.base import defaults

Number = TypeVar("Number", int, float)


def whole(least: int | None = None, most: int | None = None) -> Callable[[str], int]:
    """The ``type`` of an option that takes a whole number from ``least`` to ``most``, both included."""
    return _within(int, f"a whole number{_range(least, most)}", least, most)


def real(
    least: float | None = None, most: float | None = None, *, above: float | None = None
) -> Callable[[str], float]:
    """The ``type`` of an option that takes a finite number from ``least`` (or more than ``above``) to ``most``."""
    return _within(float, f"a number{_range(least, most, above)}", least, most, above)


def of_setting(key: str) -> Callable[[str], int] | Callable[[str], float]:
    """The ``type`` of an option that is a key of the configuration, such as ``review.sample``: the limits of its schema."""
    schema = defaults.subschema(key)
    least, most = schema.get("minimum"), schema.get("maximum")
    if "integer" in schema["type"]:
        return whole(least, most)
    return real(least, most, above=schema.get("exclusiveMinimum"))


def _within(
    convert: Callable[[str], Number],
    wanted: str,
    least: float | None,
    most: float | None,
    above: float | None = None,
) -> Callable[[str], Number]:
    def read(text: str) -> Number:
        refused = argparse.ArgumentTypeError(f"'{text}' is not {wanted}")
        try:
            value = convert(text)
        except ValueError:
            raise refused from None
        if value in (math.inf, -math.inf):
            raise argparse.ArgumentTypeError(f"'{text}' is not finite; give {wanted}")
        too_low = (least is not None and value < least) or (above is not None and value <= above)
        if value != value or too_low or (most is not None and value > most):  # nan differs from itself
            raise refused
        return value

    return read


def _range(least: float | None, most: float | None, above: float | None = None) -> str:
    if above is not None:
        return f" above {above:g}" + (f" and at most {most:,}" if most is not None else "")
    if least is not None and most is not None:
        return f" from {least:,} to {most:,}"
    if least is not None:
        return f" of {least:,} or more"
    return f" of at most {most:,}" if most is not None else ""
