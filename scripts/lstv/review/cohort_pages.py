"""The pages of a cohort: where to begin, and the files of its results."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, abort, redirect, render_template, url_for
from werkzeug.wrappers import Response as AnyResponse

from lstv.base.errors import StudyError
from lstv.review.cohort_files import TYPES, Cohort, policy_of
from lstv.review.reading_cases import QUEUE, Cases


def blueprint(cohort: Cohort, cases: Cases | None) -> Blueprint:
    """The pages, for an app to take in."""
    pages = Blueprint("cohort", __name__)

    @pages.get("/cohort")
    def home() -> str:
        return render_template("cohort.html.j2", cohort=cohort, counts=cohort.counts(), reading=_reading(cases))

    @pages.get("/results/")
    def results() -> AnyResponse:
        return redirect(url_for("cohort.home"))

    @pages.get("/results/<path:name>")
    def file(name: str) -> Response:
        try:
            path = cohort.file(name)
            content = path.read_bytes()
        except StudyError as error:
            abort(404, str(error))
        except OSError:
            abort(404, f"{name} cannot be read any more; run the workflow again.")
        answer = Response(content, mimetype=TYPES[path.suffix])
        if path.suffix == ".html":
            answer.headers["Content-Security-Policy"] = policy_of(content)
        return answer

    return pages


def _reading(cases: Cases | None) -> dict[str, Any] | None:
    """How far the reading is: number of ``studies``, ``readers`` with how many each has read; None without a queue."""
    if cases is None or not cases.cohort.has(QUEUE):
        return None
    queue = cases.queue()
    return {"studies": len(queue["studies"]), "readers": cases.progress(queue)}
