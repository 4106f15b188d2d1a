"""One study from its DICOM files to its metrics and reasons, by the code that the workflow runs for thousands.

The same scan and choice of series (``lstv.folder``), reader and network (``lstv.localizer``), metrics
(``lstv.uncertainty``) and reasons (``lstv.ranking``), so the numbers are those of the workflow's metrics file for the same
files and settings. What needs a cohort is not given: a study alone has no rank.
"""

from __future__ import annotations

import json
import os
import secrets
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lstv.base import atomic, checksums
from lstv.base.errors import StudyError
from lstv.base.text import capital
from lstv.cohort.study_sheet import Row
from lstv.folder import sheet
from lstv.folder.choose import Choice, choose
from lstv.folder.pseudonym import Pseudonyms
from lstv.folder.scan import NOTICES, Scan, scan
from lstv.folder.series import build_studies
from lstv.localizer import checkpoint, heatmap_file
from lstv.localizer.decoding import prepared_studies
from lstv.localizer.heatmap_file import Analysed, StudyMaps
from lstv.localizer.options import Options
from lstv.localizer.outcome import NotAnalysed
from lstv.ranking.score import rank_studies
from lstv.report import overlay, wording
from lstv.report.pages import layers, series_pack
from lstv.review.limits import Limits, check_given
from lstv.uncertainty import Thresholds, feature_bank, study_record
from lstv.uncertainty.records import StudyRecord

STAGES = {
    "headers": "Reading the headers",
    "series": "Choosing the series",
    "images": "Reading the images",
    "network": "Running the network",
    "metrics": "Measuring",
    "pictures": "Making the pictures",
}
"""What an analysis does, in this order, and what it is called for people."""

WITHOUT_COHORT = (
    "Rank and score compare a study with the others of its cohort, so a study alone has neither. The reasons compare it "
    "with what the rule takes as usual, as in a cohort of this study only."
)
"""Why a result has no rank, in words."""

HEATMAPS, SERIES, LAYERS = "heatmaps.h5", "series.js", "layers.json"
"""What an analysis leaves in its folder: the heatmap file, the whole series for the viewer, and what it draws over it
(``report.pages``)."""

SERIES_NAME = "study"
"""By which a page asks the viewer for that series."""


@dataclass(frozen=True)
class Settings:
    """What the workflow's configuration says in ``localizer`` and ``metrics``, for one study."""

    checkpoint: Path
    sha256: str | None = None
    preprocessing: str = "trained"
    members: str = "centre"
    marks: str = "canal"
    field: str = "lumbar"
    device: str = "auto"
    forward_batch: int = 64
    study_seconds: float = 120.0
    study_memory_mb: int = 2048
    entropy_high: float = Thresholds.high
    entropy_moderate: float = Thresholds.moderate
    feature_bank: Path | None = None
    made_by: Mapping[str, Any] | None = None
    """Code, image and libraries that measure here, with those that infer in ``inference``, as a metrics file says them."""


@dataclass(frozen=True)
class Result:
    """What came out of one study: ``record`` as the workflow's metrics file has it (rounded), ``reasons`` in words (empty
    where nothing is unusual), ``series`` a row of ``sheet.SERIES_COLUMNS`` for each series that was found, ``chosen`` how
    the series was chosen, ``passed_over`` what of the files was not used, in words, and ``network`` which one ran."""

    record: StudyRecord
    reasons: tuple[str, ...]
    series: list[dict[str, object]]
    chosen: str
    passed_over: tuple[str, ...]
    network: dict[str, Any]
    notes: tuple[str, ...] = field(default=(WITHOUT_COHORT,))


def analyse(
    given: Path, out: Path, settings: Settings, limits: Limits, say: Callable[[str], None] = lambda stage: None
) -> Result:
    """Analyse the one study in ``given``, a folder or an archive, and leave its heatmap file and its series in the folder
    ``out``.

    ``say`` hears each stage of STAGES as it begins. A study that is read and then fails gives a record with status failed
    and the reason, as in the workflow. Raises StudyError with one sentence where nothing can be analysed, and
    UserError where a setting or the checkpoint cannot be used.
    """
    out.mkdir(parents=True, exist_ok=True)
    # first: without a network nothing else is worth doing
    weights = checkpoint.read_checkpoint(
        settings.checkpoint, expected_sha256=settings.sha256 or checksums.sha256(settings.checkpoint)
    )
    bank = feature_bank.read(settings.feature_bank) if settings.feature_bank else None
    say("headers")
    check_given(given, limits)
    found = scan(_folder_of(given, out))
    say("series")
    naming = Pseudonyms(secrets.token_bytes(32))  # of this analysis only: nothing leads back to the study
    choice = _the_study(found)
    private = sheet.PrivateFolders(out / "lists", out / "extracted")
    private.lists.mkdir(mode=0o700)
    (row,) = sheet.study_rows([choice], naming, private, found.directories, sheet.describe_all)
    say("images")
    options = Options(
        preprocessing=settings.preprocessing,
        members=settings.members,
        forward_batch=settings.forward_batch,
        workers=1,
        without_uids=True,
        study_seconds=settings.study_seconds,
        study_memory_mb=settings.study_memory_mb,
        marks=settings.marks,
        field=settings.field,
    )
    maps, run = _localized(row, weights, settings, options, say)
    say("metrics")
    made_by = dict(settings.made_by or {})
    if inferred := made_by.pop("inference", None):
        maps = replace(maps, provenance={**maps.provenance, "inference": inferred})
    with heatmap_file.create(out / HEATMAPS, run) as writer:
        writer.write(maps)
    # from the file, as the workflow does: what it rounds is rounded here too
    stored = heatmap_file.read_study(out / HEATMAPS, row.study_id)
    thresholds = Thresholds(settings.entropy_high, settings.entropy_moderate)
    record = study_record.rounded_record(study_record.study_record(stored, run, thresholds, bank, made_by))
    standings = rank_studies([record])
    reasons = tuple(reason for standing in standings for reason in standing.reasons)
    say("pictures")
    _write_pictures(out, row, stored, record, reasons)
    return Result(
        record=record,
        reasons=reasons,
        series=sheet.series_rows([choice], naming, sheet.describe_all),
        chosen=choice.reason,
        passed_over=tuple(f"{number} x {NOTICES[kind]}" for kind, number in sorted(found.notices.items())),
        network=run,
        notes=(
            *(f"{capital(note)}." for each in standings for note in wording.left_out(each.not_counted)),
            WITHOUT_COHORT,
        ),
    )


def _write_pictures(out: Path, row: Row, maps: StudyMaps, record: StudyRecord, reasons: Sequence[str]) -> None:
    """The series for the viewer, and what is drawn over it: ``null`` where nothing is."""
    over = None
    try:
        series = series_pack.read_series(row)
        pack = series_pack.of_volume(series)
        if isinstance(maps, Analysed):
            drawn = overlay.overlay(maps, record, sentences(reasons))
            over = layers.layers(maps, drawn, overlay.points(record), series.slices)
    except StudyError as error:
        pack = series_pack.unreadable(str(error))
    series_pack.write(out / SERIES, pack, SERIES_NAME)
    atomic.write_text(out / LAYERS, json.dumps(over, allow_nan=False))


def sentences(reasons: Sequence[str]) -> list[str]:
    """Reasons as they are shown, with a capital."""
    return [capital(reason) for reason in reasons]


def _folder_of(given: Path, out: Path) -> Path:
    """A folder to scan: the given one, or one in which the given file is linked."""
    if given.is_dir():
        return given
    folder = out / "given"
    folder.mkdir(mode=0o700)
    os.symlink(os.path.abspath(given), folder / "given")
    return folder


def _the_study(found: Scan) -> Choice:
    """The only study that can be used, with its series. Raises StudyError where there is none, or more than one."""
    studies = build_studies(found.found)
    if not studies:
        raise StudyError(_why_no_study(found))
    choices = [choose(study) for study in studies]
    usable = [choice for choice in choices if choice.chosen is not None]
    if len(usable) > 1:
        raise StudyError(
            f"{len(usable)} studies with a sagittal T2 series were given; give one study at a time (the workflow takes "
            "whole folders)."
        )
    if usable:
        return usable[0]
    if len(choices) == 1:
        raise StudyError(choices[0].reason)
    reasons = Counter(choice.reason for choice in choices)
    raise StudyError(f"none of the {len(choices)} studies given can be used; the first: {next(iter(reasons))}")


def _why_no_study(found: Scan) -> str:
    other = {kind: number for kind, number in found.notices.items() if kind not in ("not_dicom", "dicomdir")}
    if other:
        kind, number = max(other.items(), key=lambda item: item[1])
        return f"no study was found: {number} x {NOTICES[kind]}."
    if not found.n_files:
        return "no file was given; give the DICOM files of one study, their folder, or a zip file of it."
    them = "the file is not" if found.n_files == 1 else f"none of the {found.n_files:,} files is"
    return f"{them} DICOM; give the DICOM files of one study as the scanner or the PACS exports them."


def _localized(
    row: Row, weights: checkpoint.Checkpoint, settings: Settings, options: Options, say: Callable[[str], None]
) -> tuple[StudyMaps, dict[str, Any]]:
    """The study's maps, or why there are none, and the record of the run (as a heatmap file has it)."""
    (prepared,) = prepared_studies([row], weights.demo, options)
    say("network")
    from lstv.localizer import devices, inference, pipeline  # torch takes seconds

    device = devices.choose_device(settings.device)
    run = devices.run_record(weights, options, device)
    if isinstance(prepared, NotAnalysed):
        return prepared, run
    runner = inference.Runner(checkpoint.localizer(weights).network, device, settings.forward_batch)
    made: list[StudyMaps] = []
    pipeline.infer([prepared], runner, options, made.append)
    return made[0], run
