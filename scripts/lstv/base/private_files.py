"""Files that name patients or lead back to them: readable by their owner only."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from lstv.base.errors import StudyError


def write_private(path: Path, content: bytes) -> None:
    """Write with mode 0600, under the final name only when complete."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.unlink(missing_ok=True)
    try:
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_list(path: Path, files: list[str]) -> Path:
    """Write a series list: one absolute path a line, bytes as the file system has them."""
    write_private(path, b"".join(os.fsencode(file) + b"\n" for file in files))
    return path


def read_list(path: Path) -> list[Path]:
    """The files of a series list. Raises StudyError where the list is missing or empty."""
    try:
        with open(path, "rb") as file:
            files = [Path(os.fsdecode(line)) for line in file.read().splitlines() if line.strip()]
    except OSError as error:
        raise StudyError(f"series list {path} cannot be read ({error.strerror}); scan the folder again.") from error
    if not files:
        raise StudyError(f"series list {path} is empty; scan the folder again.")
    return files


def folders_of_lists(names: Iterable[str | None]) -> list[str]:
    """Folders of the files that series lists among ``names`` (``*.txt``) name; lists that cannot be read are left out."""
    found = set()
    for name in names:
        if name and name.endswith(".txt"):
            with suppress(StudyError):
                found |= {str(path.parent) for path in read_list(Path(name))}
    return sorted(found)
