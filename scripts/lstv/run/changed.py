"""The settings that made a cohort, kept beside Snakemake's own records, and what a later run has changed in them.

They are not kept with the results: a path may be called like a patient, and results are shared.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from lstv.base import atomic

_NO_RESULT = frozenset({"localizer.workers", "container"})
"""Settings that change no result: how many processes decode, and where the image lies."""


def record_of(cohort: str) -> Path:
    """Where the settings of a cohort are kept, from the folder in which the workflow runs."""
    return Path(".snakemake/cohorts", f"{cohort}.json")


def keep(record: Path, settings: Mapping[str, Any]) -> None:
    """Write complete ``settings`` as those that made the cohort."""
    record = Path(record)
    record.parent.mkdir(parents=True, exist_ok=True)
    atomic.write_json(record, dict(settings))


def sentence(record: Path, results: Path, settings: Mapping[str, Any]) -> str | None:
    """Which of complete ``settings`` differ from those that made the folder ``results``; None where none do, or where it is
    not known by which it was made."""
    try:
        before = json.loads(Path(record).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(before, dict) or not Path(results).is_dir():
        return None
    was, now = dict(_flat(before)), dict(_flat(settings))
    changed = [
        f"{key} was {_shown(was.get(key))}, now {_shown(now.get(key))}"
        for key in dict.fromkeys((*now, *was))
        if was.get(key) != now.get(key) and key not in _NO_RESULT
    ]
    if not changed:
        return None
    return (
        f"Note: {results} was made with other settings: {'; '.join(changed)}. What depends on them is made again; to keep "
        "both, give this run a name of its own (cohort)."
    )


def _flat(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in settings.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "null" if value is None else str(value)
