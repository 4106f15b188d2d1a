"""The golden tables: everything that is reported for a study, a row for each value and a column for each study.

A metric that is new, gone or changed is one line of a difference. Rows come in the order of the metrics file.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path

from golden_demo import load
from golden_made import RUN, made_studies
from lstv.ranking.score import rank_studies
from lstv.uncertainty import metrics
from lstv.uncertainty.study_record import DRAWN, study_record

DATA = Path(__file__).parents[1] / "data"
TABLES = {"demo": DATA / "golden_demo.csv", "made": DATA / "golden_made.csv"}

Cells = dict[str, dict[str, str]]
"""Row name -> study -> cell."""


def measured(cohort: str) -> Cells:
    """The cells as the present code makes them, of ``demo`` or ``made``."""
    studies = {maps.study_id: (maps, None) for maps in load()} if cohort == "demo" else made_studies()
    records = {
        name: study_record(maps, RUN, feature_bank=feature_bank) for name, (maps, feature_bank) in studies.items()
    }
    by_id = {record["study_id"]: name for name, record in records.items()}
    standings = {by_id[standing.study_id]: standing for standing in rank_studies(records.values())}
    columns = {name: _cells(record, standings.get(name)) for name, record in records.items()}
    rows = list(max(columns.values(), key=len))
    return {row: {name: column.get(row, "") for name, column in columns.items()} for row in rows}


def _cells(record: dict, standing: object) -> dict[str, str]:
    cells = {
        "status": record["status"],
        "reason": record["reason"],
        "flags": ";".join(record["flags"]),
    }
    if standing is not None:
        cells |= {
            f"standing.{name}": _text(getattr(standing, name)) for name in ("rank", "score", "group", "not_counted")
        }
        cells["standing.rank_entropy"] = _text(standing.rank_entropy)
        cells["standing.reasons"] = "; ".join(standing.reasons)
    for level, values in record["levels"].items():
        for name, value in values.items():
            if name in _POINTS:
                parts = value if value is not None else [None] * _POINTS[name]
                cells |= {f"{level}.{name}.{index}": _text(part) for index, part in enumerate(parts)}
            else:
                cells[f"{level}.{name}"] = _text(value)
    # these maps have no strip, and so no places on one
    return cells | {f"study.{name}": _text(value) for name, value in record["study"].items() if name not in DRAWN}


_POINTS = {"point_px": 2, "point_mm": 3}


def _text(value: object) -> str:
    """``null``, whole numbers without and others with a point or exponent, at 12 digits; words as they are."""
    if value is None:
        return "null"
    if isinstance(value, float):
        short = f"{value + 0.0:.12g}"
        return short if set(short) & set(".en") else f"{short}.0"
    return str(value)


def read(path: Path) -> Cells:
    with open(path, newline="", encoding="utf-8") as stream:
        return {row.pop("value"): row for row in csv.DictReader(stream)}


def write(path: Path, cells: Cells) -> None:
    stream = io.StringIO()
    names = list(next(iter(cells.values())))
    writer = csv.DictWriter(stream, ["value", *names], lineterminator="\n")
    writer.writeheader()
    writer.writerows({"value": name, **row} for name, row in cells.items())
    path.write_text(stream.getvalue(), encoding="utf-8")


def differences(was: Cells, now: Cells) -> list[str]:
    """What differs, a sentence each: rows, their order, studies, and values beyond the tolerance."""
    if list(was) != list(now):
        gone, new = [name for name in was if name not in now], [name for name in now if name not in was]
        return [f"rows gone: {gone}; new: {new}"] if gone or new else ["the order of the rows has changed"]
    studies, present = (list(next(iter(cells.values()))) for cells in (was, now))
    if studies != present:
        return [f"the studies are {present} and were {studies}"]
    return [
        f"{study} {row}: {now[row][study]} (was {was[row][study]})"
        for row in was
        for study in studies
        if not _same(row, was[row][study], now[row][study])
    ]


def kept(was: Cells, now: Cells) -> Cells:
    """The present cells, but for those that are the same within the tolerance, which stay as they were."""
    return {
        row: {
            study: was[row][study] if study in was.get(row, {}) and _same(row, was[row][study], cell) else cell
            for study, cell in cells.items()
        }
        for row, cells in now.items()
    }


# distances between features and pictures that are read between pixels are of float32, whose sums depend on the processor
_ANATOMY = [entry.name for entry in metrics() if entry.family == "anatomy"]
_TOLERANCE = {"feature_distance": 1e-5} | dict.fromkeys([*_ANATOMY, "score"], 1e-4)


def _same(row: str, was: str, now: str) -> bool:
    if was == now:
        return True
    # words, whole numbers, null against a number: exact
    if not (_is_fraction(was) and _is_fraction(now)):
        return False
    one, other = float(was), float(now)
    return abs(one - other) <= max(_TOLERANCE.get(row.split(".")[-1], 1e-9) * abs(one), 1e-12)


def _is_fraction(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return bool(set(text) & set(".en"))
