"""What a finished run says in its last line: where to look, and how many studies could not be analysed."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from lstv.base.errors import UserError
from lstv.base.tables import read_table
from lstv.base.text import counted
from lstv.cohort.selection import outcome
from lstv.folder import passed_over


def of_results(results: str, *, evaluated: bool = True) -> str | None:
    """The sentence on a cohort by the folder of its results, with the page of the evaluation where the run was
    ``evaluated``."""
    folder = Path(results)
    last = sentence(folder / "report.html", folder / "lstv_uncertainty_metrics.csv", folder / "scan" / "scan.json")
    return with_evaluation(last, str(folder / "evaluation" / "evaluation.html")) if evaluated else last


def with_evaluation(last: str | None, page: str) -> str | None:
    """The last line with the page of the evaluation, where it was written; None without a line."""
    return f"{last}\nEvaluation: {page}" if last is not None and Path(page).is_file() else last


def sentence(report: Path, table: Path, scan: Path | None = None) -> str | None:
    """Such as ``Report: results/mine/report.html (10 studies: 8 analysed, 2 failed, 0 excluded, 0 not selected)``, counted
    as the report counts, and what the scan of a folder (its summary ``scan``) passed over; None without a report."""
    if not Path(report).is_file():
        return None
    try:
        found = Counter(outcome(row) for row in read_table(table, ("status", "reason")))
    except UserError:
        return f"Report: {report}"
    words = {"ok": "analysed", "failed": "failed", "excluded": "excluded", "not_selected": "not selected"}
    counts = ", ".join(f"{found[name]:,} {word}" for name, word in words.items())
    lost = "" if scan is None else passed_over.sentence(Path(scan))
    return f"Report: {report} ({counted(found.total(), 'study')}: {counts})" + (f"\n{lost}" if lost else "")
