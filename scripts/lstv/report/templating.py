"""Templates -> a page of one file: style and script inside, allowed by their hashes and nothing else beside them."""

from __future__ import annotations

import base64
import functools
import hashlib
from collections.abc import Callable
from pathlib import Path

import jinja2
from markupsafe import Markup

from lstv.base.levels import LEVEL_LABELS
from lstv.base.text import capital, counted
from lstv.report import formats

_TEMPLATES = Path(__file__).parent / "templates"

FILTERS: dict[str, Callable[..., object]] = {
    "capital": capital,
    "count": formats.count,
    "counted": counted,
    "number": formats.number,
    "significant": formats.significant,
    "level": LEVEL_LABELS.__getitem__,
}
"""How templates write numbers and levels; the app's do so too."""

_MARK = 'document.documentElement.classList.add("with-js");'
"""Before anything is drawn: what only a script can use is shown, and long tables begin folded."""


@functools.cache  # it keeps the templates that it has compiled, which takes longer than to fill one in
def of_folder(folder: Path) -> jinja2.Environment:
    """The templates of a folder. Everything from outside is escaped, and a name that has no value is an error."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_unbroken,
    )


def _unbroken(value: object) -> object:
    """Text in which a number and its per cent sign stay on one line."""
    return value.replace(" %", "\N{NO-BREAK SPACE}%") if type(value) is str else value


@functools.cache
def environment() -> jinja2.Environment:
    """The report's templates, and how they write numbers."""
    made = of_folder(_TEMPLATES)
    made.filters.update(FILTERS)
    made.globals.update(percent=formats.percent)
    return made


def page(template: str, **values: object) -> str:
    """A page's HTML. Only the style, the script and our own drawings are not escaped."""
    style, script = "".join(map(_part, ("base.css", "report.css", "chart.css"))), _part("report.js")
    return (
        environment()
        .get_template(template)
        .render(
            **values,
            style=Markup(style),
            script=Markup(script),
            mark=Markup(_MARK),
            hashes={"style": source_hash(style), "script": source_hash(script), "mark": source_hash(_MARK)},
        )
    )


def _part(name: str) -> str:
    return f"\n{(_TEMPLATES / name).read_text(encoding='utf-8')}"


def source_hash(text: str) -> str:
    """The source expression by which a policy allows this text and no other (Content Security Policy 3, 2.3.1)."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode('utf-8')).digest()).decode('ascii')}'"
