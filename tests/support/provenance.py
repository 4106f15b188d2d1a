"""What JSON files say of their making: found in each once, and held against its schema."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator

ROOT = Path(__file__).parents[2]
SCHEMA = yaml.safe_load((ROOT / "workflow/schemas/provenance.schema.yaml").read_text())
OF_OTHERS = ("heatmaps/.kept/*", "**/*_T2w.json", "**/participants.json", "second_reader/images/**/*", "dicom/**/*")
"""JSON in a results folder that has none: of the workflow for itself, and of BIDS, whose description has it for all."""


def said(document: Any) -> list[dict[str, Any]]:
    """Every provenance in a document, at any depth."""
    if isinstance(document, list):
        return [found for value in document for found in said(value)]
    if not isinstance(document, dict):
        return []
    here = [value for key, value in document.items() if key.lower() == "provenance"]
    return here or [found for value in document.values() for found in said(value)]


def only(document: Any) -> dict[str, Any]:
    """The one provenance of a document that is not the metrics of a study, which fits its schema."""
    (made,) = said(document)
    Draft202012Validator(SCHEMA).validate(made)
    return made


def of_results(folder: Path) -> dict[str, dict[str, Any]]:
    """The provenance of every JSON in a results folder that is for people, by its path there; each has one."""
    others = {path for pattern in OF_OTHERS for path in folder.glob(pattern)}
    made = {}
    for path in sorted(set(folder.rglob("*.json")) - others):
        name = path.relative_to(folder).as_posix()
        document = json.loads(path.read_text())
        found = said(document)
        assert len(found) == 1, f"{name} says {len(found)} times with what it was made"
        made[name] = found[0] if name.startswith("studies/") else only(document)
    return made
