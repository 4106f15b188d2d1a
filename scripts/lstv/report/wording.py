"""What the codes of the pipeline are called in front of a reader."""

from __future__ import annotations

from dataclasses import dataclass

from lstv.base.levels import LEVEL_LABELS
from lstv.uncertainty.flags import MEANINGS


@dataclass(frozen=True)
class Stratum:
    """A risk stratum: ``name`` as in the table, ``title`` and ``rule`` for people; ``rule`` takes the thresholds."""

    name: str
    title: str
    rule: str


STRATA = (
    Stratum("high", "High", "L5/S1 entropy above {high:g} nats"),
    Stratum("moderate", "Moderate", "L5/S1 entropy from {moderate:g} up to {high:g} nats"),
    Stratum("low", "Low", "L5/S1 entropy below {moderate:g} nats"),
    Stratum("not_found", "L5/S1 not found", "no pixel where L5/S1 is the likely answer; its entropy is not used"),
)

STRATUM_WORDS = {"high": "High", "moderate": "Moderate", "low": "Low", "not_found": "Not found"}
"""The same in the narrow column of a table."""

STRATUM_TITLES = {stratum.name: stratum.title for stratum in STRATA}

QUALITY = "quality_"
"""How a flag begins that says the images do not fit the question. Such studies are listed apart, never as candidates."""

LOCALIZER = "localizer"
"""The group of studies whose points somebody should look at before their names are believed; listed apart as well."""

_WHOLE_RUN = ("members_", "no_reference_features")
"""How a flag begins that says what was run: the same for all studies, so it is no note on one."""

TRAINING = "the point net was trained on this study"
OWN_CHOICE = "its series was chosen by the user"


def study_notes(row: dict) -> list[str]:
    """What to know of a study before its numbers are read: its origin, ``own_choice`` where the user chose its series, and
    what the ranking leaves out."""
    notes = [TRAINING] * (row["split"] == "train") + [OWN_CHOICE] * bool(row.get("own_choice"))
    return notes + left_out(row.get("not_counted", ""))


def left_out(not_counted: str) -> list[str]:
    """What the ranking leaves out of a study's score, as a note; empty where that is nothing."""
    return [f"not counted: {not_counted}"] if not_counted else []


def is_quality(flag: str) -> bool:
    """Whether a flag speaks of the images rather than of the junction."""
    return flag.startswith(QUALITY)


def is_note(flag: str) -> bool:
    """Whether a flag tells something of the study itself."""
    return not flag.startswith(_WHOLE_RUN)


def flag_words(flag: str) -> str:
    """A flag as a few words: ``l5_s1_not_found`` -> ``L5/S1 not found``, ``quality_low_contrast`` -> ``low contrast``."""
    level = _level_of(flag)
    if level:
        return f"{LEVEL_LABELS[level]} {flag[len(level) + 1 :].replace('_', ' ')}"
    return flag.removeprefix(QUALITY).replace("_", " ")


def flag_meaning(flag: str) -> str:
    """What a flag says, from where it is raised; its words where no meaning is written down."""
    level = _level_of(flag)
    general = flag.replace(level, "{level}", 1) if level else flag
    if general in MEANINGS:
        return MEANINGS[general]
    from lstv.dicom.stored import FLAGS  # pydicom takes a quarter of a second, and few studies have such a flag

    return FLAGS.get(flag) or flag_words(flag)


def _level_of(flag: str) -> str | None:
    return next((level for level in LEVEL_LABELS if flag.startswith(f"{level}_")), None)
