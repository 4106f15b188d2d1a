"""Reasons without what leads to a person: results are shared, and paths hold the user's name and often the patient's."""

from __future__ import annotations

import os
import re

_QUOTED = re.compile(r"(['\"])(~?/[^'\"]*)\1")
_BARE = re.compile(r"(?<![\w.~/])~?(?:/[^\s'\"/,;()]+){2,}/?")


def shareable(text: str, *known: str) -> str:
    """The text in which of every absolute path only the last name is left, as in ``.../series.txt``, and of the user's home
    not even that. ``known`` are paths that may stand in the text, blanks and all."""
    if "/" not in text:
        return text
    for path in sorted(filter(None, known), key=len, reverse=True):
        text = text.replace(path, _last(path))
    home = os.path.expanduser("~")
    if len(home) > 1 and home.startswith("/"):
        text = re.sub(rf"{re.escape(home)}(?=/)", "~", text)
        text = re.sub(rf"{re.escape(home)}(?!\w)", "~", text)
    text = _QUOTED.sub(lambda found: f"{found[1]}{_last(found[2])}{found[1]}", text)
    return _BARE.sub(lambda found: _last(found[0]), text)


def _last(path: str) -> str:
    name = path.rstrip("/").rpartition("/")[2]
    return f".../{name}" if path.rstrip("/").count("/") > 1 or path.startswith("~/") else path
