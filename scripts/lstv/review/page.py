"""The page of a blinded reading: its HTML, its scripts, and what it is told of the cases. A folder without a server and the
local app show the same page."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lstv.cohort.verdicts import NAMES, QUESTIONS, TRANSITIONAL, VERDICT, Verdict
from lstv.report import templating
from lstv.report.pages import assets
from lstv.review.label_rows import COLUMNS

_TEMPLATES = Path(__file__).parent / "templates"

POLICY = (
    "default-src 'none'; img-src data:; style-src 'self' file:; script-src 'self' file:; base-uri 'none'; "
    "form-action 'none'"
)
"""Of a page without a server: scripts and styles from the folder's files alone, which some browsers call ``file:``."""

SCRIPTS = ("viewer.js", "reading_log.js", "cases.js", "reading.js")
"""In the order in which the page loads them. A server puts a script with its ``lstv.saver`` before the last."""

OWN = ("reading_log.js", "reading.js", "reading.css")
_LAYERS = re.compile(r"^[^\n]*layers: begin.*?layers: end[^\n]*\n", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Case:
    """A study under the name by which the page calls it; ``file`` is the address of its series; ``study_id``, which the
    page does not show, goes into the label file."""

    name: str
    file: str
    study_id: str


def case_names(count: int) -> list[str]:
    """``case_001`` and so on, in reading order, as many digits as the last one has and at least three."""
    digits = max(3, len(str(count)))
    return [f"case_{number:0{digits}d}" for number in range(1, count + 1)]


def html(
    cohort: str,
    count: int,
    repeated: float,
    *,
    scripts: Sequence[str] = SCRIPTS,
    at: str = "",
    policy: str | None = POLICY,
) -> str:
    """The page for ``count`` cases, of which the share ``repeated`` comes a second time.

    ``at`` is the address of its files; ``policy`` None where a server sends one itself.
    """
    again = math.ceil(repeated * count)
    template = templating.of_folder(_TEMPLATES).get_template("reading.html.j2")
    return template.render(cohort=cohort, count=count, again=again, scripts=scripts, at=at, policy=policy)


def cases_script(cohort: str, queue: str, cases: Sequence[Case], repeated: float) -> str:
    """The script that tells the page its cases, in reading order, and what can be said of them; ASCII."""
    given = {
        "cohort": cohort,
        "queue": queue,
        "questions": [asdict(question) for question in QUESTIONS],
        "names": NAMES,
        "labels": {choice.value: _labels(choice.value) for choice in VERDICT.choices},
        "columns": COLUMNS,
        "repeated": repeated,
        "cases": [asdict(case) for case in cases],
    }
    return f"lstv.cases({_script_safe(given)});\n"


def file_text(name: str) -> str:
    """The text of one of the page's own files, or of the viewer as a blinded page has it."""
    if name not in OWN:
        return blinded(assets.text(name))
    own = (_TEMPLATES / name).read_text(encoding="utf-8")
    return assets.text("base.css") + own if name == "reading.css" else own


def blinded(viewer: str) -> str:
    """The viewer without all that draws the localizer's output over a picture: what is not there cannot be shown."""
    return _LAYERS.sub("", viewer)


def _labels(verdict: str) -> list[str]:
    """The label of a verdict without and with a Castellvi type."""
    typed = Verdict(verdict, castellvi="I") if verdict in TRANSITIONAL else Verdict(verdict)
    return [Verdict(verdict).label, typed.label]


def _script_safe(given: dict[str, Any]) -> str:
    return json.dumps(given, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
