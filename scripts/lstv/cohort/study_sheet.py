"""The study sheet: a line for every study that enters, with the series chosen or the reason why there is none."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path

from lstv.base.atomic import write_csv
from lstv.base.errors import UserError
from lstv.base.ids import problem, safe_id
from lstv.base.shareable import shareable
from lstv.base.tables import existing, numbered_rows, read_table
from lstv.base.text import printable

SPLITS = ("train", "validation", "unknown")
"""What a study is with regard to the point net's training."""

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


def sheet_rows(path: Path) -> list[Row]:
    """Rows of a study sheet that the user supplies: study_id and series_dir at least.

    Relative folders count from the folder in which the program runs. Raises UserError for a study that is listed twice and
    for a ``use`` or ``split`` that is none.
    """
    entries = numbered_rows(path, ("study_id", "series_dir"))
    refuse_mistakes(path, entries)
    rows = []
    for _, entry in entries:
        study_id = entry["study_id"]
        row = Row(**{name: entry.get(name, "") for name in COLUMNS} | {"use": entry.get("use") or "yes"})
        told = {name: printable(getattr(row, name)) for name in ("series_id", "series_description", "reason")}
        row = replace(row, series_dir=existing(row.series_dir), **told)
        if wrong := problem(study_id):
            row = Row(safe_id(study_id), use=row.use, reason=wrong)
        elif row.use == "yes" and not row.series_dir:
            row = replace(row, reason=row.reason or "the study sheet names no series_dir")
        rows.append(replace(row, split=row.split or "unknown"))
    return sorted(rows, key=lambda row: row.study_id)


def refuse_mistakes(table: str | Path, rows: list[tuple[int, dict[str, str]]]) -> None:
    """Raise UserError for a study sheet's line that says what it cannot say; other tables have none of its columns."""
    seen = set()
    for number, row in rows:
        for name, allowed in (("use", ("yes", "no")), ("split", SPLITS)):
            if row.get(name) and row[name] not in allowed:
                raise UserError(
                    Path(table),
                    f", line {number}: {name} is {row[name]!r}, but must be {', '.join(allowed[:-1])} or "
                    f"{allowed[-1]}{' (in small letters)' if row[name].lower() in allowed else ''}.",
                )
        if "series_dir" in row and not row["study_id"]:
            raise UserError(Path(table), f", line {number}: the study_id is empty; fill it in or remove the line.")
        if "series_dir" in row and row["study_id"] in seen:
            raise UserError(
                Path(table), f", line {number}: study {row['study_id']} is listed twice; keep one line of it."
            )
        seen.add(row["study_id"])


def write_sheet(rows: list[Row], path: Path) -> None:
    """Write the study sheet, atomically."""
    write_csv(path, COLUMNS, (asdict(replace(row, reason=shareable(row.reason, row.series_dir))) for row in rows))


def read_sheet(path: Path) -> list[Row]:
    """Read a study sheet that ``write_sheet`` wrote."""
    return [Row(**{name: row[name] for name in COLUMNS}) for row in read_table(path, COLUMNS)]
