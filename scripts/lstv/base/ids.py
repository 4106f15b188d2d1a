"""Study ids: which can name files, and lists of them."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from lstv.base import checksums
from lstv.base.errors import UserError

STUDY_ID = r"[A-Za-z0-9_-][A-Za-z0-9._-]*"
"""A study id names files, so it is letters, digits, '.', '_' and '-' and does not begin with a dot."""


def is_safe(study_id: str) -> bool:
    """Whether the id can name files."""
    return re.fullmatch(STUDY_ID, study_id) is not None


def safe_id(study_id: str) -> str:
    """The id itself, or ``invalid-id-<hash>`` where it cannot name files, so that its study is still accounted for."""
    return study_id if is_safe(study_id) else f"invalid-id-{hashlib.sha256(study_id.encode()).hexdigest()[:10]}"


def read_ids(path: Path) -> set[str]:
    """Study ids of a ``.npy`` file of integers or strings, or of a text file with one id a line.

    Raises UserError where the file is missing, unreadable, not the one whose sha256 is recorded beside it, or has an id that
    no study can have.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(path, " does not exist; it is to be a list of study ids.")
    checksums.verify(path)
    if path.suffix == ".npy":
        import numpy as np

        try:
            values = np.load(path, allow_pickle=False)
        except Exception as error:  # numpy reads the header as Python and takes other files for archives of arrays
            raise UserError(path, f" is not a NumPy file of study ids: {error}.") from error
        if not isinstance(values, np.ndarray) or values.dtype.kind not in "iuU":
            raise UserError(path, " holds no array of integers or strings; study ids are one of these.")
        ids = {str(value) for value in values.ravel().tolist()}
    else:
        try:
            text = path.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(path, f" is no text file of study ids in UTF-8: {error}.") from error
        ids = {line for line in (line.split("#")[0].strip() for line in text.splitlines()) if line}
    wrong = sorted(study_id for study_id in ids if not is_safe(study_id))
    if wrong:
        raise UserError(
            path, f" lists {wrong[0]!r}, which is no study id (letters, digits, '.', '_' and '-'); correct it."
        )
    return ids
