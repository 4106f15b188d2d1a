"""What a finished run says in its last line: where to look, and how many studies could not be analysed."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from lstv.cohort import read_table
from lstv.errors import UserError


def sentence(report: Path, table: Path) -> str | None:
    """Such as ``Report: results/mine/report.html (10 studies: 8 analysed, 2 failed, 0 excluded)``; None without a report."""
    if not Path(report).is_file():
        return None
    try:
        found = Counter(row["status"] for row in read_table(table, ("status",)))
    except UserError:
        return f"Report: {report}"
    counts = f"{found['ok']} analysed, {found['failed']} failed, {found['excluded']} excluded"
    return f"Report: {report} ({found.total()} studies: {counts})"
