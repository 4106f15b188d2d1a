"""Several readers' files become one label file, and nobody's verdict is lost or mixed up with another's."""

from __future__ import annotations

import csv
import json

import pytest
from test_review_queue import table

import reading_labels as program
from lstv.base.errors import UserError
from lstv.cohort.labels import read_labels
from lstv.evaluation.agreement import between, within
from lstv.ranking.review_queue import build_queue
from lstv.review.store import AGAIN, VerdictStore

HEAD = "study_id,label,reader,castellvi,queue,repeat,verdict\n"


@pytest.fixture
def file(tmp_path):
    def write(name: str, *lines: str):
        (tmp_path / name).write_text(HEAD + "".join(f"{line}\n" for line in lines))
        return str(tmp_path / name)

    return write


def test_two_readers_and_their_agreement(file, tmp_path):
    ab = file(
        "ab.csv", "s1,lstv,AB,IIa,q,0,sacralization", "s2,normal,AB,none,q,0,normal", "s2,normal,AB,none,q,1,normal"
    )
    cd = file("cd.csv", "s1,lstv,CD,II,q,0,sacralization", "s2,lstv,CD,,q,0,lumbarization", "s3,,CD,,q,0,")
    out = tmp_path / "labels.csv"
    assert program.main(["--labels", ab, cd, ab, "--out", str(out)]) == 0
    found = read_labels(out)
    assert len(found.readings) == 4 and len(found.repeats) == 1 and found.queue == "q"
    assert between(found.readings)[0]["same"] == 1
    assert within(found.readings, found.repeats)[0]["reader"] == "AB"


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("s1,normal,ab,none,q,0,normal", "different verdicts by reader ab on study s1; if these are two people"),
        ("s9,normal,CD,none,p,0,normal", "is of the review queue q and .* of p"),
    ],
)
def test_what_does_not_go_together(file, tmp_path, line, sentence):
    files = [file("one.csv", "s1,lstv,AB,IIa,q,0,sacralization"), file("two.csv", line)]
    with pytest.raises(UserError, match=sentence):
        program.main(["--labels", *files, "--out", str(tmp_path / "out.csv")])
    assert not (tmp_path / "out.csv").exists()


def test_readings_of_a_server(tmp_path):
    queue = build_queue(table(30), ambiguous=5, sample=5, seed=1)
    (tmp_path / "queue.json").write_text(json.dumps(queue))
    store = VerdictStore(tmp_path / "readings", "an earlier draw")
    study = queue["studies"][0]["study_id"]
    store.add("AB", study, {"verdict": "normal"})
    store.add("AB", study, {"verdict": "other"}, repeat=AGAIN)
    store.add("AB", "not-queued", {"verdict": "normal"})
    files = ["--readings", str(tmp_path / "readings"), "--queue", str(tmp_path / "queue.json")]
    assert program.main([*files, "--out", str(tmp_path / "labels.csv")]) == 0
    with open(tmp_path / "labels.csv") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["study_id"], row["repeat"], row["queue"]) for row in rows] == [
        (study, "0", queue["digest"]),
        (study, "1", queue["digest"]),
    ]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ([], "give --labels, --readings or both"),
        (["--readings", "none"], "--readings needs --queue"),
        (["--readings", "none", "--queue", "q.json"], "--readings none does not exist"),
        (["--labels", "none.csv"], "none.csv does not exist"),
    ],
)
def test_mistakes_get_one_sentence(options, sentence, tmp_path):
    with pytest.raises(UserError, match=sentence):
        program.main([*options, "--out", str(tmp_path / "out.csv")])
