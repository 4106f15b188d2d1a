"""The cases of a blinded reading in the app: the queue as it is on the disk now, the verdicts, and each case's series.

Verdicts go to ``results/<cohort>/verdicts``, a file for each reader to which is only ever added, with the label file of all
of them beside it, which ``evaluation.labels`` takes, and a copy of each queue that was read, for ``evaluation.queue``. As in
the bundle, the page knows a case by its place in the reading order and its id.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from pathlib import Path
from typing import Any

from lstv.base import atomic
from lstv.base.errors import UserError
from lstv.cohort.study_sheet import Row, read_sheet
from lstv.ranking.review_queue import Queue, read_queue
from lstv.report.pages import series_pack
from lstv.review import bundle, label_rows, page
from lstv.review.cohort_files import Cohort
from lstv.review.series_reader import SeriesReader
from lstv.review.store import VerdictStore

QUEUE, SHEET, VERDICTS, LABELS = "review_queue.json", "study_sheet.csv", "verdicts", "labels.csv"


class Cases:
    """The reading of a cohort; ``folder`` is where series are kept while the app runs."""

    def __init__(self, cohort: Cohort, folder: Path) -> None:
        self.cohort = cohort
        self._folder = folder
        self._series: defaultdict[tuple[str, str], threading.Lock] = defaultdict(threading.Lock)
        self._writing = threading.Lock()
        self._reader = SeriesReader()

    def queue(self) -> Queue:
        """The queue as it is now: a run of the workflow may have drawn another. Raises UserError where it is gone."""
        return read_queue(self.cohort.folder / QUEUE)

    def by_name(self, queue: Queue) -> dict[str, str]:
        """Study id by the name of the case, in reading order."""
        return {case.name: case.study_id for case in bundle.cases_of(queue)}

    def script(self) -> str:
        """What the page is told: cases in reading order, what can be said of them."""
        queue = self.queue()
        at = f"/reading/series/{queue['digest']}"
        cases = [page.Case(name, f"{at}/{name}.js", study_id) for name, study_id in self.by_name(queue).items()]
        return page.cases_script(self.cohort.name, queue["digest"], cases, queue["repeated"])

    def current(self, digest: str) -> Queue:
        """The queue, where it is the one that a page was made for. Raises UserError where it is another by now."""
        queue = self.queue()
        if queue["digest"] != digest:
            raise UserError(
                "the review queue was drawn again since this page was opened; reload the page. What was saved stays saved."
            )
        return queue

    def keep(self, queue: Queue) -> None:
        """Keep a copy of the queue beside the verdicts: when it is drawn again, only the copy has their weights."""
        path = self.cohort.folder / VERDICTS / f"queue-{queue['digest']}.json"
        with self._writing:
            if not path.is_file():
                atomic.write_json(path, queue)

    def store(self, queue: Queue) -> VerdictStore:
        return VerdictStore(self.cohort.folder / VERDICTS, queue["digest"])

    def history(self, queue: Queue, reader: str) -> list[dict[str, Any]]:
        """What a reader said of this queue, oldest first, as the page takes it (``reading_log.js``)."""
        names = {study_id: name for name, study_id in self.by_name(queue).items()}
        told = []
        for line in self.store(queue).history(reader):
            if line.get("queue") != queue["digest"]:
                continue
            if line.get("undo"):
                told.append({"undo": True, **({"of": line["of"]} if "of" in line else {})})
            elif line["study_id"] in names:
                shared = {key: line[key] for key in ("repeat", "seconds", "blinded", "at")}
                told.append({**shared, "id": line["at"], "case": names[line["study_id"]], "answers": line["verdict"]})
        return told

    def write_labels(self, queue: Queue) -> Path:
        """Write the label file of all readers of this queue, and return it. One with the queue in its name stays when the
        queue is drawn again."""
        path = self.cohort.folder / VERDICTS / LABELS
        with self._writing:  # of two at once the later one has to see both verdicts
            text = atomic.csv_text(label_rows.COLUMNS, label_rows.of_store(self.store(queue), queue["digest"]))
            atomic.write_text(path.with_stem(f"{path.stem}-{queue['digest']}"), text)
            atomic.write_text(path, text)
        return path

    def labels_of(self, queue: Queue, reader: str) -> str:
        """The label file of one reader of this queue: he must not see what others said."""
        rows = label_rows.rows(self.store(queue).latest(reader, queue["digest"]).values())
        return atomic.csv_text(label_rows.COLUMNS, rows)

    def progress(self, queue: Queue) -> list[tuple[str, int]]:
        """Of each reader how many studies of this queue he has read."""
        store, wanted = self.store(queue), set(self.by_name(queue).values())
        counted = []
        for reader in store.readers():
            read = {study_id for study_id, _ in store.latest(reader, queue["digest"])} & wanted
            if read:
                counted.append((reader, len(read)))
        return counted

    def series(self, digest: str, name: str) -> bytes:
        """The series of a case as the viewer loads it, made when it is first asked for. One that cannot be read, because its
        images are gone or damaged, is a case that says so."""
        queue = self.current(digest)
        study_id = self.by_name(queue).get(name)
        if study_id is None:
            raise UserError(f"there is no {name} in this reading; reload the page.")
        path = self._folder / digest / f"{name}.js"
        with self._series[digest, name]:
            if not path.is_file():
                pack = self._pack(study_id)
                if "reason" in pack:
                    return series_pack.script(pack, name)  # it may be there again when it is next asked for
                series_pack.write(path, pack, name)
            return path.read_bytes()

    def _pack(self, study_id: str) -> dict[str, Any]:
        rows: dict[str, Row] = {row.study_id: row for row in read_sheet(self.cohort.folder / SHEET)}
        if study_id not in rows:
            return series_pack.unreadable("the study is no longer in the study sheet")
        return self._reader.pack(rows[study_id])

    def close(self) -> None:
        """End the process that reads series."""
        self._reader.close()
