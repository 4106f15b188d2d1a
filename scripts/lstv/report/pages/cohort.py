"""The cohort behind the pages: which studies get one, in which order, and where a study's numbers lie among the others'."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas

from lstv.base.errors import UserError
from lstv.base.levels import LEVELS
from lstv.cohort import selection
from lstv.report import accounting, candidates, inputs, standing_out, summaries
from lstv.report.pages.distribution import Spread
from lstv.report.pages.names import page_name

REVIEWED, ALL = "reviewed", "all"


@dataclass(frozen=True)
class Entry:
    """A study with a page: ``row`` of the cohort table, ``group``, ``place`` (``standing_out.places``), how it is called in
    front of a reader (``name``), the name of its files (``file``), and those of its neighbours in the order of the pages."""

    row: dict[str, Any]
    group: standing_out.Group
    place: dict[str, Any]
    name: str
    file: str
    number: int
    before: Neighbour | None
    after: Neighbour | None

    @property
    def study_id(self) -> str:
        study_id: str = self.row["study_id"]
        return study_id


@dataclass(frozen=True)
class Neighbour:
    """Another study's page: what the study is called, and the name of its files."""

    name: str
    file: str


class Cohort:
    """The analysed studies of a cohort table, the first to look at first."""

    def __init__(self, table: Path, *, show_ids: bool) -> None:
        frame = inputs.read_table(Path(table))
        self._lines = {study_id: line for line, study_id in enumerate(frame["study_id"], start=2)}
        self.names = accounting.Names(show_ids, self._lines)
        outcomes = frame.apply(selection.outcome, axis=1) if len(frame) else pandas.Series(dtype=str)
        self.analysed = candidates.ordered(frame[outcomes == "ok"])
        self._rows: list[dict[str, Any]] = [
            {str(name): value for name, value in row.items()} for row in self.analysed.to_dict("records")
        ]
        ranked = "rank" in self.analysed and bool(self.analysed["rank"].notna().any())
        self.groups = {row["study_id"]: standing_out.group_of(row, ranked=ranked) for row in self._rows}
        self._places = standing_out.places(self._rows)
        self._spreads: dict[str, Spread] = {}

    def pages(self, which: str, top: int, queued: Collection[str]) -> list[Entry]:
        """The studies with a page, in order: ``all``, or those ``reviewed``: the first ``top`` that stand out, the first
        ``top`` of the list "look at the localizer", and those ``queued``."""
        wanted = set(self.groups) if which == ALL else set(queued)
        for group in (standing_out.STANDS_OUT, standing_out.LOCALIZER):
            wanted |= set([row["study_id"] for row in self._rows if self.groups[row["study_id"]] == group][:top])
        rows = [row for row in self._rows if row["study_id"] in wanted]
        known = [Neighbour(self.names(row["study_id"]), self.file(row["study_id"])) for row in rows]
        return [
            Entry(
                row,
                self.groups[row["study_id"]],
                self._places[row["study_id"]],
                known[index].name,
                known[index].file,
                index + 1,
                known[index - 1] if index else None,
                known[index + 1] if index + 1 < len(rows) else None,
            )
            for index, row in enumerate(rows)
        ]

    def file(self, study_id: str) -> str:
        """Name of a study's files, without an ending."""
        return page_name(study_id, self._lines[study_id], show_ids=self.names.shown)

    @cached_property
    def count(self) -> int:
        """Number of analysed studies."""
        return len(self._rows)

    def spread(self, column: str) -> Spread:
        """The values of a column over the studies that have one; of a level only where it was found."""
        if column not in self._spreads:
            level = next((name for name in LEVELS if column.startswith(f"{name}_")), None)
            if level is not None and column in self.analysed:
                found = summaries.level_values(self.analysed, level, column[len(level) + 1 :])
            else:
                found = summaries.study_values(self.analysed, column)
            self._spreads[column] = Spread(found.to_numpy(dtype=float))
        return self._spreads[column]


def queued_studies(queue: Path) -> set[str]:
    """Ids of the studies in a review queue (JSON)."""
    try:
        return {str(study["study_id"]) for study in json.loads(Path(queue).read_text(encoding="utf-8"))["studies"]}
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise UserError(Path(queue), f" cannot be read as a review queue ({error}); make it again.") from error
