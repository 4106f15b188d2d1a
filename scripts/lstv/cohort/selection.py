"""Which studies of a cohort are analysed, and why the others are not."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from lstv.base.errors import Setting, UserError
from lstv.base.ids import is_stand_in, read_ids
from lstv.base.text import counted
from lstv.cohort.known_studies import KnownStudy
from lstv.cohort.study_sheet import Row

NOT_SELECTED = "not selected"
"""How the reason of a study begins that the selection of the run (a trial, a list) left out."""

MODE = Setting("mode", "the mode of the selection")
LIST = Setting("list", "the list of studies to analyse")
VALID_IDS = Setting("valid_ids", "the list of ids that the point net was not trained on")


@dataclass(frozen=True)
class Selection:
    """Which studies are wanted; the fields are the keys of the configuration's ``selection``."""

    mode: str = "production"
    trial_studies: int = 10
    seed: int = 2024
    list: str | None = None
    allow_training_studies: bool = False


def split_of(studies: Iterable[KnownStudy | Row], valid_ids: str | None) -> dict[str, str]:
    """train or validation for each study; without the list of validation ids what the sheet says."""
    if valid_ids is None:
        return {study.study_id: study.split for study in studies}
    validation = read_ids(Path(valid_ids))
    if not validation:
        raise UserError(
            Path(valid_ids), " lists no study id; name the file valid_id.npy, or a text file with one id per line."
        )
    # of a study whose id was refused nothing is known
    return {
        study.study_id: "unknown" if is_stand_in(study.study_id) else _split(study.study_id in validation)
        for study in studies
    }


def _split(in_validation: bool) -> str:
    return "validation" if in_validation else "train"


def not_selected(splits: dict[str, str], selection: Selection) -> dict[str, str]:
    """The studies that are not wanted, each with its reason.

    A trial takes the studies with the lowest hash of seed and id: the same few for one seed, and adding studies to the
    cohort replaces as few of them as possible. A study whose id was refused fails with that reason in every run but that of
    a list, which cannot name it.
    """
    reasons: dict[str, str] = {}
    for study_id, split in splits.items():
        if split == "train" and not selection.allow_training_studies:
            reasons[study_id] = (
                "the point net was trained on it, as the list of ids or the study sheet says; such studies are analysed "
                "only if you ask for it"
            )
        elif selection.mode == "validation" and split != "validation" and not is_stand_in(study_id):
            reasons[study_id] = "not in the validation list"
    known = {study_id: split for study_id, split in splits.items() if not is_stand_in(study_id)}
    if selection.mode == "validation" and "unknown" in known.values():
        raise UserError(MODE, " is validation, but ", VALID_IDS, " is not set; name the file valid_id.npy there.")
    if selection.mode == "list":
        if selection.list is None:
            raise UserError(MODE, " is list, but ", LIST, " names no file; set it to a file of study ids.")
        wanted = read_ids(Path(selection.list))
        if not wanted:
            raise UserError(Path(selection.list), " lists no study id; write one id per line.")
        absent = sorted(wanted - set(splits))
        if absent:
            raise UserError(
                Path(selection.list),
                f" lists study {absent[0]}, which the source does not have"
                f"{f' ({len(absent)} such ids)' if len(absent) > 1 else ''}; correct the list or the source.",
            )
        for study_id in splits:
            if study_id not in wanted:
                reasons.setdefault(study_id, f"{NOT_SELECTED}: not in the list")
    if selection.mode == "trial":
        eligible = sorted((i for i in known if i not in reasons), key=lambda i: _draw(selection.seed, i))
        for study_id in eligible[selection.trial_studies :]:
            reasons[study_id] = f"{NOT_SELECTED}: trial of {counted(selection.trial_studies, 'study')}"
    return reasons


def selected(studies: Iterable[KnownStudy], selection: Selection, valid_ids: str | None) -> dict[str, str]:
    """Fingerprint by id of the studies to analyse. What ``apply_selection`` says of a sheet's rows agrees with it.

    Raises UserError where the list of validation ids fits no study at all, so that none could be analysed.
    """
    studies = list(studies)
    splits = split_of(studies, valid_ids)
    if studies and valid_ids and "validation" not in splits.values() and not selection.allow_training_studies:
        raise UserError(
            f"none of the {len(studies)} studies is in ",
            Path(valid_ids),
            ", so all would be left out as studies that the point net "
            f"was trained on (the first is {studies[0].study_id}); is it the list for these studies?",
        )
    left_out = not_selected(splits, selection)
    return {
        study.study_id: study.fingerprint for study in studies if study.use == "yes" and study.study_id not in left_out
    }


def apply_selection(rows: list[Row], selection: Selection, valid_ids: str | None) -> list[Row]:
    """The rows with their split, and ``use`` = no with the reason where a study is not selected."""
    splits = split_of(rows, valid_ids)
    left_out = not_selected(splits, selection)
    chosen = []
    for row in rows:
        row = replace(row, split=splits[row.study_id])
        if row.study_id in left_out:
            row = replace(row, use="no", reason=left_out[row.study_id])
        chosen.append(row)
    return chosen


def outcome(row: Mapping[str, str]) -> str:
    """Of a row of the cohort table: ``ok``, ``failed``, ``excluded`` or ``not_selected`` (excluded only because the run
    takes a part of the cohort)."""
    if row["status"] == "excluded" and row["reason"].startswith(NOT_SELECTED):
        return "not_selected"
    return row["status"]


def _draw(seed: int, study_id: str) -> str:
    return hashlib.sha256(f"{seed}:{study_id}".encode()).hexdigest()
