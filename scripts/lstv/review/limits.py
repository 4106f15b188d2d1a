"""How much may be given at once, and what is refused unread: bombs, and names that lead out of where they belong."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from lstv.base.errors import StudyError
from lstv.folder.archives import ZIP_ERRORS


@dataclass(frozen=True)
class Limits:
    """Sizes in bytes. ``upload_bytes`` and ``files`` of what is sent; ``unpacked_bytes`` and ``entries`` of its archives;
    ``seconds`` and ``memory_mb`` that one analysis may take; ``running`` analyses at once and ``waiting`` ones;
    ``kept`` results that can be looked at, and ``kept_seconds`` for how long."""

    upload_bytes: int = 2 << 30
    files: int = 5000
    unpacked_bytes: int = 4 << 30
    entries: int = 20_000
    seconds: float = 300.0
    memory_mb: int = 4096
    running: int = 1
    waiting: int = 4
    kept: int = 20
    kept_seconds: float = 3600.0


def leads_out(name: str) -> bool:
    """Whether the name of a file or of an entry leads elsewhere than below its own folder, on any system."""
    path = PurePosixPath(name.replace("\\", "/"))
    return path.is_absolute() or ".." in path.parts or "\0" in name or (len(name) > 1 and name[1] == ":")


def check_given(given: Path, limits: Limits) -> None:
    """Refuse archives that unpack to too much, or with entries that lead out of them, before anything of them is read.

    ``given``: a folder or one file. Raises StudyError with one sentence. What merely looks like an archive passes: the
    scan says what it is.
    """
    unpacked = entries = 0
    for path in _files(given):
        try:
            if not zipfile.is_zipfile(path):
                continue
            with zipfile.ZipFile(path) as archive:
                found = archive.infolist()
        except ZIP_ERRORS:
            continue
        if any(leads_out(entry.filename) or _is_link(entry) for entry in found):
            raise StudyError(
                "the archive has an entry whose name leads out of it (such as ../ or a link), which no export of images "
                "has; make the archive again from the folder of the study."
            )
        entries += len(found)
        unpacked += sum(entry.file_size for entry in found)
        if entries > limits.entries:
            raise StudyError(
                f"the archive has more than {limits.entries:,} entries, too many for one study; give the study alone."
            )
        if unpacked > limits.unpacked_bytes:
            raise StudyError(
                f"the archive would unpack to {unpacked / 2**30:.1f} GiB, above the limit of "
                f"{limits.unpacked_bytes / 2**30:.1f} GiB for one study; give the study alone."
            )


def _is_link(entry: zipfile.ZipInfo) -> bool:
    return (entry.external_attr >> 16) & 0o170000 == 0o120000


def _files(given: Path) -> Iterator[Path]:
    if given.is_file():
        yield given
        return
    for folder, _, names in os.walk(given):
        yield from (Path(folder, name) for name in names)
