"""Which modules of this project's libraries a program imports, so that an edit of one reruns what it should."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from pathlib import Path

LIBRARIES = ("lstv", "lstv_kaggle", "lstv_evidence")

_STATEMENT = re.compile(
    rf"^[ \t]*(?:from[ \t]+((?:{'|'.join(LIBRARIES)})\b[\w.]*)[ \t]+import[ \t]*(\([^)]*\)|[^\n(]+)|import[ \t]+([^\n]+))",
    re.MULTILINE,
)
"""``from module import names`` or ``import modules`` at the beginning of a line: to parse all of the code as Python would
take half a second of each plan."""
_COMMENT = re.compile(r"#[^\n]*")


def library_files(program: Path) -> list[Path]:
    """The libraries' files that a program imports, directly or not, also inside functions, and the templates of the packages
    that have any; sorted. Nothing is executed."""
    found: set[Path] = set()
    waiting = [program]
    while waiting:
        new = _imports(waiting.pop(), program.parent) - found
        found |= new
        waiting += new
    return sorted(found.union(*map(_templates, {path.parent for path in found})))


# a plan asks for every program, and most import the same modules


@functools.cache
def _imports(path: Path, root: Path) -> frozenset[Path]:
    return frozenset(file for module in _imported(path) for file in _files(module, root))


@functools.cache
def _files(module: str, root: Path) -> tuple[Path, ...]:
    stem = root.joinpath(*module.split("."))
    return tuple(path for path in (stem.with_suffix(".py"), stem / "__init__.py") if path.is_file())


@functools.cache
def _templates(folder: Path) -> frozenset[Path]:
    return frozenset(folder.glob("templates/*"))


def _imported(path: Path) -> Iterator[str]:
    for statement in _STATEMENT.finditer(path.read_text(encoding="utf-8")):
        module, names, modules = statement.groups()
        if module is not None:
            yield from _with_parents(module)
            # a module by name (``import batches``) or what is in one (``import batch_of``): what is not a file is ignored
            yield from (f"{module}.{name}" for name in _names(names))
        else:
            for name in _names(modules):
                if name.split(".")[0] in LIBRARIES:
                    yield from _with_parents(name)


def _names(listed: str) -> list[str]:
    """What an import statement names, without ``as`` and what follows it, and without comments."""
    names = _COMMENT.sub("", listed).strip("()").split(",")
    return [name.split()[0] for name in names if name.strip()]


def _with_parents(module: str) -> list[str]:
    parts = module.split(".")
    return [".".join(parts[:end]) for end in range(1, len(parts) + 1)]
