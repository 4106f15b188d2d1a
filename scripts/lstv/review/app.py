"""The app: its pages, and what stands behind each."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

import jinja2
from flask import Flask, jsonify, redirect, render_template, request, url_for
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge
from werkzeug.wrappers import Response

from lstv.base.errors import StudyError, UserError
from lstv.base.levels import LEVELS
from lstv.report import templating
from lstv.report.palette import JUNCTION, LEVEL_COLOURS
from lstv.review import analyze_pages, cohort_pages, reading_pages, uploads
from lstv.review.cohort_files import Cohort
from lstv.review.doors import Doors, csrf_token
from lstv.review.jobs import Jobs
from lstv.review.limits import Limits
from lstv.review.reading_cases import Cases

_HERE = Path(__file__).parent
_REPORT = _HERE.parent / "report/templates"

_SHARED = {
    "base.css": _REPORT / "base.css",
    "report.css": _REPORT / "report.css",
    "app.css": _HERE / "templates/app.css",
    "analyze.js": _HERE / "templates/analyze.js",
    "progress.js": _HERE / "templates/progress.js",
    "result.js": _HERE / "templates/result.js",
    "viewer.js": _REPORT / "viewer.js",
    "viewer.css": _REPORT / "viewer.css",
}
"""Files that pages ask for by name; no other file is given out here."""

_TYPES = {".css": "text/css", ".js": "text/javascript"}


@dataclass(frozen=True)
class Sample:
    """A made-up study to try: ``title``, what there is to see in it, and ``make``, which writes its DICOM files below a
    folder."""

    title: str
    text: str
    make: Callable[[Path], None]


@dataclass(frozen=True)
class Content:
    """What an app serves: a ``cohort`` and the ``cases`` of its reading, if any; whether the network for single studies
    knows ``phantoms_only``, and made-up studies to try."""

    phantoms_only: bool = False
    limits: Limits = Limits()
    samples: Sequence[Sample] = ()
    cohort: Cohort | None = None
    cases: Cases | None = None


def create_app(content: Content, jobs: Jobs | None, doors: Doors) -> Flask:
    """The app, for a server to run while ``jobs`` are being worked at; without jobs no study can be given."""
    app = Flask("lstv.review", static_folder=None, template_folder=None)
    app.request_class = uploads.UploadRequest
    app.config.update(
        MAX_CONTENT_LENGTH=content.limits.upload_bytes,
        MAX_FORM_PARTS=content.limits.files + 10,
    )
    app.jinja_options = {"trim_blocks": True, "lstrip_blocks": True, "undefined": jinja2.StrictUndefined}
    app.jinja_loader = jinja2.FileSystemLoader([_HERE / "templates", _REPORT])
    app.jinja_env.filters.update(templating.FILTERS)
    app.jinja_env.globals.update(
        csrf=csrf_token, levels=LEVELS, junction=JUNCTION, colours=LEVEL_COLOURS, content=content
    )
    doors.install(app)
    app.register_error_handler(Exception, _as_sentence(content.limits))
    app.add_url_rule("/shared/<name>", "shared", _shared)
    if jobs is not None:
        app.register_blueprint(analyze_pages.blueprint(content, jobs))
    if content.cohort is not None:
        app.register_blueprint(cohort_pages.blueprint(content.cohort, content.cases))
    if content.cases is not None:
        app.register_blueprint(reading_pages.blueprint(content.cases, for_readers_only=content.cohort is None))
    home = "analyze.home" if content.cases is None else "reading.read"
    home = home if content.cohort is None else "cohort.home"
    app.jinja_env.globals.update(with_analysis=jobs is not None, with_cohort=content.cohort is not None, home=home)
    app.add_url_rule("/", "home", lambda: redirect(url_for(home)))
    return app


def _shared(name: str) -> Response:
    if name == "levels.css":
        text = "".join(f".level-{level} {{ --level: {colour}; }}\n" for level, colour in LEVEL_COLOURS.items())
        return Response(text, mimetype="text/css")
    path = _SHARED.get(name)
    if path is None:
        raise StudyError("there is no such file.")
    return Response(path.read_bytes(), mimetype=_TYPES[path.suffix])


_SENTENCES = {
    404: "there is no such page; begin at the app's first page.",
    405: "the page cannot be asked for in this way; begin at the app's first page.",
    400: "the request is not one that the app's pages make; reload the page and try again.",
}
"""For what a browser asks of the app and the app's own code says nothing about."""


def _as_sentence(limits: Limits) -> Callable[[Exception], tuple[Response | str, int]]:
    def answer(error: Exception) -> tuple[Response | str, int]:
        if isinstance(error, RequestEntityTooLarge):
            status, sentence = 413, uploads.too_large(limits)
            if request.content_length is not None and request.content_length <= limits.upload_bytes:
                sentence = uploads.too_many(limits)
        elif isinstance(error, HTTPException):
            status = error.code or 500
            own = type(error).description != error.description
            sentence = str(error.description) if own else _SENTENCES.get(status, _SENTENCES[400])
        elif isinstance(error, (StudyError, UserError)):
            status, sentence = 400, str(error)
        else:
            traceback.print_exception(error, file=sys.stderr)
            status = 500
            sentence = "the app met an error that it did not expect; the terminal in which it runs says more."
        if request.accept_mimetypes.best == "application/json":
            return jsonify(sentence=sentence), status
        title = HTTPStatus(status).phrase if status in set(HTTPStatus) else "Error"
        return render_template("refused.html.j2", title=title, sentence=sentence), status

    return answer
