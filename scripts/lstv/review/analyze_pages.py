"""The pages of ``/analyze``: give a study, see how far it is, look at what came out."""

from __future__ import annotations

import io
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from flask import Blueprint, Response, abort, g, jsonify, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from lstv.base.errors import StudyError
from lstv.review import present, uploads
from lstv.review.analysis import LAYERS, SERIES, SERIES_NAME, STAGES
from lstv.review.jobs import Job, Jobs

if TYPE_CHECKING:
    from lstv.review.app import Content, Sample

_GONE = "the result is no longer kept; give the study again."


def blueprint(content: Content, jobs: Jobs) -> Blueprint:
    """The pages, for an app to take in."""
    pages = Blueprint("analyze", __name__)

    def found(job_id: str) -> Job:
        job = jobs.find(job_id)
        if job is None:
            abort(404, _GONE)
        return job

    @pages.get("/analyze")
    def home() -> str:
        return render_template("home.html.j2")

    @pages.post("/analyze")
    def give() -> AnyResponse:
        job = jobs.new()
        try:
            g.upload = uploads.Upload(job.given, content.limits)
            received = [file for _, file in request.files.items(multi=True)]
            uploads.close(file.stream for file in received)
            _drop_empty(job.given)
            if not any(job.given.iterdir()):
                raise StudyError("no file was given; choose a zip file, a folder or files.")
        except BaseException:
            jobs.drop(job)
            raise
        jobs.submit(job)
        return _to(job)

    @pages.post("/samples/<int:number>")
    def give_sample(number: int) -> AnyResponse:
        sample = _sample(number)
        job = jobs.new()
        try:
            sample.make(job.given)
        except BaseException:
            jobs.drop(job)
            raise
        jobs.submit(job)
        return _to(job)

    @pages.get("/samples/<int:number>.zip")
    def sample_file(number: int) -> Response:
        sample = _sample(number)
        with tempfile.TemporaryDirectory(dir=jobs.folder) as folder:
            sample.make(Path(folder))
            content_ = _zipped(Path(folder))
        name = f"phantom-{number}.zip"
        return Response(
            content_, mimetype="application/zip", headers={"Content-Disposition": f'attachment; filename="{name}"'}
        )

    def _sample(number: int) -> Sample:
        if not 1 <= number <= len(content.samples):
            abort(404)
        return content.samples[number - 1]

    @pages.get("/analyze/<job_id>")
    def show(job_id: str) -> tuple[str, int] | str:
        job = found(job_id)
        if job.state == "refused":
            return render_template("refused.html.j2", title="Not analysed", sentence=job.sentence)
        if job.state == "done" and job.result is not None:
            return render_template(
                "result.html.j2", job=job, result=present.page(job.result, job.out), name=SERIES_NAME
            )
        return render_template("progress.html.j2", job=job, stages=STAGES, state=_state(job))

    @pages.get("/analyze/<job_id>/state")
    def state(job_id: str) -> Response:
        return jsonify(_state(found(job_id)))

    @pages.get("/analyze/<job_id>/metrics.json")
    def metrics(job_id: str) -> Response:
        job = found(job_id)
        if job.result is None:
            abort(404, _GONE)
        return jsonify(job.result.record)

    @pages.get("/analyze/<job_id>/series.js")
    def series(job_id: str) -> Response:
        return Response(_left(found(job_id), SERIES), mimetype="text/javascript")

    @pages.get("/analyze/<job_id>/layers.json")
    def over(job_id: str) -> Response:
        return Response(_left(found(job_id), LAYERS), mimetype="application/json")

    @pages.post("/analyze/<job_id>/remove")
    def remove(job_id: str) -> AnyResponse:
        jobs.drop(found(job_id))
        return redirect(url_for("analyze.home"), 303)

    return pages


def _left(job: Job, name: str) -> bytes:
    """What an analysis left, by its name."""
    if job.result is None or not (job.out / name).is_file():
        abort(404, _GONE)
    return (job.out / name).read_bytes()


def _to(job: Job) -> AnyResponse:
    where = url_for("analyze.show", job_id=job.id)
    if request.accept_mimetypes.best == "application/json":
        return jsonify(to=where)
    return redirect(where, 303)


def _state(job: Job) -> dict[str, str | bool]:
    words = "Waiting for the study before it" if job.state == "waiting" else STAGES.get(job.stage, "Starting")
    return {"state": job.state, "stage": job.stage, "words": words, "ended": job.state in ("done", "refused")}


def _drop_empty(folder: Path) -> None:
    """A form sends an empty file for each field that was left empty."""
    for path in folder.iterdir():
        if path.stat().st_size == 0:
            path.unlink()


def _zipped(folder: Path) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(folder))
    return buffer.getvalue()
