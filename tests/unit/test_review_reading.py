"""Blinded reading in the app: saved at once through the store, two readers at a time, a sentence where something is gone."""

from __future__ import annotations

import json
import os
import shutil
import signal
import threading
import time
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("flask")

import reading_cases as made
from lstv.base.errors import UserError
from lstv.cohort.labels import read_labels
from lstv.cohort.study_sheet import write_sheet
from lstv.evaluation.queue_weights import weighted
from lstv.ranking.review_queue import build_queue
from lstv.review import app as review_app
from lstv.review import series_reader
from lstv.review.cohort_files import TABLE, Cohort
from lstv.review.doors import Doors
from lstv.review.reading_cases import Cases

COUNT = 4
NORMAL = {"verdict": "normal"}


@pytest.fixture(scope="module")
def cohort(tmp_path_factory) -> made.Cases:
    return made.make(tmp_path_factory.mktemp("cohort"), COUNT, ambiguous=2)


@pytest.fixture
def results(cohort, tmp_path) -> Path:
    """Results of a cohort of which all studies are queued."""
    folder = tmp_path / "results/made"
    folder.mkdir(parents=True)
    shutil.copy(cohort.folder / "queue.json", folder / "review_queue.json")
    shutil.copy(cohort.folder / "table.csv", folder / TABLE)
    write_sheet(list(cohort.rows.values()), folder / "study_sheet.csv")
    return folder


@pytest.fixture
def app(results, tmp_path):
    cohort = Cohort(results)
    cases = Cases(cohort, tmp_path / "series")
    yield review_app.create_app(review_app.Content(cohort=cohort, cases=cases), None, Doors())
    cases.close()


@pytest.fixture
def client(app):
    return app.test_client()


def queue_of(results: Path) -> str:
    return json.loads((results / "review_queue.json").read_text())["digest"]


def post(client, path: str, given: dict):
    token = client.get("/reading/session").get_json()["csrf"]
    headers = {"X-CSRF-Token": token, "Accept": "application/json"}
    return client.post(f"/reading/{path}", json=given, headers=headers)


def say(client, results: Path, **more):
    given = {"reader": "AB", "queue": queue_of(results), "case": "case_001", "repeat": 0, "answers": NORMAL}
    return post(client, "verdicts", {**given, "seconds": 3.2, "blinded": True, **more})


def undo(client, results: Path, verdict: str | None = None):
    """Take back the verdict with this id, or the last one that was saved."""
    told = saved(client)
    gone = {said["of"] for said in told if "undo" in said}
    given = [said["id"] for said in told if "id" in said and said["id"] not in gone]
    name = verdict or (given[-1] if given else "none")
    return post(client, "undo", {"reader": "AB", "queue": queue_of(results), "id": name})


def saved(client, reader: str = "AB") -> list[dict]:
    return client.get("/reading/verdicts", query_string={"reader": reader}).get_json()["saved"]


def test_the_page_is_that_of_the_bundle_with_the_apps_saver_before_the_last_script(client):
    text = client.get("/reading/").get_data(as_text=True)
    assert text.index("files/cases.js") < text.index("files/saver.js") < text.index("files/reading.js")
    for name in ("viewer.js", "viewer.css", "reading_log.js", "cases.js", "saver.js", "reading.js", "reading.css"):
        assert client.get(f"/reading/files/{name}").status_code == 200, name
    assert client.get("/reading/files/app.py").status_code == 404


def test_what_a_reader_gets_says_nothing_of_score_rank_or_reasons(client, results):
    given = [client.get(f"/reading/files/{name}").data for name in ("cases.js", "viewer.js", "reading.js")]
    series = f"/reading/series/{queue_of(results)}/case_001.js"
    given += [client.get("/reading/").data, client.get(series).data, client.get("/reading/readers").data]
    hidden = [b"label changes", b"0.987123", b"sampling_fraction", b"flagged", b"5.31000"]
    assert [word for word in hidden for text in given if word in text] == []


def test_a_verdict_is_on_the_disk_before_the_answer(client, results):
    answer = say(client, results, answers={"verdict": "sacralization", "castellvi": "III", "side": "both"})
    assert answer.status_code == 200 and answer.get_json()["at"]
    (line,) = [json.loads(line) for path in (results / "verdicts").glob("*.jsonl") for line in path.open()]
    assert (line["reader"], line["verdict"]["castellvi"], line["seconds"]) == ("AB", "III", 3.2)
    (reading,) = read_labels(results / "verdicts/labels.csv").readings
    assert (reading.study_id, reading.label, reading.reader) == (line["study_id"], True, "AB")
    assert client.get("/reading/labels.csv").data == (results / "verdicts/labels.csv").read_bytes()
    (said,) = saved(client)
    assert (said["case"], said["answers"]["verdict"], said["blinded"]) == ("case_001", "sacralization", True)


def test_a_change_and_an_undo_keep_what_was_before(client, results):
    say(client, results)
    say(client, results, answers={"verdict": "other"})
    assert undo(client, results).status_code == 200
    assert [("undo" in said) or said["answers"]["verdict"] for said in saved(client)] == ["normal", "other", True]
    (reading,) = read_labels(results / "verdicts/labels.csv").readings
    assert reading.label is False
    undo(client, results)
    answer = undo(client, results)
    assert answer.status_code == 400 and "no verdict to take back" in answer.get_json()["sentence"]


def test_undo_takes_back_what_the_page_shows_or_nothing(client, results):
    say(client, results)
    say(client, results, answers={"verdict": "other"})  # the same case in another window
    first, second = (said["id"] for said in saved(client))
    for other in (first, "2026-01-01T00:00:00.000Z"):
        answer = undo(client, results, other)
        assert answer.status_code == 400 and "no longer your last one" in answer.get_json()["sentence"]
    assert post(client, "undo", {"reader": "AB", "queue": queue_of(results)}).status_code == 400
    assert [said["id"] for said in saved(client)] == [first, second]
    assert undo(client, results, second).get_json() == {"of": second}
    assert saved(client)[-1] == {"undo": True, "of": second}
    assert undo(client, results, first).status_code == 200


def test_what_was_read_can_be_weighted_when_the_queue_is_drawn_again(client, results):
    drawn = json.loads((results / "review_queue.json").read_text())
    say(client, results)
    say(client, results, reader="CD")
    other = build_queue(made.table(COUNT), ambiguous=2, sample=2, localizer=0, seed=99)
    (results / "review_queue.json").write_text(json.dumps(other))
    say(client, results)
    folder = results / "verdicts"
    assert json.loads((folder / f"queue-{drawn['digest']}.json").read_text()) == drawn
    earlier = read_labels(folder / f"labels-{drawn['digest']}.csv")
    assert len(earlier.readings) == 2
    with pytest.raises(UserError, match=f"verdicts/queue-{drawn['digest']}.json"):
        weighted(earlier, results / "review_queue.json")
    assert weighted(earlier, folder / f"queue-{drawn['digest']}.json").weighted
    assert weighted(read_labels(folder / "labels.csv"), folder / f"queue-{other['digest']}.json").weighted


def test_two_readers_at_a_time_lose_nothing(app, results):
    names = [f"case_{number:03d}" for number in range(1, COUNT + 1)]

    def read(reader: str) -> None:
        client = app.test_client()
        for name in names:
            assert say(client, results, reader=reader, case=name).status_code == 200

    threads = [threading.Thread(target=read, args=(reader,)) for reader in ("AB", "CD")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    client = app.test_client()
    assert [len(saved(client, reader)) for reader in ("AB", "CD")] == [COUNT, COUNT]
    assert len(read_labels(results / "verdicts/labels.csv").readings) == 2 * COUNT
    text = client.get("/cohort").get_data(as_text=True)
    assert f"AB: {COUNT} of {COUNT}" in text and f"CD: {COUNT} of {COUNT}" in text
    assert client.get("/reading/readers").get_json() == {"readers": ["AB", "CD"]}


def test_a_reader_gets_his_own_rows_of_the_label_file(client, results):
    say(client, results)
    say(client, results, reader="CD", case="case_002", answers={"verdict": "other"})
    own = client.get("/reading/labels.csv", query_string={"reader": " cd"})
    assert own.headers["Content-Disposition"] == 'attachment; filename="labels.csv"'
    header, row = own.get_data(as_text=True).splitlines()
    assert row.split(",")[header.split(",").index("reader")] == "CD" and "AB" not in row
    assert client.get("/reading/labels.csv", query_string={"reader": ""}).status_code == 400
    assert len(read_labels(results / "verdicts/labels.csv").readings) == 2
    assert client.get("/reading/labels.csv").data == (results / "verdicts/labels.csv").read_bytes()


def test_readers_get_no_label_file_of_all(results, tmp_path):
    cases = Cases(Cohort(results), tmp_path / "series")
    client = review_app.create_app(review_app.Content(cases=cases), None, Doors()).test_client()
    say(client, results)
    say(client, results, reader="CD")
    answer = client.get("/reading/labels.csv")
    assert answer.status_code == 400 and "for one reader" in answer.get_data(as_text=True)
    own = client.get("/reading/labels.csv", query_string={"reader": "AB"}).get_data(as_text=True)
    assert ",AB," in own and ",CD," not in own


def test_a_study_that_is_read_in_two_queues_has_its_verdict_in_both(client, results):
    first = json.loads((results / "review_queue.json").read_text())
    other = build_queue(made.table(COUNT), ambiguous=2, sample=2, localizer=0, seed=99)
    for queue in (first, other):
        (results / "review_queue.json").write_text(json.dumps(queue))
        for number in range(1, COUNT + 1):
            say(client, results, case=f"case_{number:03d}")
    (results / "review_queue.json").write_text(json.dumps(first))
    own = client.get("/reading/labels.csv", query_string={"reader": "AB"}).get_data(as_text=True)
    assert len(own.splitlines()) == 1 + COUNT
    client.get("/reading/labels.csv")
    assert len(read_labels(results / "verdicts/labels.csv").readings) == COUNT
    assert f"AB: {COUNT} of {COUNT}" in client.get("/cohort").get_data(as_text=True)
    assert undo(client, results).status_code == 200


def test_a_name_in_another_spelling_is_the_same_reader(client, results):
    say(client, results)
    say(client, results, reader="  ab ", case="case_002")
    assert len(saved(client, "Ab")) == 2


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"answers": {"verdict": "perhaps"}}, "is not one of normal"),
        ({"answers": {}}, "choose one of normal"),
        ({"answers": {"verdict": "normal", "castellvi": "II"}}, "only a transitional vertebra has one"),
        ({"reader": " "}, "the reader has no name"),
        ({"case": "case_999"}, "not in this reading"),
        ({"case": "../../x"}, "not in this reading"),
        ({"repeat": 7}, "repeat is 7"),
        ({"queue": "0123456789abcdef"}, "drawn again since this page was opened"),
        ({"seconds": "soon"}, "reload the page"),
        ({"answers": "normal"}, "reload the page"),
    ],
)
def test_what_cannot_be_saved_is_a_sentence_and_nothing_is_saved(client, results, more, words):
    answer = say(client, results, **more)
    assert answer.status_code == 400 and words in answer.get_json()["sentence"]
    assert not list(results.rglob("*.jsonl"))


def test_another_site_saves_nothing(client, results):
    client.get("/reading/session")
    assert client.post("/reading/verdicts", json={"reader": "AB"}).status_code == 403
    assert not (results / "verdicts").exists()


def test_a_queue_drawn_again_begins_anew_and_keeps_what_was_saved(client, results):
    say(client, results)
    other = build_queue(made.table(COUNT), ambiguous=2, sample=2, localizer=0, seed=99)
    (results / "review_queue.json").write_text(json.dumps(other))
    assert saved(client) == []
    say(client, results, case="case_002")
    assert len(saved(client)) == 1
    assert len(read_labels(results / "verdicts/labels.csv").readings) == 1
    assert sum(1 for path in (results / "verdicts").glob("*.jsonl") for _ in path.open()) == 2


def test_a_study_whose_images_are_gone_is_a_case_that_says_so(client, cohort, results, tmp_path):
    address = f"/reading/series/{queue_of(results)}/case_001.js"
    gone = [replace(row, series_dir=f"{tmp_path}/gone") for row in cohort.rows.values()]
    write_sheet(gone, results / "study_sheet.csv")
    text = client.get(address).get_data(as_text=True)
    assert text.startswith("lstv.series(") and '"reason"' in text and str(tmp_path) not in text
    answer = client.get(address.replace("case_001", "case_777"), headers={"Accept": "application/json"})
    assert answer.status_code == 400 and "no case_777 in this reading" in answer.get_json()["sentence"]


def _crash(row):
    os.kill(os.getpid(), signal.SIGSEGV)


def _hang(row):
    time.sleep(600)


@pytest.mark.slow
def test_a_decoder_that_crashes_or_hangs_costs_its_case_only(cohort, monkeypatch):
    row = next(iter(cohort.rows.values()))
    reader = series_reader.SeriesReader(seconds=60)
    try:
        with monkeypatch.context() as patched:
            patched.setattr(series_reader.series_pack, "of_study", _crash)
            assert "a DICOM decoder crashed" in reader.pack(row)["reason"]
        assert len(reader.pack(row)["frames"]) == 5
        reader._seconds = 0.1
        with monkeypatch.context() as patched:
            patched.setattr(series_reader.series_pack, "of_study", _hang)
            assert "took longer than 0.1 s" in reader.pack(row)["reason"]
    finally:
        reader.close()


class Pool:
    """Stands in for the process: keeps what it is asked for, and answers when it is told to."""

    _processes = None

    def __init__(self) -> None:
        self.asked: list[Future] = []
        self.error: Exception | None = None

    def submit(self, function, row) -> Future:
        if self.error is not None:
            raise self.error
        self.asked.append(Future())
        return self.asked[-1]

    def shutdown(self, **_) -> None:
        self.error = RuntimeError("cannot schedule new futures after shutdown")
        for asked in self.asked:
            asked.cancel()


@pytest.fixture
def pools(monkeypatch) -> list[Pool]:
    """The processes that were started."""
    found: list[Pool] = []

    def start(*_, **__) -> Pool:
        found.append(Pool())
        return found[-1]

    monkeypatch.setattr(series_reader, "Pool", start)
    return found


def told(reader: series_reader.SeriesReader, packs: list) -> threading.Thread:
    thread = threading.Thread(target=lambda: packs.append(reader.pack(None)), daemon=True)
    thread.start()
    return thread


def asked(pools: list[Pool], count: int) -> list[Future]:
    """What all processes were asked for, once it is so much."""
    for _ in range(3000):
        found = [future for pool in pools for future in pool.asked]
        if len(found) >= count:
            return found
        time.sleep(0.01)
    raise AssertionError(f"the processes are not asked for {count}")


def test_series_are_read_one_at_a_time_and_a_crash_is_that_of_its_own(pools):
    reader, packs = series_reader.SeriesReader(), []
    first = told(reader, packs)
    (one,) = asked(pools, 1)
    second = told(reader, packs)
    time.sleep(0.05)
    assert len(asked(pools, 1)) == 1, "the second waits with its time not begun"
    one.set_exception(BrokenProcessPool())
    first.join()
    assert "a DICOM decoder crashed" in packs[0]["reason"]
    asked(pools, 2)[1].set_result({"frames": []})
    second.join()
    assert packs[1] == {"frames": []} and len(pools) == 2


def test_a_process_that_was_killed_between_two_series_is_started_again(pools):
    reader, packs = series_reader.SeriesReader(), []
    reader._running().error = BrokenProcessPool()
    thread = told(reader, packs)
    asked(pools, 1)[0].set_result({"frames": []})
    thread.join()
    assert packs == [{"frames": []}] and len(pools) == 2


def test_an_app_that_ends_gives_a_reason_and_starts_no_process(pools):
    reader, packs = series_reader.SeriesReader(), []
    threads = [told(reader, packs)]
    asked(pools, 1)
    threads.append(told(reader, packs))
    reader.close()
    for thread in threads:
        thread.join()
    assert [pack["reason"] for pack in packs] == ["the app was ending; start it again and reload the page"] * 2
    assert len(pools) == 1


def test_results_that_are_removed_under_the_app_are_a_sentence(client, results):
    (results / "review_queue.json").unlink()
    text = client.get("/cohort").get_data(as_text=True)
    assert "There is no review queue" in text
    answer = client.get("/reading/")
    assert answer.status_code == 400 and "does not exist" in answer.get_data(as_text=True)


def test_for_readers_only_the_reading_is_served(results, tmp_path):
    cases = Cases(Cohort(results), tmp_path / "series")
    client = review_app.create_app(review_app.Content(cases=cases), None, Doors()).test_client()
    assert client.get("/").headers["Location"] == "/reading/"
    assert client.get("/reading/").status_code == 200
    for path in ("/cohort", f"/results/{TABLE}", "/results/review_queue.json", "/analyze"):
        assert client.get(path).status_code == 404
