"""Reading of CSV tables, all values as text: the one reader of sheets, lists, labels and results."""

from __future__ import annotations

import csv
import io
import os
import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path

from lstv.base import atomic
from lstv.base.errors import UserError, cause


def read_table(path: Path, required: Iterable[str]) -> list[dict[str, str]]:
    """Rows of a CSV file, all values as text. Raises UserError where it is missing or lacks a column."""
    return [row for _, row in numbered_rows(path, required)]


def numbered_rows(path: Path, required: Iterable[str]) -> list[tuple[int, dict[str, str]]]:
    """The rows that ``read_table`` gives, each with its line in the file."""
    required = tuple(required)
    path = Path(path)
    header, semicolons, rows = parsed(path)
    absent = [name for name in required if name not in header]
    if absent and semicolons:
        raise UserError(path, " is separated by semicolons; save it as CSV with commas.")
    if absent and any("\t" in name for name in header):
        raise UserError(path, " is separated by tabs; save it as CSV with commas.")
    if absent and not header:
        raise UserError(path, f" is empty; its first line must name {', '.join(required)}.")
    if absent:
        raise UserError(path, f" has no column {absent[0]}; its first line must name {', '.join(required)}.")
    return rows


def parsed(path: Path, *, semicolons: bool = False) -> tuple[list[str], bool, list[tuple[int, dict[str, str]]]]:
    """Header, whether it looks separated by semicolons, and the rows that are not empty, each with its line in the file.

    With ``semicolons`` such a file is read too, as spreadsheets of many countries save CSV. Blanks around values and names,
    a byte order mark, a first line ``sep=,`` (which Excel writes and hides) and the apostrophes of ``atomic.harmless`` are
    not part of the text. Raises UserError where the file is missing, no UTF-8, no CSV or names a column twice, or where a
    quotation mark that nothing closes would take the lines after it for text of one cell.
    """
    if Path(path).is_dir():
        raise UserError(path, " is a folder; name a CSV file.")
    try:
        with open(path, newline="", encoding="utf-8-sig") as stream:
            text = stream.read()
        first, _, rest = text.partition("\n")
        skipped, separator = 0, ""
        if first.strip().lower().startswith("sep=") and len(first.strip()) == len("sep=") + 1:
            separator, text, skipped = first.strip()[-1], rest, 1
        first = next((line for line in io.StringIO(text) if line.strip()), "")
        by_semicolons = separator == ";" or (";" in first and "," not in first)
        comma = ";" if by_semicolons and semicolons else ","
        lines = list(io.StringIO(text, newline=""))
        reader = csv.reader(lines, delimiter=comma, skipinitialspace=True)
        header: list[str] = []
        rows = []
        begin = 0
        for cells in reader:
            if reader.line_num > begin + 1 and not _well_quoted(lines[begin : reader.line_num], comma):
                raise _unclosed(path, begin + 1 + skipped)
            begin = reader.line_num
            if not header:
                header = [name.strip() for name in cells]
                continue
            row = {name: atomic.original(cell.strip()) for name, cell in zip(header, cells)}
            row |= dict.fromkeys(header[len(cells) :], "")
            row.pop("", None)
            if any(row.values()):
                rows.append((reader.line_num + skipped, row))
    except FileNotFoundError as error:
        raise UserError(path, " does not exist.") from error
    except UnicodeDecodeError as error:
        raise UserError(path, " is not text in UTF-8; save it as CSV in UTF-8, with commas.") from error
    except (OSError, ValueError, csv.Error) as error:
        if isinstance(error, csv.Error) and reader.line_num > begin + 1:  # more lines than a cell can have
            raise _unclosed(path, begin + 1 + skipped) from error
        raise UserError(path, f" cannot be read as a CSV table: {cause(error)}.") from error
    twice = [name for name in header if name and header.count(name) > 1]
    if twice:
        raise UserError(path, f" has two columns {twice[0]}; remove or rename one.")
    return header, by_semicolons, rows


def _unclosed(path: Path, line: int) -> UserError:
    return UserError(
        path, f", line {line}: a quotation mark is not closed and would swallow the lines after it; remove it."
    )


def _well_quoted(lines: list[str], comma: str) -> bool:
    """Whether the row that the csv module made of these lines is one by the rules: each opened cell is closed before a comma
    (blanks may stand between). It reads on past a stray mark without an error, and over the rows that follow."""
    closed = [re.sub(rf'"[ \t]+(?={comma}|\r?\n|$)', '"', line) for line in lines]
    try:
        return len(list(csv.reader(closed, delimiter=comma, strict=True, skipinitialspace=True))) == 1
    except csv.Error:
        return False


def existing(path: str) -> str:
    """The path, or the one that exists of its two ways to write accented letters (Unicode NFC and NFD): a sheet written on
    one system names a folder of another, whose name looks the same."""
    if not path or os.path.lexists(path):
        return path
    forms = (unicodedata.normalize(form, path) for form in ("NFC", "NFD"))
    return next((form for form in forms if os.path.lexists(form)), path)
