"""A batch run again: what is taken from its earlier file or its interrupted run, and that the file comes out the same."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

import infer_heatmaps
from dicom_files import write_series
from lstv.base.errors import UserError
from lstv.base.private_files import write_list
from lstv.cohort import study_sheet
from lstv.cohort.study_sheet import Row
from lstv.dicom.stored import PHANTOM_MODEL
from lstv.localizer import heatmap_file, journal, network, reuse
from lstv.localizer.ahead import Ahead
from lstv.localizer.checkpoint import DEMO_PURPOSE
from lstv.localizer.encoding import EncodedStudy
from lstv.localizer.prepare import prepare

WIDTHS = network.Widths(stem=(4, 4, 8), planes=(4, 8, 12, 16), decoder=(16, 12, 8, 8, 8))
NAMES = ("a", "b", "c", "d", "e")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> Path:
    torch.manual_seed(1)
    path = tmp_path_factory.mktemp("net") / "net.pth"
    torch.save({"state_dict": network.LocalizerUNet(WIDTHS).state_dict(), "purpose": DEMO_PURPOSE}, path)
    return path


@pytest.fixture
def cohort(tmp_path) -> Path:
    """Five studies, one of which fails, and one that is not selected."""
    rows = []
    for index, name in enumerate(NAMES):
        volume = np.random.default_rng(index).integers(0, 1000, (7, 64, 48)).astype(np.uint16)
        write_series(tmp_path / name, volume, ManufacturerModelName=PHANTOM_MODEL)
        rows.append(Row(name, f"s-{name}", str(tmp_path / name)))
    shutil.rmtree(tmp_path / "d")
    rows.append(Row("unused", use="no", reason="not selected"))
    study_sheet.write_sheet(rows, tmp_path / "sheet.csv")
    return tmp_path / "sheet.csv"


class Counted:
    """In place of ``prepared_studies``, without processes; notes which studies are read, and ends the run after so many."""

    def __init__(self, until: int | None = None) -> None:
        self.read: list[str] = []
        self._until = until

    def __call__(self, rows, phantoms_only, options):
        for number, row in enumerate(rows):
            if number == self._until:
                raise KeyboardInterrupt
            self.read.append(row.study_id)
            yield prepare(
                row, options.preprocessing, options.offsets, phantoms_only, options.without_uids, options.centroids
            )


def infer(monkeypatch, cohort: Path, checkpoint: Path, out: Path, *options: str, until: int | None = None) -> list[str]:
    counted = Counted(until)
    monkeypatch.setattr(infer_heatmaps, "prepared_studies", counted)
    arguments = ["--sheet", cohort, "--checkpoint", checkpoint, "--out", out, "--device", "cpu", "--threads", "1"]
    infer_heatmaps.main([*map(str, arguments), *options])
    return counted.read


def test_an_earlier_file_serves_the_studies_that_are_as_they_were(monkeypatch, cohort, checkpoint, tmp_path):
    out, anew = tmp_path / "out/x.h5", tmp_path / "anew/x.h5"
    assert set(infer(monkeypatch, cohort, checkpoint, out)) == {*NAMES, "unused"}
    first = out.read_bytes()
    out.unlink()  # as Snakemake does before it runs the job
    assert infer(monkeypatch, cohort, checkpoint, out) == ["d", "unused"]  # what failed is tried again
    assert out.read_bytes() == first
    volume = np.random.default_rng(99).integers(0, 1000, (7, 64, 48)).astype(np.uint16)
    shutil.rmtree(tmp_path / "b")
    write_series(tmp_path / "b", volume, ManufacturerModelName=PHANTOM_MODEL)
    out.unlink()
    assert infer(monkeypatch, cohort, checkpoint, out) == ["b", "d", "unused"]
    assert len(infer(monkeypatch, cohort, checkpoint, anew)) == 6
    assert out.read_bytes() == anew.read_bytes() != first
    assert [path.name for path in (tmp_path / "out").iterdir() if path.name != reuse.FOLDER] == ["x.h5"]


def test_a_kept_study_says_who_made_it(monkeypatch, cohort, checkpoint, tmp_path):
    """A commit that changes no program makes nothing again, and is not said of what it did not make."""
    out, made = tmp_path / "out/x.h5", {"git_revision": "1" * 40}
    monkeypatch.setattr(infer_heatmaps.maker, "here", lambda *_: dict(made))
    infer(monkeypatch, cohort, checkpoint, out)
    made["git_revision"] = "2" * 40
    (tmp_path / "b" / sorted(path.name for path in (tmp_path / "b").iterdir())[0]).touch()
    assert infer(monkeypatch, cohort, checkpoint, out) == ["b", "d", "unused"]
    found = {name: heatmap_file.read_study(out, name).provenance["inference"]["git_revision"][0] for name in NAMES}
    assert found == {name: "2" if name in "bd" else "1" for name in NAMES}


def test_a_series_list_is_known_by_its_lines_and_its_files(tmp_path):
    files = [tmp_path / "1.dcm", tmp_path / "2.dcm"]
    for path in files:
        path.write_bytes(b"a")
    listed = write_list(tmp_path / "a.txt", [(str(path), None) for path in files])
    row = Row("a", "s", str(listed))
    first = reuse.state(row, None)
    assert first and reuse.state(row, None) == first
    write_list(listed, [(str(files[0]), None), (str(files[1]), [0])])
    other_frames = reuse.state(row, None)
    files[1].write_bytes(b"ab")
    assert len({first, other_frames, reuse.state(row, None)}) == 3
    assert reuse.state(Row("a", "s", str(tmp_path / "none.txt")), None) == ""


@pytest.mark.parametrize(
    "change",
    [
        "program",
        *(
            pytest.param(name, marks=pytest.mark.slow)
            for name in ("members", "uids", "weights", "asked", "another series")
        ),
    ],
)
def test_nothing_is_taken_that_would_come_out_otherwise(monkeypatch, cohort, checkpoint, tmp_path, change):
    out = tmp_path / "x.h5"
    infer(monkeypatch, cohort, checkpoint, out)
    options: list[str] = []
    if change == "members":
        options = ["--members", "slices"]
    elif change == "uids":
        options = ["--without-uids"]
    elif change == "asked":
        options = ["--no-reuse"]
    elif change == "weights":
        torch.manual_seed(2)
        checkpoint = tmp_path / "other.pth"
        torch.save({"state_dict": network.LocalizerUNet(WIDTHS).state_dict(), "purpose": DEMO_PURPOSE}, checkpoint)
    elif change == "program":
        monkeypatch.setattr(reuse, "code_digest", lambda files: "another")
    else:
        rows = [study_sheet.replace(row, series_id=f"{row.series_id}-2") for row in study_sheet.read_sheet(cohort)]
        study_sheet.write_sheet(rows, cohort)
    assert set(infer(monkeypatch, cohort, checkpoint, out, *options)) == {*NAMES, "unused"}


@pytest.mark.slow
@pytest.mark.parametrize("until", [1, 3, 5])
def test_an_interrupted_run_goes_on_where_it_was(monkeypatch, cohort, checkpoint, tmp_path, until):
    monkeypatch.setattr("lstv.localizer.inference.Runner.studies_at_once", lambda *_: 1)
    out, whole = tmp_path / "out/x.h5", tmp_path / "whole/x.h5"
    infer(monkeypatch, cohort, checkpoint, whole, "--members", "slices")
    with pytest.raises(KeyboardInterrupt):
        infer(monkeypatch, cohort, checkpoint, out, "--members", "slices", until=until)
    assert not out.exists()
    left = infer(monkeypatch, cohort, checkpoint, out, "--members", "slices")
    assert left == [name for name in [*NAMES, "unused"] if name not in NAMES[:until] or name == "d"]
    assert out.read_bytes() == whole.read_bytes()
    assert sorted(path.name for path in (tmp_path / "out" / reuse.FOLDER).iterdir()) == ["x.json", "x.maps"]


@pytest.mark.slow
def test_runs_that_are_interrupted_again_and_again_leave_one_journal(monkeypatch, cohort, checkpoint, tmp_path):
    monkeypatch.setattr("lstv.localizer.inference.Runner.studies_at_once", lambda *_: 1)
    out = tmp_path / "x.h5"
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            infer(monkeypatch, cohort, checkpoint, out, until=1)
        (left,) = (tmp_path / reuse.FOLDER).iterdir()
        assert left.suffix == ".journal"
    assert infer(monkeypatch, cohort, checkpoint, out) == ["d", "e", "unused"]


@pytest.mark.slow
def test_a_full_disk_takes_nothing_from_what_an_earlier_run_left(monkeypatch, cohort, checkpoint, tmp_path):
    monkeypatch.setattr("lstv.localizer.inference.Runner.studies_at_once", lambda *_: 1)
    out, appended = tmp_path / "x.h5", journal.Journal.append
    with pytest.raises(KeyboardInterrupt):
        infer(monkeypatch, cohort, checkpoint, out, until=2)
    for full in ("cde", "abcde"):  # later, or while the earlier journal is taken over

        def append(self, study, key, full=full):
            if study.study_id in full:
                raise OSError(errno.ENOSPC, "No space left on device")
            appended(self, study, key)

        monkeypatch.setattr(journal.Journal, "append", append)
        with pytest.raises((OSError, UserError)):
            infer(monkeypatch, cohort, checkpoint, out)
        assert len(list((tmp_path / reuse.FOLDER).iterdir())) == 1
    monkeypatch.setattr(journal.Journal, "append", appended)
    assert infer(monkeypatch, cohort, checkpoint, out) == ["c", "d", "e", "unused"]


def test_what_is_kept_of_batches_of_an_earlier_division_goes(monkeypatch, cohort, checkpoint, tmp_path):
    work = tmp_path / reuse.FOLDER
    work.mkdir()
    others = ["batch-0001-of-0004.maps", "mine.json"]
    for name in ("batch-0000-of-0002.maps", "batch-0001-of-0002.0af3.journal", "a.json", "a.maps", *others):
        (work / name).touch()
    infer(monkeypatch, cohort, checkpoint, tmp_path / "batch-0000-of-0004.h5")
    own = ["batch-0000-of-0004.json", "batch-0000-of-0004.maps"]
    assert sorted(path.name for path in work.iterdir()) == sorted([*own, *others])


@pytest.mark.slow
def test_a_journal_may_end_anywhere(monkeypatch, cohort, checkpoint, tmp_path):
    """As after ``kill -9`` or a full disk: what is whole is taken, the rest is inferred."""
    out = tmp_path / "x.h5"
    infer(monkeypatch, cohort, checkpoint, out)
    first = out.read_bytes()
    keys = {name: known for name, (known, _) in reuse.json.loads((tmp_path / ".kept/x.json").read_text()).items()}
    whole = journal.Journal(tmp_path / "whole")
    import h5py

    with h5py.File(out, "r") as file:
        ends = []
        for name in ("a", "b", "c"):
            whole.append(EncodedStudy.load(file, name), keys[name])
            ends.append((tmp_path / "whole").stat().st_size)
    content = (tmp_path / "whole").read_bytes()
    for length in (0, 1, 79, ends[0] - 1, ends[0], ends[0] + 40, ends[1], ends[2] - 1, ends[2]):
        shutil.rmtree(tmp_path / ".kept")
        (tmp_path / ".kept").mkdir()
        (tmp_path / ".kept/x.node-1.journal").write_bytes(content[:length])
        taken = {name for name, end in zip("abc", ends) if end <= length}
        assert set(infer(monkeypatch, cohort, checkpoint, out)) == {*NAMES, "unused"} - taken
        assert out.read_bytes() == first
    damaged = bytearray(content)
    damaged[ends[0] + 500] ^= 4
    shutil.rmtree(tmp_path / ".kept")
    (tmp_path / ".kept").mkdir()
    (tmp_path / ".kept/x.node-1.journal").write_bytes(bytes(damaged))
    assert set(infer(monkeypatch, cohort, checkpoint, out)) == {"b", "c", "d", "e", "unused"}
    assert out.read_bytes() == first


@pytest.mark.slow
def test_a_damaged_earlier_file_is_not_believed(monkeypatch, cohort, checkpoint, tmp_path):
    out = tmp_path / "x.h5"
    infer(monkeypatch, cohort, checkpoint, out)
    first = out.read_bytes()
    out.unlink()
    kept = tmp_path / ".kept/x.maps"
    for place in range(2000, len(first) - 1, len(first) // 40):
        damaged = bytearray(first)
        damaged[place] ^= 16
        kept.write_bytes(bytes(damaged))
        infer(monkeypatch, cohort, checkpoint, out)
        assert out.read_bytes() == first, place
    kept.unlink()
    (tmp_path / ".kept/x.json").write_text('["no", "record"]')
    assert len(infer(monkeypatch, cohort, checkpoint, out)) == 6


@pytest.mark.slow
def test_without_hard_links_nothing_is_kept(monkeypatch, cohort, checkpoint, tmp_path):
    def refused(*_):
        raise OSError("links are not supported")

    monkeypatch.setattr(os, "link", refused)
    out = tmp_path / "x.h5"
    for _ in range(2):
        assert len(infer(monkeypatch, cohort, checkpoint, out)) == 6
    assert heatmap_file.study_ids(out) == sorted([*NAMES, "unused"])


def test_ahead_ends_what_it_began():
    closed = []

    def numbers():
        try:
            yield from range(1000)
        finally:
            closed.append(True)

    with Ahead(numbers(), most=2) as ahead:
        assert next(iter(ahead)) == 0
    assert closed == [True]

    def breaks():
        yield 1
        raise ValueError("no more")

    with Ahead(breaks()) as ahead, pytest.raises(ValueError, match="no more"):
        list(ahead)


def test_a_full_disk_leaves_nothing(monkeypatch, cohort, checkpoint, tmp_path):
    """A journal of the studies so far would keep the disk full."""
    appended, full = journal.Journal.append, []

    def refuse(self, study, key):
        if full:
            raise OSError(errno.ENOSPC, "No space left on device")
        full.append(study)
        appended(self, study, key)

    monkeypatch.setattr(journal.Journal, "append", refuse)
    with pytest.raises((OSError, UserError)):
        infer(monkeypatch, cohort, checkpoint, tmp_path / "out/x.h5")
    assert full and not list((tmp_path / "out").rglob("*"))
