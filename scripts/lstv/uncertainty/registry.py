"""What each metric is, read from the docstring of the function that computes it.

A metric is a pure function registered with ``@metric``. Its docstring starts with one sentence (the title) and carries the
fields ``Formula:``, ``Unit:``, ``Range:``, ``Direction:``, ``Undefined:`` and ``Source:``, each on lines of its own. The
tables of the report and of docs/method.md are made from these records, so that definition and description cannot part.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

FIELDS = ("Formula", "Unit", "Range", "Direction", "Undefined", "Source")
Function = TypeVar("Function", bound=Callable[..., object])
_FIELD = re.compile(rf"^({'|'.join(FIELDS)}):[ \t]*", re.MULTILINE)


@dataclass(frozen=True)
class Metric:
    """One metric: ``name`` as in JSON and CSV, ``scope`` (level | study), ``family`` and the documented fields."""

    name: str
    scope: str
    family: str
    title: str
    formula: str
    unit: str
    range: str
    direction: str
    undefined: str
    source: str
    function: Callable[..., object]


_METRICS: dict[tuple[str, str], Metric] = {}


def metric(name: str, *, scope: str, family: str) -> Callable[[Function], Function]:
    """Register the decorated function as the definition of metric ``name``.

    Raises ValueError where the name is taken or the docstring lacks a field.
    """

    def register(function: Function) -> Function:
        if (scope, name) in _METRICS:
            raise ValueError(f"metric {name} of scope {scope} is defined twice")
        title, fields = _parse(function)
        _METRICS[scope, name] = Metric(name, scope, family, title, **fields, function=function)
        return function

    return register


def metrics(scope: str | None = None) -> list[Metric]:
    """All registered metrics in the order of their definition, or those of one scope."""
    return [entry for entry in _METRICS.values() if scope in (None, entry.scope)]


def _parse(function: Callable[..., object]) -> tuple[str, dict[str, str]]:
    text = inspect.getdoc(function) or ""
    parts = _FIELD.split(text)
    found = {name: " ".join(value.split()) for name, value in zip(parts[1::2], parts[2::2])}
    missing = [name for name in FIELDS if not found.get(name)]
    if missing or not parts[0].strip():
        raise ValueError(f"the docstring of {function.__qualname__} lacks {', '.join(missing) or 'its first sentence'}")
    return parts[0].strip().split("\n\n")[0].replace("\n", " "), {name.lower(): found[name] for name in FIELDS}
