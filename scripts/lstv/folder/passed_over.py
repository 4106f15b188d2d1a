"""What a scan could not take up, in words: files that may be studies and yet become no row of any table."""

from __future__ import annotations

import json
from pathlib import Path

_KINDS = {
    "damaged_header": ("file marked as DICOM whose header", "files marked as DICOM whose headers", "cannot be read"),
    "no_uid": ("DICOM file", "DICOM files", "without study or series UID"),
    "nifti": ("NIfTI file", "NIfTI files", "(read from a BIDS folder only)"),
    "other_archive": ("archive", "archives", "other than zip"),
    "damaged_zip": ("zip file or entry of one", "zip files or entries of them", "that cannot be read"),
    "encrypted": ("entry of a zip file", "entries of zip files", "protected by a password"),
    "nested_zip": ("zip file", "zip files", "inside another"),
    "no_permission": ("file or folder", "files or folders", "without permission to read"),
    "unreadable": ("file", "files", "that could not be opened or read"),
    "line_break": ("name", "names", "with a line break or tab"),
}
"""What was passed over, one and several of it, by the keys of ``scan.NOTICES``; a file that is not DICOM is not counted."""


def sentence(scan: Path) -> str:
    """Such as ``The scan passed over what may be studies: 3 archives other than zip, ...``; "" where nothing was,
    or where ``scan`` (the scan's summary, JSON) is missing."""
    try:
        passed = json.loads(Path(scan).read_text("utf-8"))["passed_over"]
        return of_notices({kind: int(entry["number"]) for kind, entry in passed.items()})
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return ""


def of_notices(notices: dict[str, int]) -> str:
    """The same for the counts of a scan that has just ended."""
    listed = ", ".join(
        f"{notices[kind]} {one if notices[kind] == 1 else several} {what}"
        for kind, (one, several, what) in _KINDS.items()
        if notices.get(kind)
    )
    return f"The scan passed over what may be studies: {listed}" if listed else ""
