"""Label files as people write them: accepted spellings, several readers, and one sentence for each mistake."""

from __future__ import annotations

import pytest

from lstv.base.errors import UserError
from lstv.cohort.labels import consensus, read_labels


@pytest.fixture
def labels(tmp_path):
    def read(text, encoding="utf-8"):
        path = tmp_path / "labels.csv"
        path.write_text(text, encoding=encoding)
        return read_labels(path)

    return read


def test_spellings_of_labels_and_castellvi(labels):
    file = labels(
        "Study_ID,label,castellvi,comment\n007,LSTV,IIIa,x\n8,normal,none,\n9,1,Type 2b,\n10,0,,\n11,unclear,IV,\n12,,,\n"
    )
    assert [(r.study_id, r.label, r.castellvi) for r in file.readings] == [
        ("007", True, "III"),
        ("8", False, "none"),
        ("9", True, "II"),
        ("10", False, ""),
        ("11", None, "IV"),
    ]
    assert file.unread_rows == 1
    assert not file.weighted


def test_a_spreadsheets_semicolons_and_byte_order_mark(labels):
    file = labels("study_id;label\na;1\nb;0\n", encoding="utf-8-sig")
    assert [(r.study_id, r.label) for r in file.readings] == [("a", True), ("b", False)]


def test_weight_from_either_column_or_both(labels):
    rows = labels("study_id,label,weight,sampling_fraction\na,1,,0.25\nb,0,3,\nc,0,7.333333,0.136364\n").readings
    assert [r.weight for r in rows] == [4.0, 3.0, 7.333333]


def test_majority_ties_and_unclear(labels):
    text = "study_id,label,reader,castellvi\n"
    for study, verdicts in {"a": "110", "b": "10 ", "c": "uu ", "d": "1u ", "e": "000", "f": "111"}.items():
        for reader, verdict in zip("XYZ", verdicts):
            text += f"{study},{verdict.replace('u', 'unclear').strip()},{reader},{'III' if verdict == '1' else ''}\n"
    result = consensus(labels(text).readings)
    assert {study: label.label for study, label in result.studies.items()} == {
        "a": True,
        "d": True,
        "e": False,
        "f": True,
    }
    assert result.studies["a"].castellvi == "III"
    assert result.tied == ("b",)
    assert result.unclear == ("c",)


def test_differing_castellvi_is_left_empty(labels):
    result = consensus(labels("study_id,label,reader,castellvi\na,1,X,II\na,1,Y,III\n").readings)
    assert result.studies["a"].castellvi == ""


def test_labels_given_after_unblinding_are_named(labels):
    file = labels("study_id,label,blinded,repeat,reader\na,1,yes,0,X\nb,0,no,0,X\nc,0,,0,X\na,1,no,1,X\n")
    assert file.not_blinded == ("b",)


def test_a_second_reading_by_the_same_reader_does_not_vote(labels):
    file = labels("study_id,label,reader,repeat,queue\na,1,X,0,q1\na,0,X,1,q1\nb,0,X,,q1\nc,,X,0,q1\n")
    assert [(r.study_id, r.label) for r in file.readings] == [("a", True), ("b", False)]
    assert [(r.study_id, r.label) for r in file.repeats] == [("a", False)]
    assert file.queue == "q1" and file.unread_rows == 1
    assert consensus(file.readings).studies["a"].label


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("id,label\na,1\n", "no column study_id"),
        ("study_id,verdict\na,1\n", "no column label"),
        ("", "no column study_id"),
        ("study_id,label\na,maybe\n", "line 2: label 'maybe' is not one of"),
        ("study_id,label\n,1\n", "line 2 has a label but no study_id"),
        ("study_id,label\na,1\na,1\n", "line 3: study a has a second label by an unnamed reader .first in line 2."),
        ("study_id,label,reader\na,1,X\na,0,X\n", "second label by reader X"),
        ("study_id,label,reader,repeat\na,1,X,1\na,0,X,1\n", "second label by reader X"),
        ("study_id,label,repeat\na,1,2\n", "repeat '2' is neither 0"),
        ("study_id,label,queue\na,1,p\nb,1,q\n", "two review queues, p .line 2. and q .line 3."),
        ("study_id,label,castellvi\na,1,V\n", "castellvi 'V' is not one of"),
        ("study_id,label,weight\na,1,\n", "has no weight"),
        ("study_id,label,weight\na,1,-2\n", "weight -2 is not above 0"),
        ("study_id,label,weight\na,1,nan\n", "weight 'nan' is not a number"),
        ("study_id,label,sampling_fraction\na,1,2\n", "sampling_fraction 2 is not above 0 and at most 1"),
        ("study_id,label,weight,sampling_fraction\na,1,3,0.5\n", "weight 3 is not 1 / sampling_fraction 0.5"),
        ("study_id,label,patient_id\na,1,P\nb,0,P\n", "patient P has studies a and b"),
    ],
)
def test_mistakes_get_one_sentence(labels, text, sentence):
    with pytest.raises(UserError, match=sentence):
        labels(text)


def test_different_weights_of_a_study_are_refused(labels):
    readings = labels("study_id,label,reader,weight\na,1,X,1\na,1,Y,2\n").readings
    with pytest.raises(UserError, match="study a has different weights"):
        consensus(readings)


def test_missing_file_names_the_setting(tmp_path):
    with pytest.raises(UserError, match="none.csv does not exist"):
        read_labels(tmp_path / "none.csv")


def test_a_spreadsheet_instead_of_a_csv(labels, tmp_path):
    path = tmp_path / "labels.xlsx"
    path.write_bytes(b"PK\x03\x04\xff\xfe\x00")
    with pytest.raises(UserError, match="save it as CSV in UTF-8"):
        read_labels(path)
