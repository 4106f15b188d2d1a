"""Pages as HTML. Everything from outside is escaped; a page's policy allows no script and no style but its own files."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import jinja2
from markupsafe import Markup

from lstv.report import templating
from lstv.report.pages import assets

if TYPE_CHECKING:  # it reads heatmaps, and the list of the pages has none
    from lstv.report.overlay import Overlay

POLICY = (
    "default-src 'none'; img-src data:; style-src 'self' file:; script-src 'self' file:; base-uri 'none'; "
    "form-action 'none'"
)
"""Scripts and styles from files alone, none in the page; ``file:`` is what some browsers call the folder's own. Hashes of
files are of no use where there is no server: browsers compare none there."""


def _template(name: str) -> jinja2.Template:
    return templating.environment().get_template(name, globals={"policy": POLICY})


def page_html(page: dict[str, Any], drawn: Overlay | None, layers: dict[str, Any] | None, no_series: str) -> str:
    """A study's page. ``no_series``: why its series is not shown, else empty."""
    data = {"name": page["file"], "label": page["called"], "layers": layers}
    return _template("study_page.html.j2").render(
        page=page, drawn=drawn, no_series=no_series, data=Markup(embedded(data))
    )


def index_html(content: dict[str, Any]) -> str:
    """The list of all pages."""
    return _template("pages_index.html.j2").render(content=content)


def contact_sheet_html(content: dict[str, Any]) -> str:
    """All series of a scanned study, in one file."""
    style = "".join(map(assets.text, ("base.css", "contact_sheet.css")))
    return _template("contact_sheet.html.j2").render(
        sheet=content, style=Markup(style), hash=templating.source_hash(style)
    )


def embedded(data: dict[str, Any]) -> str:
    """JSON for a script element that holds data: nothing in it can end the element."""
    text = json.dumps(data, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
