"""Numbers on a command line, within limits: those of the configuration's key where there is one, as in the workflow."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable

from lstv.base import defaults


def whole(least: int | None = None, most: int | None = None) -> Callable[[str], int]:
    """The ``type`` of an option that takes a whole number from ``least`` to ``most``, both included."""
    wanted = f"a whole number{_range(least, most)}"

    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"'{text}' is not {wanted}") from None
        if not _within(value, least, most):
            raise argparse.ArgumentTypeError(f"'{text}' is not {wanted}")
        return value

    return read


def real(
    least: float | None = None, most: float | None = None, *, above: float | None = None
) -> Callable[[str], float]:
    """The ``type`` of an option that takes a finite number from ``least`` (or more than ``above``) to ``most``."""
    wanted = f"a number{_range(least, most, above)}"

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"'{text}' is not {wanted}") from None
        if math.isinf(value):
            raise argparse.ArgumentTypeError(f"'{text}' is not finite; give {wanted}")
        if math.isnan(value) or not _within(value, least, most) or (above is not None and value <= above):
            raise argparse.ArgumentTypeError(f"'{text}' is not {wanted}")
        return value

    return read


def of_setting(key: str) -> Callable[[str], int] | Callable[[str], float]:
    """The ``type`` of an option that is a key of the configuration, such as ``review.sample``: the limits of its schema."""
    schema = defaults.subschema(key)
    least, most = schema.get("minimum"), schema.get("maximum")
    if "integer" in schema["type"]:
        return whole(least, most)
    return real(least, most, above=schema.get("exclusiveMinimum"))


def _within(value: float, least: float | None, most: float | None) -> bool:
    return (least is None or value >= least) and (most is None or value <= most)


def _range(least: float | None, most: float | None, above: float | None = None) -> str:
    if above is not None:
        return f" above {above:g}" + (f" and at most {most:,}" if most is not None else "")
    if least is not None and most is not None:
        return f" from {least:,} to {most:,}"
    if least is not None:
        return f" of {least:,} or more"
    return f" of at most {most:,}" if most is not None else ""
