"""Which studies enter, which of them are analysed and why the others are not; the study sheet and the batches.

Light on purpose (standard library only unless a NumPy id list is read): the workflow reads it before it plans anything.
"""

from __future__ import annotations

import csv
import hashlib
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from lstv import recorded
from lstv.atomic import write_csv
from lstv.errors import UserError

STUDY_ID = r"[A-Za-z0-9_-][A-Za-z0-9._-]*"
"""A study id names files, so it is letters, digits, '.', '_' and '-' and does not begin with a dot."""

SERIES_TABLE = "train_series_descriptions.csv"
IMAGES = "train_images"
SAGITTAL_T2 = "Sagittal T2/STIR"

SPLITS = ("train", "validation", "unknown")
"""What a study is with regard to the point net's training."""


NOT_SELECTED = "not selected"
"""How the reason of a study begins that the selection of the run (a trial, a list) left out."""

CHOSEN_BY_USER = "chosen by the user"
"""The reason of a study whose series the user chose, whatever it shows."""


@dataclass(frozen=True)
class Row:
    """A line of the study sheet. ``use`` is yes or no; a study that is wanted but has no ``series_dir`` fails with its
    ``reason``. ``split`` is train, validation or unknown with regard to the point net's training."""

    study_id: str
    series_id: str = ""
    series_dir: str = ""
    series_description: str = ""
    n_slices: str = ""
    split: str = "unknown"
    use: str = "yes"
    reason: str = ""


COLUMNS = tuple(Row.__dataclass_fields__)


@dataclass(frozen=True)
class Study:
    """A study known before any job runs. ``fingerprint`` changes when what the source says of the study changes;
    ``use`` and ``split`` are yes and unknown unless a supplied sheet says otherwise."""

    study_id: str
    fingerprint: str
    split: str
    use: str


# --- what the sources know ------------------------------------------------------------------------------------------


def known_studies(table: str | Path) -> list[Study]:
    """The studies that a table names (series table, study sheet or list of phantoms), sorted.

    Raises UserError where it is unreadable or a line of a study sheet has a mistake.
    """
    lines: dict[str, list[dict[str, str]]] = {}
    rows = _numbered(Path(table), ("study_id",))
    _refuse_mistakes(table, rows)
    for _, row in rows:
        lines.setdefault(safe_id(row["study_id"]), []).append(row)
    return [_known_study(study_id, str(table), lines[study_id]) for study_id in sorted(lines)]


def _known_study(study_id: str, table: str, lines: list[dict[str, str]]) -> Study:
    content = "\n".join([table, *sorted(repr(sorted(line.items())) for line in lines)])
    fingerprint = hashlib.sha256(content.encode()).hexdigest()[:16]
    return Study(study_id, fingerprint, lines[0].get("split") or "unknown", lines[0].get("use") or "yes")


def _refuse_mistakes(table: str | Path, rows: list[tuple[int, dict[str, str]]]) -> None:
    """Raise UserError for a study sheet's line that says what it cannot say; other tables have none of its columns."""
    seen = set()
    for number, row in rows:
        for name, allowed in (("use", ("yes", "no")), ("split", SPLITS)):
            if row.get(name) and row[name] not in allowed:
                raise UserError(
                    f"{table}, line {number}: {name} is {row[name]!r}, but must be {', '.join(allowed[:-1])} or "
                    f"{allowed[-1]}{' (in small letters)' if row[name].lower() in allowed else ''}."
                )
        if "series_dir" in row and not row["study_id"]:
            raise UserError(f"{table}, line {number}: there is no study_id; fill it in or remove the line.")
        if "series_dir" in row and row["study_id"] in seen:
            raise UserError(f"{table}, line {number}: study {row['study_id']} stands there twice; keep one line of it.")
        seen.add(row["study_id"])


def read_table(path: Path, required: Iterable[str]) -> list[dict[str, str]]:
    """Rows of a CSV file, all values as text. Raises UserError where it is missing or lacks a column."""
    return [row for _, row in _numbered(path, required)]


def _numbered(path: Path, required: Iterable[str]) -> list[tuple[int, dict[str, str]]]:
    """The rows that ``read_table`` gives, each with its line in the file."""
    path = Path(path)
    try:
        with open(path, newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream)
            absent = [name for name in required if name not in (reader.fieldnames or [])]
            if absent and ";" in (reader.fieldnames or [""])[0]:
                raise UserError(f"{path} is separated by semicolons; save it as CSV with commas.")
            if absent:
                raise UserError(f"{path} has no column {absent[0]}; its first line must name {', '.join(required)}.")
            rows = [
                (reader.line_num, {key: (value or "").strip() for key, value in row.items() if key}) for row in reader
            ]
    except FileNotFoundError as error:
        raise UserError(f"{path} does not exist; check source.path in the configuration.") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is no text in UTF-8; save it as CSV in UTF-8, with commas.") from error
    except (OSError, csv.Error) as error:
        raise UserError(f"{path} cannot be read as a CSV table: {error}.") from error
    return [(number, row) for number, row in rows if any(row.values())]


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
        raise UserError(f"the list of study ids {path} does not exist; correct the path in the configuration.")
    recorded.verify(path)
    if path.suffix == ".npy":
        import numpy as np

        try:
            values = np.load(path, allow_pickle=False)
        except Exception as error:  # numpy reads the header as Python and takes other files for archives of arrays
            raise UserError(f"{path} is not a NumPy file of study ids: {error}.") from error
        if not isinstance(values, np.ndarray) or values.dtype.kind not in "iuU":
            raise UserError(f"{path} holds no array of integers or strings; study ids are one of these.")
        ids = {str(value) for value in values.ravel().tolist()}
    else:
        try:
            text = path.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"{path} is no text file of study ids in UTF-8: {error}.") from error
        ids = {line for line in (line.split("#")[0].strip() for line in text.splitlines()) if line}
    wrong = sorted(study_id for study_id in ids if not is_safe(study_id))
    if wrong:
        raise UserError(
            f"{path} lists {wrong[0]!r}, which is no study id (letters, digits, '.', '_' and '-'); correct it."
        )
    return ids


# --- selection ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Selection:
    """Which studies are wanted; the fields are the keys of the configuration's ``selection``."""

    mode: str = "production"
    trial_studies: int = 10
    seed: int = 2024
    list: str | None = None
    allow_training_studies: bool = False


def split_of(studies: Iterable[Study | Row], valid_ids: str | None) -> dict[str, str]:
    """train or validation for each study; without the list of validation ids what the sheet says."""
    if valid_ids is None:
        return {study.study_id: study.split for study in studies}
    validation = read_ids(Path(valid_ids))
    if not validation:
        raise UserError(
            f"{valid_ids} lists no study id; name the file valid_id.npy, or a text file with one id a line."
        )
    return {study.study_id: "validation" if study.study_id in validation else "train" for study in studies}


def not_selected(splits: dict[str, str], selection: Selection) -> dict[str, str]:
    """The studies that are not wanted, each with its reason.

    A trial takes the studies with the lowest hash of seed and id: the same few for one seed, and adding studies to the
    cohort replaces as few of them as possible.
    """
    reasons: dict[str, str] = {}
    for study_id, split in splits.items():
        if split == "train" and not selection.allow_training_studies:
            reasons[study_id] = (
                "by source.valid_ids or the study sheet one that the point net was trained on "
                "(selection.allow_training_studies is off)"
            )
        elif selection.mode == "validation" and split != "validation":
            reasons[study_id] = "not in the validation list"
    if selection.mode == "validation" and "unknown" in splits.values():
        raise UserError(
            "selection.mode is validation, but source.valid_ids is not set; name the file valid_id.npy there."
        )
    if selection.mode == "list":
        if selection.list is None:
            raise UserError("selection.mode is list, but selection.list names no file; set it to a file of study ids.")
        wanted = read_ids(Path(selection.list))
        absent = sorted(wanted - set(splits))
        if absent:
            raise UserError(
                f"{selection.list} lists study {absent[0]}, which the source does not have"
                f"{f' ({len(absent)} such ids)' if len(absent) > 1 else ''}; correct the list or the source."
            )
        for study_id in splits:
            if study_id not in wanted:
                reasons.setdefault(study_id, f"{NOT_SELECTED}: not in the list")
    if selection.mode == "trial":
        eligible = sorted((i for i in splits if i not in reasons), key=lambda i: _draw(selection.seed, i))
        for study_id in eligible[selection.trial_studies :]:
            reasons[study_id] = f"{NOT_SELECTED}: trial of {selection.trial_studies} studies"
    return reasons


def selected(studies: Iterable[Study], selection: Selection, valid_ids: str | None) -> dict[str, str]:
    """Fingerprint by id of the studies to analyse. What ``apply_selection`` says of a sheet's rows agrees with it.

    Raises UserError where the list of validation ids fits no study at all, so that none could be analysed.
    """
    studies = list(studies)
    splits = split_of(studies, valid_ids)
    if studies and valid_ids and "validation" not in splits.values() and not selection.allow_training_studies:
        raise UserError(
            f"none of the {len(studies)} studies is in {valid_ids}, so all would be left out as studies that the point net "
            f"was trained on (the first is {studies[0].study_id}); is it the list for these studies?"
        )
    left_out = not_selected(splits, selection)
    return {
        study.study_id: study.fingerprint for study in studies if study.use == "yes" and study.study_id not in left_out
    }


def _draw(seed: int, study_id: str) -> str:
    return hashlib.sha256(f"{seed}:{study_id}".encode()).hexdigest()


# --- batches --------------------------------------------------------------------------------------------------------


def batch_count(studies: int, batch_studies: int) -> int:
    """Number of inference batches: the smallest power of two that keeps them near ``batch_studies``; 0 means that each
    study is its own batch."""
    if batch_studies == 1:
        return 0
    count = 1
    while count * batch_studies < studies:
        count *= 2
    return count


def batch_of(study_id: str, count: int) -> str:
    """Name of a study's batch: by the hash of its id, so that another study's coming or going does not move it."""
    if count == 0:
        return study_id
    return f"batch-{int(hashlib.sha256(study_id.encode()).hexdigest(), 16) % count:04d}-of-{count:04d}"


# --- the study sheet ------------------------------------------------------------------------------------------------


def rsna_rows(root: Path, wanted: Callable[[str], bool] = lambda study_id: True) -> list[Row]:
    """A row for each study of a folder in the RSNA 2024 layout; of ``wanted`` ids with the series chosen.

    Chosen is, of the series called ``Sagittal T2/STIR``, the one with most files, then the one with the lowest id.
    """
    root = Path(root)
    series: dict[str, list[dict[str, str]]] = {}
    for row in read_table(root / SERIES_TABLE, ("study_id", "series_id", "series_description")):
        series.setdefault(row["study_id"], []).append(row)
    return [
        _rsna_row(root, study_id, series[study_id]) if wanted(safe_id(study_id)) else Row(safe_id(study_id))
        for study_id in sorted(series)
    ]


def _rsna_row(root: Path, study_id: str, series: list[dict[str, str]]) -> Row:
    if not is_safe(study_id):
        return Row(
            safe_id(study_id),
            reason=f"the study id {study_id!r} cannot name a file; ids are letters, digits, '.', '_' and '-'",
        )
    candidates = []
    for entry in series:
        if entry["series_description"] == SAGITTAL_T2 and is_safe(entry["series_id"]):
            folder = root / IMAGES / study_id / entry["series_id"]
            files = sum(1 for item in os.scandir(folder) if item.is_file()) if folder.is_dir() else 0
            candidates.append((-files, _as_number(entry["series_id"]), entry["series_id"], folder))
    if not candidates:
        found = ", ".join(sorted({entry["series_description"] for entry in series}))
        return Row(study_id, use="no", reason=f"no series is called {SAGITTAL_T2!r} (there are: {found})")
    files, _, series_id, folder = min(candidates)
    row = Row(study_id, series_id, str(folder), SAGITTAL_T2, str(-files))
    if len(candidates) > 1:
        row = replace(row, reason=f"chosen of {len(candidates)} sagittal T2 series: most files, then lowest id")
    return row


def _as_number(identifier: str) -> tuple[int, str]:
    return (int(identifier), "") if identifier.isdigit() else (1 << 63, identifier)


def sheet_rows(path: Path) -> list[Row]:
    """Rows of a study sheet that the user supplies: study_id and series_dir at least.

    Relative folders count from the folder in which the program runs. Raises UserError for a study that stands twice and
    for a ``use`` or ``split`` that is none.
    """
    entries = _numbered(path, ("study_id", "series_dir"))
    _refuse_mistakes(path, entries)
    rows = []
    for _, entry in entries:
        study_id = entry["study_id"]
        row = Row(**{name: entry.get(name, "") for name in COLUMNS} | {"use": entry.get("use") or "yes"})
        if not is_safe(study_id):
            row = Row(
                safe_id(study_id),
                reason=f"the study id {study_id!r} cannot name a file; ids are letters, digits, '.', '_' and '-'",
            )
        elif row.use == "yes" and not row.series_dir:
            row = replace(row, reason=row.reason or "the study sheet names no series_dir")
        rows.append(replace(row, split=row.split or "unknown"))
    return sorted(rows, key=lambda row: row.study_id)


def apply_selection(rows: list[Row], selection: Selection, valid_ids: str | None) -> list[Row]:
    """The rows with their split, and ``use`` = no with the reason where a study is not selected."""
    splits = split_of(rows, valid_ids)
    left_out = not_selected(splits, selection)
    chosen = []
    for row in rows:
        row = replace(row, split=splits[row.study_id])
        if row.study_id in left_out:
            row = replace(row, use="no", reason=left_out[row.study_id])
        chosen.append(row)
    return chosen


def outcome(row: Mapping[str, str]) -> str:
    """Of a row of the cohort table: ``ok``, ``failed``, ``excluded`` or ``not_selected`` (excluded only because the run
    takes a part of the cohort)."""
    if row["status"] == "excluded" and row["reason"].startswith(NOT_SELECTED):
        return "not_selected"
    return row["status"]


def write_sheet(rows: list[Row], path: Path) -> None:
    """Write the study sheet, atomically."""
    write_csv(path, COLUMNS, (asdict(row) for row in rows))


def read_sheet(path: Path) -> list[Row]:
    """Read a study sheet that ``write_sheet`` wrote."""
    return [Row(**{name: row[name] for name in COLUMNS}) for row in read_table(path, COLUMNS)]
