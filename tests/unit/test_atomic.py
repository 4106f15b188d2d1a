"""The one writer: complete or not there, nothing left behind, what a disk refuses in one sentence, no formula in a CSV."""

from __future__ import annotations

import csv
import errno
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lstv.base import atomic, cli, tables
from lstv.base.errors import UserError


def only(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("length", [1, 100, 255])
@pytest.mark.fault("names of up to 255 characters", "written")
def test_every_name_that_a_file_can_have_can_be_written(tmp_path, length):
    path = tmp_path / ("n" * length)
    atomic.write_text(path, "a")
    atomic.write_text(path, "b")
    assert path.read_text() == "b" and only(tmp_path) == [path.name]


def test_a_block_that_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.txt"
    atomic.write_text(path, "old")
    with pytest.raises(KeyError), atomic.replacing(path) as temporary:
        temporary.write_text("half")
        raise KeyError
    assert path.read_text() == "old" and only(tmp_path) == ["a.txt"]


def test_folders_are_replaced_whole(tmp_path):
    target = tmp_path / "folder"
    for name in ("first", "second"):
        with atomic.replacing(target) as temporary:
            temporary.mkdir()
            (temporary / name).touch()
        assert only(target) == [name]
    assert only(tmp_path) == ["folder"]


def test_a_private_file_is_private_from_its_first_byte(tmp_path):
    atomic.write_bytes(tmp_path / "key", b"k", mode=0o600)
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "no space or no free inodes left"),
        (errno.EDQUOT, "the quota is used up"),
        (errno.EROFS, "name a place that you can write to"),
        (errno.EACCES, "name a place that you can write to"),
        (errno.EIO, "look at its disk"),
    ],
)
@pytest.mark.fault(
    "a disk that is full, over quota, read-only, refusing or failing",
    "one sentence, the old file stays, nothing else is left",
)
def test_what_a_disk_refuses_is_one_sentence(tmp_path, monkeypatch, number, words):
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    path = tmp_path / "a.txt"
    atomic.write_text(path, "old")
    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(UserError, match=words) as caught:
        atomic.write_text(path, "new")
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)
    monkeypatch.undo()
    assert path.read_text() == "old" and only(tmp_path) == ["a.txt"]


def test_a_disk_that_fills_up_while_the_block_writes(tmp_path):
    with pytest.raises(UserError, match="no space"), atomic.replacing(tmp_path / "a"):
        raise OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(FileNotFoundError), atomic.replacing(tmp_path / "a"):
        raise FileNotFoundError(errno.ENOENT, "not of this file", "/elsewhere")
    assert only(tmp_path) == []


@pytest.mark.fault("a power cut after a file was finished", "it was on the disk before it got its name")
def test_it_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    done = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: done.append("fsync"))
    rename = os.replace
    monkeypatch.setattr(os, "replace", lambda *names: (done.append("rename"), rename(*names)))
    atomic.write_text(tmp_path / "a", "text")
    assert done == ["fsync", "rename", "fsync"]


@pytest.mark.fault("temporary files of killed runs", "removed by the next that writes there")
def test_leftovers_of_the_dead_are_removed_and_those_of_the_living_kept(tmp_path):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    host = atomic.temporary_name(tmp_path / "a").name.split(".")[-2].split("@")[0]
    names = [
        f".a.h5.{host}@{dead.pid}.tmp",
        f".b.json.{dead.pid}.tmp",
        f".c.{host}.{os.getppid()}.tmp",
        ".d.elsewhere.1.tmp",
    ]
    names += [".e.elsewhere@1.tmp", "notes.tmp", ".hidden"]
    for name in names:
        (tmp_path / name).write_text("")
    os.utime(tmp_path / names[3], (time.time() - 7200,) * 2)
    (tmp_path / f".f.{dead.pid}.tmp").mkdir()
    atomic.remove_leftovers.cache_clear()
    atomic.write_text(tmp_path / "new", "")
    assert only(tmp_path) == sorted([names[2], names[4], "notes.tmp", ".hidden", "new"])


CELLS = ["=1+1", "+cmd", "-cmd|x", "@sum", "\uff1d1", "'", "'=1", "plain", "-1.5", "+2e3", "-", "", "a=b", " =1"]


@pytest.mark.fault("text that a spreadsheet takes for a formula", "harmless in every CSV, and read back as it was")
def test_no_cell_is_a_formula_and_every_cell_is_read_back(tmp_path):
    path = tmp_path / "a.csv"
    atomic.write_csv(path, ("n", "x"), [{"n": n, "x": cell} for n, cell in enumerate(CELLS)])
    with open(path, newline="") as stream:
        raw = [row["x"] for row in csv.DictReader(stream)]
    for cell in raw:
        assert not cell.startswith(("=", "@", "\uff1d")) and (not cell.startswith(("+", "-")) or float(cell))
    read = [row["x"] for row in tables.read_table(path, ("x",))]
    assert read == [cell.strip() for cell in CELLS if cell != "'=1"][:6] + ["=1"] + [c.strip() for c in CELLS[7:]]


@pytest.mark.parametrize(
    "text",
    [
        "sep=,\r\n study_id ,series_dir\r\na, x \r\n",
        "\ufeffstudy_id,series_dir\na,x\n",
        'study_id,"series_dir "\n"a","x"\n\n,,\n',
        "study_id,series_dir,\na,x,\n",
    ],
)
@pytest.mark.fault("`sep=,`, byte order mark, blanks or quotes in a header", "read")
def test_sheets_as_programs_write_them(tmp_path, text):
    (tmp_path / "s.csv").write_text(text, newline="")
    (row,) = tables.read_table(tmp_path / "s.csv", ("study_id", "series_dir"))
    assert row == {"study_id": "a", "series_dir": "x"}


def test_a_column_that_is_there_twice_is_refused(tmp_path):
    (tmp_path / "s.csv").write_text("study_id,series_dir,study_id\na,x,b\n")
    with pytest.raises(UserError, match="has two columns study_id"):
        tables.read_table(tmp_path / "s.csv", ("study_id",))


@pytest.mark.fault("accents composed in another way than on the disk", "the folder is found")
def test_an_accent_in_two_ways_is_one_folder(tmp_path):
    composed = tmp_path / "M\u00fcnchen"
    composed.mkdir()
    assert tables.existing(str(tmp_path / "Mu\u0308nchen")) == str(composed)
    assert tables.existing(str(tmp_path / "None")) == str(tmp_path / "None")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "the output cannot be written: no space"),
        (PermissionError(errno.EACCES, "Permission denied", "/x/y"), "/x/y cannot be used (Permission denied)"),
        (MemoryError(), "there is not enough memory"),
        (RuntimeError("CUDA out of memory. Tried to allocate"), "memory is too small"),
    ],
)
@pytest.mark.fault("out of memory, no permission, no space in any program", "one sentence, exit 2")
def test_a_program_ends_with_one_sentence(capsys, error, words):
    def main() -> int:
        raise error

    assert cli.run(main) == 2
    told = capsys.readouterr().err
    assert told.startswith("Error: ") and words in told and told.count("\n") == 1


def test_mistakes_of_a_program_keep_their_traceback():
    def main() -> int:
        raise RuntimeError("a mistake")

    with pytest.raises(RuntimeError):
        cli.run(main)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.fault("the log itself on a full disk", "one sentence, exit 2")
def test_a_log_on_a_full_disk_is_one_sentence():
    code = "import sys; sys.path.insert(0, 'scripts'); from lstv.base.cli import run; sys.exit(run(lambda: print('x') or 0))"
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-c", code], stdout=full, stderr=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]
        )
    assert done.returncode == 2 and "Traceback" not in done.stderr and "no space" in done.stderr, done.stderr
