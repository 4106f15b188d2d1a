"""The files that a job of many outputs made: a CSV by which later changes of them are noticed.

Of metrics, ``study_id,status,bytes,sha256``, a line a study; the files lie in one folder as ``<study_id>.json``. Of other
files, ``file,bytes,sha256``, a line a file of one folder.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from lstv.base import checksums
from lstv.base.atomic import write_csv

COLUMNS = ("study_id", "status", "bytes", "sha256")
FILE_COLUMNS = ("file", "bytes", "sha256")


def write(manifest: Path, folder: Path, statuses: Mapping[str, str]) -> None:
    """Write the manifest of the studies' files in ``folder``, by their status."""
    rows = []
    for study_id, status in sorted(statuses.items()):
        path = folder / f"{study_id}.json"
        rows.append((study_id, status, path.stat().st_size, checksums.file_digest(path)))
    write_csv(manifest, COLUMNS, [dict(zip(COLUMNS, row)) for row in rows])


def write_files(manifest: Path, folder: Path, names: Iterable[str]) -> None:
    """Write the manifest of files in ``folder``, by their names."""
    rows = [(name, (folder / name).stat().st_size, checksums.file_digest(folder / name)) for name in sorted(names)]
    write_csv(manifest, FILE_COLUMNS, [dict(zip(FILE_COLUMNS, row)) for row in rows])


def file_names(manifest: Path) -> list[str]:
    """The names in a manifest of files; of one that cannot be read none."""
    return [name for _, name, _, _ in _entries(manifest, FILE_COLUMNS) or ()]


class Folder:
    """The files of a folder as they were when it was listed: one listing serves any number of manifests."""

    def __init__(self, folder: Path, suffixes: tuple[str, ...] = (".json",)) -> None:
        self._folder = folder
        self._found: dict[str, os.stat_result] = {}
        try:
            with os.scandir(folder) as entries:
                self._found = {entry.name: entry.stat() for entry in entries if entry.name.endswith(suffixes)}
        except OSError:
            pass  # nothing is there

    def altered(self, manifest: Path) -> list[str]:
        """Studies whose file is gone or is not the one that the manifest names; with a manifest that cannot be read, itself.

        A file as old as the manifest and of the size that it names is not read. Empty where there is no manifest.
        """
        return self._altered(manifest, COLUMNS)

    def altered_files(self, manifest: Path) -> list[str]:
        """As ``altered``, of a manifest of files: their names."""
        return self._altered(manifest, FILE_COLUMNS)

    def _altered(self, manifest: Path, columns: tuple[str, ...]) -> list[str]:
        try:
            made = manifest.stat().st_mtime_ns
        except FileNotFoundError:
            return []
        except OSError:
            return [manifest.name]
        entries = _entries(manifest, columns)
        if entries is None:
            return [manifest.name]
        return [what for what, name, size, digest in entries if not self._is(name, size, digest, made)]

    def _is(self, name: str, size: int, digest: str, made: int) -> bool:
        found = self._found.get(name)
        if found is None or found.st_size != size:
            return False
        try:
            return found.st_mtime_ns <= made or checksums.file_digest(self._folder / name) == digest
        except OSError:
            return False


def _entries(manifest: Path, columns: tuple[str, ...]) -> list[tuple[str, str, int, str]] | None:
    """What a manifest names: study or file, the name of the file, bytes, sha256; None where it is not such a manifest."""
    try:
        with open(manifest, newline="", encoding="utf-8") as stream:
            table = csv.DictReader(stream)
            rows = [(row[columns[0]], int(row["bytes"]), row["sha256"]) for row in table]
        if tuple(table.fieldnames or ()) != columns:
            return None
    except (OSError, ValueError, KeyError, TypeError, csv.Error):
        return None
    suffix = ".json" if columns == COLUMNS else ""
    return [(what, f"{what}{suffix}", size, digest) for what, size, digest in rows]
