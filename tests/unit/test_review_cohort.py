"""A cohort's results in the app: what is given out, under which policy, and what is said of what is gone."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("flask")

from lstv.base.errors import UserError
from lstv.review import app as review_app
from lstv.review.cohort_files import TABLE, Cohort
from lstv.review.doors import POLICY, Doors

META = "default-src 'none'; script-src 'sha256-abc='"


@pytest.fixture
def results(tmp_path) -> Path:
    folder = tmp_path / "results/demo"
    for name, text in {
        TABLE: "study_id,status\n1,ok\n2,ok\n3,failed\n",
        "report.html": f'<head><meta http-equiv="Content-Security-Policy" content="{META}"></head>',
        "plain.html": "<p>made by hand</p>",
        "pages/index.html": "<p>pages</p>",
        "pages/studies/a.js": "lstv.series({});",
        "heatmaps/batch.h5": "x",
        "logs/a.json": "{}",
        ".hidden.json": "{}",
        "software_versions.yml": "x",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (tmp_path / "secret.json").write_text("{}")
    (folder / "link.json").symlink_to(tmp_path / "secret.json")
    return folder


@pytest.fixture
def client(results):
    return review_app.create_app(review_app.Content(cohort=Cohort(results)), None, Doors()).test_client()


def sentence(answer) -> str:
    text = answer.get_data(as_text=True)
    assert "Traceback" not in text
    return text.partition('role="alert">')[2].partition("</p>")[0]


def test_the_first_page_says_what_there_is(client):
    answer = client.get("/", follow_redirects=True)
    text = answer.get_data(as_text=True)
    assert "Cohort demo" in text and "<b>2</b> analysed" in text and "<b>1</b> failed" in text
    assert 'href="/results/report.html"' in text and 'href="/results/pages/index.html"' in text
    assert "There are no labels yet" in text  # and no link to an evaluation
    assert "Analyse one study" not in text and client.get("/analyze").status_code == 404


def test_pages_come_with_their_own_policy_and_are_never_framed(client):
    answer = client.get("/results/report.html")
    assert answer.headers["Content-Security-Policy"] == f"{META}; frame-ancestors 'none'"
    assert client.get("/results/plain.html").headers["Content-Security-Policy"] == POLICY
    answer = client.get("/results/pages/studies/a.js")
    assert answer.mimetype == "text/javascript" and answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "name",
    [
        *("heatmaps/batch.h5", "logs/a.json", ".hidden.json", "software_versions.yml", "link.json", "../secret.json"),
        *(
            "..%2f..%2fsecret.json",
            "pages/../../../secret.json",
            "pages/%2e%2e/%2e%2e/%2e%2e/secret.json",
            "/etc/passwd",
        ),
        *("pages", "pages/", "nothing.html%00.json"),
    ],
)
def test_nothing_else_is_given_out(client, name):
    answer = client.get(f"/results/{name}", follow_redirects=True)
    assert answer.status_code == 404 and sentence(answer)
    assert "passwd" not in answer.get_data(as_text=True)


def test_a_study_that_is_removed_under_the_app_is_a_sentence(client, results):
    assert client.get("/results/pages/studies/a.js").status_code == 200
    (results / "pages/studies/a.js").unlink()
    answer = client.get("/results/pages/studies/a.js")
    assert answer.status_code == 404 and "was removed, or never made" in sentence(answer)
    (results / TABLE).unlink()
    assert "does not exist" in sentence(client.get("/cohort"))


def test_a_folder_that_holds_no_results_is_refused(tmp_path):
    with pytest.raises(UserError, match="does not exist; run the workflow first"):
        Cohort(tmp_path / "none").check()
    with pytest.raises(UserError, match="to its end first"):
        Cohort(tmp_path).check()
