"""Medians and quartiles of the cohort."""

from __future__ import annotations

import math

import numpy as np
import pandas

from lstv import uncertainty
from lstv.anatomy.points import FOUND
from lstv.base.levels import LEVELS
from lstv.report.palette import JUNCTION

MAIN_METRICS = ("entropy", "confidence", "spatial_entropy", "area_px")


def found(frame: pandas.DataFrame, level: str) -> pandas.Series:
    """Whether the level was found, bool per row."""
    return frame[f"{level}_confidence"] > FOUND


def level_values(frame: pandas.DataFrame, level: str, metric: str) -> pandas.Series:
    """One metric of one level where the level was found and the value is defined, float64.

    The entropy of a level that was not found is that of an almost flat map: a number, but not one about a disc.
    """
    values = pandas.to_numeric(frame[f"{level}_{metric}"], errors="coerce")
    return values[found(frame, level) & np.isfinite(values)].astype(float)


def entropy_and_score(frame: pandas.DataFrame) -> pandas.DataFrame:
    """``entropy`` of L5/S1 and ``score``, float64, of the studies that have both."""
    both = {"entropy": level_values(frame, JUNCTION, "entropy"), "score": study_values(frame, "score")}
    return pandas.DataFrame(both).dropna()


def quartiles(values: pandas.Series) -> dict:
    """``n`` and, where there is a value, ``median``, ``q1``, ``q3`` (linear interpolation), else null."""
    if not len(values):
        return {"n": 0, "median": None, "q1": None, "q3": None}
    q1, median, q3 = (float(value) for value in np.quantile(values, (0.25, 0.5, 0.75)))
    return {"n": len(values), "median": median, "q1": q1, "q3": q3}


def level_table(frame: pandas.DataFrame) -> dict:
    """How often each level was found, and quartiles of every level metric of the table.

    ``found`` and ``not_found``: a count per level; ``metrics``: ``name``, ``unit``, ``main`` and ``levels`` (quartiles per
    level), the main ones first.
    """
    documented = {entry.name: entry for entry in uncertainty.metrics("level")}
    names = list(dict.fromkeys((*MAIN_METRICS, *documented)))
    rows = []
    for name in names:
        if all(f"{level}_{name}" in frame for level in LEVELS):
            entry = documented.get(name)
            rows.append(
                {
                    "name": name,
                    "unit": entry.unit if entry else "",
                    "main": name in MAIN_METRICS,
                    "levels": [quartiles(level_values(frame, level, name)) for level in LEVELS],
                }
            )
    return {
        "found": [int(found(frame, level).sum()) for level in LEVELS],
        "not_found": [int((~found(frame, level)).sum()) for level in LEVELS],
        "metrics": rows,
    }


def study_values(frame: pandas.DataFrame, name: str) -> pandas.Series:
    """A study metric where the table has it and it is defined, float64; empty where there is no such column."""
    if name not in frame:
        return pandas.Series(dtype=float)
    values = pandas.to_numeric(frame[name], errors="coerce")
    return values[np.isfinite(values)].astype(float)


def study_table(frame: pandas.DataFrame) -> list[dict]:
    """Quartiles of the study metrics that the table has as columns."""
    return [
        {"name": entry.name, "unit": entry.unit, **quartiles(study_values(frame, entry.name))}
        for entry in uncertainty.metrics("study")
        if entry.name in frame
    ]


def area_relation(frame: pandas.DataFrame, level: str) -> dict | None:
    """How far the level's entropy is ln(area): ``area`` (px), ``entropy`` (nats), both with the table's index, and the
    squared correlation ``r2``.

    None where the table has no area, or fewer than three studies or no spread to correlate.
    """
    if f"{level}_area_px" not in frame:
        return None
    both = pandas.DataFrame(
        {"area": level_values(frame, level, "area_px"), "entropy": level_values(frame, level, "entropy")}
    ).dropna()
    both = both[both["area"] > 0]
    if len(both) < 3:
        return None
    correlation = np.corrcoef(np.log(both["area"]), both["entropy"])[0, 1] if both.nunique().min() > 1 else math.nan
    if not math.isfinite(correlation):
        return None
    return {"area": both["area"], "entropy": both["entropy"], "r2": float(correlation**2)}
