"""The rows that a scan gives: the study sheet, the table of all series, the private mapping; and the user's choices."""

from __future__ import annotations

import csv
import io
import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lstv.base.errors import StudyError, UserError
from lstv.base.private_files import write_list, write_private
from lstv.base.tables import read_table
from lstv.cohort.study_sheet import Row
from lstv.dicom.stacks import Stack
from lstv.folder import archives, terms
from lstv.folder.choose import Choice
from lstv.folder.pseudonym import Naming
from lstv.folder.scan import NOTICES, Scan
from lstv.folder.series import Series, Source

Describe = Callable[[str], str]

SERIES_COLUMNS = (
    "study_id",
    "series_id",
    "chosen",
    "reason",
    "series_description",
    "plane",
    "weighting",
    "region",
    "image_kind",
    "modality",
    "n_files",
    "n_duplicates",
    "n_stacks",
    "n_slices",
    "height_mm",
    "rows",
    "columns",
    "slice_thickness_mm",
    "repetition_time_ms",
    "echo_time_ms",
    "inversion_time_ms",
    "acquisition_type",
    "zipped",
)
MAPPING_COLUMNS = (
    "study_id",
    "series_id",
    "study_instance_uid",
    "series_instance_uid",
    "patient_id",
    "study_date",
    "accession_number",
    "location",
)


@dataclass(frozen=True)
class PrivateFolders:
    """Folders for file lists (``lists``) and for series unpacked from zip files (``extracted``)."""

    lists: Path
    extracted: Path


def describe_all(text: str) -> str:
    """A description on one line, without the first characters that make a spreadsheet take it for a formula."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split()).lstrip("=+-@ ")


def describe_none(text: str) -> str:
    """No description at all."""
    return ""


DESCRIPTIONS: dict[str, Describe] = {"known": terms.technical_words, "keep": describe_all, "none": describe_none}
"""What the tables say of SeriesDescription: known technical words only, all of it, or nothing."""


def study_rows(
    choices: Iterable[Choice],
    naming: Naming,
    private_folders: PrivateFolders,
    directories: Mapping[str, int],
    describe: Describe,
) -> list[Row]:
    """One row per study, by study id. Unpacks chosen series from zip files and writes file lists on the way.

    ``directories``: number of DICOM objects in each folder, as ``Scan`` has it.
    """
    rows = [_study_row(choice, naming, private_folders, directories, describe) for choice in choices]
    return sorted(rows, key=lambda row: row.study_id)


def _study_row(
    choice: Choice,
    naming: Naming,
    private_folders: PrivateFolders,
    directories: Mapping[str, int],
    describe: Describe,
) -> Row:
    study_id = naming.study(choice.study.uid)
    if choice.chosen is None:
        return Row(study_id, use="no", reason=choice.reason)
    stack = choice.chosen.stack
    series_id = naming.series(stack.facts.series_uid)
    description = describe(stack.facts.series_description)
    row = Row(study_id, series_id, "", description, str(stack.n_slices), reason=choice.reason)
    try:
        # by both ids: after a poor anonymisation two studies may share the UID of a series
        name = f"{study_id}_{series_id}"
        series = choice.study.series[stack.facts.series_uid]
        return replace(
            row, series_dir=str(location(stack, series, name, naming.pseudonymous, private_folders, directories))
        )
    except StudyError as error:
        return replace(row, reason=str(error))


def location(
    stack: Stack, series: Series, name: str, hide: bool, private_folders: PrivateFolders, directories: Mapping[str, int]
) -> Path:
    """Where a stack can be read: a folder that holds exactly it, or a list of its files and frames, called ``name``.

    ``hide``: never name the user's folders, which often carry patients' names.
    """
    numbers: dict[Source, list[int]] = {}
    for image in stack.images:
        numbers.setdefault(image.source, []).append(image.frame)
    in_file = Counter(image.source for other in series.stacks for image in other.images)
    frames = {source: None if len(n) == in_file[source] else n for source, n in numbers.items()}
    whole = len(series.stacks) == 1
    entries = [source for source in frames if not isinstance(source, str)]
    listed = [(source, frames[source]) for source in frames if isinstance(source, str)]
    if entries:
        unpacked = archives.unpack(entries, private_folders.extracted / name)
        if not listed and whole:
            return unpacked[0].parent
        listed += [(str(path.resolve()), frames[member]) for path, member in zip(unpacked, entries)]
    elif not hide and whole:
        folders = {os.path.dirname(file) for file, _ in listed}
        folder = folders.pop()
        if not folders and directories[folder] == len(listed) and _survives_a_table(folder):
            return Path(folder)
    return write_list(private_folders.lists / f"{name}.txt", listed)


def _survives_a_table(folder: str) -> bool:
    return folder.isprintable() and folder == folder.strip()


def series_rows(choices: Iterable[Choice], naming: Naming, describe: Describe) -> list[dict[str, object]]:
    """One row per series of every study, by study id and series id."""
    rows = [
        _series_row(choice, series, naming, describe) for choice in choices for series in choice.study.series.values()
    ]
    return sorted(rows, key=lambda row: (row["study_id"], row["series_id"]))


def _series_row(choice: Choice, series: Series, naming: Naming, describe: Describe) -> dict[str, object]:
    judgement = choice.judgements[series.uid]
    stack, facts = judgement.stack, judgement.stack.facts
    chosen = choice.chosen is not None and choice.chosen.stack is stack
    return {
        "study_id": naming.study(choice.study.uid),
        "series_id": naming.series(series.uid),
        "chosen": "yes" if chosen else "no",
        "reason": judgement.reason,
        "series_description": describe(facts.series_description),
        "plane": judgement.plane,
        "weighting": judgement.weighting,
        "region": judgement.region,
        "image_kind": facts.image_kind,
        "modality": facts.modality,
        "n_files": series.n_files,
        "n_duplicates": series.n_duplicates,
        "n_stacks": len(series.stacks),
        "n_slices": stack.n_slices,
        "height_mm": _number(stack.height),
        "rows": facts.rows or "",
        "columns": facts.columns or "",
        "slice_thickness_mm": _number(facts.slice_thickness),
        "repetition_time_ms": _number(facts.repetition_time),
        "echo_time_ms": _number(facts.echo_time),
        "inversion_time_ms": _number(facts.inversion_time),
        "acquisition_type": facts.acquisition_type,
        "zipped": "no" if all(isinstance(source, str) for source in stack.sources) else "yes",
    }


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"


def write_mapping(path: Path, choices: Iterable[Choice], naming: Naming) -> None:
    """Write what leads from the ids back to the patients, a line per series, mode 0600."""
    rows = []
    for choice in choices:
        for series in choice.study.series.values():
            facts, source = series.stacks[0].facts, series.stacks[0].images[0].source
            location = os.path.dirname(source) if isinstance(source, str) else source[0]
            ids = naming.study(choice.study.uid), naming.series(series.uid)
            who = facts.patient_id, facts.study_date, facts.accession_number
            rows.append((*ids, choice.study.uid, series.uid, *who, location))
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(MAPPING_COLUMNS)
    writer.writerows(sorted(rows))
    write_private(path, stream.getvalue().encode("utf-8", "surrogateescape"))


def read_choices(path: Path) -> dict[str, str]:
    """Series id by study id of the user's own choices. Raises UserError where the CSV is not usable."""
    choices: dict[str, str] = {}
    for row in read_table(path, ("study_id", "series_id")):
        if choices.setdefault(row["study_id"], row["series_id"]) != row["series_id"]:
            raise UserError(f"{path} names two series for study {row['study_id']}; keep one.")
    return choices


def summary(scan: Scan, choices: Sequence[Choice]) -> dict[str, object]:
    """Counts of a scan, free of paths and of patient data."""
    return {
        "files": scan.n_files,
        "dicom_objects": sum(len(files) for files in scan.found.values()),
        "studies": len(choices),
        "studies_with_a_series": sum(choice.chosen is not None for choice in choices),
        "series": sum(len(choice.study.series) for choice in choices),
        "passed_over": {kind: {"number": n, "meaning": NOTICES[kind]} for kind, n in sorted(scan.notices.items())},
    }
