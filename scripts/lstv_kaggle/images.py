"""Chosen series of the competition: which entries they are, what is present, and the fetching of the rest."""

from __future__ import annotations

import sys
import threading
import zlib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from lstv.base.atomic import write_csv
from lstv.base.errors import UserError
from lstv.base.ids import is_safe
from lstv.base.progress import Progress
from lstv.base.tables import read_table
from lstv.cohort.rsna_layout import IMAGES
from lstv_kaggle import ranged_zip
from lstv_kaggle.disk import PARTIAL, explained, require_space, write_atomic
from lstv_kaggle.ranged_zip import AlteredEntry, ArchiveEntry
from lstv_kaggle.remote import RemoteFile
from lstv_kaggle.retry import Pacer, Stopped

_ROUNDS = 3
"""Times an altered entry is fetched again."""


@dataclass(frozen=True)
class Plan:
    """What a run has to do: ``entries`` is everything wanted, ``missing`` what has to be fetched, ``absent`` the series
    (study/series) of which the archive has no file."""

    entries: list[ArchiveEntry]
    missing: list[ArchiveEntry]
    absent: list[str]


class AlteredForGood(UserError):
    """Entries arrive different from what the archive's directory says, again and again: one of the two is wrong."""


def read_series_list(path: Path) -> set[tuple[str, str]]:
    """(study_id, series_id) of a CSV file with these columns; of a study sheet, the lines with ``use`` = yes.

    Raises UserError where it names none, or an id that cannot be one.
    """
    if not Path(path).is_file():
        raise UserError(
            f"the list of series {path} does not exist; it is a CSV file with the columns study_id and series_id."
        )
    series = set()
    for row in read_table(path, ("study_id", "series_id")):
        if row.get("use", "yes") != "yes" or not row["series_id"]:
            continue
        for name in ("study_id", "series_id"):
            if not is_safe(row[name]):
                raise UserError(f"{path} has the {name} {row[name]!r}, which cannot be one; correct the line.")
        series.add((row["study_id"], row["series_id"]))
    if not series:
        raise UserError(
            f"the list of series {path} names no series to fetch; check its columns study_id, series_id and use."
        )
    return series


def choose(
    directory: dict[str, ArchiveEntry], series: set[tuple[str, str]] | None, what: str
) -> tuple[list[ArchiveEntry], list[str]]:
    """Entries of the wanted series (all entries for None), sorted by name, and the series without any.

    Raises UserError where an entry's name would leave the output folder, or where nothing at all is found.
    """
    entries, found = [], set()
    for name, entry in directory.items():
        parts = name.split("/")
        if series is not None:
            if parts[0] != IMAGES or tuple(parts[1:3]) not in series:
                continue
            found.add(tuple(parts[1:3]))
        if not ranged_zip.safe_name(name):
            raise UserError(
                f"{what} has a file named {name!r}, which would leave the output folder; the archive is refused."
            )
        entries.append(entry)
    if not entries:
        raise UserError(
            f"{what} has none of the series asked for (expected {IMAGES}/<study>/<series>/<n>.dcm); check the list of "
            "series."
        )
    absent = sorted("/".join(pair) for pair in (series or set()) - found)
    return sorted(entries, key=lambda entry: entry.name), absent


def plan(directory: dict[str, ArchiveEntry], series: set[tuple[str, str]] | None, out: Path, what: str) -> Plan:
    """Compare what is wanted with what is on disk, by size and CRC-32."""
    entries, absent = choose(directory, series, what)
    return Plan(entries, [entry for entry in entries if not is_there(out / entry.name, entry)], absent)


def is_there(path: Path, entry: ArchiveEntry) -> bool:
    """Whether the file is on disk with the entry's size and CRC-32."""
    try:
        if path.stat().st_size != entry.size:
            return False
        crc = 0
        with open(path, "rb") as stream:
            for chunk in iter(lambda: stream.read(1 << 20), b""):
                crc = zlib.crc32(chunk, crc)
    except FileNotFoundError:
        return False
    return crc == entry.crc


def fetch(remote: RemoteFile, missing: list[ArchiveEntry], out: Path, pacer: Pacer, workers: int) -> None:
    """Fetch entries by ranges of the remote archive into ``out``.

    Each file appears whole or not at all. An entry that arrives altered is fetched again, up to three times. Raises
    UserError, and OSError where the disk refuses; the files finished until then stay.
    """
    require_space(out, sum(entry.size for entry in missing), f"fetching {len(missing):,} files")
    _Fetch(remote, out, pacer, workers).run(missing)


class _Fetch:
    def __init__(self, remote: RemoteFile, out: Path, pacer: Pacer, workers: int) -> None:
        self._remote, self._out, self._pacer, self._workers = remote, out, pacer, workers
        self._lock = threading.Lock()
        self._altered: list[ArchiveEntry] = []

    def run(self, missing: list[ArchiveEntry]) -> None:
        groups = ranged_zip.spans(missing)
        with Progress(
            sum(map(ranged_zip.length, groups)),
            "bytes",
            label=f"{len(missing):,} files in {len(groups):,} requests",
            stream=sys.stderr,
        ) as self._progress:
            for _ in range(1 + _ROUNDS):
                self._altered = []
                self._all(groups)
                if not self._altered:
                    return
                self._progress.note(f"{len(self._altered)} files arrived altered and are fetched again")
                groups = [[entry] for entry in self._altered]
        raise AlteredForGood(
            f"{len(self._altered)} files arrive altered again and again, first {self._altered[0].name} (wrong CRC); the "
            "others are kept: run again later, and check the network's proxy if it stays so."
        )

    def _all(self, groups: list[list[ArchiveEntry]]) -> None:
        with ThreadPoolExecutor(self._workers) as pool:
            futures = [pool.submit(self._one, group) for group in groups]
            try:
                failure = None
                for future in futures:
                    error = future.exception()
                    if error is not None and (failure is None or isinstance(failure, Stopped)):
                        failure = error
            except BaseException:
                self._pacer.stop()
                raise
        if failure is not None:
            raise failure

    def _one(self, group: list[ArchiveEntry]) -> None:
        try:
            ranged_zip.receive(self._remote, group, self._deliver, self._progress.add)
        except BaseException:
            self._pacer.stop()
            raise

    def _deliver(self, entry: ArchiveEntry, raw: bytes) -> None:
        try:
            content = ranged_zip.unpack(entry, raw)
        except AlteredEntry:
            with self._lock:
                self._altered.append(entry)
            return
        write_atomic(self._out / entry.name, content, self._out / PARTIAL)


def write_manifest(entries: Iterable[ArchiveEntry], path: Path) -> None:
    """Write path, size and crc32 (eight hexadecimal digits) of each file as CSV, sorted by path, atomically."""
    rows = ({"path": m.name, "size": m.size, "crc32": f"{m.crc:08x}"} for m in sorted(entries, key=lambda m: m.name))
    with explained(path.parent):
        write_csv(path, ("path", "size", "crc32"), rows)
