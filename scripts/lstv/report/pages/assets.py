"""The files that pages of series share."""

from __future__ import annotations

from pathlib import Path

from lstv.base import atomic

_TEMPLATES = Path(__file__).parents[1] / "templates"

VIEWER = ("viewer.js", "viewer.css")
"""The viewer and its style; the contract stands at the top of the script."""


def text(name: str) -> str:
    """The text of a shared file."""
    return (_TEMPLATES / name).read_text(encoding="utf-8")


def write(folder: Path, names: tuple[str, ...] = VIEWER) -> list[Path]:
    """Write shared files into a folder; files that are there with the same text are left alone."""
    paths = []
    for name in names:
        path = Path(folder) / name
        content = text(name)
        if not path.is_file() or path.read_bytes() != content.encode("utf-8"):
            atomic.write_text(path, content)
        paths.append(path)
    return paths
