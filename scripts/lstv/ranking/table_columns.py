"""The cohort table as evaluation and review queue read it, and which of its columns are scores, in which direction."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lstv import uncertainty
from lstv.base.errors import UserError
from lstv.base.levels import LEVELS
from lstv.base.tables import parsed
from lstv.uncertainty.registry import Metric

PRIMARY = "score"
"""The combined ranking, fixed before any label is seen: the one result that counts."""

PLAIN = "l5_s1_entropy"
"""What every metric is compared with."""

_REQUIRED = ("study_id", "series_id", "status", "reason", "flags", "risk", "rank")
TEXT: tuple[str, ...] = ("study_id", "series_id", "status", "reason", "flags", "split", "risk", "quality")
TEXT += ("rank_group", "reasons", "not_counted")
"""Columns of the cohort table that hold words."""

_WORDS = {*TEXT, "series_dir", "series_description", "use"}
_COORDINATE = "_point_"  # where a level is in the image or the scanner; no score
_BY_DEFINITION = {PRIMARY: 1, "rank": -1, "rank_entropy": -1}
_BY_DEFINITION |= {"rank_with_second_reader": -1, "score_with_second_reader": 1, "second_reader_disagreement": 1}
_NUISANCE: tuple[str, ...] = (
    "n_slices",
    "pixel_spacing",
    "row_spacing",
    "column_spacing",
    "slice_spacing",
    "slice_thickness",
)
_NUISANCE += ("fov", "field_of_view", "rows", "columns")


@dataclass(frozen=True)
class Column:
    """A numeric column; ``sign`` 1: higher = more suspicious, -1: lower, 0: either way or not known."""

    name: str
    sign: int
    nuisance: bool


def read_cohort_table(path: Path) -> list[dict[str, str]]:
    """Rows of the cohort table, all values as text. Raises UserError where it is missing, no such table or not unique."""
    path = Path(path)
    header, _, entries = parsed(path)
    rows = [row for _, row in entries]
    absent = [name for name in _REQUIRED if name not in header]
    if absent:
        raise UserError(path, f" has no column {absent[0]}, so it is not the cohort table of this workflow.")
    seen = set()
    for row in rows:
        if row["study_id"] in seen:
            raise UserError(path, f" has study {row['study_id']} twice; run the workflow's table again.")
        seen.add(row["study_id"])
    return rows


def number(text: str) -> float:
    """The cell as a float; NaN where it is empty, not a number, or not finite."""
    try:
        value = float(text)
    except ValueError:
        return math.nan
    return value if math.isfinite(value) else math.nan


def numeric(rows: list[dict[str, str]], column: str) -> np.ndarray:
    """One column as floats (n,), NaN where undefined."""
    return np.array([number(row.get(column, "")) for row in rows], dtype=float)


def registered_metrics() -> dict[tuple[str, str], Metric]:
    """(scope, name) -> the registry's record, for all metrics of the library."""
    return {(entry.scope, entry.name): entry for entry in uncertainty.metrics()}


def score_columns(rows: list[dict[str, str]], registered: dict[tuple[str, str], Metric]) -> list[Column]:
    """The columns that hold numbers and nothing else, in the table's order; ``registered`` from ``registered_metrics``."""
    names = [name for name in (rows[0] if rows else {}) if name not in _WORDS and _COORDINATE not in name]
    return [_column(name, registered) for name in names if _only_numbers(row[name] for row in rows)]


def is_quality_problem(row: dict[str, str]) -> bool:
    """Whether the study's images, and not its spine, may be what is unusual."""
    return any(flag.startswith("quality_") for flag in row["flags"].split(";"))


def _column(name: str, registered: dict[tuple[str, str], Metric]) -> Column:
    """A metric whose text on direction begins with high or above, low or below has that direction, any other has none.

    Nuisances tell how the images were taken and nothing of the spine.
    """
    if name in _BY_DEFINITION:
        return Column(name, _BY_DEFINITION[name], nuisance=False)
    level = next((level for level in LEVELS if name.startswith(f"{level}_")), None)
    entry = registered.get(("study", name) if level is None else ("level", name.removeprefix(f"{level}_")))
    if entry is None:
        return Column(name, 0, nuisance=name in _NUISANCE or name.startswith(("pixel_spacing_", "fov_")))
    text = entry.direction.lower()
    sign = 1 if text.startswith(("high", "above")) else -1 if text.startswith(("low", "below")) else 0
    return Column(name, sign, nuisance=entry.family == "quality")


def _only_numbers(cells: Iterable[str]) -> bool:
    filled = [cell for cell in cells if cell]
    return bool(filled) and all(not math.isnan(number(cell)) for cell in filled)
