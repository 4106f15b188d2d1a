"""The last line of a run."""

from __future__ import annotations

import pandas

from lstv.cohort import selection
from lstv.report import accounting
from lstv.run import summary


def test_last_line(tmp_path):
    report, table = tmp_path / "report.html", tmp_path / "table.csv"
    assert summary.sentence(report, table) is None
    report.touch()
    assert summary.sentence(report, table) == f"Report: {report}"
    lines = [
        "study_id,status,reason",
        "a,ok,",
        "b,failed,bad",
        "c,ok,",
        "d,excluded,no T2",
        "e,excluded,not selected: trial",
    ]
    table.write_text("\n".join(lines) + "\n")
    counted = "5 studies: 2 analysed, 1 failed, 1 excluded, 1 not selected"
    assert summary.sentence(report, table) == f"Report: {report} ({counted})"
    frame = pandas.read_csv(table, keep_default_na=False)
    assert accounting.counts(frame.apply(selection.outcome, axis=1)) == {
        "entered": 5,
        "ok": 2,
        "failed": 1,
        "excluded": 1,
        "not_selected": 1,
    }
