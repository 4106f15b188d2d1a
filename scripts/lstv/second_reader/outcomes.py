"""What became of a program's run on each study: ``<study_id>.json`` beside its mask."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lstv.base.atomic import write_json

DONE, FAILED = "done", "failed"


def path_of(folder: Path, study_id: str) -> Path:
    """Where the outcome of a study is kept."""
    return Path(folder) / f"{study_id}.json"


def write(folder: Path, study_id: str, outcome: dict[str, Any]) -> None:
    """Write an outcome: ``status`` (done | failed), ``reason``, ``command``, ``models``, ``image_sha256``, ``seconds``,
    ``masks`` (sha256 of each mask that was written, by its file name) and ``provenance``."""
    write_json(path_of(folder, study_id), {"study_id": study_id, **outcome})


def read(folder: Path, study_id: str) -> dict[str, Any] | None:
    """The outcome of a study; None where there is none that can be read, or the file says something else."""
    try:
        found = json.loads(path_of(folder, study_id).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    ours = isinstance(found, dict) and found.get("study_id") == study_id and found.get("status") in (DONE, FAILED)
    return found if ours else None


def remove(folder: Path, study_id: str) -> None:
    """Remove the outcome of a study, where there is one."""
    path_of(folder, study_id).unlink(missing_ok=True)


def reason(folder: Path, study_id: str) -> str | None:
    """Why the program ended without a mask of a study; None where it did not, or was not run."""
    outcome = read(folder, study_id)
    return str(outcome.get("reason")) if outcome is not None and outcome.get("status") == FAILED else None
