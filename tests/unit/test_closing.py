"""The last line of a run."""

from __future__ import annotations

from lstv import closing


def test_last_line(tmp_path):
    report, table = tmp_path / "report.html", tmp_path / "table.csv"
    assert closing.sentence(report, table) is None
    report.touch()
    assert closing.sentence(report, table) == f"Report: {report}"
    table.write_text("study_id,status\na,ok\nb,failed\nc,ok\n")
    assert closing.sentence(report, table) == f"Report: {report} (3 studies: 2 analysed, 1 failed, 0 excluded)"
