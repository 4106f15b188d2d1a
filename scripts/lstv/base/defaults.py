"""Defaults and limits of the configuration. They stand in its schema and nowhere else; programs take theirs from it."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

SCHEMA = Path(__file__).parents[3] / "workflow/schemas/config.schema.yaml"


def default(key: str) -> Any:
    """The default of a configuration key such as ``review.sample``. Raises KeyError where the schema gives none."""
    return subschema(key)["default"]


def subschema(key: str) -> dict[str, Any]:
    """What the schema says of a configuration key. Raises KeyError where it has none."""
    schema = _schema()
    for part in key.split("."):
        schema = schema["properties"][part]
    return schema


@functools.cache
def _schema() -> dict[str, Any]:
    import yaml  # which a second reader's Python need not have

    schema: dict[str, Any] = yaml.load(
        SCHEMA.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    )
    return schema
