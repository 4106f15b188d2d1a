"""What a reader can say of a study: the one vocabulary of reading page, verdict store, imported annotations and label file.

Castellvi types: Castellvi 1984, Spine 9:493. O'Driscoll types of the disc S1/S2: O'Driscoll 1996, Skeletal Radiol 25:109.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from lstv.base.errors import UserError


@dataclass(frozen=True)
class Choice:
    """One answer to a question: its ``value`` in files, its ``title`` for people, and what it ``means`` where that is no
    common knowledge."""

    value: str
    title: str
    means: str = ""


@dataclass(frozen=True)
class Question:
    """A question to the reader; ``name`` is its key in files and its column in a label file."""

    name: str
    title: str
    choices: tuple[Choice, ...]


NORMAL, SACRALIZATION, LUMBARIZATION, OTHER, CANNOT_TELL = (
    "normal",
    "sacralization",
    "lumbarization",
    "other",
    "cannot_tell",
)

VERDICT = Question(
    "verdict",
    "Verdict",
    (
        Choice(NORMAL, "Normal", "Five lumbar-type vertebrae, and nothing transitional at the junction."),
        Choice(SACRALIZATION, "Sacralization", "The last lumbar vertebra is joined to the sacrum, in part or wholly."),
        Choice(LUMBARIZATION, "Lumbarization", "The first sacral segment has become like a lumbar vertebra."),
        Choice(OTHER, "Other", "Not normal, and neither of the two; with a Castellvi type it counts as transitional."),
        Choice(CANNOT_TELL, "Cannot tell", "These pictures do not answer the question."),
    ),
)
CASTELLVI = Question(
    "castellvi",
    "Castellvi type",
    (
        Choice("I", "I", "Dysplastic transverse process, at least 19 mm high."),
        Choice("II", "II", "Transverse process with a joint to the sacrum."),
        Choice("III", "III", "Transverse process fused with the sacrum."),
        Choice("IV", "IV", "A joint on one side, fused on the other."),
    ),
)
SIDE = Question(
    "side",
    "Side",
    (Choice("right", "Right (a)"), Choice("left", "Left (a)"), Choice("both", "Both (b)")),
)
LUMBAR_VERTEBRAE = Question(
    "lumbar_vertebrae",
    "Lumbar-type vertebrae",
    (Choice("4", "4"), Choice("5", "5"), Choice("6", "6")),
)
ODRISCOLL = Question(
    "odriscoll",
    "O'Driscoll type",
    (
        Choice("1", "1", "No disc between S1 and S2."),
        Choice("2", "2", "A small residual disc, shorter than the sacrum is deep."),
        Choice("3", "3", "A well-formed disc over the whole depth of the sacrum."),
        Choice("4", "4", "As 3, and the uppermost sacral segment is square."),
    ),
)
QUALITY = Question(
    "quality",
    "Image quality",
    (Choice("good", "Good"), Choice("limited", "Limited"), Choice("poor", "Poor")),
)
CONFIDENCE = Question(
    "confidence",
    "Confidence",
    (Choice("high", "High"), Choice("moderate", "Moderate"), Choice("low", "Low")),
)
QUESTIONS = (VERDICT, CASTELLVI, SIDE, LUMBAR_VERTEBRAE, ODRISCOLL, QUALITY, CONFIDENCE)
"""In the order in which a page asks them. Only the first needs an answer."""

TRANSITIONAL = (SACRALIZATION, LUMBARIZATION, OTHER)
"""Verdicts that may have a Castellvi type and a side."""

LONGEST_COMMENT = 2000
"""Characters."""


@dataclass(frozen=True)
class Verdict:
    """What one reader says of one study; what he did not say is empty.

    Made by ``checked``, which keeps the answers to the choices of ``QUESTIONS`` and free of contradictions.
    """

    verdict: str
    castellvi: str = ""
    side: str = ""
    lumbar_vertebrae: str = ""
    odriscoll: str = ""
    quality: str = ""
    confidence: str = ""
    comment: str = ""

    @property
    def label(self) -> str:
        """The label of the label file: ``normal``, ``lstv`` or ``unclear``, which does not vote.

        Sacralization and lumbarization are transitional vertebrae. *Other* is one where a Castellvi type says so; without,
        it is neither a transitional vertebra nor normal, and takes part in no comparison.
        """
        if self.verdict == NORMAL:
            return "normal"
        return "lstv" if self.verdict in (SACRALIZATION, LUMBARIZATION) or self.castellvi else "unclear"

    @property
    def castellvi_type(self) -> str:
        """The type as the label file has it: I to IV, ``a`` for one side, ``b`` for both; ``none`` of a normal study."""
        if self.verdict == NORMAL:
            return "none"
        if self.castellvi in ("", "IV") or not self.side:
            return self.castellvi
        return f"{self.castellvi}{'b' if self.side == 'both' else 'a'}"

    def record(self) -> dict[str, str]:
        """The answers by name, as JSON has them."""
        return asdict(self)


NAMES = tuple(Verdict.__dataclass_fields__)
"""The answers and the comment, in the order of the columns of a label file."""


def checked(answers: Mapping[str, Any], where: str = "the verdict") -> Verdict:
    """The verdict that ``answers`` give. Numbers may be numbers; what is not given or null is empty.

    Raises UserError, with ``where`` as its subject, for an answer that is none of the choices, an unknown name, a missing
    verdict and for answers that contradict each other.
    """
    unknown = sorted(set(answers) - set(NAMES))
    if unknown:
        raise UserError(f"{where} has an answer to {unknown[0]!r}, which is not asked; known are {', '.join(NAMES)}.")
    given = {name: _text(answers.get(name), name, where) for name in NAMES}
    for question in QUESTIONS:
        allowed = [choice.value for choice in question.choices]
        if given[question.name] and given[question.name] not in allowed:
            raise UserError(f"{where}: {question.name} {given[question.name]!r} is not one of {', '.join(allowed)}.")
    if not given["verdict"]:
        raise UserError(f"{where} is missing; choose one of {', '.join(choice.value for choice in VERDICT.choices)}.")
    given["comment"] = " ".join(given["comment"].split())
    if len(given["comment"]) > LONGEST_COMMENT:
        raise UserError(f"{where}: the comment is longer than {LONGEST_COMMENT} characters; shorten it.")
    for name in ("castellvi", "side"):
        if given[name] and given["verdict"] not in TRANSITIONAL:
            raise UserError(
                f"{where} is {given['verdict']}, but {name} is {given[name]}; only a transitional vertebra has one."
            )
    return Verdict(**given)


def _text(value: Any, name: str, where: str) -> str:
    if value is None:
        return ""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        raise UserError(f"{where}: {name} is {value!r}, but must be text.")
    return value.strip().encode("utf-8", "replace").decode("utf-8")


_NUMERALS = {"1": "I", "2": "II", "3": "III", "4": "IV"}
_TYPE = re.compile(r"(?:castellvi)?\s*(?:type|typ|grade)?\s*(i{1,3}|iv|[1-4])\s*([ab]?)", re.IGNORECASE)
_NO_TYPE = frozenset({"none", "normal", "no", "0", "no lstv"})


def castellvi_of(text: str) -> tuple[str, str] | None:
    """Type and part of a Castellvi type as people write it: ``Castellvi type IIa``, ``3b``, ``IV`` -> (``II``, ``a``) ...

    ``("none", "")`` for *none*, *normal* and 0; None where the text is not a type. IV has neither a nor b.
    """
    text = " ".join(text.split()).lower()
    if text in _NO_TYPE:
        return "none", ""
    found = _TYPE.fullmatch(text)
    if found is None:
        return None
    grade = _NUMERALS.get(found[1], found[1].upper())
    if grade == "IV" and found[2]:
        return None
    return grade, found[2]
