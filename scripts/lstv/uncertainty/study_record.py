"""A study's metrics file: assembled from its heatmaps, checked against its schema, written and read.

Every metric's key comes from the registry (``lstv.uncertainty.metrics``). ``workflow/schemas/metrics.schema.yaml`` is
``schema()`` written out by ``scripts/metrics_schema.py``; the unit tests hold the two together.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from lstv import uncertainty
from lstv.base import json_schema
from lstv.base.atomic import write_json
from lstv.base.errors import UserError, cause
from lstv.base.levels import LEVEL_LABELS, LEVELS
from lstv.localizer.heatmap_file import StudyMaps
from lstv.localizer.outcome import NotAnalysed
from lstv.uncertainty import Thresholds, provenance
from lstv.uncertainty.feature_bank import FeatureBank
from lstv.uncertainty.records import StudyRecord

if TYPE_CHECKING:  # imported where a record is checked
    from jsonschema import Draft202012Validator

SCHEMA_VERSION = 1
SIGNIFICANT_DIGITS = 6

RISKS = ("high", "moderate", "low", "not_found")

DRAWN = ("discs", "junction_disc")
"""Places on the strip that stand among the study's metrics for drawings, and in no table."""

OF_STUDY = ("risk", "quality", *DRAWN)
"""What stands among the study's metrics without being one."""

_TEXT = {"type": "string"}
_DISC = {"type": "array", "items": {"type": "number"}, "minItems": 3, "maxItems": 3}


def study_record(
    maps: StudyMaps,
    run: dict[str, Any],
    thresholds: Thresholds | None = None,
    feature_bank: FeatureBank | None = None,
    made_by: Mapping[str, Any] | None = None,
) -> StudyRecord:
    """The record of one study; ``run`` is the root record of the heatmap file (``heatmap_file.read_run``), ``made_by`` code,
    image and libraries of who measures. Raises UserError where the feature bank is of another localizer than the heatmaps.

    ``levels`` and ``study`` are empty unless the status is ok. Logits that are not finite make the study failed: no number
    is derived from them. Numbers are unrounded; ``write`` rounds.
    """
    thresholds = thresholds or Thresholds()
    record: StudyRecord = {
        "schema_version": SCHEMA_VERSION,
        "study_id": maps.study_id,
        "series_id": maps.series_id or None,
        "status": maps.status,
        "reason": maps.reason,
        "flags": list(maps.flags),
        "levels": {},
        "study": {},
        "provenance": provenance.of_study(maps, run, thresholds, feature_bank, made_by),
    }
    if isinstance(maps, NotAnalysed):
        return record
    if not all(np.isfinite(logits).all() for logits in (maps.logits, maps.whole) if logits is not None):
        reason = "the network returned values that are not finite; a GPU computes in half precision, so try the CPU"
        return record | {"status": "failed", "reason": reason}
    if feature_bank is not None:
        feature_bank.check(run, maps.study_id)
    levels, study, flags = uncertainty.measure(maps, thresholds, feature_bank)
    record |= {"levels": levels, "study": study}
    record["flags"] += [flag for flag in flags if flag not in record["flags"]]
    return record


def write(record: StudyRecord, path: Path) -> None:
    """Write a record: numbers to 6 significant digits, atomically.

    Raises ValueError where it does not fit the schema, which is a defect of this program.
    """
    written = rounded_record(record)
    problem = first_problem(written)
    if problem:
        raise ValueError(f"the metrics of study {record['study_id']} do not fit their schema: {problem}")
    write_json(path, written)


def rounded_record(record: StudyRecord) -> StudyRecord:
    """A copy with its numbers as they stand in the file."""
    parts = {part: rounded(record[part]) for part in ("levels", "study", "provenance")}
    return cast(StudyRecord, {**record, **parts})


def rounded(value: object) -> object:
    """Numbers to 6 significant digits, at any depth of dicts and lists; the one place where numbers are rounded."""
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded(item) for item in value]
    if isinstance(value, float):
        return float(f"{value:.{SIGNIFICANT_DIGITS}g}") + 0.0  # + 0.0 turns -0.0 into 0.0
    return value


def read(path: Path) -> StudyRecord:
    """Read a metrics file. Raises UserError, naming the file, where it is missing, no JSON or against the schema."""
    fix = "delete it and run study_metrics for this study again"
    try:
        record: StudyRecord = json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UserError(f"metrics file {path} does not exist; run study_metrics for this study.") from error
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"metrics file {path} is not readable JSON ({cause(error)}); {fix}.") from error
    problem = first_problem(record)
    if problem:
        raise UserError(f"metrics file {path} does not fit its schema ({problem}); {fix}.")
    return record


def first_problem(record: object) -> str | None:
    """Where and how a record first departs from the schema; None where it fits."""
    for error in _validator().iter_errors(record):
        where = ".".join(str(part) for part in error.absolute_path) or "the record"
        return f"{where}: {error.message}"[:300]
    return None


@lru_cache(maxsize=1)
def _validator() -> Draft202012Validator:
    from jsonschema import Draft202012Validator

    return Draft202012Validator(schema())


def schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of a metrics file; the metric keys and their descriptions come from the registry."""
    numbers = {"type": "number"}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Metrics of one study",
        "description": "results/<cohort>/studies/<study_id>.json. An undefined quantity is null and a flag says why.",
        **json_schema.record(
            {
                "schema_version": {"const": SCHEMA_VERSION, "description": "Version of this layout."},
                "study_id": json_schema.described(
                    {"type": "string", "pattern": "^[A-Za-z0-9._-]+$"}, "Study, as in the sheet."
                ),
                "series_id": json_schema.described(
                    {"type": ["string", "null"]}, "Series used, or null where there was none."
                ),
                "status": {"enum": ["ok", "failed", "excluded"], "description": "ok, failed or excluded."},
                "reason": json_schema.described(
                    _TEXT, "Why the study failed or is excluded; may be empty where it is ok."
                ),
                "flags": {
                    "type": "array",
                    "items": {"type": "string", "pattern": "^[a-z0-9_]+$"},
                    "description": "What is unusual, as snake_case words; every null is explained by one.",
                },
                "levels": {
                    "type": "object",
                    "additionalProperties": False,
                    "properties": {
                        name: {"$ref": "#/$defs/level", "description": f"Disc level {LEVEL_LABELS[name]}."}
                        for name in LEVELS
                    },
                    "description": "Metrics of each disc level, cranial to caudal; empty unless the status is ok.",
                },
                "study": {
                    "description": "Metrics of the whole study; empty unless the status is ok.",
                    **json_schema.record(
                        _metric_properties("study")
                        | {
                            "risk": {"enum": list(RISKS), "description": "Stratum by the entropy of L5/S1."},
                            "discs": {
                                "type": ["array", "null"],
                                "items": _DISC,
                                "description": "The discs found on the strip, cranial to caudal: each [x, y, turn], in mm "
                                "from its first pixel and in degrees to posterior.",
                            },
                            "junction_disc": _DISC
                            | {
                                "type": ["array", "null"],
                                "description": "L5/S1 as it was found on the strip, likewise.",
                            },
                            "quality": {
                                "enum": ["ok", "problem"],
                                "description": "problem where a flag begins with quality_.",
                            },
                        },
                        required=False,
                    ),
                },
                "provenance": {
                    "description": "What the numbers were made from and with.",
                    **json_schema.record(
                        {key: json_schema.described(*value) for key, value in provenance.PROVENANCE.items()},
                        required=["software_version"],
                    ),
                },
            }
        ),
        "if": {"properties": {"status": {"const": "ok"}}},
        "then": {
            "properties": {
                "levels": {"required": list(LEVELS)},
                "study": {"required": [*(entry.name for entry in uncertainty.metrics("study")), *OF_STUDY]},
            }
        },
        "else": {"properties": {"levels": {"maxProperties": 0}, "study": {"maxProperties": 0}}},
        "$defs": {
            "level": {
                "description": "Metrics of one disc level.",
                **json_schema.record(
                    _metric_properties("level")
                    | {
                        "point_px": {
                            "type": ["array", "null"],
                            "items": numbers,
                            "minItems": 2,
                            "maxItems": 2,
                            "description": "[column, row] on the 160 x 160 grid: middle of the main blob of p > 0.5.",
                        },
                        "point_mm": {
                            "type": ["array", "null"],
                            "items": numbers,
                            "minItems": 3,
                            "maxItems": 3,
                            "description": "The same point in DICOM patient coordinates [x, y, z] in mm.",
                        },
                    }
                ),
            }
        },
    }


def _metric_properties(scope: str) -> dict[str, Any]:
    return {
        entry.name: {"type": ["number", "null"], "description": f"{entry.title} Unit: {entry.unit}."}
        for entry in uncertainty.metrics(scope)
    }
