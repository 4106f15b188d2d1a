"""Weights of labels that were read blinded: those of the queue they were read from, and of no other."""

from __future__ import annotations

import json

import pytest
from test_review_queue import table

from lstv.base.errors import UserError
from lstv.cohort.labels import read_labels
from lstv.evaluation.queue_weights import weighted
from lstv.ranking.review_queue import build_queue


@pytest.fixture
def queue(tmp_path):
    made = build_queue(table(100), ambiguous=10, sample=9, seed=1)
    (tmp_path / "queue.json").write_text(json.dumps(made))
    return made


@pytest.fixture
def labels(tmp_path, queue):
    def read(studies, digest=queue["digest"], more="", values=""):
        rows = [f"{study},normal,{digest}{values}\n" for study in studies]
        (tmp_path / "labels.csv").write_text(f"study_id,label,queue{more}\n" + "".join(rows))
        return read_labels(tmp_path / "labels.csv")

    return read


def test_each_study_gets_the_weight_of_its_stratum(queue, labels, tmp_path):
    ids = [study["study_id"] for study in queue["studies"]]
    file = weighted(labels(ids[:15]), tmp_path / "queue.json")
    assert file.weighted and file.unread_rows == 4
    assert [reading.weight for reading in file.readings] == [study["weight"] for study in queue["studies"][:15]]


def test_labels_of_another_queue_are_refused(labels, tmp_path):
    with pytest.raises(
        UserError, match="were read from the review queue abc, and .*queue.json is queue .*another cohort"
    ):
        weighted(labels(["s0000"], digest="abc"), tmp_path / "queue.json")
    with pytest.raises(UserError, match=r"verdicts/queue-abc\.json"):
        weighted(labels(["s0000"], digest="abc"), tmp_path / "queue.json")


def test_a_study_that_was_not_drawn_is_refused(labels, tmp_path):
    with pytest.raises(UserError, match="study sXXX of the label file is not in the review queue"):
        weighted(labels(["sXXX"]), tmp_path / "queue.json")


def test_files_without_a_queue_or_with_weights_of_their_own_stay_as_they_are(labels, tmp_path):
    own = labels(["s0000"], digest="abc", more=",weight", values=",3")
    assert weighted(own, tmp_path / "queue.json") is own
    plain = labels(["s0000"], digest="")
    assert weighted(plain, tmp_path / "none.json") is plain
    assert weighted(labels(["s0000"]), None).weighted is False
