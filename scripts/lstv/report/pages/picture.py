"""The slice that the network saw, in the full resolution of its series, out of a study's page."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from lstv.base.arrays import ByteArray
from lstv.base.errors import UserError
from lstv.base.tables import read_table
from lstv.report import brightness
from lstv.report.pages.names import COLUMNS

QUALITY = 80
"""Of WebP, 0 to 100; higher than in the page, because the picture is written a second time."""

_BEGIN, _END = "lstv.series(", ");"


class Series:
    """The series of the studies with a page: ``pages`` are the pages by study id."""

    def __init__(self, listed: Path | None, folder: Path | None) -> None:
        """``listed`` is the list that ``pages_index`` wrote, ``folder`` that of the pages; None for no pages."""
        self.pages: dict[str, Path] = {}
        self._slices: dict[str, int] = {}
        if listed is None or folder is None:
            return
        for row in read_table(Path(listed), COLUMNS):
            self.pages[row["study_id"]] = Path(folder) / "studies" / f"{row['file']}.html"
            if row["picture"].isdecimal():
                self._slices[row["study_id"]] = int(row["picture"])

    def picture(self, study_id: str) -> str | None:
        """A data URL of the slice that the network saw, bright enough to judge; None where the series has none such."""
        if study_id not in self._slices:
            return None
        frame = _frame(self.pages[study_id].with_suffix(".js"), self._slices[study_id])
        buffer = io.BytesIO()
        Image.fromarray(brightness.windowed(frame)).save(buffer, "WEBP", quality=QUALITY, method=4)
        return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"


def _frame(path: Path, index: int) -> ByteArray:
    """One slice (H, W) of a series file. Raises UserError where it is not one."""
    try:
        text = path.read_text(encoding="ascii").strip()
        if not (text.startswith(_BEGIN) and text.endswith(_END)):
            raise ValueError("it does not begin as one")
        pack: dict[str, Any] = json.loads(text[len(_BEGIN) : -len(_END)])
        grey = Image.open(io.BytesIO(base64.b64decode(pack["frames"][index]))).convert("L")
    except (OSError, ValueError, KeyError, IndexError, TypeError, RecursionError) as error:
        raise UserError(
            path, f" is not a series of a study page ({error}); delete it and run the same command."
        ) from error
    return np.asarray(grey, dtype=np.uint8)
