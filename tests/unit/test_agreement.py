"""Agreement of readers: kappa and its interval, between two readers and of one with himself."""

from __future__ import annotations

import numpy as np
import pytest

from lstv.cohort.labels import read_labels
from lstv.evaluation.agreement import between, kappa, within

statsmodels = pytest.importorskip("statsmodels.stats.inter_rater")


def test_kappa_of_a_textbook_table():
    """20 yes/yes, 5 yes/no, 10 no/yes, 15 no/no: (0.70 - 0.50) / 0.50 = 0.40."""
    first = [True] * 25 + [False] * 25
    second = [True] * 20 + [False] * 5 + [True] * 10 + [False] * 15
    found = kappa(first, second)
    assert (found["studies"], found["same"], found["kappa_interval"]) == (50, 35, "asymptotic")
    assert found["kappa"] == pytest.approx(0.4)


@pytest.mark.parametrize("seed", range(6))
def test_against_statsmodels(seed):
    rng = np.random.default_rng(seed)
    kinds = ["none", "I", "II", "III", "IV"][: 2 + seed % 4]
    first = rng.choice(kinds, 80)
    second = np.where(rng.random(80) < 0.7, first, rng.choice(kinds, 80))
    counts = [[int(((first == a) & (second == b)).sum()) for b in kinds] for a in kinds]
    expected = statsmodels.cohens_kappa(counts)
    found = kappa(first.tolist(), second.tolist())
    assert found["kappa"] == pytest.approx(expected.kappa)
    assert found["kappa_low"] == pytest.approx(max(-1, expected.kappa_low), abs=1e-4)
    assert found["kappa_high"] == pytest.approx(min(1, expected.kappa_upp), abs=1e-4)


def test_full_agreement_is_not_certain():
    few, many = (kappa([True, False] * n, [True, False] * n) for n in (3, 50))
    assert few["kappa"] == many["kappa"] == many["kappa_high"] == 1
    assert few["kappa_interval"] == "wilson" and few["kappa_low"] < 0.5 < many["kappa_low"] < 1


@pytest.mark.parametrize(("first", "second"), [([], []), ([True], [True]), (["I"] * 9, ["I"] * 9)])
def test_nothing_is_said_where_chance_alone_agrees(first, second):
    found = kappa(first, second)
    assert [found[key] for key in ("kappa", "kappa_low", "kappa_high", "kappa_interval")] == [None] * 4


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text(
        "study_id,label,reader,castellvi,repeat,verdict\n"
        "a,lstv,X,IIa,0,sacralization\na,lstv,Y,III,0,lumbarization\na,lstv,X,IIb,1,sacralization\n"
        "b,normal,X,none,0,normal\nb,normal,Y,none,0,normal\nb,lstv,X,I,1,sacralization\n"
        "c,unclear,X,,0,cannot_tell\nc,normal,Y,none,0,normal\n"
        "d,normal,,none,0,normal\ne,normal,Z,none,0,normal\n"
    )
    return read_labels(path)


def test_pairs_of_named_readers(file):
    found = {
        (*entry["readers"], entry["question"]): (entry["studies"], entry["same"]) for entry in between(file.readings)
    }
    assert found == {("X", "Y", "label"): (2, 2), ("X", "Y", "verdict"): (3, 1), ("X", "Y", "castellvi"): (2, 1)}


def test_a_reader_and_himself(file):
    found = {
        (entry["reader"], entry["question"]): (entry["studies"], entry["same"])
        for entry in within(file.readings, file.repeats)
    }
    assert found == {("X", "label"): (2, 1), ("X", "verdict"): (2, 1), ("X", "castellvi"): (2, 1)}
