"""Parts of a JSON Schema (draft 2020-12) that is written from the code."""

from __future__ import annotations

from typing import Any


def record(properties: dict[str, Any], required: bool | list[str] = True) -> dict[str, Any]:
    """An object with these properties and no others; ``required`` are all of them, none (False) or those listed."""
    wanted = list(properties) if required is True else required or []
    return {
        "type": "object",
        "additionalProperties": False,
        **({"required": wanted} if wanted else {}),
        "properties": properties,
    }


def described(subschema: dict[str, Any], description: str) -> dict[str, Any]:
    """A part with a description."""
    return {**subschema, "description": description}
