"""Every study that entered, counted once: analysed, failed, excluded or not selected, and why."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import pandas

from lstv.cohort import study_sheet

MAX_GROUPS = 100
MAX_NAMED = 25


@dataclass(frozen=True)
class Names:
    """How studies are called in the report: by id, or by their line in the cohort table where ids are to be hidden."""

    shown: bool
    lines: dict[str, int]

    def __call__(self, study_id: str) -> str:
        return study_id if self.shown else f"line {self.lines[study_id]}"


def counts(outcomes: pandas.Series) -> dict[str, int]:
    """How many studies entered, and how many of them have each outcome; the outcomes add up to ``entered``."""
    result = {name: int((outcomes == name).sum()) for name in ("ok", "failed", "excluded", "not_selected")}
    if sum(result.values()) != len(outcomes):
        raise ValueError("a study has an outcome that is not counted")
    return {"entered": len(outcomes), **result}


def grouped_reasons(frame: pandas.DataFrame, sheet: dict[str, study_sheet.Row], names: Names) -> tuple[list[dict], int]:
    """Studies with the same reason, most frequent first: ``status``, ``reason``, ``n``, ``studies`` (a few), ``more``.

    Reasons that differ only in ids, paths or numbers are one group. The second value is the number of groups left out
    beyond the first ``MAX_GROUPS``.
    """
    groups: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for row in frame.to_dict("records"):
        plain = _without_identity(row["reason"], row["study_id"], row["series_id"], sheet[row["study_id"]].series_dir)
        key = re.sub(r"\d+", "0", plain)
        groups.setdefault((row["status"], key), []).append((row["study_id"], plain))
    result: list[dict[str, Any]] = []
    for (status, _), group in groups.items():
        texts = sorted({plain for _, plain in group})
        reason = texts[0] or "no reason was recorded"
        result.append(
            {
                "status": status,
                "reason": reason if len(texts) == 1 else f"for example: {reason}",
                "n": len(group),
                "studies": [names(study_id) for study_id, _ in group[:MAX_NAMED]],
                "more": max(0, len(group) - MAX_NAMED),
            }
        )
    result.sort(key=lambda group: (-group["n"], group["status"], group["reason"]))
    return result[:MAX_GROUPS], max(0, len(result) - MAX_GROUPS)


_PATH = re.compile(r"(?<!\S)['\"(]?(?:[^\s'\"/]*/){2,}([^\s'\"/,;:]*)")


def _without_identity(reason: str, study_id: str, series_id: str, series_dir: str) -> str:
    """The reason without ids and folders: they keep equal reasons apart, and a folder may be called like a patient."""
    for text, stand_in in ((series_dir, "its folder"), (study_id, "…"), (series_id, "…")):
        if text:
            reason = re.sub(rf"(?<![\w.-]){re.escape(text)}(?![\w-])", stand_in, reason)
    return _PATH.sub(r"\1", reason)
