"""Why a study stands where it does, in words, with its own numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from lstv.base.levels import LEVEL_LABELS, LEVELS
from lstv.ranking.evidence import LIMITS
from lstv.uncertainty.anatomy import OFF_DISC
from lstv.uncertainty.records import StudyRecord

_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")

_QUALITY = {
    "quality_blank_image": "quality: the slice is blank",
    "quality_low_contrast": "quality: very low contrast",
    "quality_no_level_found": "quality: no level found, probably not a sagittal lumbar series",
    "quality_few_levels_found": "quality: fewer than three levels found",
    "quality_unlike_reference": "quality: the picture is unlike the studies of the feature bank",
}

_FIELD = {
    "field_cropped_cranial": "the picture ends less than a vertebra above the first disc",
    "field_cropped_caudal": "the picture ends less than a vertebra below the last disc",
    "no_disc_chain": "no discs are to be seen along the points",
    "points_no_column": "the points do not lie on one spinal column",
}

LOCALIZER_FLAGS = (
    "field_cropped_cranial",
    "field_cropped_caudal",
    "points_off_discs",
    "points_no_column",
    "upper_level_missing",
    "no_disc_chain",
)
"""Flags that put a study on the list "look at the localizer": its names rest on a part of the spine, or on no disc.

``levels_at_one_disc`` is not among them: five names on four discs are what a junction without a disc leads to."""


BESIDE_SLICES = (
    "the L5/S1 response and what neighbouring slices say of the junction, because the column leaves them there"
)
"""What is not counted where the slices on either side of L5/S1 look less alike than usual (``evidence.leaves_slices``)."""


def junction_missing(record: StudyRecord) -> list[str]:
    """Junction levels without a point, or with one whose response is too small to be a disc."""
    return [
        name
        for name in ("l4_l5", "l5_s1")
        if record["levels"][name]["point_px"] is None or f"{name}_no_blob" in record["flags"]
    ]


def reasons(record: StudyRecord, evidence: Mapping[str, float]) -> tuple[str, ...]:
    """Why a study stands where it does: what is wrong with picture or localizer first, then the components with evidence,
    the strongest first. ``evidence`` maps each metric of the limits (by its column) to its evidence. Empty where nothing is
    unusual."""
    words = [_QUALITY[flag] for flag in record["flags"] if flag in _QUALITY]
    words += localizer_reasons(record)
    words += [f"no {LEVEL_LABELS[name]} disc found" for name in junction_missing(record)]
    speaking = sorted((name for name in _DESCRIBED if evidence.get(name, 0.0) > 0), key=lambda name: -evidence[name])
    for name in speaking:
        words += [said for said in _DESCRIBED[name](record) if said not in words]
    return tuple(words)


def localizer_reasons(record: StudyRecord) -> list[str]:
    """Why somebody should look at the localizer's points before the names are believed; empty where nothing is wrong."""
    levels, flags = record["levels"], record["flags"]
    words = [_FIELD[flag] for flag in flags if flag in _FIELD]
    if "upper_level_missing" in flags:
        words += [f"no {LEVEL_LABELS[name]} disc found" for name in LEVELS[:3] if levels[name]["point_px"] is None]
    if "points_off_discs" in flags:
        inside = [LEVEL_LABELS[name] for name in LEVELS[:-1] if (levels[name].get("disc_distance") or 0) >= OFF_DISC]
        words.append(f"{_listed(inside)} {'was' if len(inside) == 1 else 'were'} marked inside a vertebra")
    if "levels_at_one_disc" in flags:
        words.append("two levels are marked at one disc")
    return words


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else ""


def _percent(share: float) -> str:
    return (f"{share:.0%}" if share >= 0.095 else f"{share:.1%}").replace("%", " %")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


_TELLING_GAP = next(limit.least for limit in LIMITS if limit.metric == "gap_dev")
"""Departure of the logarithm of a distance from which it explains the evidence."""


def _found(record: StudyRecord) -> list[int]:
    return [index for index, name in enumerate(LEVELS) if record["levels"][name]["point_px"] is not None]


def _step_words(record: StudyRecord) -> list[str]:
    spanned, named = record["study"]["discs_spanned"], _found(record)
    if spanned is None or len(named) < 2 or spanned == named[-1] - named[0] + 1:
        return ["the points do not follow the discs in the picture"]
    discs = _NUMBERS[int(spanned)] if spanned < len(_NUMBERS) else str(spanned)
    first, last = (LEVEL_LABELS[LEVELS[index]] for index in (named[0], named[-1]))
    verb = "lies" if spanned == 1 else "lie"
    return [f"{discs} disc{'' if spanned == 1 else 's'} {verb} between {first} and {last}, both counted"]


def _gap_words(record: StudyRecord) -> list[str]:
    named = _found(record)
    points = np.array([record["levels"][LEVELS[index]]["point_mm"] for index in named])
    gaps = np.linalg.norm(np.diff(points, axis=0), axis=1) / np.diff(named)
    if len(gaps) < 2:
        return ["the points are unevenly spaced"]
    ratio = gaps / np.median(gaps)
    away = np.abs(np.log(np.maximum(ratio, 1e-3)))
    worst = int(np.argmax(away))
    if away[worst] < _TELLING_GAP:  # the metric measures along the discs, in front of the points
        return ["the points are unevenly spaced"]
    upper, lower = (LEVEL_LABELS[LEVELS[named[worst + step]]] for step in (0, 1))
    return [f"from {upper} to {lower} it is {ratio[worst]:.1f} times the usual distance a level"]


def _count_words(record: StudyRecord) -> list[str]:
    study, words = record["study"], []
    named = len(LEVELS) - study["missing_levels"]
    if study["blob_count"] != named:
        words.append(f"{_count(study['blob_count'], 'disc-like response')} for {_count(named, 'level')} found")
    if study["duplicate_labels"]:
        words.append(f"{_count(study['duplicate_labels'], 'disc')} called by a level that already has one")
    if study["order_violations"]:
        words.append(f"the order of the levels is broken in {_count(study['order_violations'], 'place')}")
    return words or [f"{_count(study['blob_count'], 'disc-like response')} instead of 5"]


def _shift_words(record: StudyRecord) -> list[str]:
    return [f"the names fit one level up or down with a probability of {_percent(record['study']['shift_ambiguity'])}"]


def _mass_words(record: StudyRecord) -> list[str]:
    return [f"the L5/S1 response is {_percent(record['study']['mass_ratio'])} of that of this patient's other levels"]


def _contrast_words(record: StudyRecord) -> list[str]:
    share = _percent(record["study"]["junction_disc_contrast"])
    return [f"the L5/S1 disc shows {share} of the contrast of the three discs above"]


def _order_words(record: StudyRecord) -> list[str]:
    lowest = ("the lowest disc", "L5/S1"), ("the second lowest disc", "L4/L5"), ("the third lowest disc", "L3/L4")
    disc, name = lowest[int(record["study"]["junction_names_in_order"])]
    return [f"{disc} is not called {name}"]


def _place_words(record: StudyRecord) -> list[str]:
    shared = 1 - record["study"]["junction_place_disagreement"]
    return [f"neighbouring slices on either side disagree on where L5/S1 is (mean overlap {_percent(shared)} at best)"]


def _jump_words(record: StudyRecord) -> list[str]:
    return [f"L5/S1 jumps along the column by {record['study']['junction_jump']:.1f} mm from slice to slice"]


def _name_words(record: StudyRecord) -> list[str]:
    nats = record["study"]["junction_name_disagreement"]
    return [f"the name of the lowest disc changes more than usual between slices on either side ({nats:.2g} nat)"]


_DESCRIBED: dict[str, Callable[[StudyRecord], list[str]]] = {
    "step_dev": _step_words,
    "gap_dev": _gap_words,
    "count_anomaly": _count_words,
    "shift_ambiguity": _shift_words,
    "mass_ratio": _mass_words,
    "junction_disc_contrast": _contrast_words,
    "junction_names_in_order": _order_words,
    "junction_place_disagreement": _place_words,
    "junction_name_disagreement": _name_words,
    "junction_jump": _jump_words,
}
"""Column of a limit -> its words."""
