"""Walking a messy export: everything readable is found, everything else is accounted for."""

from __future__ import annotations

import os
import shutil
import socket
import struct
import tarfile
import zipfile

import pytest

from folder_tree import image, save, stack
from lstv.base.errors import StudyError, UserError
from lstv.folder import archives
from lstv.folder import scan as scan_module
from lstv.folder.archives import unpack
from lstv.folder.scan import scan
from lstv.folder.series import build_studies


def _zip(path, members: dict[str, bytes], method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def _contents(folder, **options) -> dict[str, bytes]:
    paths = stack(folder, "1.2.3", "1.2.3.1", **options)
    contents = {path.name: path.read_bytes() for path in paths}
    shutil.rmtree(folder)
    return contents


def _files(found):
    return [
        file
        for study in build_studies(found.found)
        for s in study.series.values()
        for k in s.stacks
        for file in k.images
    ]


def test_series_scattered_over_folders(tmp_path):
    stack(tmp_path / "a" / "b" / "c", "1.2.3", "1.2.3.1", count=4, name="IM{:d}")
    for number in (4, 5):
        save(tmp_path / "d" / f"{number}.dcm", image("1.2.3", "1.2.3.1", number))
    stack(tmp_path / "d", "1.2.3", "1.2.3.2", count=3)
    (study,) = build_studies(scan(tmp_path).found)
    assert [series.n_files for series in study.series.values()] == [6, 3]


def test_same_result_with_any_number_of_jobs(tmp_path):
    for number in range(3):
        stack(tmp_path / str(number), f"1.2.{number}", f"1.2.{number}.1", count=5)
    _zip(tmp_path / "x.zip", _contents(tmp_path / "y", count=3))
    one, two = scan(tmp_path, jobs=1), scan(tmp_path, jobs=2)
    assert one.found == two.found
    assert one.directories == two.directories
    assert repr(build_studies(one.found)) == repr(build_studies(two.found))


def test_duplicates_count_once_and_unzipped_files_first(tmp_path):
    stack(tmp_path / "b", "1.2.3", "1.2.3.1", count=3)
    shutil.copytree(tmp_path / "b", tmp_path / "a")
    _zip(tmp_path / "0.zip", {path.name: path.read_bytes() for path in (tmp_path / "b").iterdir()})
    found = scan(tmp_path)
    (series,) = build_studies(found.found)[0].series.values()
    assert (series.n_files, series.n_duplicates) == (3, 6)
    assert {os.path.dirname(file.source) for file in _files(found)} == {str(tmp_path / "a")}


def test_what_is_passed_over(tmp_path):
    stack(tmp_path / "s", "1.2.3", "1.2.3.1", count=2)
    (tmp_path / "report.pdf").write_bytes(b"%PDF-1.4")
    (tmp_path / "viewer.exe").write_bytes(b"MZ" + b"\0" * 500)
    (tmp_path / "empty").touch()
    (tmp_path / "pack.tar.gz").write_bytes(b"\x1f\x8b" + b"\0" * 50)
    save(tmp_path / "DICOMDIR", image("1.2.3", "1.2.3.1", 9, SOPClassUID="1.2.840.10008.1.3.10"))
    save(tmp_path / "nouid", image("1.2.3", "1.2.3.1", 8, StudyInstanceUID=None))
    cut = save(tmp_path / "cut", image("1.2.3", "1.2.3.1", 7))
    cut.write_bytes(cut.read_bytes()[:500])
    os.mkfifo(tmp_path / "pipe")  # opening it would never return
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    (tmp_path / "two\nlines").write_bytes(b"")
    found = scan(tmp_path)
    assert dict(found.notices) == {
        "not_dicom": 3,
        "other_archive": 1,
        "dicomdir": 1,
        "no_uid": 1,
        "damaged_header": 1,
        "special": 1,
        "unreadable": 1,
        "line_break": 1,
    }
    assert found.examples["no_uid"] == [str(tmp_path / "nouid")]
    assert len(_files(found)) == 2


def test_links_are_followed_once(tmp_path):
    stack(tmp_path / "outside" / "s", "1.2.3", "1.2.3.1", count=2)
    root = tmp_path / "root"
    stack(root / "z", "1.2.4", "1.2.4.1", count=2)
    (root / "a").mkdir()
    (root / "a" / "link_to_z").symlink_to(root / "z")
    (root / "z" / "loop").symlink_to(root)
    (root / "outside").symlink_to(tmp_path / "outside")
    save(tmp_path / "single", image("1.2.4", "1.2.4.1", 5))
    (root / "single").symlink_to(tmp_path / "single")
    found = scan(root)
    assert found.notices == {"loop": 2}
    assert sorted(file.source for file in _files(found)) == sorted(
        str(path)
        for path in [*(root / "outside" / "s").iterdir(), root / "z" / "0000", root / "z" / "0001", root / "single"]
    )


def test_no_permission(tmp_path, monkeypatch):
    stack(tmp_path / "s", "1.2.3", "1.2.3.1", count=2)
    stack(tmp_path / "locked", "1.2.4", "1.2.4.1", count=2)
    (tmp_path / "locked").chmod(0)
    (tmp_path / "s" / "0000").chmod(0)
    try:
        if os.geteuid() == 0:  # root may read everything: refuse for it
            scandir, opened = os.scandir, open

            def refuse(path, *arguments, call, **options):
                if str(path).endswith(("locked", "0000")):
                    raise PermissionError(13, "Permission denied", str(path))
                return call(path, *arguments, **options)

            monkeypatch.setattr(os, "scandir", lambda path: refuse(path, call=scandir))
            monkeypatch.setattr("builtins.open", lambda path, *a, **o: refuse(path, *a, call=opened, **o))
        found = scan(tmp_path)
    finally:
        (tmp_path / "locked").chmod(0o700)
    assert found.notices == {"no_permission": 2}
    assert sum(map(len, found.found.values())) == 1


def test_names_that_are_not_utf8(tmp_path):
    paths = stack(tmp_path / "s", "1.2.3", "1.2.3.1", count=1)
    os.rename(os.fsencode(paths[0]), os.fsencode(tmp_path) + b"/s/\xff\xfe")
    (file,) = _files(scan(tmp_path))
    assert os.fsencode(file.source).endswith(b"\xff\xfe")


def test_missing_folder(tmp_path):
    with pytest.raises(UserError, match="does not exist"):
        scan(tmp_path / "nowhere")


def test_progress_reaches_the_total(tmp_path):
    stack(tmp_path / "s", "1.2.3", "1.2.3.1", count=2)
    _zip(tmp_path / "x.zip", _contents(tmp_path / "y", count=3))
    seen = []
    found = scan(tmp_path, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (6, 6)
    assert found.n_files == 6


def test_socket_is_not_opened(tmp_path, monkeypatch):
    stack(tmp_path / "s", "1.2.3", "1.2.3.1", count=1)
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("sock")
        assert scan(tmp_path).notices == {"special": 1}


# --- zip files ------------------------------------------------------------------------------------------------------


def test_members_of_zip_files(tmp_path):
    contents = _contents(tmp_path / "y", count=4)
    path = _zip(
        tmp_path / "export.bin", {f"../../etc/{name}": value for name, value in contents.items()} | {"a.txt": b"hi"}
    )
    found = scan(tmp_path)
    assert found.notices == {"not_dicom": 1}
    assert [file.source for file in _files(found)] == [(str(path), f"../../etc/{name}") for name in sorted(contents)]
    assert not found.directories


def test_unpacking_ignores_names_of_members(tmp_path):
    contents = _contents(tmp_path / "y", count=3)
    names = ["../../outside", "/absolute", "C:\\windows"]
    path = _zip(tmp_path / "x.zip", dict(zip(names, contents.values())))
    folder = tmp_path / "results" / "extracted" / "se-1"
    written = unpack([(str(path), name) for name in names], folder)
    assert [file.read_bytes() for file in written] == list(contents.values())
    assert sorted(p.name for p in folder.iterdir()) == ["000001.dcm", "000002.dcm", "000003.dcm"]
    assert {p.name for p in tmp_path.iterdir()} == {"x.zip", "results"}


def test_unpacking_again_replaces(tmp_path):
    path = _zip(tmp_path / "x.zip", {"a": b"1", "b": b"2"})
    unpack([(str(path), "a"), (str(path), "b")], tmp_path / "out")
    unpack([(str(path), "b")], tmp_path / "out")
    assert [p.read_bytes() for p in (tmp_path / "out").iterdir()] == [b"2"]
    assert {p.name for p in tmp_path.iterdir()} == {"x.zip", "out"}


@pytest.mark.parametrize("limit", ["LARGEST_ENTRY", "LARGEST_SERIES"])
def test_size_bomb_is_refused(tmp_path, monkeypatch, limit):
    monkeypatch.setattr(archives, limit, 1_000_000)
    path = _zip(tmp_path / "x.zip", {"a": b"\0" * 2_000_000})
    assert path.stat().st_size < 10_000
    with pytest.raises(StudyError, match="more than is plausible"):
        unpack([(str(path), "a")], tmp_path / "out")
    assert {p.name for p in tmp_path.iterdir()} == {"x.zip"}


def test_member_larger_than_declared(tmp_path):
    path = _zip(tmp_path / "x.zip", {"a": b"\0" * 50_000})
    content = path.read_bytes()
    path.write_bytes(content.replace(struct.pack("<I", 50_000), struct.pack("<I", 100)))
    with pytest.raises(StudyError, match="could not be unpacked"):
        unpack([(str(path), "a")], tmp_path / "out")
    assert {p.name for p in tmp_path.iterdir()} == {"x.zip"}


def test_full_disk(tmp_path, monkeypatch):
    path = _zip(tmp_path / "x.zip", {"a": b"\0" * 50})
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9, 1000))
    with pytest.raises(StudyError, match="make room"):
        unpack([(str(path), "a")], tmp_path / "out")


def test_damaged_member(tmp_path):
    path = _zip(tmp_path / "x.zip", {"a": bytes(range(256)) * 20}, zipfile.ZIP_STORED)
    content = bytearray(path.read_bytes())
    content[2000] ^= 255
    path.write_bytes(content)
    with pytest.raises(StudyError, match="could not be unpacked"):
        unpack([(str(path), "a")], tmp_path / "out")
    assert {p.name for p in tmp_path.iterdir()} == {"x.zip"}


def test_zip_files_that_cannot_be_read(tmp_path):
    contents = _contents(tmp_path / "y", count=2)
    whole = _zip(tmp_path / "whole.zip", contents).read_bytes()
    (tmp_path / "cut.zip").write_bytes(whole[: len(whole) // 2])
    _zip(tmp_path / "nested.zip", {"inner.zip": whole})
    locked = bytearray(whole)
    at = locked.index(b"PK\x01\x02") + 8
    locked[at] |= 1
    (tmp_path / "whole.zip").write_bytes(locked)
    found = scan(tmp_path)
    assert found.notices == {"damaged_zip": 1, "nested_zip": 1, "encrypted": 1}
    assert len(_files(found)) == 1


@pytest.mark.slow
def test_headers_of_a_size_bomb_are_cheap(tmp_path):
    content = next(iter(_contents(tmp_path / "y", count=1).values()))
    _zip(tmp_path / "bomb.zip", {"a": content + b"\0" * 50_000_000, "b": b"\0" * 50_000_000})
    found = scan(tmp_path)
    assert len(_files(found)) == 1
    assert found.notices == {"not_dicom": 1}


def test_tar_files_and_images_of_discs_are_archives(tmp_path):
    (path,) = stack(tmp_path / "s", "1.2.3", "1.2.3.1", count=1)
    with tarfile.open(tmp_path / "study.tar", "w") as archive:
        archive.add(path)
    (tmp_path / "cd.iso").write_bytes(bytes(0x8001) + b"CD001" + bytes(2000))
    assert dict(scan(tmp_path).notices) == {"other_archive": 2}


def test_a_file_system_that_states_no_size(tmp_path, monkeypatch):
    """FUSE mounts may; a full disk speaks for itself there."""
    path = _zip(tmp_path / "x.zip", _contents(tmp_path / "y", count=3))
    monkeypatch.setattr(archives.shutil, "disk_usage", lambda folder: shutil._ntuple_diskusage(0, 0, 0))
    names, _ = archives.entry_names(str(path))
    assert len(unpack([(str(path), name) for name in names], tmp_path / "out")) == 3


def test_a_value_of_any_length_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(scan_module, "_LARGEST_VALUE", 10_000)
    path = save(tmp_path / "a", image("1.2.3", "1.2.3.1", 0, StudyDescription="x" * 20_000))
    assert path.stat().st_size > 20_000
    assert dict(scan(tmp_path).notices) == {"damaged_header": 1}
