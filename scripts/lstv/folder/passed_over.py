"""What a scan could not take up, in words: files that may be studies and yet become no row of any table."""

from __future__ import annotations

import json
from pathlib import Path

_KINDS = {
    "damaged_header": "files marked as DICOM whose header cannot be read",
    "no_uid": "DICOM files without study or series UID",
    "nifti": "NIfTI files (read from a BIDS folder only)",
    "other_archive": "archives of other kinds than zip",
    "damaged_zip": "zip files or entries of them that cannot be read",
    "encrypted": "entries of zip files that need a password",
    "nested_zip": "zip files inside zip files",
    "no_permission": "files or folders without permission to read",
    "unreadable": "files that could not be opened or read",
    "line_break": "names with a line break or tab",
}
"""By the keys of ``scan.NOTICES``; a file that is not DICOM is not counted."""


def sentence(scan: Path) -> str:
    """Such as ``The scan passed over what may be studies: 3 archives of other kinds than zip, ...``; "" where nothing was,
    or where ``scan`` (the scan's summary, JSON) is missing."""
    try:
        passed = json.loads(Path(scan).read_text("utf-8"))["passed_over"]
        counted = [(int(passed[kind]["number"]), words) for kind, words in _KINDS.items() if kind in passed]
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    return told(counted)


def told(counted: list[tuple[int, str]]) -> str:
    listed = ", ".join(f"{number} {words}" for number, words in counted)
    return f"The scan passed over what may be studies: {listed}" if listed else ""


def of_notices(notices: dict[str, int]) -> str:
    """The same for the counts of a scan that has just ended."""
    return told([(notices[kind], words) for kind, words in _KINDS.items() if notices.get(kind)])
