"""Files that name patients or lead back to them: readable by their owner only."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from lstv.base import atomic
from lstv.base.errors import StudyError


def write_private(path: Path, content: bytes) -> None:
    """Write with mode 0600, under the final name only when complete."""
    atomic.write_bytes(path, content, mode=0o600)


class Listed(NamedTuple):
    """A line of a series list: a file and those of its frames that belong to the series (counted from 0; None: all)."""

    path: Path
    frames: frozenset[int] | None


_FRAMES = b"\tframes "


def write_list(path: Path, files: Iterable[tuple[str, Iterable[int] | None]]) -> Path:
    """Write a series list: one absolute path a line, bytes as the file system has them; where only some frames of a file
    belong to the series, a tab, the word "frames" and their numbers from 1 on, such as ``1-11,13``."""
    lines = []
    for file, frames in files:
        said = b"" if frames is None else _FRAMES + _ranges(sorted(frames)).encode()
        lines.append(os.fsencode(file) + said + b"\n")
    write_private(path, b"".join(lines))
    return path


def _ranges(frames: list[int]) -> str:
    ends: list[list[int]] = []
    for frame in frames:
        if ends and frame == ends[-1][1] + 1:
            ends[-1][1] = frame
        else:
            ends.append([frame, frame])
    return ",".join(f"{first + 1}-{last + 1}" if last > first else f"{first + 1}" for first, last in ends)


def read_list(path: Path) -> list[Listed]:
    """The files of a series list. Raises StudyError where the list is missing, empty or not one."""
    try:
        with open(path, "rb") as file:
            lines = [line for line in re.split(rb"\r\n|\n|\r", file.read()) if line.strip()]
    except OSError as error:
        raise StudyError(f"its series list cannot be read ({error.strerror}); scan the folder again.") from error
    if not lines:
        raise StudyError("its series list is empty; scan the folder again.")
    return [_listed(number, line) for number, line in enumerate(lines, start=1)]


def _listed(number: int, line: bytes) -> Listed:
    name, _, said = line.partition(_FRAMES)
    try:
        if b"\0" in name or len(name) > 4096:
            raise ValueError
        frames: set[int] | None = None
        for part in said.decode("ascii").split(",") if said else ():
            first, _, last = part.partition("-")
            if not 1 <= int(first) <= int(last or first) <= _MOST_FRAMES:
                raise ValueError
            frames = (frames or set()) | set(range(int(first) - 1, int(last or first)))
    except ValueError as error:
        raise StudyError(f"line {number} of its series list is not a path; scan the folder again.") from error
    return Listed(Path(os.fsdecode(name)), None if frames is None else frozenset(frames))


_MOST_FRAMES = 100_000


def folders_of_lists(names: Iterable[str | None]) -> list[str]:
    """Folders of the files that series lists among ``names`` (``*.txt``) name; lists that cannot be read are left out."""
    found = set()
    for name in names:
        if name and name.endswith(".txt"):
            with suppress(StudyError):
                found |= {str(listed.path.parent) for listed in read_list(Path(name))}
    return sorted(found)
