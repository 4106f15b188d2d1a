"""What holds of any zip archive that is read by ranges: all comes out as it went in, and no altered byte gets through."""

from __future__ import annotations

import io
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st

from lstv.base.errors import UserError
from lstv_kaggle import ranged_zip
from properties import quick

NAME = st.text("abcdefgh0123456789._- äé", min_size=1, max_size=12).filter(lambda name: name.strip(". ") == name != "")
PATH = st.lists(NAME, min_size=1, max_size=3).map("/".join)
FILES = st.dictionaries(PATH, st.binary(max_size=400), min_size=1, max_size=6)
METHOD = st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
ALTERED = next(kind for name, kind in vars(ranged_zip).items() if name.startswith("Altered") and isinstance(kind, type))


def archive(files: dict[str, bytes], method: int, before: bytes, comment: bytes) -> bytes:
    stream = io.BytesIO()
    stream.write(before)
    with zipfile.ZipFile(stream, "a", method) as target:
        for name, content in files.items():
            target.writestr(zipfile.ZipInfo(name), content, method)
        target.comment = comment
    return stream.getvalue()


def remote(content: bytes) -> SimpleNamespace:
    """The part of RemoteFile that is used here, over bytes."""

    def stream(start: int, stop: int) -> Iterator[bytes]:
        yield from (content[at : min(at + 97, stop)] for at in range(start, stop, 97))

    def read(start: int, stop: int) -> bytes:
        return content[start:stop]

    return SimpleNamespace(what="the archive", ranges=True, etag=None, size=len(content), read=read, stream=stream)


def fetched(content: bytes) -> dict[str, bytes]:
    """Everything that comes out; raises what the reader raises."""
    got: dict[str, bytes] = {}
    source = remote(content)
    with tempfile.TemporaryDirectory() as folder:
        directory = ranged_zip.read_directory(source, Path(folder) / "cache", Path(folder) / "partial")
        for span in ranged_zip.spans(directory.values()):
            ranged_zip.receive(
                source,
                span,
                lambda entry, raw: got.update({entry.name: ranged_zip.unpack(entry, raw)}),
                lambda count: None,
            )
    return got


@quick
@given(FILES, METHOD, st.binary(max_size=40), st.binary(max_size=40))
def test_all_comes_out_as_it_went_in(files, method, before, comment):
    assert fetched(archive(files, method, before, comment)) == files


@quick
@given(FILES, METHOD, st.data())
def test_no_altered_byte_gets_through(files, method, data):
    content = bytearray(archive(files, method, b"", b""))
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        got = fetched(bytes(content))
    except (UserError, ALTERED):
        return
    # a byte of the directory may hide a file or name it otherwise, but what comes is what was packed
    assert all(value in files.values() for value in got.values())


@quick
@given(st.binary(max_size=300))
def test_anything_else_is_refused_in_a_sentence(content):
    try:
        fetched(content)
    except (UserError, ALTERED) as error:
        assert str(error)


@quick
@given(st.text(max_size=20))
def test_a_safe_name_stays_in_its_folder(name):
    if ranged_zip.safe_name(name):
        inside = (Path("/folder") / name).resolve()
        assert inside.is_relative_to("/folder") and inside != Path("/folder")
