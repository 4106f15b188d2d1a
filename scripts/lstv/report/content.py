"""What the report says, as plain data: nothing here knows of HTML."""

from __future__ import annotations

import math
import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas

from lstv import uncertainty
from lstv.base.errors import UserError
from lstv.base.levels import LEVELS
from lstv.cohort import selection, study_sheet
from lstv.report import accounting, candidates, plots, provenance, standing_out, summaries, wording
from lstv.report.inputs import Inputs
from lstv.report.palette import JUNCTION
from lstv.uncertainty import Thresholds


@dataclass(frozen=True)
class Options:
    """What was asked for: ``top`` candidates with images, whether study ids may be shown, and where the page will lie;
    ``cohort`` is its name, ``made`` the day on which its numbers were made, both empty where they are not known; ``pages``
    are the studies' own pages by study id."""

    title: str
    cohort: str
    made: str
    top: int
    show_ids: bool
    out: Path
    table: Path
    pages: dict[str, Path] = field(default_factory=dict)


def make(inputs: Inputs, runs: list[dict], options: Options) -> dict:
    """The whole content of the report but for images and figures. ``runs`` are the records of the heatmap files."""
    table = inputs.table
    names = accounting.Names(
        options.show_ids, {study_id: line for line, study_id in enumerate(table["study_id"], start=2)}
    )
    outcomes = table.apply(selection.outcome, axis=1) if len(table) else pandas.Series(dtype=str)
    analysed = candidates.ordered(table[outcomes == "ok"])
    documents = [inputs.studies[study_id] for study_id in sorted(inputs.studies)]
    thresholds = thresholds_of(inputs.settings, documents)
    rows = analysed.to_dict("records")
    for row in rows:
        row["own_choice"] = inputs.sheet[row["study_id"]].reason == study_sheet.CHOSEN_BY_USER
    ranked = "rank" in analysed and bool(analysed["rank"].notna().any())
    group = {row["study_id"]: standing_out.group_of(row, ranked=ranked) for row in rows}
    place = standing_out.places(rows)
    n_of = Counter(group.values())
    standing = [row for row in rows if group[row["study_id"]] == standing_out.STANDS_OUT]
    doubted = [row for row in rows if group[row["study_id"]] == standing_out.LOCALIZER]
    away = table[outcomes.isin(("failed", "excluded"))] if len(table) else table
    reasons, more_reasons = accounting.grouped_reasons(away, inputs.sheet, names)
    unselected, _ = accounting.grouped_reasons(table[outcomes == "not_selected"], inputs.sheet, names)
    counts = accounting.counts(outcomes)
    link = _Links(inputs.json_paths, options)

    def shown(row: dict, anchor: str) -> dict:
        study_id = row["study_id"]
        made = candidates.card(row, inputs.studies.get(study_id), names, thresholds)
        return made | {
            "place": place[study_id],
            "json": link.json(study_id),
            "page": link.page(study_id),
            "anchor": anchor,
        }

    cards = [shown(row, f"study-{number}") for number, row in enumerate(standing[: options.top], start=1)]
    doubtful = [shown(row, f"localizer-{number}") for number, row in enumerate(doubted[: options.top], start=1)]
    anchors = {card["study_id"]: card["anchor"] for card in (*cards, *doubtful)}
    lines = [
        _line(row, names, link, thresholds)
        | {"place": place[row["study_id"]], "group": group[row["study_id"]].title}
        | {"anchor": anchors.get(row["study_id"])}
        for row in rows
    ]
    places = {row["study_id"]: plots.Place(line["name"], _target(line)) for row, line in zip(rows, lines)}
    return {
        "title": options.title,
        "cohort": options.cohort or str(inputs.settings.get("cohort", "")),
        "made": options.made,
        "show_ids": options.show_ids,
        "table_name": link.name(options.table),
        "demo": provenance.uses_demo_weights(runs, documents),
        "thresholds": thresholds,
        "effective_area": round(math.exp(thresholds["high"])),
        "counts": {
            **counts,
            "stands_out": n_of[standing_out.STANDS_OUT],
            "usual": n_of[standing_out.USUAL],
            "localizer": n_of[standing_out.LOCALIZER],
            "quality": n_of[standing_out.QUALITY],
            "training": int((analysed["split"] == "train").sum()),
            "split_unknown": int((analysed["split"] == "unknown").sum()),
        },
        "strata": _strata(analysed, thresholds),
        "agreement": standing_out.strata_by_group(rows, group) if ranked else None,
        "combined": "score" in analysed and bool(analysed["score"].notna().any()),
        "ranked": ranked,
        "first": standing_out.first_screen(cards, len(standing)),
        "candidates": cards,
        "n_standing": len(standing),
        "rows": lines,
        "localizer": [line for row, line in zip(rows, lines) if group[row["study_id"]] == standing_out.LOCALIZER],
        "localizer_cards": doubtful,
        "quality": [
            {
                **line,
                "problems": [wording.flag_meaning(f) for f in candidates.flags_of(row) if wording.is_quality(f)],
            }
            for row, line in zip(rows, lines)
            if group[row["study_id"]] == standing_out.QUALITY
        ],
        "flags": _flags(rows),
        "reasons": reasons,
        "more_reasons": more_reasons,
        "unselected": [
            {**group, "reason": group["reason"].removeprefix(selection.NOT_SELECTED).lstrip(": ")}
            for group in unselected
        ],
        "levels": summaries.level_table(analysed),
        "study_metrics": summaries.study_table(analysed),
        "definitions": uncertainty.metrics(),
        "provenance": provenance.facts(runs, documents) + provenance.of_run(inputs.software),
        "settings": provenance.settings_rows(inputs.settings),
        "analysed": analysed,
        "places": places,
    }


def _target(line: dict) -> str | None:
    """Where a plot's point leads: as the study's name in the tables does."""
    return line["page"] or (f"#{line['anchor']}" if line["anchor"] else line["json"])


def thresholds_of(settings: dict, documents: list[dict]) -> dict[str, float]:
    """``high`` and ``moderate`` in nats: as recorded with the metrics, else from the settings, else the defaults.

    Raises UserError where studies were stratified by different thresholds.
    """
    used = sorted(
        {
            (record["risk_high"], record["risk_moderate"])
            for record in (document.get("provenance", {}) for document in documents)
            if "risk_high" in record and "risk_moderate" in record
        }
    )
    if len(used) > 1:
        raise UserError(
            f"the studies were stratified by different thresholds ({used[0][0]:g} and {used[1][0]:g} nats for high); run "
            "study_metrics for all of them again."
        )
    metrics = settings.get("metrics", {})
    default = Thresholds()
    high, moderate = (
        used[0]
        if used
        else (
            metrics.get("entropy_high", default.high),
            metrics.get("entropy_moderate", default.moderate),
        )
    )
    return {"high": float(high), "moderate": float(moderate)}


def _strata(analysed: pandas.DataFrame, thresholds: dict[str, float]) -> list[dict]:
    known: list[dict[str, Any]] = [
        {
            "name": stratum.name,
            "title": stratum.title,
            "rule": stratum.rule.format(**thresholds),
            "n": int((analysed["risk"] == stratum.name).sum()),
        }
        for stratum in wording.STRATA
    ]
    other = len(analysed) - sum(entry["n"] for entry in known)
    if other:
        known.append({"name": "none", "title": "No stratum", "rule": "the table gives none", "n": other})
    return known


def _line(row: dict, names: accounting.Names, link: _Links, thresholds: dict) -> dict:
    """A study's line in the table of all analysed studies."""
    notes = wording.study_notes(row)
    # that L5/S1 was not found is the stratum already
    flags = [flag for flag in candidates.flags_of(row) if wording.is_note(flag) and flag != f"{JUNCTION}_not_found"]
    return {
        "name": names(row["study_id"]),
        "json": link.json(row["study_id"]),
        "page": link.page(row["study_id"]),
        "why": candidates.why(row, thresholds),
        "measures": [row.get(column) for column, _, _ in candidates.MEASURES],
        "split": row["split"] or "unknown",
        "rank_entropy": int(row["rank_entropy"]) if candidates.is_number(row.get("rank_entropy")) else None,
        "score": row.get("score"),
        "risk": wording.STRATUM_WORDS.get(row["risk"], "None"),
        "entropy": [row[f"{level}_entropy"] if candidates.is_found(row, level) else None for level in LEVELS],
        "confidence": row[f"{JUNCTION}_confidence"],
        "found": sum(candidates.is_found(row, level) for level in LEVELS),
        "notes": notes + [wording.flag_words(flag) for flag in flags],
    }


def _flags(rows: list[dict]) -> list[dict]:
    """The flags that occur among the analysed studies: ``name``, ``meaning``, in how many (``n``), most frequent first."""
    met = Counter(flag for row in rows for flag in candidates.flags_of(row))
    return [
        {"name": flag, "meaning": wording.flag_meaning(flag), "n": n}
        for flag, n in sorted(met.items(), key=lambda item: (-item[1], item[0]))
    ]


class _Links:
    """Relative links to what lies beside the page or below it; nothing else is linked."""

    def __init__(self, json_paths: dict[str, Path], options: Options) -> None:
        self._json_paths = json_paths
        self._pages = options.pages
        self._show_ids = options.show_ids
        self._folder = os.path.abspath(options.out.parent)

    def name(self, path: Path) -> str | None:
        relative = os.path.relpath(os.path.abspath(path), self._folder)
        return None if relative.startswith(os.pardir) else relative.replace(os.sep, "/")

    def json(self, study_id: str) -> str | None:
        # the file is called like the study
        if not self._show_ids or study_id not in self._json_paths:
            return None
        return self.name(self._json_paths[study_id])

    def page(self, study_id: str) -> str | None:
        """The page of a study with its whole series; None where it has none."""
        return self.name(self._pages[study_id]) if study_id in self._pages else None
