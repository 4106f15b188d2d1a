"""The verdict store: nothing that was saved is lost, whoever writes at the same time and whatever tears a line."""

from __future__ import annotations

import csv
import errno
import json
import os
import threading
from datetime import datetime

import pytest

from lstv.base import atomic
from lstv.base.errors import UserError
from lstv.cohort.labels import read_labels
from lstv.review import label_rows
from lstv.review.store import AGAIN, FIRST, VerdictStore, reader_name

QUEUE = "0123456789abcdef"
NORMAL = {"verdict": "normal"}
FUSED = {"verdict": "sacralization", "castellvi": "III", "side": "both"}


@pytest.fixture
def store(tmp_path) -> VerdictStore:
    return VerdictStore(tmp_path / "readings", QUEUE)


def held(store: VerdictStore, reader: str) -> dict[tuple[str, int], str]:
    return {key: saved.verdict.verdict for key, saved in store.latest(reader).items()}


def test_the_latest_verdict_holds_and_every_change_is_kept(store):
    store.add("AB", "s1", NORMAL, seconds=12.34)
    store.add("AB", "s2", NORMAL)
    store.add("AB", "s1", FUSED, blinded=False)
    assert held(store, "AB") == {("s1", FIRST): "sacralization", ("s2", FIRST): "normal"}
    assert [line["verdict"]["verdict"] for line in store.history("AB")] == ["normal", "normal", "sacralization"]
    assert store.history("AB")[0]["seconds"] == 12.3
    assert not store.latest("AB")["s1", FIRST].blinded


def test_undo_takes_back_one_verdict_after_the_other_and_is_kept_too(store):
    store.add("AB", "s1", NORMAL)
    store.add("AB", "s1", FUSED)
    assert store.undo("AB").verdict.verdict == "sacralization"
    assert held(store, "AB") == {("s1", FIRST): "normal"}
    assert store.undo("AB").verdict.verdict == "normal"
    assert store.undo("AB") is None
    assert held(store, "AB") == {}
    assert len(store.history("AB")) == 4


def test_undo_is_of_the_verdict_that_the_reader_means(store):
    first = store.add("AB", "s1", NORMAL)
    last = store.add("AB", "s1", FUSED)  # the same study, from another window
    for other in (first.at, "2026-01-01T00:00:00.000Z"):
        with pytest.raises(UserError, match="no longer your last one"):
            store.undo("AB", other)
    assert len(store.history("AB")) == 2
    assert store.undo("AB", last.at) == last
    assert store.history("AB")[-1]["of"] == last.at
    assert store.undo("AB", first.at) == first


def test_no_two_lines_of_a_reader_have_one_time_even_when_the_clock_goes_back(store, monkeypatch):
    class Clock(datetime):
        @classmethod
        def now(cls, zone=None):
            return cls.fromisoformat(next(times)).astimezone(zone)

    times = iter([f"2026-03-01T10:00:0{second}.500Z" for second in (3, 3, 1, 7)])
    monkeypatch.setattr("lstv.review.store.datetime", Clock)
    given = [store.add("AB", "s1", NORMAL).at for _ in range(3)]
    store.undo("AB", given[-1])
    given.append(store.history("AB")[-1]["at"])
    assert given == [f"2026-03-01T10:00:0{end}Z" for end in ("3.500", "3.501", "3.502", "7.500")]


def test_an_undoing_that_names_no_verdict_is_of_the_last_one(store):
    store.add("AB", "s1", NORMAL)
    store.add("AB", "s2", FUSED)
    with store.path("AB").open("a") as stream:
        stream.write(
            json.dumps({"undo": True, "reader": "AB", "at": "2026-01-01T00:00:00.000Z", "queue": store.queue}) + "\n"
        )
    assert held(store, "AB") == {("s1", FIRST): "normal"}


def test_undo_leaves_the_verdicts_on_another_queue(tmp_path):
    earlier, later = (VerdictStore(tmp_path, queue) for queue in ("earlier", "later"))
    earlier.add("AB", "s1", NORMAL)
    later.add("AB", "s2", NORMAL)
    earlier.add("AB", "s3", NORMAL)
    assert later.undo("AB").study_id == "s2" and later.undo("AB") is None
    assert set(held(earlier, "AB")) == {("s1", FIRST), ("s3", FIRST)}


def test_a_verdict_on_another_queue_takes_no_place(tmp_path):
    earlier, later = (VerdictStore(tmp_path, queue) for queue in ("earlier", "later"))
    earlier.add("AB", "s1", FUSED)
    later.add("AB", "s1", NORMAL)
    assert {
        queue: saved.verdict.verdict for queue in ("earlier", "later") for saved in later.latest("AB", queue).values()
    } == {
        "earlier": "sacralization",
        "later": "normal",
    }
    assert [row["queue"] for row in label_rows.of_store(later, "earlier")] == ["earlier"]
    assert held(later, "AB") == {("s1", FIRST): "normal"}


def test_a_second_reading_stands_beside_the_first(store):
    store.add("AB", "s1", NORMAL)
    store.add("AB", "s1", FUSED, repeat=AGAIN)
    assert held(store, "AB") == {("s1", FIRST): "normal", ("s1", AGAIN): "sacralization"}


def test_spellings_of_a_name_are_one_reader_and_other_names_are_not(store):
    store.add(" Jörg  B. ", "s1", NORMAL)
    store.add("jo\u0308rg b.", "s2", NORMAL)
    store.add("Jurg B.", "s3", NORMAL)
    assert store.readers() == ["Jurg B.", "Jörg B."]
    assert {saved.reader for saved in store.latest("JÖRG B.").values()} == {"Jörg B."}
    assert len(list(store.folder.glob("*.jsonl"))) == 2


@pytest.mark.parametrize("name", ["", "  ", None, "a\x00b", "x" * 81])
def test_names_that_are_none(name):
    with pytest.raises(UserError, match="name"):
        reader_name(name)


@pytest.mark.parametrize("name", ["../../etc/passwd", "a/b", "..", "読影者", ".hidden"])
def test_any_name_stays_in_the_folder(store, name):
    store.add(name, "s1", NORMAL)
    assert [path.parent for path in store.folder.parent.rglob("*.jsonl")] == [store.folder]
    assert held(store, name) == {("s1", FIRST): "normal"}


@pytest.mark.parametrize(
    ("study_id", "answers", "repeat", "sentence"),
    [
        ("../x", NORMAL, 0, "cannot name a file"),
        ("s1", {"verdict": "sick"}, 0, "the verdict on study s1: verdict 'sick' is not one of"),
        ("s1", NORMAL, 2, "repeat is 2"),
    ],
)
def test_what_is_refused_leaves_nothing(store, study_id, answers, repeat, sentence):
    with pytest.raises(UserError, match=sentence):
        store.add("AB", study_id, answers, repeat=repeat)
    assert store.readers() == []


def test_two_readers_and_two_windows_at_a_time(store):
    def read(name: str, first: int) -> None:
        own = VerdictStore(store.folder, QUEUE)
        for number in range(first, first + 25):
            own.add(name, f"s{number}", NORMAL)

    threads = [threading.Thread(target=read, args=a) for a in (("AB", 0), ("AB", 25), ("CD", 0), ("ab", 50))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store.latest("AB")) == 75 and len(store.latest("CD")) == 25
    assert {line["reader"].lower() for line in store.history("AB")} == {"ab"}


@pytest.mark.parametrize("kept", [1, 30, -30, -3, -2])
def test_a_line_that_a_crash_tore_costs_only_itself(store, kept):
    store.add("AB", "s1", NORMAL)
    whole = store.path("AB").read_bytes()
    store.add("AB", "s2", {**FUSED, "comment": "größer"})
    torn = store.path("AB").read_bytes()[len(whole) :]
    store.path("AB").write_bytes(whole + torn[:kept])
    assert held(store, "AB") == {("s1", FIRST): "normal"}
    store.add("AB", "s3", FUSED)
    assert held(store, "AB") == {("s1", FIRST): "normal", ("s3", FIRST): "sacralization"}


@pytest.mark.parametrize("line", ["study s1 is normal", "[1]", '{"verdict": "normal"}', '{"reader": "AB"}'])
def test_other_damage_is_named_and_not_passed_over(store, line):
    store.add("AB", "s1", NORMAL)
    with open(store.path("AB"), "a", encoding="utf-8") as stream:
        stream.write(line + "\n")
    with pytest.raises(UserError, match="restore"):
        store.latest("AB")


def test_a_full_disk_leaves_no_half_line(store, monkeypatch):
    store.add("AB", "s1", NORMAL)
    before = store.path("AB").read_bytes()
    write = os.write

    def full(stream: int, content: bytes) -> int:
        if not content.startswith(b"{"):
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(stream, content[:20])

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(UserError, match="no space"):
        store.add("AB", "s2", NORMAL)
    monkeypatch.undo()
    assert store.path("AB").read_bytes() == before


def test_the_label_file_of_all_readers(store, tmp_path):
    store.add("AB", "007", FUSED, seconds=9.5)
    store.add("AB", "8", NORMAL)
    store.add("CD", "007", {"verdict": "other", "comment": "=SUM(A1), odd\n disc"})
    path = tmp_path / "labels.csv"
    atomic.write_csv(path, label_rows.COLUMNS, label_rows.of_store(store))
    file = read_labels(path)
    assert [(r.study_id, r.label, r.reader, r.castellvi) for r in file.readings] == [
        ("007", True, "AB", "III"),
        ("8", False, "AB", "none"),
        ("007", None, "CD", ""),
    ]
    with open(path, newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert (rows[0]["castellvi"], rows[0]["side"], rows[0]["seconds"], rows[0]["queue"]) == (
        "IIIb",
        "both",
        "9.5",
        QUEUE,
    )
    assert rows[2]["comment"] == "'=SUM(A1), odd disc"


def test_lines_are_plain_json_with_time_and_reader(store):
    store.add("AB", "s1", NORMAL)
    (line,) = store.path("AB").read_text().splitlines()
    record = json.loads(line)
    assert record["reader"] == "AB" and record["queue"] == QUEUE and record["at"].endswith("Z")
