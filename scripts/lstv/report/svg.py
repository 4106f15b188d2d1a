"""A matplotlib figure as SVG inside the page: small, the same bytes every time, and in the page's own colours and font."""

from __future__ import annotations

import io
import re

from matplotlib.figure import Figure

THEME = {
    "#010203": "var(--ink)",
    "#010204": "var(--muted)",
    "#010205": "var(--line)",
    "#010206": "var(--accent)",
    "#010207": "var(--accent-soft)",
    "#010208": "var(--page)",
}
"""Stand-ins that figures draw with, and the page's colours that take their place: so figures follow light and dark."""

INK, MUTED, LINE, ACCENT, SOFT, PAGE = THEME


def inline(figure: Figure, name: str, title: str, description: str) -> str:
    """The figure as an ``<svg>`` element. ``name`` is unique in the page; ``title`` and ``description`` are what a screen
    reader says."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
    # the page's policy allows its own style sheet alone, which says the same of these drawings
    text = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", text, flags=re.DOTALL)
    found = re.search(r'viewBox="([^"]+)"', text)
    assert found is not None, "matplotlib writes a viewBox"
    view_box = found.group(1)
    text = text[text.index(">") + 1 :]
    # ids are unique within a figure only
    text = re.sub(r'\bid="', f'id="{name}-', text)
    text = text.replace("url(#", f"url(#{name}-").replace('xlink:href="#', f'xlink:href="#{name}-')
    text = re.sub(r"font: (?:\w+ )?([\d.]+)px [^;\"]*", r"font-size: \1px", text)
    for stand_in, variable in THEME.items():
        text = text.replace(stand_in, variable)
    text = re.sub(r"\n\s*", "\n", text)
    return (
        f'<svg class="figure" role="img" viewBox="{view_box}" aria-labelledby="{name}-title {name}-desc">'
        f'<title id="{name}-title">{_escaped(title)}</title><desc id="{name}-desc">{_escaped(description)}</desc>{text}'
    )


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
