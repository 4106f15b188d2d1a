"""Which studies to look at first, and what is said about each."""

from __future__ import annotations

import functools
import math
from typing import TypeGuard

import pandas

from lstv import uncertainty
from lstv.anatomy.points import FOUND
from lstv.base.levels import LEVEL_LABELS, LEVELS
from lstv.base.text import capital
from lstv.report import accounting, formats, summaries, wording
from lstv.report.palette import JUNCTION
from lstv.second_reader import flags
from lstv.second_reader.numbering import PROGRAMS

MEASURES = (
    ("junction_disc_contrast", "L5/S1 disc contrast", 2),
    ("mass_ratio", "L5/S1 response", 2),
    ("shift_ambiguity", "Names fit one level off", 3),
    ("junction_place_disagreement", "Slices disagree on L5/S1", 2),
    ("junction_jump", "L5/S1 jumps from slice to slice", 1),
    ("discs_spanned", "Discs from first to last point", 0),
)
"""Study metrics with a name for people: what enters the ranking."""

_NO_UNIT = ("ratio", "share", "probability")

MOST_FACTS, MOST_REASONS = 5, 4
"""Numbers and reasons on a card that are not folded away; the reasons shown are marked in the picture."""


def ordered(analysed: pandas.DataFrame) -> pandas.DataFrame:
    """Analysed studies, the first to look at first: by ``rank``, or without ranks by descending L5/S1 entropy (a study
    whose L5/S1 was not found last, because its entropy means nothing)."""
    if "rank" in analysed and analysed["rank"].notna().any():
        return analysed.sort_values(["rank", "study_id"], kind="stable", na_position="last")
    keys = pandas.DataFrame(
        {
            "lost": ~summaries.found(analysed, JUNCTION),
            "entropy": -analysed[f"{JUNCTION}_entropy"],
            "study_id": analysed["study_id"],
        }
    )
    return analysed.loc[keys.sort_values(["lost", "entropy", "study_id"], kind="stable").index]


def flags_of(row: dict) -> list[str]:
    """The flags of a row of the table."""
    return [flag for flag in row["flags"].split(";") if flag]


def has_quality_problem(row: dict) -> bool:
    """Whether the study's images do not fit the question."""
    return row["quality"] == "problem" or any(map(wording.is_quality, flags_of(row)))


def is_localizers(row: dict) -> bool:
    """Whether somebody should look at the localizer's points before anything is concluded about the junction."""
    return row.get("rank_group") == wording.LOCALIZER


def is_found(row: dict, level: str) -> bool:
    """Whether a level was found in the study of this row."""
    return row[f"{level}_confidence"] > FOUND


def is_number(value: object) -> TypeGuard[float]:
    """Whether a cell holds a finite number."""
    return isinstance(value, (int, float)) and math.isfinite(value)


@functools.cache  # asked for each number of each card and page
def documented() -> dict[str, uncertainty.Metric]:
    """The metrics of a study and of L5/S1 by their columns of the cohort table."""
    of_study = {entry.name: entry for entry in uncertainty.metrics("study")}
    return of_study | {f"{JUNCTION}_{entry.name}": entry for entry in uncertainty.metrics("level")}


def unit_of(column: str) -> str:
    """The unit of a metric's column as people write it behind a number; empty where it has none."""
    metric = documented().get(column)
    return "" if metric is None or metric.unit in _NO_UNIT else metric.unit


def headings() -> list[tuple[str, str, int]]:
    """``MEASURES`` as heads of columns: with the unit, unless the words say it."""
    units = ((column, label, digits, unit_of(column)) for column, label, digits in MEASURES)
    return [
        (column, label if not unit or unit in label.lower() else f"{label} ({unit})", digits)
        for column, label, digits, unit in units
    ]


def card(row: dict, document: dict | None, names: accounting.Names, thresholds: dict) -> dict:
    """What stands on a candidate's card, but for its image."""
    lost = _lost(row)
    facts = _facts(row, lost)
    reasons = reasons_of(row, thresholds)
    return {
        "study_id": row["study_id"],
        "name": names(row["study_id"]),
        "risk_title": wording.STRATUM_TITLES.get(row["risk"], row["risk"] or "none"),
        "facts": facts[:MOST_FACTS],
        "more_facts": facts[MOST_FACTS:],
        "reasons": reasons[:MOST_REASONS],
        "more_reasons": reasons[MOST_REASONS:],
        "second_readers": second_readers(row),
        "notes": wording.study_notes(row),
        "flags": _flag_words(row),
        "not_found": lost,
        "measures": _measures((document or {}).get("study", {})),
    }


def second_readers(row: dict) -> list[str]:
    """What SPINEPS and TotalSpineSeg say of the numbering; empty where they were not asked."""
    said = [part for part in row.get("second_reader_words", "").split("; ") if part]
    for program, called in PROGRAMS.items():
        status = row.get(f"{program}_status", "")
        if status == flags.OK and not any(called in part for part in said):
            same = row.get(f"{program}_offset") == 0
            said.append(f"{called} names the discs as the point net does" if same else f"{called} cannot be compared")
        elif status in (flags.REFUSED, flags.FAILED):
            said.append(f"{called} has no mask that can be used")
    return said


def _lost(row: dict) -> list[str]:
    return [LEVEL_LABELS[level] for level in LEVELS if not is_found(row, level)]


def _facts(row: dict, lost: list[str]) -> list[dict]:
    """The main numbers, the first to know first: ``label``, ``value``, ``unit`` and a ``note`` in small print."""
    facts = [_fact("Score, 0 to 1", formats.number(row["score"], 2))] if is_number(row.get("score")) else []
    facts += [
        _fact(label, formats.number(row[column], digits), unit_of(column))
        for column, label, digits in MEASURES
        if is_number(row.get(column))
    ]
    entropy = row[f"{JUNCTION}_entropy"] if is_found(row, JUNCTION) else None
    area = f"about {formats.count(round(math.exp(entropy)))} px" if is_number(entropy) else ""
    facts.append(_fact("L5/S1 entropy", formats.number(entropy, 2), "nats" if is_number(entropy) else "", area))
    if is_number(row.get("rank_entropy")):
        facts.append(_fact("Rank by this entropy", formats.count(int(row["rank_entropy"]))))
    facts.append(_fact("L5/S1 peak", formats.number(row[f"{JUNCTION}_confidence"], 3)))
    facts.append(_fact("Levels found", f"{len(LEVELS) - len(lost)} of {len(LEVELS)}"))
    return facts


def _fact(label: str, value: str, unit: str = "", note: str = "") -> dict:
    return {"label": label, "value": value, "unit": unit, "note": note}


def reasons_of(row: dict, thresholds: dict) -> list[str]:
    """The ranking's reasons; where the table has none, what the stratum by entropy says; empty where nothing is unusual."""
    given = [part for part in row["reasons"].split("; ") if part]
    if given:
        return [capital(part) for part in given]
    if is_number(row.get("rank")):
        return []
    lost = _lost(row)
    reasons = [f"Not found: {', '.join(lost)}"] if lost else []
    if row["risk"] == "high":
        reasons.append(f"The L5/S1 entropy is above {thresholds['high']:g} nats")
    return reasons


def why(row: dict, thresholds: dict) -> str:
    """All reasons as one sentence without its full stop; empty where nothing is unusual."""
    text: str = row["reasons"] or "; ".join(reasons_of(row, thresholds))
    return capital(text)


def _flag_words(row: dict) -> list[str]:
    """Its flags; levels that were not found are told elsewhere on the card."""
    flags = [flag for flag in flags_of(row) if wording.is_note(flag) and not flag.endswith("_not_found")]
    return [wording.flag_words(flag) for flag in flags]


def _measures(values: dict) -> list[dict]:
    """All documented study metrics of a JSON, for the reader who wants them."""
    return [
        {"name": entry.name, "value": formats.significant(values[entry.name]), "unit": entry.unit}
        for entry in uncertainty.metrics("study")
        if entry.name in values
    ]
