"""What the workflow recorded of a run (software_versions.yml), for the programs that are told where it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml


def read(path: Path | None) -> dict[str, Any]:
    """The record; empty without a path, a file or an entry in it."""
    try:
        record = yaml.safe_load(path.read_text(encoding="utf-8")) if path is not None else {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return {}
    return record if isinstance(record, dict) else {}
