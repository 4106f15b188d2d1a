"""The files that a job of many outputs made: a CSV with a line a study, by which later changes of them are noticed.

``study_id,status,bytes,sha256``; the files lie in one folder as ``<study_id>.json``.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping
from pathlib import Path

from lstv.base import checksums
from lstv.base.atomic import write_csv

COLUMNS = ("study_id", "status", "bytes", "sha256")


def write(manifest: Path, folder: Path, statuses: Mapping[str, str]) -> None:
    """Write the manifest of the studies' files in ``folder``, by their status."""
    rows = []
    for study_id, status in sorted(statuses.items()):
        path = folder / f"{study_id}.json"
        rows.append((study_id, status, path.stat().st_size, checksums.file_digest(path)))
    write_csv(manifest, COLUMNS, [dict(zip(COLUMNS, row)) for row in rows])


class Folder:
    """The files of a folder as they were when it was listed: one listing serves any number of manifests."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._found: dict[str, os.stat_result] = {}
        try:
            with os.scandir(folder) as entries:
                self._found = {entry.name: entry.stat() for entry in entries if entry.name.endswith(".json")}
        except OSError:
            pass  # nothing is there

    def altered(self, manifest: Path) -> list[str]:
        """Studies whose file is gone or is not the one that the manifest names; with a manifest that cannot be read, itself.

        A file as old as the manifest and of the size that it names is not read. Empty where there is no manifest.
        """
        try:
            made = manifest.stat().st_mtime_ns
            with open(manifest, newline="", encoding="utf-8") as stream:
                table = csv.DictReader(stream)
                rows = [(row["study_id"], int(row["bytes"]), row["sha256"]) for row in table]
            if tuple(table.fieldnames or ()) != COLUMNS:
                return [manifest.name]
        except FileNotFoundError:
            return []
        except (OSError, ValueError, KeyError, TypeError, csv.Error):
            return [manifest.name]
        return [study for study, size, digest in rows if not self._is(study, size, digest, made)]

    def _is(self, study_id: str, size: int, digest: str, made: int) -> bool:
        found = self._found.get(f"{study_id}.json")
        if found is None or found.st_size != size:
            return False
        try:
            return found.st_mtime_ns <= made or checksums.file_digest(self._folder / f"{study_id}.json") == digest
        except OSError:
            return False
