"""All series of a scanned study side by side, so that one is chosen by eye: three slices of each that could be chosen, what
the scan says of it, and the line by which the user chooses it."""

from __future__ import annotations

import base64
import io
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from lstv.base.arrays import ByteArray
from lstv.base.errors import StudyError
from lstv.base.text import counted
from lstv.dicom.series import SagittalVolume, read_volume
from lstv.folder import sheet
from lstv.folder.choose import Choice, Judgement
from lstv.folder.pseudonym import Naming
from lstv.report import brightness
from lstv.report.pages.render import contact_sheet_html
from lstv.report.pages.series_pack import without_file_names

_SHARES = (0.3, 0.5, 0.7)
"""Where in a stack its pictures are taken, from its first to its last slice."""

_LARGEST, _QUALITY = 360, 70
"""Pixels of a picture's longer side, and its quality as WebP."""


@dataclass(frozen=True)
class Candidate:
    """A series on the sheet: ``facts`` in words, ``pictures`` (label, data URL), why there is none (``missing``), and what
    the scan says against the series (``reason``, empty for nothing)."""

    series_id: str
    chosen: bool
    description: str
    facts: tuple[str, ...]
    reason: str
    pictures: tuple[tuple[str, str], ...]
    missing: str


def html(choice: Choice, naming: Naming, directories: Mapping[str, int], describe: sheet.Describe) -> str:
    """The contact sheet of a study as one HTML file. ``directories`` are those of the scan.

    What has to be unpacked or listed to be read is put into a temporary folder and removed again.
    """
    with tempfile.TemporaryDirectory(prefix="lstv-contact-") as folder:
        private = sheet.PrivateFolders(Path(folder, "lists"), Path(folder, "extracted"))
        order = sorted(choice.judgements.items(), key=lambda item: _order(item[1], choice))
        candidates = [_candidate(uid, found, choice, naming, private, directories, describe) for uid, found in order]
    return contact_sheet_html(
        {"study_id": naming.study(choice.study.uid), "reason": choice.reason, "candidates": candidates}
    )


def _order(judgement: Judgement, choice: Choice) -> tuple[bool, bool, bool, str]:
    """The chosen series first, then sagittal ones nothing speaks against, then other sagittal ones."""
    chosen = choice.chosen is not None and choice.chosen.stack is judgement.stack
    return not chosen, not judgement.usable, judgement.plane != "sagittal", judgement.stack.facts.series_uid


def _candidate(
    uid: str,
    judgement: Judgement,
    choice: Choice,
    naming: Naming,
    private: sheet.PrivateFolders,
    directories: Mapping[str, int],
    describe: sheet.Describe,
) -> Candidate:
    stack, facts = judgement.stack, judgement.stack.facts
    told = [judgement.plane, judgement.weighting, counted(stack.n_slices, "slice")]
    told += [f"region {judgement.region}"] if judgement.region != "unknown" else []
    told += [f"{facts.columns} × {facts.rows} pixels"] if facts.rows and facts.columns else []
    told += [f"{stack.height:.0f} mm high"] if stack.height is not None else []
    pictures: tuple[tuple[str, str], ...] = ()
    missing = "only sagittal stacks are shown"
    if judgement.plane == "sagittal":
        try:
            name = naming.series(uid)  # of its own: what is unpacked for one series is not another's
            where = sheet.location(stack, choice.study.series[uid], name, True, private, directories)
            pictures, missing = _pictures(_read(where)), ""
        except StudyError as error:
            missing = str(error)
        except Exception as error:  # one series' defect must not take the others with it; its words may hold a path
            missing = f"unexpected {type(error).__name__} while it was read"
    return Candidate(
        naming.series(uid),
        choice.chosen is not None and choice.chosen.stack is stack,
        describe(facts.series_description),
        tuple(part for part in told if part),
        judgement.reason,
        pictures,
        missing,
    )


def _read(where: Path) -> SagittalVolume:
    try:
        return read_volume(where)
    except StudyError as error:
        raise StudyError(without_file_names(str(error), where)) from error


def _pictures(series: SagittalVolume) -> tuple[tuple[str, str], ...]:
    last = len(series.volume) - 1
    indices = dict.fromkeys(round(share * last) for share in _SHARES)
    spacing = series.slices[0].row_spacing, series.slices[0].column_spacing
    return tuple((f"slice {index + 1} of {last + 1}", _picture(series.volume[index], spacing)) for index in indices)


def _picture(image: ByteArray, spacing: tuple[float, float]) -> str:
    """A small picture in true proportions, as a data URL."""
    height, width = (size * step for size, step in zip(image.shape, spacing))
    scale = _LARGEST / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    buffer = io.BytesIO()
    small = Image.fromarray(brightness.windowed(image)).resize(size, Image.Resampling.LANCZOS)
    small.save(buffer, "WEBP", quality=_QUALITY, method=4)
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
