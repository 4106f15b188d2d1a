"""What readers said, on disk: a file of JSON lines per reader to which is only ever added.

Every change stays: a later verdict on a study takes the place of an earlier one, and ``undo`` is a line too. A line is
written in one piece, under a lock and on the disk before ``add`` returns, so that two people, two windows of one reader and
a power cut lose nothing that was saved.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from lstv.base import atomic, ids
from lstv.base.errors import UserError
from lstv.cohort.verdicts import Verdict, checked

LONGEST_NAME = 80
"""Characters of a reader's name."""

FIRST, AGAIN = 0, 1
"""``repeat`` of a first reading, and of the second reading of the same study by the same reader."""


@dataclass(frozen=True)
class SavedVerdict:
    """One saved verdict.

    ``repeat`` FIRST or AGAIN; ``at`` the time in UTC (ISO 8601, milliseconds), which no other line of the reader has, so
    that it names the verdict; ``queue`` the digest of the queue it was read from;
    ``seconds`` from the first look at the study to the verdict; ``blinded`` false once the reader had seen score or stratum.
    """

    study_id: str
    repeat: int
    reader: str
    at: str
    queue: str
    verdict: Verdict
    seconds: float | None = None
    blinded: bool = True

    def record(self) -> dict[str, Any]:
        """The line's content, for JSON."""
        return asdict(self)


def reader_name(text: object) -> str:
    """The name as it is kept: blanks around and repeated ones removed, accents in one form (NFC).

    Raises UserError where there is none, or where it is too long or has characters that cannot be seen.
    """
    name = " ".join(unicodedata.normalize("NFC", text).split()) if isinstance(text, str) else ""
    if not name:
        raise UserError("the reader has no name; give one, such as initials, before the first verdict.")
    if len(name) > LONGEST_NAME:
        raise UserError(f"the reader's name is longer than {LONGEST_NAME} characters; use initials.")
    if any(unicodedata.category(character).startswith("C") for character in name):
        raise UserError("the reader's name has characters that cannot be seen; type it again.")
    return name


def same_reader(name: str) -> str:
    """What is alike for two spellings of one name (``A. Bee`` and ``a. bee``)."""
    return unicodedata.normalize("NFKC", reader_name(name)).casefold()


class VerdictStore:
    """The readings of a cohort in a folder of their own, one file per reader."""

    def __init__(self, folder: Path, queue: str) -> None:
        """``queue`` is the digest of the review queue that is read; it is recorded with each verdict."""
        self.folder = Path(folder)
        self.queue = queue

    def add(
        self,
        reader: str,
        study_id: str,
        answers: Mapping[str, Any],
        *,
        repeat: int = FIRST,
        seconds: float | None = None,
        blinded: bool = True,
    ) -> SavedVerdict:
        """Save a verdict and return it once it is on the disk. ``answers`` as for ``verdicts.checked``.

        Raises UserError with one sentence for bad answers, ids, names and for what the disk refuses; nothing is saved then.
        """
        name = self.known_as(reader)
        wrong = ids.problem(study_id)
        if wrong is not None:
            raise UserError(f"{wrong}.")
        if repeat not in (FIRST, AGAIN):
            raise UserError(f"repeat is {repeat!r}, but must be {FIRST} (first reading) or {AGAIN} (read again).")
        verdict = checked(answers, f"the verdict on study {study_id}")
        taken = None if seconds is None else round(float(seconds), 1)
        with self._locked(name) as stream:
            entry = SavedVerdict(study_id, repeat, name, self._time(name), self.queue, verdict, taken, blinded)
            _write(stream, entry.record(), self.path(name))
        return entry

    def undo(self, reader: str, shown: str | None = None) -> SavedVerdict | None:
        """Take back the reader's last verdict of this queue that was not taken back yet, and return it; None where there
        is none.

        ``shown`` is the time ``at`` of the verdict that the reader means. Raises UserError where that is not the last one,
        as after another window of his saved one, be it on the same study; nothing is taken back then.
        """
        name = self.known_as(reader)
        with self._locked(name) as stream:
            standing = [entry for entry in _standing(self._lines(name)) if entry.queue == self.queue]
            if not standing:
                return None
            last = standing[-1]
            if shown is not None and shown != last.at:
                raise UserError(
                    "the verdict to take back is no longer your last one: another window saved or took back one since, so "
                    "nothing was taken back; look at what is saved now, then try again."
                )
            line = {"undo": True, "of": last.at, "reader": name, "at": self._time(name), "queue": self.queue}
            _write(stream, line, self.path(name))
        return last

    def latest(self, reader: str, queue: str | None = None) -> dict[tuple[str, int], SavedVerdict]:
        """The verdicts that hold, by study id and ``repeat``, in the order in which they were given first.

        With ``queue``, a digest, those that were given in that queue: a later verdict on the same study in another queue
        does not take their place.
        """
        result: dict[tuple[str, int], SavedVerdict] = {}
        for entry in _standing(self._lines(reader)):
            if queue is None or entry.queue == queue:
                result[entry.study_id, entry.repeat] = entry
        return result

    def history(self, reader: str) -> list[dict[str, Any]]:
        """Every line of a reader, undone ones and the undoing among them, oldest first."""
        return list(self._lines(reader))

    def readers(self) -> list[str]:
        """Names of all who have read, as they wrote them first."""
        names = []
        for path in sorted(self.folder.glob("*.jsonl")):
            first = next(iter(_parsed(path)), None)
            if first is not None:
                names.append(str(first["reader"]))
        return sorted(names, key=str.casefold)

    def known_as(self, reader: str) -> str:
        """The name under which this reader has read before in whatever spelling; else the name as given."""
        first = next(iter(self._lines(reader)), None)
        return reader_name(reader) if first is None else str(first["reader"])

    def path(self, reader: str) -> Path:
        """The file of a reader; spellings of one name share it."""
        key = same_reader(reader)
        plain = re.sub(r"[^a-z0-9]+", "-", key)[:40].strip("-")
        return self.folder / f"{plain or 'reader'}-{hashlib.sha256(key.encode()).hexdigest()[:8]}.jsonl"

    def _lines(self, reader: str) -> Iterator[dict[str, Any]]:
        return _parsed(self.path(reader))

    def _time(self, reader: str) -> str:
        """Now, or a millisecond after the reader's last line where a clock went back or two windows save at once; for
        whoever holds the lock."""
        times = [line["at"] for line in self._lines(reader) if isinstance(line.get("at"), str)]
        return max([_stamp(datetime.now(UTC)), *filter(None, [_after(max(times, default=""))])])

    @contextmanager
    def _locked(self, reader: str) -> Iterator[int]:
        """The reader's file, open for adding to it, while no other process or thread adds."""
        path = self.path(reader)
        with atomic.explained(path):
            self.folder.mkdir(parents=True, exist_ok=True)
            stream = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o666)
        try:
            fcntl.flock(stream, fcntl.LOCK_EX)
            yield stream
        finally:
            os.close(stream)  # which ends the lock


def _write(stream: int, record: Mapping[str, Any], path: Path) -> None:
    """Add one line in one piece. What a full disk wrote of it is cut off again."""
    with atomic.explained(path):
        before = os.lseek(stream, 0, os.SEEK_END)
        # a line that a crash tore stays as it is, and the new one begins on a line of its own
        torn = before > 0 and os.pread(stream, 1, before - 1) != b"\n"
        line = (b"\n" if torn else b"") + json.dumps(record, ensure_ascii=False, allow_nan=False).encode() + b"\n"
        try:
            written = 0
            while written < len(line):
                written += os.write(stream, line[written:])
            os.fsync(stream)
        except OSError:
            os.ftruncate(stream, before)
            raise
        if before == 0:
            atomic.synchronize(path.parent)


def _parsed(path: Path) -> Iterator[dict[str, Any]]:
    """The lines of a file without one that a crash tore, which was never confirmed. Raises UserError for other damage."""
    try:
        with atomic.explained(path):
            content = path.read_bytes() if path.exists() else b""
    except UserError as error:
        raise UserError(f"{path} cannot be read; check the path and its permissions.") from error
    for number, line in enumerate(content.split(b"\n"), start=1):
        if not line.strip():
            continue
        text = line.decode("utf-8", "replace")
        try:
            record = json.loads(text)
        except ValueError as error:
            if _is_torn(text, error):
                continue
            record = None
        except RecursionError:
            record = None
        if not isinstance(record, dict) or not isinstance(record.get("reader"), str):
            raise UserError(
                f"{path}, line {number}, is not a saved verdict; restore the file, or move that line elsewhere."
            )
        yield record


def _is_torn(text: str, error: ValueError) -> bool:
    """Whether a line is the beginning of a saved verdict, as a crash in the middle of writing leaves it."""
    if not text.startswith("{") or not isinstance(error, json.JSONDecodeError):
        return False
    return error.msg.startswith("Unterminated string") or error.pos >= len(text) - len("false")


def _standing(records: Iterator[dict[str, Any]]) -> list[SavedVerdict]:
    """The verdicts that were not taken back, in the order in which they were given."""
    entries: list[SavedVerdict] = []
    for record in records:
        if record.get("undo"):
            meant = [index for index, entry in enumerate(entries) if _is_meant(entry, record)]
            if meant:
                del entries[meant[-1]]
            continue
        try:
            fields = {name: record[name] for name in SavedVerdict.__dataclass_fields__}
            fields["verdict"] = checked(fields["verdict"], f"the verdict on study {fields['study_id']}")
        except KeyError as error:
            raise UserError(
                f"a saved verdict of {record['reader']} has no {error.args[0]}; restore the file."
            ) from None
        entries.append(SavedVerdict(**fields))
    return entries


def _is_meant(entry: SavedVerdict, undo: Mapping[str, Any]) -> bool:
    """Whether an undoing speaks of this verdict; one that names none is of the last one of its queue."""
    return entry.queue == undo.get("queue") and undo.get("of", entry.at) == entry.at


def _stamp(time: datetime) -> str:
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _after(at: str) -> str | None:
    """The next millisecond; None for what is no time in UTC."""
    try:
        return _stamp(datetime.fromisoformat(at).astimezone(UTC) + timedelta(milliseconds=1))
    except (ValueError, OverflowError):
        return None
