"""What the workflow recorded of a run (software_versions.yml), for the programs that are told where it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def read(path: Path | None) -> dict[str, Any]:
    """The record; empty without a path, a file or an entry in it, or where this Python has no PyYAML."""
    if path is None:
        return {}
    try:
        import yaml  # the environment of a second reader need not have it
    except ImportError:
        return {}
    try:
        record = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError, yaml.YAMLError):
        return {}
    return record if isinstance(record, dict) else {}
