"""Requests and bytes of the validation set's sagittal T2 series against the whole archive, counted by the stub.

The archive is made up in the size and layout of the competition's (1,975 studies, about 148,000 files, 30 GB); its files are
zeros that are never stored. The selective run is real: program, client, requests, checksums, 4,900 files on disk (about
1 GB). Of the whole archive only the size is taken.

    python tests/benchmarks/kaggle_selective.py [--shuffled] [--latency 0.05]
"""

from __future__ import annotations

import argparse
import io
import os
import random
import subprocess
import sys
import tempfile
import time
import zipfile
import zlib
from bisect import bisect_right
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent
SCRIPTS = TESTS.parent / "scripts"
sys.path.insert(0, str(TESTS / "support"))

from kaggle_stub import KEY, USERNAME, KaggleStub  # noqa: E402

STUDIES, VALIDATION = 1975, 283
SERIES = ((0, 17), (1, 17), (2, 41))  # sagittal T2, sagittal T1, axial: typical numbers of slices
T2 = 0
SIZES = (110_000, 205_000, 300_000)


class VirtualArchive:
    """A zip of which only headers and directory exist; all content is zero bytes."""

    def __init__(self, shuffled: bool) -> None:
        self.etag = '"virtual"'
        source = random.Random(0)
        checks = {size: zlib.crc32(bytes(size)) for size in SIZES}
        names = [
            f"train_images/{4_000_000 + study}/{study * 10 + series}/{number}.dcm"
            for study in range(STUDIES)
            for series, slices in SERIES
            for number in range(1, slices + 1)
        ]
        names.sort()
        if shuffled:
            source.shuffle(names)
        directory = io.BytesIO()
        archive = zipfile.ZipFile(directory, "w")
        self._starts, self._pieces, offset = [], [], 0
        for name in names:
            entry = zipfile.ZipInfo(name)
            entry.file_size = entry.compress_size = source.choice(SIZES)
            entry.CRC, entry.header_offset = checks[entry.file_size], offset
            header = entry.FileHeader()
            self._starts.append(offset)
            self._pieces.append(header)
            archive.filelist.append(entry)
            offset += len(header) + entry.file_size
        archive.start_dir, archive._didModify = offset, True
        archive.fp = _Shifted(directory, offset)
        archive.close()
        self._starts.append(offset)
        self._pieces.append(directory.getvalue())
        self.size = offset + len(self._pieces[-1])
        self.directory_size, self.files = len(self._pieces[-1]), len(names)

    def read(self, start: int, stop: int) -> bytes:
        data = bytearray(stop - start)
        for index in range(bisect_right(self._starts, start) - 1, len(self._starts)):
            begin = self._starts[index]
            if begin >= stop:
                break
            piece = self._pieces[index][max(0, start - begin) : stop - begin]
            position = max(begin, start) - start
            data[position : position + len(piece)] = piece
        return bytes(data)


class _Shifted(io.RawIOBase):
    """A stream whose positions are counted from ``offset``."""

    def __init__(self, target: io.BytesIO, offset: int) -> None:
        self._target, self._offset = target, offset

    def tell(self) -> int:
        return self._target.tell() + self._offset

    def seek(self, position: int, whence: int = io.SEEK_SET) -> int:
        return self._target.seek(position - self._offset, whence) + self._offset

    def write(self, data) -> int:
        return self._target.write(data)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shuffled", action="store_true", help="files in random order within the archive")
    parser.add_argument("--latency", type=float, default=0.05, help="seconds that the stub waits before each answer")
    args = parser.parse_args()
    archive = VirtualArchive(args.shuffled)
    chosen = sorted(random.Random(1).sample(range(STUDIES), VALIDATION))
    with tempfile.TemporaryDirectory() as folder, KaggleStub({"competition/archive.zip": archive}) as kaggle:
        kaggle.latency = args.latency
        series = Path(folder) / "series.csv"
        series.write_text("study_id,series_id\n" + "".join(f"{4_000_000 + s},{s * 10 + T2}\n" for s in chosen))
        command = [
            sys.executable,
            str(SCRIPTS / "fetch_images.py"),
            "--series-list",
            str(series),
            "--out",
            f"{folder}/out",
        ]
        environment = {**kaggle.environment(dict(os.environ)), "KAGGLE_USERNAME": USERNAME, "KAGGLE_KEY": KEY}
        print(f"archive: {archive.files:,} files, {archive.size:,} bytes, directory {archive.directory_size:,} bytes")
        print(f"{'run':<16} {'API calls':>9} {'requests':>9} {'bytes':>16} {'seconds':>8}")
        for name in ("selective", "a second time"):
            kaggle.log.clear()
            start = time.monotonic()
            subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            seconds = time.monotonic() - start
            calls, requests = len(kaggle.requests("api")), len(kaggle.requests("storage"))
            print(f"{name:<16} {calls:>9} {requests:>9} {kaggle.sent():>16,} {seconds:>8.1f}")
        print(f"{'whole archive':<16} {1:>9} {4:>9} {archive.size:>16,} {'':>8}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
