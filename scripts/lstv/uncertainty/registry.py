"""The metrics, and what each is: read from the docstring of the function that computes it.

A metric is a function of a ``StudyContext``, and of a level where there is one value a level::

    @study_metric("count")
    def blob_count(study: StudyContext) -> int:
        \"\"\"Number of disc blobs, whatever level they are called.

        Formula: J = number of 8-connected parts of {S >= 0.5} with at least 30 pixels, touching discs divided
        Unit: blobs
        Range: 0 upwards
        Direction: other than 5 = a disc is missing, or there is one too many
        Undefined: never
        Source: proposal of this project, not validated
        \"\"\"
        return len(study.blobs)

Its name is the function's. The docstring starts with one sentence (the title) and carries the fields ``Formula:``,
``Unit:``, ``Range:``, ``Direction:``, ``Undefined:`` and ``Source:``, each on lines of its own. That is all: the metrics
file and its schema, the cohort table, the report and the tables of the docs are made from these records, so that
definition and description cannot part.

Where a metric has no value it raises ``Undefined`` with the flag that says why; most parts of the context do so by
themselves. Flags that are raised beside values come from functions registered with ``@warning``.

A new flag is a line of ``flags.MEANINGS``, whose order is that in which flags are written. A new family is a line of
``FAMILIES`` and a module that ``assemble`` imports.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from lstv.base.documented import Documented, title_and_fields

if TYPE_CHECKING:
    from lstv.uncertainty.context import StudyContext

FAMILIES = {
    "localization": "Localization: layer 1, as asked for",
    "anatomy": "What the picture shows at the points",
    "identity": "Level identity",
    "stability": "Numbering stability",
    "patches": "Patches centred on given vertebrae (optional input)",
    "count": "Count and order",
    "geometry": "Geometry in millimetres",
    "shape": "Shape with the area removed",
    "margins": "Margins and energy",
    "features": "Features (no uncertainty: how unusual the network finds the picture)",
    "quality": "Fitness of the image (no uncertainty; a flag of its own)",
}
"""Families and their headings in the order in which they are shown: what users asked for, then the most promising first."""

Function = TypeVar("Function", bound=Callable[..., object])


@dataclass(frozen=True)
class Metric(Documented):
    """One metric: ``name`` as in JSON and CSV, ``scope`` (level | study), ``family`` and the documented fields.

    ``function`` takes a StudyContext and, in the scope level, the level's index; it raises Undefined where there is no
    value.
    """

    name: str
    scope: str
    family: str
    function: Callable[..., Any]


_METRICS: dict[tuple[str, str], Metric] = {}
_WARNINGS: list[Callable[[StudyContext], list[str]]] = []


def level_metric(family: str, kinds: Iterable[str] = ()) -> Callable[[Function], Function]:
    """Register ``function(study, level)`` as a metric of every level.

    With ``kinds`` it is ``function(study, level, kind)``, and one metric for each, ``name_kind``. Raises ValueError where
    the name is taken, the family is not known, or the docstring lacks a field.
    """
    return _registered("level", family, tuple(kinds))


def study_metric(family: str, kinds: Iterable[str] = ()) -> Callable[[Function], Function]:
    """Register ``function(study)`` as a metric of the study; else as ``level_metric``."""
    return _registered("study", family, tuple(kinds))


def warning(function: Callable[[StudyContext], list[str]]) -> Callable[[StudyContext], list[str]]:
    """Register ``function(study)``, which returns the flags to be raised beside the values; Undefined = none."""
    _WARNINGS.append(function)
    return function


def metrics(scope: str | None = None) -> list[Metric]:
    """All metrics, or those of one scope (level | study), by family and within it in the order of definition."""
    order = list(FAMILIES)
    chosen = [entry for entry in _METRICS.values() if scope in (None, entry.scope)]
    return sorted(chosen, key=lambda entry: order.index(entry.family))


def warnings() -> list[Callable[[StudyContext], list[str]]]:
    """All registered warnings."""
    return list(_WARNINGS)


def _registered(scope: str, family: str, kinds: tuple[str, ...]) -> Callable[[Function], Function]:
    if family not in FAMILIES:
        raise ValueError(f"metric family {family} is not one of {', '.join(FAMILIES)}")

    def register(function: Function) -> Function:
        title, fields = title_and_fields(function)
        name = function.__name__
        named = {f"{name}_{kind}": partial(function, kind=kind) for kind in kinds} if kinds else {name: function}
        for own_name, own in named.items():
            if (scope, own_name) in _METRICS:
                raise ValueError(f"metric {own_name} of scope {scope} is defined twice")
            _METRICS[scope, own_name] = Metric(title, **fields, name=own_name, scope=scope, family=family, function=own)
        return function

    return register
