"""What a finished run says in its last line: where to look, and how many studies could not be analysed."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from lstv.cohort import NOT_SELECTED, read_table
from lstv.errors import UserError


def sentence(report: Path, table: Path) -> str | None:
    """Such as ``Report: results/mine/report.html (10 studies: 8 analysed, 2 failed, 0 excluded, 0 not selected)``, counted
    as the report counts; None without a report."""
    if not Path(report).is_file():
        return None
    try:
        found = Counter(_outcome(row) for row in read_table(table, ("status", "reason")))
    except UserError:
        return f"Report: {report}"
    names = {"ok": "analysed", "failed": "failed", "excluded": "excluded", NOT_SELECTED: "not selected"}
    counts = ", ".join(f"{found[outcome]} {name}" for outcome, name in names.items())
    return f"Report: {report} ({found.total()} studies: {counts})"


def _outcome(row: dict[str, str]) -> str:
    return NOT_SELECTED if row["status"] == "excluded" and row["reason"].startswith(NOT_SELECTED) else row["status"]
