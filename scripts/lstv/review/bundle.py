"""The reading bundle: a folder to hand out, with the series of the queued studies in reading order and a page to read them.

Nothing in it lets a reader tell a flagged study from a sampled one. Series are named and ordered by
``reading_order`` alone, every file has the same date, and the viewer is a copy without layers. Study ids are in it, because
the label file needs them; ids that name the diagnosis would unblind, and are a matter of the study sheet. What unblinds is
the queue's own JSON file, which stays with whoever hands the bundle out.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from lstv.base import atomic
from lstv.base.errors import UserError
from lstv.cohort.study_sheet import Row
from lstv.ranking.review_queue import Queue
from lstv.report.pages import series_pack
from lstv.review import page
from lstv.review.page import Case

DATE = 946_684_800
"""Of every file, in seconds: 2000-01-01 UTC. Dates of files would tell in which order they were made."""


def cases_of(queue: Queue) -> list[Case]:
    """The cases of a queue in reading order. Raises UserError for a queue without studies."""
    if not queue["studies"]:
        raise UserError("the review queue has no study, so there is nothing to read.")
    studies = sorted(queue["studies"], key=lambda study: study["reading_order"])
    names = page.case_names(len(studies))
    return [Case(name, f"series/{name}.js", study["study_id"]) for name, study in zip(names, studies)]


def write(
    folder: Path,
    queue: Queue,
    rows: Mapping[str, Row],
    *,
    cohort: str,
    step: Callable[[str], None] = lambda status: None,
) -> int:
    """Write the bundle, whole or not at all, and return the number of series that cannot be shown.

    ``rows`` are the lines of the study sheet by study id. A series that cannot be read is a case that says so. ``step``
    hears of each case, by ``ok`` or ``without series``. Raises UserError where a study is not in the sheet.
    """
    cases = cases_of(queue)
    missing = [case.study_id for case in cases if case.study_id not in rows]
    if missing:
        raise UserError(
            f"study {missing[0]} of the review queue is not in the study sheet; give the sheet of this cohort."
        )
    unreadable = 0
    with atomic.replacing(folder) as temporary:
        (temporary / "series").mkdir(parents=True)
        for case in cases:
            pack = series_pack.of_study(rows[case.study_id])
            unreadable += "reason" in pack
            (temporary / case.file).write_bytes(series_pack.script(pack, case.name))
            step("without series" if "reason" in pack else "ok")
        texts = {name: page.file_text(name) for name in ("viewer.js", "viewer.css", *page.OWN)}
        texts["cases.js"] = page.cases_script(cohort, queue["digest"], cases, queue["repeated"])
        texts["index.html"] = page.html(cohort, len(cases), queue["repeated"])
        for name, text in texts.items():
            (temporary / name).write_text(text, encoding="utf-8")
        for path in [*temporary.rglob("*"), temporary]:
            os.utime(path, (DATE, DATE))
    return unreadable
