"""The generated parts of the docs: what a program can say better than a hand, between markers.

A part stands between ``<!-- generated: NAME -->`` and ``<!-- end of NAME -->``, each on a line of its own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from lstv import uncertainty
from lstv.base.documented import FIELDS
from lstv.base.errors import UserError
from lstv.localizer.views import SLICE_OFFSETS, VIEWS
from lstv.ranking import evidence
from lstv.second_reader import flags as mask_flags
from lstv.second_reader import measures
from lstv.uncertainty import flags
from lstv_evidence.method import effects_text, study_text, traits_text
from lstv_evidence.method.markdown import table

RESULTS = "method_study.json"
"""Record that a method study writes."""
PLANTED = "planted_changes.json"
"""Record of the planted changes, in the folder beside the documents."""


class Shown(NamedTuple):
    """How a method study stands in the documents: the ``file`` of its record beside them, the ``part`` of the record
    that is kept, and the ``text`` made from that."""

    file: str
    part: Callable[[dict], dict]
    text: Callable[[dict], str]


STUDIES = {
    "tables": Shown("method_study.json", study_text.needed, study_text.text),
    "patients": Shown("method_study_patients.json", study_text.needed_short, study_text.short),
}
"""The method studies by the generator of their phantoms."""

_PART = re.compile(r"^<!-- generated: (\w+) -->\n(.*?)^<!-- end of (\w+) -->$", re.MULTILINE | re.DOTALL)


DOCUMENTS = {
    "method.md": ("members", "ranking"),
    "metrics.md": ("metrics", "flags"),
    "second_reader.md": ("measures", "second_reader_flags"),
    "evidence.md": ("method_study", "traits", "method_study_patients", "planted_changes"),
}
"""The generated parts of each document."""


def updated(name: str, text: str, evidence: Path) -> str:
    """The document ``name`` with its generated parts written again.

    Raises UserError for a part that does not belong to the document, or is missing from it.
    """
    known = {part: make for part, make in parts().items() if part in DOCUMENTS[name]}
    found = [match.group(1) for match in _PART.finditer(text)]
    for part in found:
        if part not in known:
            raise UserError(
                f"{name} has a generated part {part!r}, which no program makes in this document; correct its marker."
            )
    for part in known:
        if found.count(part) != 1:
            raise UserError(f"{name} has {found.count(part)} parts marked 'generated: {part}'; it needs one.")

    def made(match: re.Match[str]) -> str:
        part = match.group(1)
        return f"<!-- generated: {part} -->\n{known[part](Path(evidence)).strip()}\n<!-- end of {part} -->"

    return _PART.sub(made, text)


def parts() -> dict[str, Callable[[Path], str]]:
    """What makes each part, from the folder with the evidence."""
    return {
        "metrics": lambda evidence: metrics_text(),
        "flags": lambda evidence: flags_text(),
        "measures": lambda evidence: measures_text(),
        "second_reader_flags": lambda evidence: second_reader_flags_text(),
        "members": lambda evidence: members_text(),
        "ranking": lambda evidence: ranking_text(),
        "method_study": lambda evidence: _study("tables", evidence),
        "traits": lambda evidence: traits_text.text(),
        "method_study_patients": lambda evidence: _study("patients", evidence),
        "planted_changes": lambda evidence: effects_text.text(_record(evidence / PLANTED)),
    }


def _study(generator: str, evidence: Path) -> str:
    shown = STUDIES[generator]
    return shown.text(_record(evidence / shown.file))


def _record(path: Path) -> dict:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read ({error}); store the study and the planted changes first.") from error


def measures_text() -> str:
    """A section a measure on masks, from the docstrings of the measures."""
    described: dict[tuple[str, ...], list[str]] = {}
    for entry in measures.MEASURES.values():
        fields = (entry.title, *(getattr(entry, name.lower()) for name in FIELDS))
        described.setdefault(fields, []).append(entry.name)
    return "\n\n".join(_section(names, *fields) for fields, names in described.items())


def second_reader_flags_text() -> str:
    """The flags of masks and what they mean."""
    rows = [(f"`{name.replace('{reader}', '{program}')}`", meaning) for name, meaning in mask_flags.MEANINGS.items()]
    return table(["flag", "meaning"], rows)


def metrics_text() -> str:
    """A section a metric, by family, from the docstrings of the metrics."""
    blocks = []
    for family, heading in uncertainty.FAMILIES.items():
        blocks.append(f"### {heading}")
        # variants of one metric, such as slices and views, share a section
        described: dict[tuple[str, ...], list[str]] = {}
        for entry in uncertainty.metrics():
            if entry.family == family:
                fields = (entry.title, *(getattr(entry, name.lower()) for name in FIELDS))
                described.setdefault(fields, []).append(f"{'{level}_' if entry.scope == 'level' else ''}{entry.name}")
        blocks += [_section(names, *fields) for fields, names in described.items()]
    return "\n\n".join(blocks)


def _section(names: list[str], title: str, *fields: str) -> str:
    values = dict(zip(FIELDS, map(_literal, fields)))
    values["Formula"] = f"`{fields[FIELDS.index('Formula')]}`"
    lines = [f"- {name}: {value}" for name, value in values.items()]
    return "\n".join([f"#### {', '.join(f'`{name}`' for name in names)}", "", _literal(title), "", *lines])


def _literal(text: str) -> str:
    """Text in which Markdown sees no emphasis, link or tag."""
    return re.sub(r"([*_<>\[\]`])", r"\\\1", text)


def flags_text() -> str:
    """Every flag and its meaning."""
    return table(("flag", "meaning"), [(f"`{name}`", _literal(meaning)) for name, meaning in flags.MEANINGS.items()])


def members_text() -> str:
    """Slices and views in one sentence each."""
    offsets = ", ".join(f"{offset:+d}" for offset in SLICE_OFFSETS).replace("-", "−")
    views = ", ".join(f"`{view.name}`" for view in VIEWS)
    return (
        f"- Slices: the neighbours {offsets} of the centre slice.\n- Views of the centre slice ({len(VIEWS)}): {views}."
    )


def ranking_text() -> str:
    """The one table of limits: of the score and of the reasons."""
    known = {(entry.scope, entry.name): entry for entry in uncertainty.metrics()}
    rows = []
    for limit in evidence.LIMITS:
        title = known["study" if limit.level is None else "level", limit.metric].title
        counts = f"above {limit.least:g}" if limit.high else f"below {limit.least:g}"
        usual = f"{limit.usual:g}, spread {limit.spread:g} on the {limit.scale_name} scale"
        reach = f"{limit.start:g} to {limit.full:g}"
        rows.append((limit.component, f"`{limit.column}`", _literal(title), usual, reach, counts))
    return (
        f"The score is the mean over the components, of which at least {evidence.MIN_COMPONENTS} must be defined:\n\n"
        + table(("component", "metric", "what", "usual", "evidence, in spreads", "never counts unless"), rows)
    )
