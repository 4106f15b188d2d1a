"""What a user sees of series table and images, in success and in every failure, with the real client on loopback."""

from __future__ import annotations

import csv
import errno
import io
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
import zipfile
import zlib
from pathlib import Path

import pytest

import fetch_images
import kaggle_stub as stub
import terminal
from kaggle_lab import QUICK, Lab
from kaggle_stub import Fault, KaggleStub
from lstv.base.cli import run
from lstv.base.errors import UserError
from lstv_kaggle.disk import explained
from lstv_kaggle.ranged_zip import TAIL

pytestmark = pytest.mark.slow  # whole programs against a stand-in of Kaggle

ARCHIVE, FILES = stub.small_archive(size=60_000)
TABLE = "train_series_descriptions.csv"
PAIRS = [(1000 + study, 50) for study in range(4)]
WANTED = {name: content for name, content in FILES.items() if any(f"/{s}/{n}/" in name for s, n in PAIRS)}


@pytest.fixture
def lab(tmp_path):
    with KaggleStub({"competition/archive.zip": ARCHIVE, f"competition/{TABLE}": FILES[TABLE]}) as kaggle:
        yield Lab(kaggle, tmp_path)


def images(lab: Lab) -> tuple:
    return ("fetch_images.py", "--series-list", lab.series_list(*PAIRS), "--out", lab.out)


def table(lab: Lab) -> tuple:
    return ("fetch_series_table.py", "--out", lab.out)


def on_disk(lab: Lab) -> dict[str, bytes]:
    return {str(p.relative_to(lab.out)): p.read_bytes() for p in lab.out.glob("train_images/*/*/*") if p.is_file()}


def manifest(lab: Lab) -> dict[str, tuple[int, str]]:
    with open(lab.out / "manifest.csv", newline="") as stream:
        return {row["path"]: (int(row["size"]), row["crc32"]) for row in csv.DictReader(stream)}


# --- success --------------------------------------------------------------------------------------------------------


def test_from_the_table_to_the_images_and_nothing_twice(lab):
    assert lab.run(*table(lab)).returncode == 0
    assert (lab.out / TABLE).read_bytes() == FILES[TABLE]
    listed = lab.run(
        "series_list.py", "--path", lab.out, "--mode", "trial", "--trial-studies", 4, "--out", lab.out / "l.csv"
    )
    assert "4 series of 4 studies" in listed.stdout
    first = lab.run("fetch_images.py", "--series-list", lab.out / "l.csv", "--out", lab.out)
    assert "24 files" in first.stdout and "0 present already" in first.stdout
    assert "to go" in first.stderr and "/s" in first.stderr  # plain lines in a log
    files = on_disk(lab)
    assert len(files) == 24 and all(FILES[name] == content for name, content in files.items())
    assert manifest(lab) == {n: (len(c), f"{zlib.crc32(c):08x}") for n, c in files.items()}
    assert not (lab.out / ".partial").exists()
    lab.kaggle.log.clear()
    again = lab.run("fetch_images.py", "--series-list", lab.out / "l.csv", "--out", lab.out)
    assert "24 present already, 0 bytes transferred" in again.stdout
    assert lab.kaggle.sent() == 1  # one byte, to see that the archive is the same


def test_selective_asks_for_less_than_the_whole_archive(tmp_path):
    # many studies, of which few are wanted, as with the validation set
    archive, files = stub.small_archive(studies=60, slices=5, size=60_000)
    counts = {}
    for name, extra in (("selective", ()), ("whole", ("--whole-archive",))):
        with KaggleStub({"competition/archive.zip": archive}) as kaggle:
            lab = Lab(kaggle, tmp_path / name)
            lab.folder.mkdir()
            pairs = [(1000 + study, 50) for study in range(0, 60, 12)]
            arguments = ("--series-list", lab.series_list(*pairs), "--out", lab.out, *extra)
            assert lab.run("fetch_images.py", *arguments).returncode == 0
            counts[name] = len(kaggle.requests("storage")), kaggle.sent(), on_disk(lab), manifest(lab)
    (requests, sent, got, listed), (whole_requests, whole_sent, whole_got, whole_listed) = counts.values()
    assert got == whole_got and listed == whole_listed and len(got) == 25
    assert whole_requests == 3 and whole_sent == len(archive) + 1 + TAIL  # size, directory, archive
    assert requests == 7  # size, directory, five series
    assert sent < 0.25 * whole_sent


def test_whole_archive_without_a_list_unpacks_everything(lab):
    assert lab.run("fetch_images.py", "--whole-archive", "--out", lab.out).returncode == 0
    assert len(manifest(lab)) == len(FILES)
    assert all((lab.out / name).read_bytes() == content for name, content in FILES.items())
    assert not list(lab.out.rglob("*.zip"))


@pytest.mark.parametrize("ranges", [True, False])
def test_whole_archive_is_not_fetched_twice(lab, ranges):
    lab.kaggle.ranges = ranges
    assert lab.run(*images(lab), "--whole-archive").returncode == 0
    lab.kaggle.log.clear()
    assert f"{len(WANTED)} present already, 0 bytes transferred" in lab.run(*images(lab), "--whole-archive").stdout
    assert len(lab.kaggle.requests("storage")) == 1  # the size
    (lab.out / min(WANTED)).unlink()
    assert f"{len(WANTED) - 1} present already" in lab.run(*images(lab), "--whole-archive").stdout
    assert on_disk(lab) == WANTED


def test_a_study_sheet_is_a_list_of_series(lab):
    sheet = lab.folder / "sheet.csv"
    sheet.write_text("study_id,series_id,use\n1000,50,yes\n1001,50,no\n1002,,yes\n")
    assert lab.run("fetch_images.py", "--series-list", sheet, "--out", lab.out).returncode == 0
    assert {name.split("/")[1] for name in on_disk(lab)} == {"1000"}


def test_a_series_that_the_archive_lacks_is_named(lab):
    result = lab.run("fetch_images.py", "--series-list", lab.series_list((1000, 50), (1000, 99)), "--out", lab.out)
    assert result.returncode == 0 and "not in the archive: series 1000/99" in result.stderr
    assert "has none of the series" in lab.error(
        "fetch_images.py", "--series-list", lab.series_list((7, 7)), "--out", lab.out
    )


def test_missing_and_altered_files_alone_are_fetched_again(lab):
    lab.run(*images(lab))
    names = sorted(WANTED)
    (lab.out / names[0]).unlink()
    (lab.out / names[7]).write_bytes(WANTED[names[7]][:-1] + b"x")  # same size, other content
    (lab.out / names[9]).write_bytes(b"short")
    lab.kaggle.log.clear()
    result = lab.run(*images(lab))
    assert "21 present already" in result.stdout
    assert on_disk(lab) == WANTED
    assert lab.kaggle.sent() < 0.3 * len(ARCHIVE)


def test_token_and_login_and_files_of_credentials(lab):
    config = lab.folder / "config"
    config.mkdir()
    none = {"KAGGLE_USERNAME": None, "KAGGLE_KEY": None, "KAGGLE_CONFIG_DIR": str(config)}
    assert lab.run(*table(lab), **{**none, "KAGGLE_API_TOKEN": stub.TOKEN}).returncode == 0
    (config / "credentials.json").write_text(json.dumps({"refresh_token": stub.REFRESH}))
    assert lab.run(*table(lab), **none).returncode == 0
    before = {path.name: path.read_bytes() for path in config.iterdir()}
    (config / "kaggle.json").write_text(json.dumps({"username": stub.USERNAME, "key": stub.KEY}))
    config.chmod(0o500)
    assert lab.run(*table(lab), **none).returncode == 0
    assert (config / "credentials.json").read_bytes() == before["credentials.json"]  # a login is used, never rewritten
    assert lab.run(*table(lab), **none, HOME=None).returncode == 0


# --- credentials and permission ---------------------------------------------------------------------------------------


def test_no_credentials(lab):
    sentence = lab.error(*table(lab), KAGGLE_USERNAME=None, KAGGLE_KEY=None)
    assert "no Kaggle credentials were found" in sentence and "KAGGLE_API_TOKEN" in sentence
    assert lab.kaggle.log == []


@pytest.mark.parametrize(
    ("environment", "origin"),
    [
        ({"KAGGLE_KEY": "wr0ng-s3cret"}, "KAGGLE_USERNAME and KAGGLE_KEY"),
        ({"KAGGLE_API_TOKEN": "wr0ng-s3cret"}, "KAGGLE_API_TOKEN"),  # although user name and key are right
    ],
)
def test_wrong_credentials(lab, environment, origin):
    sentence = lab.error(*images(lab), **environment)
    assert f"refuses the credentials from {origin} (401)" in sentence and "make a new API token" in sentence


def test_malformed_credentials(lab):
    config = lab.folder / "config"
    config.mkdir()
    (config / "kaggle.json").write_text('{"username": "tester", "key": "wr0ng-s3cret"')
    sentence = lab.error(*table(lab), KAGGLE_USERNAME=None, KAGGLE_KEY=None, KAGGLE_CONFIG_DIR=str(config))
    assert "kaggle.json is malformed" in sentence


def test_a_server_that_repeats_the_credential_is_not_quoted(lab):
    lab.kaggle.faults = [Fault("api", "status", -1, status=403, message=f"no access for {stub.KEY}")]
    assert "no access for ***" in lab.error(*table(lab))
    lab.kaggle.faults = [Fault("api", "status", -1, status=403, message=f"{'x' * 150}{stub.KEY}")]
    assert stub.KEY[:4] not in lab.error(*table(lab))


def test_rules_not_accepted(lab):
    lab.kaggle.rules_accepted = False
    for arguments in (table(lab), images(lab)):
        assert "accept the competition's rules at https://" in lab.error(*arguments)
    assert len(lab.kaggle.log) == 2  # final: asked once


def test_file_renamed(lab):
    del lab.kaggle.files[f"competition/{TABLE}"]
    sentence = lab.error(*table(lab))
    assert f"does not have {TABLE}" in sentence and "renamed or withdrawn" in sentence


def test_a_bar_with_bytes_and_rate_on_a_terminal_and_lines_in_a_log(lab):
    done, shown = terminal.shown(lab.command(*images(lab)), lab.variables())
    assert done.returncode == 0, shown
    assert re.search(r"100%\|[^|]+\| ([\d.]+[kM])/\1 \[.*, +[\d.]+[kM]B/s\]", shown), shown
    shutil.rmtree(lab.out)
    result = lab.run(*images(lab))
    assert re.search(r"[kM]B of [\d.]+ [kM]B, [\d.]+ [kMG]B/s", result.stderr) and "%|" not in result.stderr


# --- the network --------------------------------------------------------------------------------------------------------


def test_unreachable(lab):
    sentence = lab.error(*table(lab), http_proxy="http://127.0.0.1:9")
    assert "Kaggle cannot be reached" in sentence and "https_proxy" in sentence


@pytest.mark.parametrize("kind", ["cut", "page"])
def test_answers_that_are_none(lab, kind):
    lab.kaggle.faults = [Fault("api", kind, -1)]
    sentence = lab.error(*table(lab))
    assert {"cut": "cannot be reached", "page": "something between here and Kaggle answered"}[kind] in sentence


def test_a_web_page_from_the_storage(lab):
    lab.kaggle.files[f"competition/{TABLE}"] = stub.Bytes(b"<!DOCTYPE html><html>maintenance</html>")
    assert "a web page came instead" in lab.error(*table(lab))
    assert not (lab.out / TABLE).exists()


@pytest.mark.parametrize("where", ["api", "storage"])
@pytest.mark.parametrize("status", [429, 503])
def test_busy_for_a_while(lab, where, status):
    lab.kaggle.faults = [Fault(where, "status", 2, status=status, headers={"Retry-After": "0"})]
    assert lab.run(*images(lab)).returncode == 0
    assert on_disk(lab) == WANTED


@pytest.mark.parametrize("where", ["api", "storage"])
def test_busy_for_good(lab, where):
    lab.kaggle.faults = [Fault(where, "status", -1, status=503)]
    sentence = lab.error(*images(lab))
    assert "503" in sentence and "run again" in sentence
    lab.kaggle.faults = []
    assert lab.run(*images(lab)).returncode == 0


def test_retry_after_is_waited_out_or_passed_on(lab):
    lab.kaggle.faults = [Fault("storage", "status", 1, status=429, headers={"Retry-After": "1"})]
    start = time.monotonic()
    result = lab.run(*images(lab))
    assert result.returncode == 0 and time.monotonic() - start > 1 and "waiting 1 s" in result.stderr
    lab.kaggle.faults = [Fault("api", "status", 1, status=429, headers={"Retry-After": "5400"})]
    assert "asks to wait 5400 s" in lab.error(*images(lab))


def test_connection_cut_once_goes_on_where_it_was(lab):
    lab.kaggle.faults = [Fault("storage", "cut", 1, least=10_000, after=1)]
    lab.run(*images(lab))
    assert on_disk(lab) == WANTED
    starts: dict[str, list[int]] = {}
    for request in lab.kaggle.requests("storage"):
        start, _, end = request.range.removeprefix("bytes=").partition("-")
        starts.setdefault(end, []).append(int(start))
    continued = [first_and_second for first_and_second in starts.values() if len(first_and_second) == 2]
    assert len(continued) == 1 and continued[0][1] > continued[0][0]


def test_connection_cut_always_keeps_what_came_and_the_second_run_continues(lab):
    lab.kaggle.faults = [Fault("storage", "cut", -1, share=0.2, least=10_000, after=1)]
    assert "broke off" in lab.error(*images(lab))
    kept = on_disk(lab)
    assert 0 < len(kept) < len(WANTED) and all(WANTED[name] == content for name, content in kept.items())
    assert not (lab.out / "manifest.csv").exists()
    lab.kaggle.faults = []
    assert f"{len(kept)} present already" in lab.run(*images(lab)).stdout
    assert on_disk(lab) == WANTED


def test_single_file_cut_always_and_continued(lab):
    lab.kaggle.files[f"competition/{TABLE}"] = stub.Bytes(FILES[TABLE] * 400)
    lab.kaggle.faults = [Fault("storage", "cut", -1, share=0.3, least=10)]
    assert "broke off" in lab.error(*table(lab))
    kept = (lab.out / ".partial" / TABLE).stat().st_size
    assert kept > 0 and not (lab.out / TABLE).exists()
    lab.kaggle.faults = []
    lab.kaggle.log.clear()
    assert lab.run(*table(lab)).returncode == 0
    assert lab.kaggle.log[-1].range.startswith(f"bytes={kept}-")
    assert (lab.out / TABLE).read_bytes() == FILES[TABLE] * 400


def test_a_cut_storage_that_gives_no_parts_starts_again_by_itself(lab):
    lab.kaggle.ranges = False
    lab.kaggle.faults = [Fault("storage", "cut", 1, least=10_000, after=1)]
    assert lab.run(*images(lab), "--whole-archive").returncode == 0
    assert on_disk(lab) == WANTED
    lab.kaggle.files[f"competition/{TABLE}"] = stub.Bytes(FILES[TABLE] * 400)
    lab.kaggle.faults = [Fault("storage", "cut", -1, share=0.9, least=10, after=1)]
    sentence = lab.error(*table(lab))
    assert "the storage gives no parts" in sentence and "run again: it starts from the beginning" in sentence
    lab.kaggle.faults = []
    assert lab.run(*table(lab)).returncode == 0


def test_an_unfinished_whole_archive_is_kept_beside_a_selective_run(lab):
    part = lab.out / ".partial/archive.zip"
    lab.kaggle.rate = 3_000_000
    arguments = ("fetch_images.py", "--whole-archive", "--out", lab.out)
    killed_when(lab, arguments, lambda: part.exists() and part.stat().st_size > 1_000_000)
    lab.kaggle.rate = None
    result = lab.run(*images(lab))
    assert result.returncode == 0 and "an unfinished whole archive is kept" in result.stdout
    lab.kaggle.log.clear()
    assert lab.run(*arguments).returncode == 0
    assert lab.kaggle.sent() < len(ARCHIVE)
    assert not (lab.out / ".partial").exists()


@pytest.mark.parametrize("where", ["api", "storage"])
def test_a_stalled_connection_is_given_up(lab, where):
    lab.kaggle.faults = [Fault(where, "stall", 1, share=20)]
    start = time.monotonic()
    assert lab.run(*table(lab), "--timeout", 0.3).returncode == 0
    assert time.monotonic() - start < 19


def test_other_bytes_than_were_asked_for(lab):
    lab.kaggle.faults = [Fault("storage", "shift", 1, least=10_000, after=1)]
    assert lab.run(*images(lab)).returncode == 0
    assert on_disk(lab) == WANTED
    lab.kaggle.faults = [Fault("storage", "shift", -1)]
    assert "other bytes came than were asked for" in lab.error(*table(lab))


def test_truncated_with_a_plausible_length(lab):
    lab.kaggle.faults = [Fault("storage", "shorten", 1, least=10_000, after=1)]
    lab.run(*images(lab))
    assert on_disk(lab) == WANTED


def test_expired_link_is_renewed(lab):
    lab.kaggle.faults = [Fault("storage", "expire", 2, after=2)]
    assert lab.run(*images(lab)).returncode == 0
    assert on_disk(lab) == WANTED
    assert 2 <= len(lab.kaggle.requests("api")) <= 3  # four connections may meet one expiry together


def test_altered_member_is_fetched_again(lab):
    lab.kaggle.faults = [Fault("storage", "alter", 1, least=10_000, after=1)]
    result = lab.run(*images(lab))
    assert "arrived altered and are fetched again" in result.stderr
    assert on_disk(lab) == WANTED


def test_always_altered_leaves_only_good_files(lab):
    lab.run(*table(lab))
    lab.kaggle.faults = [Fault("storage", "alter", -1, least=10_000, after=1)]
    sentence = lab.error(*images(lab))
    assert "arrive altered again and again" in sentence and "wrong CRC" in sentence
    kept = on_disk(lab)
    assert 0 < len(kept) < len(WANTED) and all(WANTED[name] == content for name, content in kept.items())


def test_altered_single_file_is_refused(lab):
    lab.kaggle.faults = [Fault("storage", "alter", -1, least=10)]
    assert "arrived altered (its MD5 is not the server's)" in lab.error(*table(lab))
    assert not (lab.out / TABLE).exists()


def test_altered_whole_archive(lab):
    lab.kaggle.faults = [Fault("storage", "alter", 1, least=10_000, after=1)]  # not the directory
    lab.kaggle.tell_md5 = False
    sentence = lab.error("fetch_images.py", "--whole-archive", "--out", lab.out)
    assert "arrived altered" in sentence and "run again" in sentence
    assert all(FILES[name] == content for name, content in on_disk(lab).items())
    assert lab.run("fetch_images.py", "--whole-archive", "--out", lab.out).returncode == 0


class Altered(stub.Bytes):
    """Bytes of which one arrives wrong until ``mended``; size and ETag are those of the right ones."""

    def __init__(self, data: bytes, at: int, bits: int) -> None:
        super().__init__(data)
        self._wrong = data[:at] + bytes([data[at] ^ bits]) + data[at + 1 :]
        self.mended = False

    def read(self, start: int, stop: int) -> bytes:
        return (self.data if self.mended else self._wrong)[start:stop]


ENTRY = ARCHIVE.index(min(WANTED).encode(), ARCHIVE.index(b"PK\x01\x02")) - 46  # of a wanted file in the directory
DIRECTORY = {  # byte of the archive and bits of it
    "crc": (ENTRY + 16, 1),
    "packed size": (ENTRY + 20, 1),
    "packed size, absurd": (ENTRY + 23, 0x40),
    "size": (ENTRY + 24, 1),
    "encrypted": (ENTRY + 8, 1),
    "method": (ENTRY + 10, 1),
    "version": (ENTRY + 6, 0x80),
    "name": (ENTRY + 45 + len(min(WANTED)), 1),
    "name, not ASCII": (ENTRY + 45 + len(min(WANTED)), 0x80),
    "length of the name": (ENTRY + 28, 1),
    "offset": (ENTRY + 42, 1),
    "offset, absurd": (ENTRY + 45, 0x40),
    "signature": (ENTRY, 1),
    "end": (len(ARCHIVE) - 22, 1),
    "start of the directory": (len(ARCHIVE) - 4, 1),
    "size of the directory": (len(ARCHIVE) - 10, 1),
}


HARMLESS = ("packed size", "start of the directory", "size of the directory")
"""What a reader can do without: all files are got, each with its CRC."""


@pytest.mark.parametrize("way", ["selective", "whole", "whole without parts"])
@pytest.mark.parametrize("what", DIRECTORY)
def test_an_altered_directory_is_not_kept(lab, way, what):
    """One bit of the archive's own table of contents: said in a sentence, and the next run is not spoilt by it. A bit that
    does no harm is no failure."""
    archive = lab.kaggle.files["competition/archive.zip"] = Altered(ARCHIVE, *DIRECTORY[what])
    lab.kaggle.tell_md5 = False
    lab.kaggle.ranges = way != "whole without parts"
    extra = () if way == "selective" else ("--whole-archive",)

    def fetched():
        program, *arguments = images(lab)
        if what == "crc":  # one of them as a program of its own
            return lab.run(program, *arguments, *extra)
        return lab.call(fetch_images.main, *arguments, *extra)

    result = fetched()
    if result.returncode == 0:
        assert what in HARMLESS and on_disk(lab) == WANTED
    else:
        sentence = result.stderr.splitlines()[-1]
        assert "altered" in sentence and "run again" in sentence
    assert all(WANTED[name] == content for name, content in on_disk(lab).items())
    archive.mended = True
    assert fetched().returncode == 0
    assert on_disk(lab) == WANTED


def test_archive_changed_meanwhile(lab):
    lab.kaggle.faults = [Fault("storage", "renew", 1, least=10_000, after=1)]
    assert "changed on the server during the transfer" in lab.error(*images(lab))
    assert lab.run(*images(lab)).returncode == 0


def test_no_parts(lab):
    lab.kaggle.ranges = False
    sentence = lab.error(*images(lab))
    assert "only as a whole, not in parts. Run again with --whole-archive" in sentence
    assert lab.run(*images(lab), "--whole-archive").returncode == 0
    assert on_disk(lab) == WANTED


def test_without_etag(lab):
    lab.kaggle.tell_etag = lab.kaggle.tell_md5 = False
    assert lab.run(*images(lab)).returncode == 0
    assert on_disk(lab) == WANTED


# --- the disk -----------------------------------------------------------------------------------------------------------


class Huge:
    size, etag = 10**16, '"huge"'

    def read(self, start: int, stop: int) -> bytes:
        return bytes(stop - start)


def bloated() -> bytes:
    """The archive, but its directory tells that one file is a million gigabytes unpacked."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in FILES.items():
            archive.writestr(name, content)
        archive.getinfo(min(WANTED)).file_size = 10**15
    return stream.getvalue()


def test_space_is_checked_first(lab):
    lab.kaggle.files["competition/archive.zip"] = stub.Bytes(bloated())
    for extra in ((), ("--whole-archive",)):
        sentence = lab.error(*images(lab), *extra)
        assert "needs 1,000,000." in sentence and "make room" in sentence
        assert not on_disk(lab)
    assert lab.kaggle.sent() == TAIL + 2  # the directory once, and twice the size
    everything = lab.error("fetch_images.py", "--whole-archive", "--out", lab.out)
    assert "archive.zip, unpacked, needs 1,000,000." in everything


def test_space_for_archive_and_files_where_the_directory_cannot_be_asked_for(lab):
    lab.kaggle.files["competition/archive.zip"] = Huge()
    lab.kaggle.ranges = False
    sentence = lab.error("fetch_images.py", "--whole-archive", "--out", lab.out)
    assert "archive.zip, unpacked, needs 20,000,000.00 GB" in sentence and "make room" in sentence
    assert "archive.zip needs 10,000,000.00 GB" in lab.error(*images(lab), "--whole-archive")
    assert not list(lab.out.rglob("archive.zip"))


def test_disk_full_in_the_middle(lab, monkeypatch, capsys):
    """In this process, so that the disk can be made to refuse after ten files."""
    for name, value in lab.environment.items():
        monkeypatch.setenv(name, value)
    written, write = [], Path.write_bytes

    def refuse(path: Path, data: bytes) -> int:
        written.append(path)
        if len(written) > 10:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        return write(path, data)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", refuse)
        assert run(lambda: fetch_images.main([*QUICK, *map(str, images(lab)[1:])])) == 2
    sentence = capsys.readouterr().err.splitlines()[-1]
    assert f"the disk of {lab.out} is full; what was fetched is kept" in sentence
    kept = on_disk(lab)
    assert 0 < len(kept) < len(WANTED)
    assert f"{len(kept)} present already" in lab.run(*images(lab)).stdout
    assert on_disk(lab) == WANTED


@pytest.mark.skipif(not shutil.which("unshare"), reason="needs unshare")
@pytest.mark.parametrize(
    ("size", "sentence"),
    [
        # the archive's directory fits, so the check of the space speaks before anything is half done
        ("300k", "are free; make room"),
        # it does not
        ("8k", "is full; what was fetched is kept"),
    ],
)
@pytest.mark.parametrize("extra", [(), ("--whole-archive",)], ids=["selective", "whole"])
def test_disk_full_for_real(lab, size, sentence, extra):
    lab.out.mkdir()
    mount = f"mount -t tmpfs -o size={size} none {lab.out}"
    if subprocess.run(["unshare", "-rm", "sh", "-c", mount], capture_output=True).returncode:
        pytest.skip("needs user namespaces")
    command = shlex.join(lab.command(*images(lab), *extra))
    result = subprocess.run(
        ["unshare", "-rm", "sh", "-c", f"{mount} && {command}"], env=lab.variables(), capture_output=True, text=True
    )
    lab.check(result)
    assert result.returncode == 2 and sentence in result.stderr


@pytest.mark.skipif(os.geteuid() == 0 and not shutil.which("setpriv"), reason="root may write anywhere")
def test_folder_that_cannot_be_written(lab):
    lab.out.mkdir()
    lab.out.chmod(0o555)
    lab.folder.chmod(0o755)
    command = lab.command(*images(lab))
    if os.geteuid() == 0:
        command = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", *command]
    result = subprocess.run(command, env=lab.variables(), capture_output=True, text=True)
    lab.check(result)
    assert result.returncode == 2 and "cannot be written" in result.stderr


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.EFBIG, "which some disks have at 4 GB a file"),
        (errno.EIO, "Input/output error"),
        (errno.ESTALE, "Stale file handle"),
        (errno.ENOTCONN, "cannot be used"),
        (errno.EACCES, "cannot be written"),
        (errno.EDQUOT, "is full"),
    ],
)
def test_every_failure_of_a_disk_is_a_sentence(tmp_path, number, said):
    with pytest.raises(UserError, match=said), explained(tmp_path):
        raise OSError(number, os.strerror(number), str(tmp_path / "file"))


def test_errors_of_the_network_are_not_those_of_a_disk(tmp_path):
    with pytest.raises(OSError, match="network"), explained(tmp_path):
        raise OSError("network")


def test_a_link_to_a_disk_that_is_not_mounted(lab):
    lab.out.symlink_to(lab.folder / "not mounted")
    assert "cannot be used (File exists)" in lab.error(*images(lab))
    assert "cannot be used (File exists)" in lab.error(*table(lab))


def test_certificates_that_are_not_there(lab):
    sentence = lab.error(*images(lab), REQUESTS_CA_BUNDLE="/no/such/ca.pem")
    assert "REQUESTS_CA_BUNDLE names /no/such/ca.pem, which does not exist" in sentence


# --- interruption -------------------------------------------------------------------------------------------------------


def killed_when(lab: Lab, arguments: tuple, condition) -> None:
    """``kill -9`` of the program, in an image with what runs there; returns when nothing writes any more."""
    process = subprocess.Popen(
        lab.command(*arguments),
        env=lab.variables(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 30
    while not condition():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    sizes: dict[Path, int] = {}
    while sizes != (sizes := {path: path.stat().st_size for path in lab.out.rglob("*") if path.is_file()}):
        time.sleep(0.5)


def test_killed_and_run_again(lab):
    arguments = images(lab)
    lab.run("fetch_images.py", "--series-list", lab.series_list((1007, 50)), "--out", lab.out)  # learns the directory
    shutil.rmtree(lab.out / "train_images")
    lab.series_list(*PAIRS)
    lab.kaggle.rate = 60_000
    killed_when(lab, arguments, lambda: len(on_disk(lab)) >= 5)
    lab.kaggle.rate = None
    kept = on_disk(lab)
    assert 5 <= len(kept) < len(WANTED) and all(WANTED[name] == content for name, content in kept.items())
    lab.kaggle.log.clear()
    assert f"{len(kept)} present already" in lab.run(*arguments).stdout
    assert on_disk(lab) == WANTED and not (lab.out / ".partial").exists()


def test_killed_in_a_single_file_and_run_again(lab):
    content = FILES[TABLE] * 4000
    lab.kaggle.files[f"competition/{TABLE}"] = stub.Bytes(content)
    lab.kaggle.rate = 700_000
    part = lab.out / ".partial" / TABLE
    killed_when(lab, table(lab), lambda: part.exists() and part.stat().st_size > 500_000)
    kept = part.stat().st_size
    lab.kaggle.rate = None
    lab.kaggle.log.clear()
    assert lab.run(*table(lab)).returncode == 0
    assert (lab.out / TABLE).read_bytes() == content
    last = lab.kaggle.log[-1]
    assert (last.range, last.sent) == (f"bytes={kept}-{len(content) - 1}", len(content) - kept)


# --- the command line ---------------------------------------------------------------------------------------------------


def test_lists_that_say_nothing(lab):
    assert "no series are named" in lab.error("fetch_images.py", "--out", lab.out)
    assert "does not exist" in lab.error("fetch_images.py", "--out", lab.out, "--series-list", "no.csv")
    assert "names no series" in lab.error("fetch_images.py", "--out", lab.out, "--series-list", lab.series_list())
    bad = lab.folder / "bad.csv"
    bad.write_text("study_id,series_id\n../..,1\n")
    assert "'../..', which cannot be one" in lab.error("fetch_images.py", "--out", lab.out, "--series-list", bad)
    bad.write_text("study,series\n1,1\n")
    assert "has no column study_id" in lab.error("fetch_images.py", "--out", lab.out, "--series-list", bad)


def test_unknown_environment_of_the_client(lab):
    assert "unset KAGGLE_API_ENVIRONMENT" in lab.error(*table(lab), KAGGLE_API_ENVIRONMENT="NOWHERE")


def test_the_stub_answers_the_official_command_line_too(lab):
    """So that the stub is a model of what the client asks, not of what these programs ask."""
    kaggle = Path(sys.executable).with_name("kaggle")
    if not kaggle.exists():
        pytest.skip("the command kaggle is not installed")
    config = lab.folder / "config"
    config.mkdir()
    environment = {**lab.environment, "KAGGLE_CONFIG_DIR": str(config)}
    command = [str(kaggle), "competitions", "download", "-c", "any", "-f", TABLE, "-p", str(lab.out)]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stdout + result.stderr
    assert (lab.out / TABLE).read_bytes() == FILES[TABLE]
