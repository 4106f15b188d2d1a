"""What the files of a study's page are called: safe on every system to which the folder may be copied."""

from __future__ import annotations

import hashlib
import re

COLUMNS = ("study_id", "file", "series", "picture")
"""Of the list of pages: a study, the name of its files without an ending, why its series is not shown (else empty), and the
index of the slice of the series that the network saw (empty where the series has no such slice in the same position)."""

SUFFIXES = (".html", ".js")
"""Of the files that a study has in the folder of the pages."""

_SAFE = re.compile(r"[a-z0-9_](?:[a-z0-9._-]{0,118}[a-z0-9_-])?")
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\..*)?")
"""Names that Windows keeps for devices, also with an ending."""


def page_name(study_id: str, line: int, *, show_ids: bool) -> str:
    """Name of a study's files, without an ending.

    It is the study's id; with a few digits of its sha256 where systems without upper and lower case, or Windows, could take
    it for another name; and ``line-<n>``, its line in the cohort table, where ids are to be hidden.
    """
    if not show_ids:
        return f"line-{line}"
    if _SAFE.fullmatch(study_id) and not _RESERVED.fullmatch(study_id) and not study_id.startswith("line-"):
        return study_id
    digest = hashlib.sha256(study_id.encode("utf-8", "backslashreplace")).hexdigest()[:10]
    return f"study-{re.sub(r'[^a-z0-9_-]', '-', study_id.lower())[:100]}-{digest}"
