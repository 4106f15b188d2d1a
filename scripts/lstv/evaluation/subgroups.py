"""The primary score in groups of the labelled studies: by split, by scanner and by field, where these are known."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from lstv.base.tables import parsed
from lstv.base.text import printable
from lstv.evaluation.discrimination import Judge
from lstv.evaluation.sample import Sample
from lstv.ranking.table_columns import Column, numeric

NAMED = ("split", "manufacturer", "scanner", "field_strength")
"""Columns of the cohort table or of the label file whose values make groups. The table has ``split``; the others come
with the labels."""

FIELD = "field_of_view"
"""Measured of every study; its groups are the studies up to and above the median of the labelled ones."""

MOST = 12
"""Most groups of one column that are shown, the largest first."""


def read_groups(path: Path) -> dict[str, dict[str, str]]:
    """Column -> study id -> value, of those columns in ``NAMED`` that a label file has.

    Where a study has several rows, the first one that is filled counts.
    """
    found: dict[str, dict[str, str]] = {}
    for _, row in parsed(Path(path), semicolons=True)[2]:
        cells = {key.lower(): value for key, value in row.items()}
        for name in NAMED:
            if cells.get(name):
                found.setdefault(name, {}).setdefault(cells.get("study_id", ""), printable(cells[name], 60))
    return found


def subgroups(
    sample: Sample, column: Column, groups: Mapping[str, Mapping[str, str]], *, seed: int, replicates: int
) -> list[dict]:
    """One record per group with ``by``, ``group``, ``studies`` and the area of ``column`` there, as ``Judge.measure`` has
    it: too few positives or negatives give a note and no number. Columns with one value only make no groups."""
    values = numeric(sample.rows, column.name)
    records = []
    for name in (*NAMED, FIELD):
        members = _field(sample) if name == FIELD else _named(sample, name, groups.get(name, {}))
        kinds = sorted(set(members) - {""}, key=lambda kind: (-members.count(kind), kind))
        for kind in kinds[:MOST] if len(kinds) > 1 else ():
            kept = np.array([member == kind for member in members])
            judge = Judge(
                sample.labels[kept], sample.weights[kept], sample.strata[kept], seed=seed, replicates=replicates
            )
            measured = judge.measure(column, values[kept], None)
            shown = ("positive", "negative", "note", "prevalence", "auc", "auc_low", "auc_high", "auc_interval")
            record = {"by": name, "group": kind, "studies": int(kept.sum())}
            records.append(record | {key: measured[key] for key in shown if key in measured})
    return records


def _named(sample: Sample, name: str, given: Mapping[str, str]) -> list[str]:
    return [row.get(name, "") or given.get(row["study_id"], "") for row in sample.rows]


def _field(sample: Sample) -> list[str]:
    sizes = numeric(sample.rows, FIELD)
    if not np.isfinite(sizes).any():
        return [""] * len(sizes)
    middle = float(np.nanmedian(sizes))
    words = (f"up to {middle:.0f} mm", f"above {middle:.0f} mm")
    return ["" if not np.isfinite(size) else words[int(size > middle)] for size in sizes]
