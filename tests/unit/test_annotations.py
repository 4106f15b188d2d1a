"""Annotations of another program: which become labels, and why the others do not."""

from __future__ import annotations

import csv
import json

import pytest

import import_annotations as program
from lstv.base.errors import UserError
from lstv.cohort.labels import read_labels
from lstv.review.annotations import Fields, convert

FIELDS = Fields("uid", "type", "sure", "remark", "who")


@pytest.fixture
def given(tmp_path):
    def write(content, encoding="utf-8"):
        path = tmp_path / "annotations.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding=encoding)
        return path

    return write


def test_types_become_labels(given):
    rows, not_used = convert(
        given(
            [
                {"uid": "007", "type": "Castellvi IIa", "sure": 4, "remark": "a\nb", "who": "AB", "more": [1]},
                {"uid": 8, "type": None, "who": "CD"},
                {"uid": 8, "type": 3, "who": "AB"},
                {"uid": "9", "type": "None", "sure": "high"},
                {"uid": "10", "type": 0},
            ]
        ),
        FIELDS,
    )
    assert [tuple(row.values()) for row in rows] == [
        ("007", "lstv", "AB", "IIa", "4", "a b"),
        ("8", "lstv", "AB", "III", "", ""),
        ("9", "normal", "", "none", "high", ""),
        ("10", "normal", "", "none", "", ""),
    ]
    assert not_used == [{"annotation": 2, "study_id": "8", "reader": "CD", "reason": "has no type"}]


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ("text", "is not an object with named fields"),
        (None, "is not an object"),
        ({"type": "II"}, "has no uid"),
        ({"uid": "", "type": "II"}, "has no uid"),
        ({"uid": ["a"], "type": "II"}, "which is not text"),
        ({"uid": 1.5e9, "type": "II"}, "a number with decimals; a study is text"),
        ({"uid": True, "type": "II"}, "has uid 'True', which is not text"),
        ({"uid": "a"}, "has no type"),
        ({"uid": "a", "type": "V"}, "has type 'V', which is not one of none, I, II, III, IV"),
        ({"uid": "a", "type": {"left": "II"}}, "which is not text"),
        ({"uid": "a", "type": "II", "who": ["X"]}, "has who"),
    ],
)
def test_each_that_cannot_be_used_says_why(given, entry, reason):
    rows, not_used = convert(given([{"uid": "ok", "type": "I"}, entry]), FIELDS)
    assert len(rows) == 1 and len(not_used) == 1
    assert not_used[0]["annotation"] == 2 and reason in not_used[0]["reason"]


def test_repeated_ones_and_ones_that_contradict_each_other(given):
    entries = [
        ("a", "II", "X"),
        ("a", "2", "X"),
        ("b", "I", "X"),
        ("b", "none", "X"),
        ("b", "none", "Y"),
        ("a", "none", ""),
    ]
    rows, not_used = convert(given([{"uid": u, "type": t, "who": w} for u, t, w in entries]), FIELDS)
    assert [(row["study_id"], row["reader"]) for row in rows] == [("a", "X"), ("b", "Y"), ("a", "")]
    assert [(row["annotation"], row["reason"]) for row in not_used] == [
        (2, "repeats annotation 1, of the same study by X"),
        (3, "contradicts others of the same study by X: I (annotation 3), none (annotation 4)"),
        (4, "contradicts others of the same study by X: I (annotation 3), none (annotation 4)"),
    ]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("{", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("{}", "not an array"),
        ("[]", "has no annotation that can be used: the array is empty"),
        ([{"id": "a", "type": "I"}], "no annotation that can be used: annotation 1 has no uid"),
    ],
)
def test_files_that_cannot_be_used(given, content, sentence):
    with pytest.raises(UserError, match=sentence):
        convert(given(content), FIELDS)


def test_other_files(given, tmp_path):
    with pytest.raises(UserError, match="does not exist"):
        convert(tmp_path / "none.json", FIELDS)
    with pytest.raises(UserError, match="UTF-8"):
        convert(given('["\xe9"]', encoding="latin-1"), FIELDS)


def test_the_program_writes_what_the_evaluation_takes(given, tmp_path, capsys):
    path = given(
        [{"uid": "a", "type": "IVa"}, {"uid": "b", "type": "IIIb", "notes": "=1+1"}, {"uid": "c", "type": "no"}]
    )
    files = ["--annotations", str(path), "--out", str(tmp_path / "l.csv"), "--not-used", str(tmp_path / "n.csv")]
    assert program.main([*files, "--study-field", "uid", "--castellvi-field", "type"]) == 0
    assert [(r.study_id, r.label, r.castellvi) for r in read_labels(tmp_path / "l.csv").readings] == [
        ("b", True, "III"),
        ("c", False, "none"),
    ]
    with open(tmp_path / "n.csv") as stream:
        assert [row["annotation"] for row in csv.DictReader(stream)] == ["1"]
    assert "Annotation 1 has type 'IVa'" in capsys.readouterr().out
