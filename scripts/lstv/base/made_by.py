"""How results say by which code, image, Python and libraries they were made: an image's name, and their JSON Schemas."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

from lstv.base import json_schema

TEXT = {"type": "string"}
SHA256 = {"type": "string", "pattern": "^[0-9a-f]{64}$"}

MAKER: dict[str, tuple[dict[str, Any], str]] = {
    "git_revision": (
        {"type": ["string", "null"], "pattern": r"^[0-9a-f]{40,64}(\+changes)?$"},
        "Git commit of the code, with +changes where its files differed from that; null where it is not known.",
    ),
    "image": (
        json_schema.record(
            {
                "name": json_schema.described(TEXT, "Its file's name, or its address in a registry."),
                "sha256": json_schema.described(
                    {"type": ["string", "null"]}, "sha256 of its file; null where it is not a single one."
                ),
            }
        )
        | {"type": ["object", "null"]},
        "Container image in which the program ran; null outside of one, or where a program run by hand was not told.",
    ),
    "python": (TEXT, "Version of Python."),
    "libraries": (
        {"type": "object", "additionalProperties": {"type": ["string", "null"]}},
        "Versions of the libraries that the numbers come from; null for one that is not installed.",
    ),
}
"""Of the program that made something: key -> (JSON Schema, description)."""

PROVENANCE: dict[str, tuple[dict[str, Any], str]] = {
    "software_version": (TEXT, "Version of this software."),
    **MAKER,
    "configuration": (
        {"type": "object"},
        "Settings on which the content depends, as they were used; of paths the last name only.",
    ),
    "configuration_sha256": (SHA256, "sha256 of the configuration, as JSON with sorted keys."),
    "made_of": (
        {"type": "object", "additionalProperties": SHA256},
        "sha256 of the tables and other single files that it was made of.",
    ),
}
"""The same of a file that is not of one study: key -> (JSON Schema, description)."""


def image_name(name: str) -> str:
    """An image as results name it: its whole address in a registry, by which others get it, or its file's name without the
    folder, which is of a site or a user, and an image that was moved is the same."""
    name = name.removeprefix("file://")
    return name if "://" in name else PurePath(name).name


def schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of the provenance of every JSON but the metrics of a study, which have more of it."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Provenance",
        "description": "With what a JSON file was made: its key provenance. It holds no time, host, user or folder.",
        **json_schema.record({key: json_schema.described(*value) for key, value in PROVENANCE.items()}),
    }
