"""Reading of CSV tables, all values as text."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

from lstv.base.errors import UserError


def read_table(path: Path, required: Iterable[str]) -> list[dict[str, str]]:
    """Rows of a CSV file, all values as text. Raises UserError where it is missing or lacks a column."""
    return [row for _, row in numbered_rows(path, required)]


def numbered_rows(path: Path, required: Iterable[str]) -> list[tuple[int, dict[str, str]]]:
    """The rows that ``read_table`` gives, each with its line in the file."""
    path = Path(path)
    try:
        with open(path, newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream)
            absent = [name for name in required if name not in (reader.fieldnames or [])]
            if absent and ";" in (reader.fieldnames or [""])[0]:
                raise UserError(path, " is separated by semicolons; save it as CSV with commas.")
            if absent:
                raise UserError(path, f" has no column {absent[0]}; its first line must name {', '.join(required)}.")
            rows = [
                (reader.line_num, {key: (value or "").strip() for key, value in row.items() if key}) for row in reader
            ]
    except FileNotFoundError as error:
        raise UserError(path, " does not exist.") from error
    except UnicodeDecodeError as error:
        raise UserError(path, " is no text in UTF-8; save it as CSV in UTF-8, with commas.") from error
    except (OSError, csv.Error) as error:
        raise UserError(path, f" cannot be read as a CSV table: {error}.") from error
    return [(number, row) for number, row in rows if any(row.values())]
