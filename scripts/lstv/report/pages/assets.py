"""The files that pages of series share."""

from __future__ import annotations

from pathlib import Path

from lstv.base import atomic

_TEMPLATES = Path(__file__).parents[1] / "templates"

VIEWER = ("viewer.js", "viewer.css")
"""The viewer and its style; the contract stands at the top of the script."""

PAGES = (*VIEWER, "pages.js", "pages.css")
"""What study pages need."""

_MADE_OF = {"pages.css": ("base.css", "pages.css")}


def text(name: str) -> str:
    """The text of a shared file."""
    return "".join((_TEMPLATES / part).read_text(encoding="utf-8") for part in _MADE_OF.get(name, (name,)))


def write(folder: Path, names: tuple[str, ...] = VIEWER) -> list[Path]:
    """Write shared files into a folder; returns their paths."""
    paths = [Path(folder) / name for name in names]
    for path in paths:
        atomic.write_text(path, text(path.name))
    return paths
