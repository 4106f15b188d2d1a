"""Study ids: which can name files, and lists of them."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from lstv.base import checksums
from lstv.base.errors import UserError

LONGEST = 200
"""Characters that an id may have: with what is put before and behind it, a file system takes names of 255."""

STUDY_ID = rf"[A-Za-z0-9_][A-Za-z0-9._-]{{0,{LONGEST - 1}}}"
"""A study id names files, so it is letters, digits, '.', '_' and '-'. A dot at its beginning would hide them, a hyphen would
make it an option of a program."""

_REPEATS = 20
"""Snakemake ends a run over a wildcard that ends in this many equal parts (PeriodicWildcardError)."""

_STAND_IN = re.compile(r"invalid-id-[0-9a-f]{10}")


def problem(study_id: str, what: str = "study id") -> str | None:
    """Why the id cannot name files, as a sentence without its full stop; None where it can."""
    shown = repr(study_id) if len(study_id) <= 60 else f"{study_id[:40]!r} ... ({len(study_id)} characters)"
    if not study_id:
        return f"the {what} is empty"
    if len(study_id) > LONGEST:
        return f"the {what} {shown} is longer than {LONGEST} characters, so it cannot name a file"
    if study_id.startswith("-"):
        return f"the {what} {shown} begins with a hyphen, so programs would take it for an option"
    if re.fullmatch(STUDY_ID, study_id) is None:
        return f"the {what} {shown} cannot name a file; ids are letters, digits, '.', '_' and '-', the first no dot"
    if _is_periodic(study_id):
        return f"the {what} {shown} ends in {_REPEATS} equal parts, which Snakemake takes for an infinite recursion"
    return None


def _is_periodic(text: str) -> bool:
    sizes = range(1, len(text) // _REPEATS + 1)
    return any(text.endswith(text[-size:] * _REPEATS) for size in sizes)


def is_safe(study_id: str) -> bool:
    """Whether the id can name files."""
    return problem(study_id) is None


def safe_id(study_id: str) -> str:
    """The id itself, or ``invalid-id-<hash>`` where it cannot name files, so that its study is still accounted for."""
    if is_safe(study_id):
        return study_id
    return f"invalid-id-{hashlib.sha256(study_id.encode('utf-8', 'backslashreplace')).hexdigest()[:10]}"


def is_stand_in(study_id: str) -> bool:
    """Whether the id is one that ``safe_id`` made. Nothing is known of the study of such a row but that its id is wrong."""
    return _STAND_IN.fullmatch(study_id) is not None


def read_ids(path: Path) -> set[str]:
    """Study ids of a ``.npy`` file of integers or strings, or of a text file with one id per line.

    Raises UserError where the file is missing, unreadable, not the one whose sha256 is recorded beside it, or has an id that
    no study can have.
    """
    path = Path(path)
    if path.is_dir():
        raise UserError(path, " is a folder; it must be a list of study ids.")
    if not path.is_file():
        raise UserError(path, " does not exist; it must be a list of study ids.")
    checksums.verify(path)
    if path.suffix == ".npy":
        import numpy as np

        try:
            values = np.load(path, allow_pickle=False)
        except Exception as error:  # numpy reads the header as Python and takes other files for archives of arrays
            raise UserError(path, f" is not a NumPy file of study ids: {error}.") from error
        if not isinstance(values, np.ndarray) or values.dtype.kind not in "iuU":
            raise UserError(path, " does not contain an array of integers or strings; study ids are one of these.")
        ids = {str(value) for value in values.ravel().tolist()}
    else:
        try:
            text = path.read_text(encoding="utf-8-sig")
        except OSError as error:
            raise UserError(path, f" cannot be read ({error.strerror}); check its permissions.") from error
        except UnicodeDecodeError as error:
            raise UserError(path, " is not text in UTF-8; save it as text in UTF-8, one study id per line.") from error
        ids = {line for line in (line.split("#")[0].strip() for line in text.splitlines()) if line}
    wrong = sorted(study_id for study_id in ids if not is_safe(study_id))
    if wrong:
        raise UserError(
            path, f" lists {wrong[0][:60]!r}, which is not a study id: {problem(wrong[0])}; correct or remove the line."
        )
    return ids
