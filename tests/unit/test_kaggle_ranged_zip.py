"""Reading single members of an archive: directory, requests, and that no altered byte gets through."""

from __future__ import annotations

import io
import random
import zipfile
from dataclasses import replace

import pytest

from lstv.base.errors import UserError
from lstv_kaggle import images, ranged_zip
from lstv_kaggle.ranged_zip import AlteredEntry


class Remote:
    """The part of RemoteFile that is used here, over a file object; counts requests and bytes."""

    what, ranges = "the archive", True

    def __init__(self, stream: io.IOBase, etag: str | None = '"one"') -> None:
        self._file, self.etag = stream, etag
        self.size = stream.seek(0, io.SEEK_END)
        self.requests: list[tuple[int, int]] = []

    def read(self, start: int, stop: int) -> bytes:
        self.requests.append((start, stop))
        self._file.seek(start)
        return self._file.read(stop - start)

    def stream(self, start: int, stop: int):
        data = self.read(start, stop)
        yield from (data[i : i + 1000] for i in range(0, len(data), 1000))


def archive(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> io.BytesIO:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as target:
        for name, content in files.items():
            target.writestr(name, content)
    return stream


def directory(remote: Remote, tmp_path):
    return ranged_zip.read_directory(remote, tmp_path / "cache", tmp_path / "partial")


def fetch(remote: Remote, members) -> dict[str, bytes]:
    got = {}
    for span in ranged_zip.spans(members):
        ranged_zip.receive(
            remote, span, lambda m, raw: got.update({m.name: ranged_zip.unpack(m, raw)}), lambda count: None
        )
    return got


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_members_come_out_as_they_went_in(tmp_path, method):
    files = {f"train_images/1/2/{i}.dcm": random.Random(i).randbytes(3000) + bytes(500) for i in range(20)}
    files["name with \u00e4.txt"] = b"text"
    files["empty"] = b""
    remote = Remote(archive(files, method))
    assert fetch(remote, directory(remote, tmp_path).values()) == files


def test_streamed_members_with_descriptors(tmp_path):
    class Unseekable(io.RawIOBase):
        def __init__(self) -> None:
            self.data = bytearray()

        def writable(self) -> bool:
            return True

        def write(self, data) -> int:
            self.data += data
            return len(data)

    target = Unseekable()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as zip_file:
        zip_file.writestr("a.dcm", b"a" * 5000)
        zip_file.writestr("b.dcm", b"b" * 5000)
    remote = Remote(io.BytesIO(bytes(target.data)))
    assert fetch(remote, directory(remote, tmp_path).values()) == {"a.dcm": b"a" * 5000, "b.dcm": b"b" * 5000}


def test_offsets_beyond_4_gib_and_holes(tmp_path):
    path = tmp_path / "sparse.zip"
    with open(path, "w+b") as stream:
        with zipfile.ZipFile(stream, "w") as target:
            target.writestr("near.dcm", b"near")
            target.start_dir += 5 << 30  # a hole: the next member is written there
            target.writestr("far.dcm", b"far away")
        remote = Remote(stream)
        assert remote.size > 5 << 30
        members = directory(remote, tmp_path)
        assert members["far.dcm"].start > 5 << 30
        assert fetch(remote, members.values()) == {"near.dcm": b"near", "far.dcm": b"far away"}
        assert sum(stop - start for start, stop in remote.requests) < 2 << 20


@pytest.mark.slow
def test_more_members_than_the_old_format_counts(tmp_path):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as target:
        for i in range(66_000):
            entry = zipfile.ZipInfo(f"train_images/1/2/{i}.dcm")
            entry.header_offset, entry.CRC = stream.tell(), 0
            target.fp.write(entry.FileHeader())
            target.filelist.append(entry)
            target.NameToInfo[entry.filename] = entry
        target.start_dir, target._didModify = stream.tell(), True
    remote = Remote(stream)
    members = directory(remote, tmp_path)
    assert len(members) == 66_000
    assert len(remote.requests) == 2  # the end, then the rest of the directory in one piece


def test_directory_is_kept_for_the_same_archive_only(tmp_path):
    stream = archive({"a": b"1", "b": b"2"})
    first = directory(Remote(stream), tmp_path)
    again = Remote(stream)
    assert directory(again, tmp_path) == first and again.requests == []
    other = Remote(stream, etag='"two"')
    directory(other, tmp_path)
    assert other.requests
    (tmp_path / "cache").write_bytes((tmp_path / "cache").read_bytes()[:-3])
    damaged = Remote(stream, etag='"two"')
    assert directory(damaged, tmp_path) == first and damaged.requests


def test_without_etag_the_directory_is_read_anew(tmp_path):
    stream = archive({"a": b"1"})
    directory(Remote(stream, etag=None), tmp_path)
    again = Remote(stream, etag=None)
    directory(again, tmp_path)
    assert again.requests


def test_not_a_zip(tmp_path):
    with pytest.raises(UserError, match="not a readable zip archive"):
        directory(Remote(io.BytesIO(b"<html>" * 1000)), tmp_path)


def test_unsupported_packing_and_encryption(tmp_path):
    with pytest.raises(UserError, match="packs 'a' in a way"):
        directory(Remote(archive({"a": b"1" * 100}, zipfile.ZIP_LZMA)), tmp_path)
    stream = archive({"a": b"1"})
    data = bytearray(stream.getvalue())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(UserError, match="packs 'a' in a way"):
        directory(Remote(io.BytesIO(bytes(data))), tmp_path)


def test_neighbours_share_a_request_and_strangers_do_not(tmp_path):
    files = {f"{i:03d}": random.Random(i).randbytes(10_000) for i in range(100)}
    members = list(directory(Remote(archive(files, zipfile.ZIP_STORED)), tmp_path).values())
    assert [len(span) for span in ranged_zip.spans(members)] == [100]
    assert [len(span) for span in ranged_zip.spans(reversed(members), longest=100_000)] == [9] * 11 + [1]
    apart = [members[0], members[50]]
    assert len(ranged_zip.spans(apart, gap=1000)) == 2
    assert len(ranged_zip.spans(apart, gap=1 << 20)) == 1


def test_every_altered_byte_is_noticed(tmp_path):
    content = random.Random(1).randbytes(200) + bytes(200)
    remote = Remote(archive({"a.dcm": content}))
    member = directory(remote, tmp_path)["a.dcm"]
    raw = remote.read(member.start, member.stop)
    assert ranged_zip.unpack(member, raw) == content
    refused = 0
    for position in range(len(raw)):
        altered = raw[:position] + bytes([raw[position] ^ 0x10]) + raw[position + 1 :]
        try:
            assert ranged_zip.unpack(member, altered) == content  # a byte that does not matter, such as the time
        except AlteredEntry:
            refused += 1
    assert refused > len(raw) - 25
    for length in (0, 10, len(raw) - 1):
        with pytest.raises(AlteredEntry):
            ranged_zip.unpack(member, raw[:length])


def test_a_bomb_is_not_inflated(tmp_path):
    remote = Remote(archive({"a.dcm": bytes(50_000_000)}))
    member = directory(remote, tmp_path)["a.dcm"]
    with pytest.raises(AlteredEntry):
        ranged_zip.unpack(replace(member, size=1000), remote.read(member.start, member.stop))


def test_members_before_a_failure_are_delivered(tmp_path):
    files = {f"{i}": random.Random(i).randbytes(4000) for i in range(5)}
    remote = Remote(archive(files, zipfile.ZIP_STORED))
    members = list(directory(remote, tmp_path).values())

    def cut(start: int, stop: int):
        yield remote.read(start, start + 9000)
        raise UserError("cut")

    broken, got = Remote(archive(files, zipfile.ZIP_STORED)), []
    broken.stream = cut
    with pytest.raises(UserError, match="cut"):
        ranged_zip.receive(broken, members, lambda member, raw: got.append(member.name), lambda count: None)
    assert got == ["0", "1"]


@pytest.mark.parametrize(
    "name", ["../x", "a/../../x", "/etc/x", "a//b", "a/./b", "a\\..\\b", "C:/x", "a/b\x00c", "a/\nb", "", "a/"]
)
def test_names_that_leave_the_folder(name):
    assert not ranged_zip.safe_name(name)


def test_ordinary_names():
    assert ranged_zip.safe_name("train_images/4003253/702807833/1.dcm")
    assert ranged_zip.safe_name("a b/.hidden")


def test_an_archive_with_a_name_that_leaves_the_folder_is_refused(tmp_path):
    members = directory(Remote(archive({"train_images/1/2/../../../x": b"1"})), tmp_path)
    with pytest.raises(UserError, match="would leave the output folder"):
        images.choose(members, {("1", "2")}, "the archive")
    with pytest.raises(UserError, match="would leave the output folder"):
        images.choose(members, None, "the archive")
