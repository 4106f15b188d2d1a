"""Which git commit the code in a folder is of, and whether files differ from it."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

NOT_KNOWN: dict[str, Any] = {"git_revision": None, "git_changes": None}
PARTS = ("workflow", "scripts", "containers")
"""Parts of the code whose changes count: results are made by nothing else."""

_COMMIT = re.compile(r"[0-9a-f]{40,64}")


def commit(folder: Path) -> str | None:
    """The commit of the code in ``folder``, read without starting git, which a container need not have. None where the
    folder is no working tree of its own: a repository around it says nothing of a copy inside it.

    What was unpacked from a repository without its history says so in a file REVISION.
    """
    try:
        found = _text(folder / "REVISION") or _head(folder / ".git")
    except (OSError, UnicodeDecodeError):
        return None
    return found if _COMMIT.fullmatch(found) else None


def _head(git: Path) -> str:
    """The commit that HEAD names; empty where it is kept in another way. Source: gitrepository-layout(5)."""
    if git.is_file():  # of a worktree or a submodule
        git = git.parent / _text(git).removeprefix("gitdir:").strip()
    common = git / (_text(git / "commondir") or ".")
    head = _text(git / "HEAD")
    if not head.startswith("ref:"):
        return head
    name = head.removeprefix("ref:").strip()
    if found := _text(git / name) or _text(common / name):
        return found
    packed = (line.split(" ", 1) for line in _text(common / "packed-refs").splitlines() if " " in line)
    return next((words[0] for words in packed if words[1].strip() == name), "")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return ""


def of(folder: Path) -> dict[str, Any]:
    """``git_revision``, the commit of the code in ``folder``, and ``git_changes``, whether its files differ from that; both
    None outside of git, or where git cannot be asked."""
    if _text(folder / "REVISION"):
        return {"git_revision": commit(folder), "git_changes": False}
    if not (folder / ".git").exists():
        return dict(NOT_KNOWN)
    command = ["git", "--no-optional-locks", "status", "--porcelain=v2", "--branch", "--", *PARTS]
    # a hook of git runs with variables that lead to the repository which called it; above the folder none is looked for
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment["GIT_CEILING_DIRECTORIES"] = str(folder.resolve().parent)
    try:
        said = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=True
        ).stdout.splitlines()
    except (OSError, subprocess.SubprocessError):
        return dict(NOT_KNOWN)
    named = [line.removeprefix("# branch.oid ") for line in said if line.startswith("# branch.oid ")]
    if not named or not _COMMIT.fullmatch(named[0]):
        return dict(NOT_KNOWN)  # no commit yet
    return {"git_revision": named[0], "git_changes": any(not line.startswith("#") for line in said)}


def text(known: Mapping[str, Any]) -> str | None:
    """What ``of`` gives in a word, with ``+changes`` where files differ from the commit; None where it is not known."""
    if not known.get("git_revision"):
        return None
    return f"{known['git_revision']}{'+changes' if known.get('git_changes') else ''}"
