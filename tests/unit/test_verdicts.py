"""What a reader can say: choices, contradictions, and the label that follows."""

from __future__ import annotations

import pytest

from lstv.base.errors import UserError
from lstv.cohort import labels, verdicts
from lstv.cohort.verdicts import castellvi_of, checked


@pytest.mark.parametrize(
    ("answers", "label", "castellvi"),
    [
        ({"verdict": "normal"}, "normal", "none"),
        ({"verdict": "sacralization", "castellvi": "II", "side": "left"}, "lstv", "IIa"),
        ({"verdict": "lumbarization", "castellvi": "III", "side": "both"}, "lstv", "IIIb"),
        ({"verdict": "sacralization", "castellvi": "III"}, "lstv", "III"),
        ({"verdict": "sacralization", "castellvi": "IV", "side": "right"}, "lstv", "IV"),
        ({"verdict": "sacralization", "side": "right"}, "lstv", ""),
        ({"verdict": "other"}, "unclear", ""),
        ({"verdict": "other", "castellvi": "I"}, "lstv", "I"),
        ({"verdict": "cannot_tell"}, "unclear", ""),
    ],
)
def test_the_label_and_type_that_the_evaluation_gets(answers, label, castellvi, tmp_path):
    verdict = checked(answers)
    assert (verdict.label, verdict.castellvi_type) == (label, castellvi)
    path = tmp_path / "labels.csv"
    path.write_text(f"study_id,label,castellvi\na,{label},{castellvi}\n")
    (reading,) = labels.read_labels(path).readings
    assert reading.label == {"normal": False, "lstv": True, "unclear": None}[label]
    assert reading.castellvi == castellvi.rstrip("ab")


@pytest.mark.parametrize(
    ("answers", "sentence"),
    [
        ({}, "is missing; choose one of normal, sacralization"),
        ({"verdict": None}, "is missing"),
        ({"verdict": "sick"}, "verdict 'sick' is not one of normal"),
        ({"verdict": "normal", "castellvi": "II"}, "is normal, but castellvi is II"),
        ({"verdict": "cannot_tell", "side": "left"}, "is cannot_tell, but side is left"),
        ({"verdict": "sacralization", "castellvi": "V"}, "castellvi 'V' is not one of I, II, III, IV"),
        ({"verdict": "normal", "lumbar_vertebrae": 7}, "lumbar_vertebrae '7' is not one of 4, 5, 6"),
        ({"verdict": "normal", "odriscoll": 2.5}, "odriscoll is 2.5, but must be text"),
        ({"verdict": "normal", "quality": True}, "quality is True, but must be text"),
        ({"verdict": "normal", "comment": "x" * 2001}, "longer than 2000 characters"),
        ({"verdict": "normal", "score": "1"}, "an answer to 'score', which is not asked"),
    ],
)
def test_bad_answers_get_one_sentence(answers, sentence):
    with pytest.raises(UserError, match=sentence):
        checked(answers, "the verdict on study 7")


def test_numbers_may_be_numbers_and_comments_are_one_line():
    verdict = checked({"verdict": "normal", "lumbar_vertebrae": 5, "odriscoll": 4, "comment": " a\n b\ud800 "})
    assert (verdict.lumbar_vertebrae, verdict.odriscoll, verdict.comment) == ("5", "4", "a b?")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Castellvi type IIa", ("II", "a")),
        ("3B", ("III", "b")),
        ("Typ 1", ("I", "")),
        ("iv", ("IV", "")),
        ("None", ("none", "")),
        ("0", ("none", "")),
        ("IVa", None),
        ("V", None),
        ("", None),
        ("IIab", None),
    ],
)
def test_castellvi_types_as_people_write_them(text, found):
    assert castellvi_of(text) == found


def test_every_choice_has_a_value_of_its_own():
    for question in verdicts.QUESTIONS:
        values = [choice.value for choice in question.choices]
        assert len(set(values)) == len(values) and question.name in verdicts.NAMES
