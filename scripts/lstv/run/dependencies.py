"""Which modules of this project's libraries a program imports, so that an edit of one reruns what it should."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

LIBRARIES = ("lstv", "lstv_kaggle", "lstv_evidence")


def library_files(program: Path) -> list[Path]:
    """The libraries' files that a program imports, directly or not, also inside functions, and the templates of the packages
    that have any; sorted. Nothing is executed."""
    root = program.parent
    found: set[Path] = set()
    waiting = [program]
    while waiting:
        for module in _imports(waiting.pop()):
            stem = root.joinpath(*module.split("."))
            for candidate in (stem.with_suffix(".py"), stem / "__init__.py"):
                if candidate not in found and candidate.is_file():
                    found.add(candidate)
                    waiting.append(candidate)
    templates = {path for folder in {path.parent for path in found} for path in folder.glob("templates/*")}
    return sorted(found | templates)


@functools.cache  # a plan asks for every program, and most import the same modules
def _imports(path: Path) -> tuple[str, ...]:
    return tuple(_imported(path))


def _imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in LIBRARIES:
            yield from _with_parents(node.module)
            # a module by name (``import batches``) or what is in one (``import batch_of``): what is not a file is ignored
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] in LIBRARIES:
                    yield from _with_parents(alias.name)


def _with_parents(module: str) -> list[str]:
    parts = module.split(".")
    return [".".join(parts[:end]) for end in range(1, len(parts) + 1)]
