"""What a function measures, read from its docstring, so that definition and description cannot part.

The docstring starts with one sentence (the title) and carries the fields ``Formula:``, ``Unit:``, ``Range:``,
``Direction:``, ``Undefined:`` and ``Source:``, each on lines of its own.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass

FIELDS = ("Formula", "Unit", "Range", "Direction", "Undefined", "Source")
_FIELD = re.compile(rf"^({'|'.join(FIELDS)}):[ \t]*", re.MULTILINE)


@dataclass(frozen=True)
class Documented:
    """What a docstring says of a measure: its first sentence and its fields."""

    title: str
    formula: str
    unit: str
    range: str
    direction: str
    undefined: str
    source: str


def title_and_fields(function: Callable[..., object]) -> tuple[str, dict[str, str]]:
    """The first sentence of a function's docstring and its fields by name in small letters. Raises ValueError where one is
    missing."""
    text = inspect.getdoc(function) or ""
    parts = _FIELD.split(text)
    found = {name: " ".join(value.split()) for name, value in zip(parts[1::2], parts[2::2])}
    missing = [name for name in FIELDS if not found.get(name)]
    if missing or not parts[0].strip():
        raise ValueError(f"the docstring of {function.__qualname__} lacks {', '.join(missing) or 'its first sentence'}")
    return parts[0].strip().split("\n\n")[0].replace("\n", " "), {name.lower(): found[name] for name in FIELDS}
