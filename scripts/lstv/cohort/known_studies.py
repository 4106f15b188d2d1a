"""The studies that a source names, known before any job runs."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from lstv.base.ids import is_stand_in, safe_id
from lstv.base.tables import numbered_rows
from lstv.cohort.study_sheet import refuse_mistakes


@dataclass(frozen=True)
class KnownStudy:
    """A study known before any job runs. ``fingerprint`` changes when what the source says of the study changes;
    ``use`` and ``split`` are yes and unknown unless a supplied sheet says otherwise."""

    study_id: str
    fingerprint: str
    split: str
    use: str


def known_studies(table: str | Path) -> list[KnownStudy]:
    """The studies that a table names (series table, study sheet or list of phantoms), sorted.

    Raises UserError where it is unreadable or a line of a study sheet has a mistake.
    """
    lines: dict[str, list[dict[str, str]]] = {}
    rows = numbered_rows(Path(table), ("study_id",))
    refuse_mistakes(table, rows)
    for _, row in rows:
        lines.setdefault(safe_id(row["study_id"]), []).append(row)
    return [_known_study(study_id, str(table), lines[study_id]) for study_id in sorted(lines)]


def _known_study(study_id: str, table: str, lines: list[dict[str, str]]) -> KnownStudy:
    content = "\n".join([table, *sorted(repr(sorted(line.items())) for line in lines)])
    fingerprint = hashlib.sha256(content.encode()).hexdigest()[:16]
    split = "unknown" if is_stand_in(study_id) else lines[0].get("split") or "unknown"
    return KnownStudy(study_id, fingerprint, split, lines[0].get("use") or "yes")
