"""What a scan could not take up is counted where people look: its own last lines, the report, the last line of the run."""

from __future__ import annotations

import json

from lstv.folder import passed_over
from lstv.folder.scan import NOTICES
from lstv.run import summary


def test_every_kind_is_one_of_the_scan():
    assert set(passed_over._KINDS) <= set(NOTICES)


def test_the_counts_in_words(tmp_path):
    path = tmp_path / "scan.json"
    path.write_text(
        json.dumps({"passed_over": {"no_uid": {"number": 42}, "not_dicom": {"number": 7}, "loop": {"number": 1}}})
    )
    said = "The scan passed over what may be studies: 42 DICOM files without study or series UID"
    assert passed_over.sentence(path) == said == passed_over.of_notices({"no_uid": 42, "not_dicom": 7})
    said = "The scan passed over what may be studies: 1 file that could not be opened or read"
    assert passed_over.of_notices({"unreadable": 1}) == said
    path.write_text(json.dumps({"passed_over": {"not_dicom": {"number": 7}}}))
    assert passed_over.sentence(path) == passed_over.sentence(tmp_path / "none.json") == ""


def test_the_last_line_of_a_run(tmp_path):
    (tmp_path / "report.html").touch()
    (tmp_path / "t.csv").write_text("study_id,status,reason\na,ok,\n")
    (tmp_path / "scan.json").write_text(json.dumps({"passed_over": {"damaged_header": {"number": 18}}}))
    last = summary.sentence(tmp_path / "report.html", tmp_path / "t.csv", tmp_path / "scan.json")
    assert last.endswith("18 files marked as DICOM whose headers cannot be read")
