"""The evaluation as a page: the primary measure first, intervals in curves and tables, refusals, and no number made up."""

from __future__ import annotations

import json
import re
from html import unescape

import numpy as np
import pytest
from test_evaluate import TRUTH, N, cohort, truth, write

import evaluate
import evaluation_page
from lstv.base.errors import UserError
from lstv.evaluation import curves
from lstv.run import summary


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Record and page of a cohort with two readers and scanners."""
    folder = tmp_path_factory.mktemp("evaluation")
    rows = cohort()
    for index, row in enumerate(rows[:N]):
        row |= {"field_of_view": 250 + index, "split": "validation" if index % 3 else "train"}
    labels = [row | {"reader": "A", "scanner": f"<b>{i % 2}</b>"} for i, row in enumerate(truth())]
    labels += [row | {"reader": "B", "scanner": ""} for row in truth(50)]
    return page_of(folder, rows, labels)


def page_of(folder, rows, labels):
    write(folder / "table.csv", rows)
    write(folder / "labels.csv", labels)
    names = {name: str(folder / name) for name in ("table.csv", "labels.csv", "evaluation.json", "metrics.csv")}
    files = ["--table", names["table.csv"], "--labels", names["labels.csv"], "--out", names["evaluation.json"]]
    assert evaluate.main([*files, "--csv", names["metrics.csv"], "--replicates", "200"]) == 0
    page = folder / "evaluation.html"
    links = ["--report", "../report.html", "--table", "metrics.csv", "--cohort", "mine"]
    assert evaluation_page.main(["--evaluation", names["evaluation.json"], *links, "--out", str(page)]) == 0
    return json.loads((folder / "evaluation.json").read_text()), page.read_text(encoding="utf-8")


def words(page: str) -> str:
    body = re.sub(r"<(style|script)>.*?</\1>", "", page, flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", body)).split())


def test_the_primary_measure_comes_first_with_its_interval(made):
    record, page = made
    score = next(entry for entry in record["metrics"] if entry["metric"] == "score")
    expected = f"AUC of {score['auc']:.2f} ({score['auc_low']:.2f} to {score['auc_high']:.2f})"
    text = words(page)
    assert expected in text
    assert (
        text.index(expected) < text.index("What the numbers may and may not be used for") < text.rindex("All metrics")
    )
    rows = re.findall(r'<tr><th scope="row">([^/]*?)</th>', page[page.index('id="metrics"') :])
    assert rows[0] == "score"


def test_the_page_says_what_it_may_not_be_used_for_and_where_else_to_look(made):
    page = made[1]
    assert "Research use only. Not a diagnosis." in page and "They may not" in page
    for link in ("../report.html", "metrics.csv", "evaluation.json"):
        assert f'href="{link}"' in page


def test_the_policy_allows_no_style_but_its_own(made):
    page = made[1]
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)[1]
    assert "unsafe" not in policy and "style=" not in page


def test_curves_have_intervals_that_hold_the_curve(made):
    record, page = made
    points = record["curves"]["score"]
    assert len(points["grid"]) == len(points["sensitivity_low"]) == 21
    scores = np.array([row["score"] for row in cohort()[:N]])
    _, positive, negative = curves.tied_masses(scores, TRUTH, np.ones(N))
    for rate, low, high in zip(points["grid"], points["sensitivity_low"], points["sensitivity_high"]):
        if low is not None:
            assert low - 0.05 <= curves.sensitivity_at(positive, negative, 1 - rate) <= high + 0.05
    assert page.count('class="band"') == 2  # only of what was fixed beforehand
    assert "sensitivity 0." in page  # on hover


def test_precision_at_a_recall():
    positive, negative = np.array([1.0, 0.0, 1.0]), np.array([0.0, 1.0, 0.0])
    assert [float(curves.precision_at(positive, negative, recall)) for recall in (0.0, 0.5, 0.6, 1.0)] == pytest.approx(
        [1, 1, 2 / 3, 2 / 3]
    )
    assert np.isnan(curves.precision_at(np.zeros(2), np.ones(2), 0.5))


def test_subgroups_by_split_scanner_and_field(made):
    record, page = made
    groups = {(row["by"], row["group"]): row for row in record["subgroups"]}
    assert set(groups) == {
        ("split", "validation"),
        ("split", "train"),
        ("scanner", "<b>0</b>"),
        ("scanner", "<b>1</b>"),
        ("field_of_view", "up to 310 mm"),
        ("field_of_view", "above 310 mm"),
    }
    for by in ("split", "scanner", "field_of_view"):
        assert sum(row["studies"] for (name, _), row in groups.items() if name == by) == N
    assert groups["split", "train"]["positive"] == int(TRUTH[::3].sum())
    assert "<b>0" not in page and "&lt;b&gt;0" in page
    large = groups["field_of_view", "above 310 mm"]  # all positives are among the first studies
    assert large["positive"] == 0 and "auc" not in large and "too few" in words(page)


def test_agreement_of_the_readers(made):
    assert "A and B label 50 50" in words(made[1])


def test_too_few_labels_give_a_page_without_any_number(tmp_path):
    record, page = page_of(tmp_path, cohort(), truth(9))
    assert record["status"] == "refused"
    assert "Not evaluated. 9 positive and 0 negative studies" in words(page) and "<svg class" not in page


def test_another_file_is_refused(tmp_path):
    (tmp_path / "e.json").write_text("{}")
    with pytest.raises(UserError, match="was not written by"):
        evaluation_page.main(["--evaluation", str(tmp_path / "e.json"), "--out", str(tmp_path / "e.html")])


def test_the_last_line_of_a_run_names_the_page(tmp_path):
    page = tmp_path / "evaluation.html"
    assert summary.with_evaluation("Report: x", str(page)) == "Report: x"
    page.write_text("")
    assert summary.with_evaluation("Report: x", str(page)) == f"Report: x\nEvaluation: {page}"
    assert summary.with_evaluation(None, str(page)) is None
