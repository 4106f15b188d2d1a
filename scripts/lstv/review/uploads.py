"""What a browser sends, written to the workspace as it comes: under numbers, never under the names that were sent."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import IO

from flask import Request, g
from werkzeug.exceptions import RequestEntityTooLarge

from lstv.base.errors import StudyError
from lstv.review.limits import Limits, leads_out


class Upload:
    """The files of one request, in ``folder``."""

    def __init__(self, folder: Path, limits: Limits) -> None:
        self._folder, self._limits = folder, limits
        self.files = 0

    def open(self, name: str) -> IO[bytes]:
        """A new file to write to. Raises StudyError for a name that leads out of its folder, and for one file too many."""
        if leads_out(name):
            raise StudyError(
                "a file was sent under a name that leads out of its folder (such as ../), which no browser does; choose the "
                "files in the page."
            )
        self.files += 1
        if self.files > self._limits.files:
            raise StudyError(too_many(self._limits))
        return open(self._folder / f"{self.files:06d}", "x+b")


class UploadRequest(Request):
    """A request whose files go where ``g.upload`` says, not to memory first."""

    def _get_file_stream(
        self,
        total_content_length: int | None,
        content_type: str | None,
        filename: str | None = None,
        content_length: int | None = None,
    ) -> IO[bytes]:
        upload: Upload | None = g.get("upload")
        if upload is None:  # nothing else takes files
            raise RequestEntityTooLarge()
        return upload.open(filename or "")


def too_many(limits: Limits) -> str:
    return f"more than {limits.files:,} files were given, too many for one study; give the study alone."


def too_large(limits: Limits) -> str:
    """The sentence on an upload that is too large."""
    return (
        f"more than {limits.upload_bytes / 2**30:.2g} GiB were given, too much for one study; give the study alone, or only "
        "its sagittal T2 series."
    )


def close(files: Iterable[IO[bytes]]) -> None:
    """Close what was received, so that all of it is in its file."""
    for file in files:
        file.close()
