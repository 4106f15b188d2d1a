"""Decoding in worker processes: one bad study is one row, whatever it does to its process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from lstv.base.errors import UserError
from lstv.base.processes import bounded_memory
from lstv.cohort.study_sheet import Row
from lstv.localizer import decoding
from lstv.localizer.ahead import Ahead
from lstv.localizer.options import Options
from lstv.localizer.outcome import NotAnalysed

ROWS = [Row(name, "s", f"/data/{name}") for name in "abcdefghijklm"]


def _fine(row: Row) -> NotAnalysed:
    return NotAnalysed(row.study_id, "excluded", "fine", row.series_id)


def _segfault(row, *_):
    if row.study_id == "b":
        os.kill(os.getpid(), signal.SIGSEGV)
    return _fine(row)


def _killed(row, *_):
    if row.study_id == "b":
        os.kill(os.getpid(), signal.SIGKILL)
    return _fine(row)


def _hang(row, *_):
    while row.study_id == "b":
        pass
    return _fine(row)


def _greedy(row, *_):
    if row.study_id == "b":
        np.ones(300 << 20, dtype=np.uint8)
    return _fine(row)


class _Panic(BaseException):
    """As pyo3 raises them; that of another module can be pickled no more than this one."""

    def __reduce__(self):
        raise TypeError("cannot be pickled")


def _panic(folder, **_):
    raise _Panic("rust")


STARTS = {"fork", "spawn"} if decoding._first_start() == "fork" else {"spawn"}
"""No worker may be a copy of a process with torch, as that of the tests is where another test's file has imported it."""


@pytest.fixture(autouse=True, params=sorted(STARTS))
def start(request, monkeypatch):
    """Workers as copies of this process, and started anew; what a study does to either costs the same."""
    monkeypatch.setattr(decoding, "_first_start", lambda: request.param)
    return request.param


def _all(monkeypatch, call, **options) -> dict[str, NotAnalysed]:
    monkeypatch.setattr(decoding, "prepare", call)
    found = list(decoding.prepared_studies(ROWS, False, Options(workers=2, **options)))
    assert [study.study_id for study in found] == list("abcdefghijklm")
    return {study.study_id: study for study in found}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("call", "options", "reason"),
    [
        (_segfault, {}, "a DICOM decoder crashed (SIGSEGV) on its images"),
        (_killed, {}, "was killed twice, probably because memory ran out"),
        (_hang, {"study_seconds": 0.5}, "took longer than 0.5 s"),
    ],
)
def test_what_takes_a_process_down_costs_one_study(monkeypatch, call, options, reason):
    found = _all(monkeypatch, call, **options)
    assert {study for study, outcome in found.items() if outcome.reason != "fine"} == {"b"}
    assert found["b"].status == "failed" and reason in found["b"].reason
    assert "/data" not in found["b"].reason


def _sometimes_killed(row, *_):
    mark = Path(os.environ["LSTV_TEST_MARK"])
    if row.study_id == "b" and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return _fine(row)


@pytest.mark.slow
def test_a_process_killed_once_costs_nothing(monkeypatch, tmp_path):
    monkeypatch.setenv("LSTV_TEST_MARK", str(tmp_path / "mark"))
    assert {outcome.reason for outcome in _all(monkeypatch, _sometimes_killed).values()} == {"fine"}


@pytest.mark.slow
def test_a_worker_that_dies_between_two_studies_costs_none(monkeypatch):
    monkeypatch.setattr(decoding, "prepare", _only_fine)
    studies = decoding.prepared_studies(ROWS * 3, False, Options(workers=1))
    found = [next(studies)]
    time.sleep(0.5)  # let it become idle
    for child in _children():
        os.kill(child, signal.SIGKILL)
    assert {study.reason for study in [*found, *studies]} == {"fine"}


class _Unstartable:
    """What ends a process as soon as it is handed to it."""

    def __reduce__(self):
        return os._exit, (3,)


def test_a_process_that_does_not_start_is_no_fault_of_a_study(monkeypatch):
    monkeypatch.setattr(decoding, "_first_start", lambda: "spawn")  # nothing is handed to a copy
    monkeypatch.setattr(decoding, "prepare", _Unstartable())
    with pytest.raises(UserError, match=r"ended while it started \(status 3\)"):
        list(decoding.prepared_studies(ROWS, False, Options(workers=1)))


def _only_fine(row, *_):
    return _fine(row)


def _children() -> list[int]:
    commands = {pid: Path(f"/proc/{pid}/cmdline").read_bytes() for pid in _children_of(os.getpid())}
    return [pid for pid, command in commands.items() if b"resource_tracker" not in command]


def _children_of(pid: int) -> list[int]:
    """Also of its threads: workers are started by one."""
    lists = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for path in lists for child in path.read_text().split()]


@pytest.mark.slow
def test_nothing_is_left_running(monkeypatch):
    monkeypatch.setattr(decoding, "prepare", _only_fine)
    studies = decoding.prepared_studies(ROWS, False, Options(workers=2))
    next(studies)
    assert _children()
    studies.close()
    assert not _children()


@pytest.mark.slow
def test_who_gives_up_does_not_wait_for_the_study_at_hand(monkeypatch):
    """As Ctrl-C does: the thread that takes the studies waits for one that would take ten minutes."""
    monkeypatch.setattr(decoding, "prepare", _hang)
    rows = [row for row in ROWS if row.study_id == "b"]
    ahead = Ahead(decoding.prepared_studies(rows, False, Options(workers=1, study_seconds=600)))
    ahead.__enter__()
    while not _children():
        time.sleep(0.05)
    leaving = threading.Thread(target=ahead.__exit__, daemon=True)
    leaving.start()
    leaving.join(60)
    assert not leaving.is_alive() and not _children()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the limit is one of Linux")
def test_memory_is_bounded(monkeypatch):
    def of(memory_mb):
        with bounded_memory(memory_mb):
            return np.ones(300 << 20, dtype=np.uint8).nbytes

    with pytest.raises(MemoryError):
        of(100)
    assert of(600) == 300 << 20


def test_a_panic_is_the_reason_of_its_study(monkeypatch):
    from lstv.localizer import prepare

    monkeypatch.setattr(prepare, "read_volume", _panic)
    outcome = prepare.prepare(ROWS[0], "trained", (), False, False)
    assert (outcome.status, outcome.reason) == ("failed", "unexpected _Panic: rust")


def test_reasons_fit_into_files(monkeypatch):
    from lstv.base.errors import StudyError
    from lstv.localizer import prepare

    def refuse(folder, **_):
        raise StudyError("M\udcfcller\0 \x1b[31m " + "x" * 10_000)

    monkeypatch.setattr(prepare, "read_volume", refuse)
    reason = prepare.prepare(ROWS[0], "trained", (), False, False).reason
    assert reason.isprintable() and len(reason) <= 500 and reason.startswith("M\\udcfcller\\x00 \\x1b[31m xxx")
    reason.encode()


_PARENT = """
import sys, time
sys.path[:0] = {paths!r}
import test_decoding
from lstv.localizer import decoding
from lstv.localizer.options import Options
decoding.prepare, decoding._first_start = test_decoding._hang, lambda: {start!r}
if __name__ == "__main__":
    rows = [row for row in test_decoding.ROWS if row.study_id == "b"]
    print("go", flush=True)
    list(decoding.prepared_studies(rows, False, Options(workers=1)))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="asks the system of Linux")
def test_workers_die_with_their_parent(tmp_path, start):
    script = tmp_path / "parent.py"
    script.write_text(
        _PARENT.format(paths=[str(Path(decoding.__file__).parents[2]), str(Path(__file__).parent)], start=start)
    )
    parent = subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE)
    parent.stdout.readline()
    child = _wait(lambda: _busy_child(parent.pid))
    parent.kill()
    parent.wait()
    assert _wait(lambda: not _running(child))


def _busy_child(pid: int) -> int:
    for child in _children_of(pid):
        busy = float(Path(f"/proc/{child}/stat").read_text().rsplit(")", 1)[1].split()[11]) > 100  # ticks of CPU
        if busy:
            return int(child)
    return 0


def _running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def _wait(condition, seconds: float = 60.0):
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end
        time.sleep(0.05)
    return found


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="workers are copies of their process on Linux only")
@pytest.mark.skipif("fork" in STARTS, reason="this process has no torch, so the tests above have run on copies of it")
def test_all_of_this_in_a_process_without_torch():
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:xdist",
        "-k",
        "fork and not without_torch",
    ]
    done = subprocess.run([*command, __file__], capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert done.returncode == 0 and "passed" in done.stdout and "skipped" not in done.stdout, done.stdout[-3000:]
