"""The results of a cohort that the app shows: which files of their folder are given out, and under which policy."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from html import unescape
from pathlib import Path, PurePosixPath

from lstv.base.errors import StudyError, UserError
from lstv.base.tables import read_table
from lstv.review.doors import POLICY
from lstv.review.limits import leads_out

TYPES = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".css": "text/css",
    ".json": "application/json",
    ".csv": "text/csv",
    ".png": "image/png",
    ".svg": "image/svg+xml",
}
"""Kinds of files that are given out."""

FOLDERS = ("pages", "studies", "evaluation", "debug")
"""Folders of which files are given out, beside those that lie in the results folder itself. Images, heatmaps and logs are
not among them."""

TABLE = "lstv_uncertainty_metrics.csv"

_META = re.compile(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)">')


@dataclass(frozen=True)
class Cohort:
    """The results folder of a cohort, ``results/<name>``."""

    folder: Path

    @property
    def name(self) -> str:
        return self.folder.name

    def check(self) -> None:
        """Raise UserError where the folder is not one of results."""
        if not self.folder.is_dir():
            raise UserError(
                self.folder, " does not exist; run the workflow first (make demo, or make run), or correct the name."
            )
        if not (self.folder / TABLE).is_file():
            raise UserError(self.folder, f" has no {TABLE}; run the workflow to its end first.")

    def file(self, name: str) -> Path:
        """A file that may be given out. Raises StudyError with one sentence for any other, and for one that is gone."""
        parts = PurePosixPath(name).parts
        given_out = parts and not leads_out(name) and (len(parts) == 1 or parts[0] in FOLDERS)
        if not given_out or any(part.startswith(".") for part in parts) or PurePosixPath(name).suffix not in TYPES:
            raise StudyError("the app serves a cohort's report, pages and tables, and this is not one of them.")
        path = (self.folder / name).resolve()
        if not path.is_relative_to(self.folder.resolve()):
            raise StudyError("the file is a link that leads out of the results, so it is not served.")
        if not path.is_file():
            raise StudyError(
                f"{name} is not in the results of {self.name}: it was removed, or never made; run the workflow again, or "
                "go back to the report."
            )
        return path

    def has(self, name: str) -> bool:
        return (self.folder / name).is_file()

    def counts(self) -> dict[str, int]:
        """Studies of the cohort table by their status."""
        return dict(Counter(row["status"] for row in read_table(self.folder / TABLE, ("study_id", "status"))))


def policy_of(html: bytes) -> str:
    """The policy of a page that was made for a folder: its own, which names the hashes of what is inline, and no frames.

    A page without one gets the app's, under which nothing inline runs.
    """
    found = _META.search(html[:4096].decode("utf-8", "replace"))
    return f"{unescape(found[1])}; frame-ancestors 'none'" if found else POLICY
