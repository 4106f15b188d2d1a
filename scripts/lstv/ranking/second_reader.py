"""The second readers in the cohort table: their columns, and a ranking of its own where both programs gave a mask.

``rank_with_second_reader`` orders the studies that both programs read, by the mean of the score's components and of one
more, the share of questions of numbering on which somebody disagrees (``second_reader_disagreement``). The groups of the
ordinary ranking stay. The ordinary score and rank are untouched: the programs see few studies, chosen by that very rank,
and no evidence was planned for the new one before its results were seen.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from lstv.base.errors import UserError
from lstv.base.tables import parsed
from lstv.ranking.score import GROUPS, Standing

SCORE, RANK = "score_with_second_reader", "rank_with_second_reader"
_DISAGREEMENT = "second_reader_disagreement"
_WORDS = "second_reader_words"
_DIGITS = 9

Rows = dict[str, dict[str, str]]


def read(path: Path) -> tuple[list[str], Rows]:
    """Columns (without study_id) and rows by study id of the table of the second readers. Raises UserError where it is not
    one."""
    header, _, entries = parsed(Path(path))
    for name in ("study_id", _WORDS, _DISAGREEMENT):
        if name not in header:
            raise UserError(path, f" has no column {name}, so it is not a table of second readers.")
    rows: Rows = {}
    for _, row in entries:
        if row["study_id"] in rows:
            raise UserError(path, f" has study {row['study_id']} twice; make it again.")
        rows[row["study_id"]] = row
    return [name for name in header if name != "study_id"], rows


def columns(names: Iterable[str]) -> list[str]:
    """Names of the columns that follow all others in the cohort table."""
    return [RANK, SCORE, *names]


def values(rows: Rows, standings: Iterable[Standing]) -> dict[str, dict[str, Any]]:
    """Cells by study id: the second readers' own, and the ranking with them."""
    cells: dict[str, dict[str, Any]] = {
        study_id: {name: value or None for name, value in row.items() if name != "study_id"}
        for study_id, row in rows.items()
    }
    placed = []
    for standing in standings:
        share = rows.get(standing.study_id, {}).get(_DISAGREEMENT)
        if share:
            parts = [*standing.evidence.values(), float(share)]
            score = round(sum(parts) / len(parts), _DIGITS)
            placed.append(((GROUPS.index(standing.group), -score), standing.study_id, score))
    orders = sorted(order for order, _, _ in placed)
    for order, study_id, score in placed:
        cells[study_id] |= {RANK: 1 + orders.index(order), SCORE: score}
    return cells
