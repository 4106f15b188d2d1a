"""Blinded reading in the app: the same page as in the bundle, whose verdicts are on the disk before the page goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flask import Blueprint, Response, abort, jsonify, request

from lstv.base.errors import UserError
from lstv.ranking.review_queue import Queue
from lstv.review import page
from lstv.review.doors import csrf_token
from lstv.review.reading_cases import Cases

_SAVER = Path(__file__).parent / "templates/saver.js"

SCRIPTS = (*page.SCRIPTS[:-1], _SAVER.name, page.SCRIPTS[-1])
"""The page's scripts, with the one that gives verdicts to this app before the last."""


def blueprint(cases: Cases, *, for_readers_only: bool) -> Blueprint:
    """The pages, for an app to take in; ``for_readers_only``: each gets his own verdicts, and nobody those of all."""
    pages = Blueprint("reading", __name__, url_prefix="/reading")

    @pages.get("/")
    def read() -> str:
        queue = cases.queue()
        given = cases.cohort.name, len(queue["studies"]), queue["repeated"]
        return page.html(*given, scripts=SCRIPTS, at="/reading/files/", policy=None)

    @pages.get("/files/<name>")
    def file(name: str) -> Response:
        if name == "cases.js":
            return _script(cases.script())
        if name not in (*SCRIPTS, "viewer.css", "reading.css"):
            abort(404, "there is no such file.")
        text = _SAVER.read_text(encoding="utf-8") if name == _SAVER.name else page.file_text(name)
        return Response(text, mimetype="text/css") if name.endswith(".css") else _script(text)

    @pages.get("/series/<digest>/<name>.js")
    def series(digest: str, name: str) -> Response:
        return _script(cases.series(digest, name))

    @pages.get("/session")
    def session() -> Response:
        return jsonify(csrf=csrf_token())

    @pages.get("/readers")
    def readers() -> Response:
        queue = cases.queue()
        return jsonify(readers=[reader for reader, _ in cases.progress(queue)])

    @pages.get("/verdicts")
    def verdicts() -> Response:
        return jsonify(saved=cases.history(cases.queue(), request.args.get("reader", "")))

    @pages.post("/verdicts")
    def add() -> Response:
        given = _given()
        queue = cases.current(str(given.get("queue")))
        study_id = _study(cases, queue, given)
        answers, seconds = given.get("answers"), given.get("seconds")
        if not isinstance(answers, dict) or not (seconds is None or _is_number(seconds)):
            abort(400)
        cases.keep(queue)
        saved = cases.store(queue).add(
            str(given.get("reader", "")),
            study_id,
            answers,
            repeat=given.get("repeat", 0),
            seconds=seconds,
            blinded=given.get("blinded") is not False,
        )
        cases.write_labels(queue)
        return jsonify(id=saved.at, at=saved.at, reader=saved.reader, answers=saved.verdict.record())

    @pages.post("/undo")
    def undo() -> Response:
        given = _given()
        queue = cases.current(str(given.get("queue")))
        reader, shown = str(given.get("reader", "")), given.get("id")
        if not isinstance(shown, str):
            abort(400)
        store = cases.store(queue)
        if not store.latest(reader, queue["digest"]):
            raise UserError("there is no verdict to take back.")
        taken = store.undo(reader, shown)
        cases.write_labels(queue)
        return jsonify(of=taken.at if taken else shown)

    @pages.get("/labels.csv")
    def labels() -> Response:
        queue = cases.queue()
        content: str | bytes
        if "reader" in request.args:
            content = cases.labels_of(queue, request.args["reader"])
        elif for_readers_only:
            raise UserError("the label file is given out for one reader; save it from the reading page.")
        else:
            content = cases.write_labels(queue).read_bytes()
        header = {"Content-Disposition": 'attachment; filename="labels.csv"'}
        return Response(content, mimetype="text/csv", headers=header)

    return pages


def _script(text: str | bytes) -> Response:
    return Response(text, mimetype="text/javascript")


def _given() -> dict[str, Any]:
    given = request.get_json(silent=True)
    if not isinstance(given, dict):
        abort(400)
    return given


def _study(cases: Cases, queue: Queue, given: dict[str, Any]) -> str:
    """The study that the page calls ``case``."""
    study_id = cases.by_name(queue).get(str(given.get("case")))
    if study_id is None:
        raise UserError("the verdict is of a case that is not in this reading; reload the page.")
    return study_id


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < 1e7
