"""Annotations of another program, a JSON array of objects -> a label file, and every object that cannot be used with why."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lstv.base.errors import Setting, UserError
from lstv.cohort.verdicts import castellvi_of

COLUMNS = ("study_id", "label", "reader", "castellvi", "confidence", "comment")
"""Of the label file."""

NOT_USED_COLUMNS = ("annotation", "study_id", "reader", "reason")
"""Of the table of those that cannot be used; ``annotation`` counts from 1."""

MOST_BYTES = 200_000_000


@dataclass(frozen=True)
class Fields:
    """What the annotations call each of these; only the first two have to be there."""

    study: str = "study_id"
    castellvi: str = "castellvi"
    confidence: str = "confidence"
    notes: str = "notes"
    reader: str = "reader"


@dataclass(frozen=True)
class _Annotation:
    number: int
    study_id: str
    reader: str
    castellvi: str
    confidence: str
    comment: str

    def row(self) -> dict[str, str]:
        label = "normal" if self.castellvi == "none" else "lstv"
        said = {"castellvi": self.castellvi, "confidence": self.confidence, "comment": self.comment}
        return {"study_id": self.study_id, "label": label, "reader": self.reader} | said


class _NotUsable(Exception):
    """Its text is the reason."""


def convert(path: Path, fields: Fields) -> tuple[list[dict[str, str]], list[dict[str, Any]]]:
    """Rows of a label file with ``COLUMNS`` and rows with ``NOT_USED_COLUMNS``, both in the order of the file.

    A study is transitional where its Castellvi type is I to IV and normal where it is none. Of annotations of one study by
    one reader, the first is used where all say the same, and none where they differ. Raises UserError where the file is no
    JSON array of objects, or where none of them can be used.
    """
    given = _array(Path(path))
    usable: list[_Annotation] = []
    refused: dict[int, tuple[str, str, str]] = {}
    for number, entry in enumerate(given, start=1):
        try:
            usable.append(_annotation(number, entry, fields))
        except _NotUsable as why:
            refused[number] = (_shown(entry, fields.study), _shown(entry, fields.reader), str(why))
    by_reader: defaultdict[tuple[str, str], list[_Annotation]] = defaultdict(list)
    for annotation in usable:
        by_reader[annotation.study_id, annotation.reader].append(annotation)
    for group in by_reader.values():
        refused |= _repeated(group)
    if len(refused) == len(given):
        number, (_, _, reason) = min(refused.items()) if refused else (0, ("", "", "the array is empty"))
        first = f": annotation {number} {reason}" if refused else f": {reason}"
        raise UserError(path, f" has no annotation that can be used{first}. Their fields are named by ", FIELDS, ".")
    rows = [annotation.row() for annotation in usable if annotation.number not in refused]
    not_used = [dict(zip(NOT_USED_COLUMNS, (number, *refused[number]))) for number in sorted(refused)]
    return rows, not_used


FIELDS = Setting("annotation_fields", "the options that name the fields")


def _array(path: Path) -> list[Any]:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise UserError(path, f" has more than {MOST_BYTES // 1_000_000} MB; split it.")
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError as error:
        raise UserError(path, " does not exist; it is a JSON array of annotations.") from error
    except OSError as error:
        raise UserError(path, f" cannot be read ({error.strerror}); check the path.") from error
    except UnicodeDecodeError as error:
        raise UserError(path, " is not text in UTF-8; save it as JSON in UTF-8.") from error
    except (ValueError, RecursionError) as error:
        raise UserError(path, f" is not JSON ({error}); export the annotations again.") from error
    if not isinstance(content, list):
        raise UserError(
            path, " is JSON, but not an array; it must be a list of objects, one per annotation: [{...}, ...]."
        )
    return content


def _annotation(number: int, entry: Any, fields: Fields) -> _Annotation:
    if not isinstance(entry, Mapping):
        raise _NotUsable("is not an object with named fields")
    study_id = _text(entry, fields.study, "study")
    if not study_id:
        raise _NotUsable(f"has no {fields.study}")
    written = _text(entry, fields.castellvi, "Castellvi type")
    if not written:
        raise _NotUsable(f"has no {fields.castellvi}")
    found = castellvi_of(written)
    if found is None:
        raise _NotUsable(
            f"has {fields.castellvi} {written[:60]!r}, which is not one of none, I, II, III, IV (a or b may follow I to III)"
        )
    reader, confidence, notes = (_text(entry, name, name) for name in (fields.reader, fields.confidence, fields.notes))
    return _Annotation(number, study_id, reader, "".join(found), confidence, notes)


def _text(entry: Mapping[str, Any], name: str, what: str) -> str:
    """A field's text on one line; empty where the field is missing or null. Whole numbers may be numbers, and others too
    where they are not an id or a type."""
    value = entry.get(name)
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise _NotUsable(f"has {name} {str(value)[:60]!r}, which is not text")
    if isinstance(value, float) and what in ("study", "Castellvi type"):
        raise _NotUsable(f"has {name} {value!r}, a number with decimals; a {what} is text")
    return " ".join(str(value).encode("utf-8", "replace").decode("utf-8").split())


def _shown(entry: Any, name: str) -> str:
    value = entry.get(name) if isinstance(entry, Mapping) else None
    plain = isinstance(value, (str, int, float)) and not isinstance(value, bool)
    return " ".join(str(value)[:200].encode("utf-8", "replace").decode("utf-8").split()) if plain else ""


def _repeated(group: list[_Annotation]) -> dict[int, tuple[str, str, str]]:
    """Of annotations of one study by one reader, those that are not used."""
    by = f" by {group[0].reader}" if group[0].reader else ""
    first = group[0].number
    if len({annotation.castellvi for annotation in group}) == 1:
        reasons = {other.number: f"repeats annotation {first}, of the same study{by}" for other in group[1:]}
    else:
        types = ", ".join(f"{annotation.castellvi} (annotation {annotation.number})" for annotation in group)
        reasons = {other.number: f"contradicts others of the same study{by}: {types}" for other in group}
    return {number: (group[0].study_id, group[0].reader, reason) for number, reason in reasons.items()}
