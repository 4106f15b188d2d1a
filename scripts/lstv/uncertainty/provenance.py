"""What a study's numbers were made from and with, as its metrics file says it.

Nothing of it is of the moment, the machine's name, a folder or a user: the same code on the same images and settings gives
the same bytes, whenever, wherever and beside whatever other studies it runs.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, cast

from lstv import __version__
from lstv.base import json_schema
from lstv.localizer.heatmap_file import Analysed, StudyMaps
from lstv.uncertainty import Thresholds
from lstv.uncertainty.feature_bank import FeatureBank
from lstv.uncertainty.records import Provenance

_TEXT = {"type": "string"}
_COUNT = {"type": "integer", "minimum": 0}
_COUNTS = {"type": "object", "additionalProperties": _COUNT}
_SHA256 = {"type": "string", "pattern": "^[0-9a-f]{64}$"}

_VERSIONS = {"type": "object", "additionalProperties": {"type": ["string", "null"]}}

_MAKER: dict[str, tuple[dict[str, Any], str]] = {
    "git_revision": (
        {"type": ["string", "null"], "pattern": r"^[0-9a-f]{40,64}(\+changes)?$"},
        "Git commit of the code, with +changes where its files differed from that; null where it is not known.",
    ),
    "image": (
        json_schema.record(
            {
                "name": json_schema.described(_TEXT, "Its file's name, or its address in a registry."),
                "sha256": json_schema.described(
                    {"type": ["string", "null"]}, "sha256 of its file; null where it is not a single one."
                ),
            }
        )
        | {"type": ["object", "null"]},
        "Container image in which the program ran; null outside of one.",
    ),
    "python": (_TEXT, "Version of Python."),
    "libraries": (
        _VERSIONS,
        "Versions of the libraries that the numbers come from; null for one that is not installed.",
    ),
}
"""Of the program that made something: key -> (JSON Schema, description)."""

PROVENANCE: dict[str, tuple[dict[str, Any], str]] = {
    "software_version": (_TEXT, "Version of this software that made the metrics."),
    **_MAKER,
    "inference_version": (_TEXT, "Version of this software that made the heatmaps."),
    "inference": (
        json_schema.record({key: json_schema.described(*value) for key, value in _MAKER.items()}, required=False),
        "The same of the inference that made this study's heatmaps; its libraries include the DICOM decoders.",
    ),
    "configuration_sha256": (
        _SHA256,
        "sha256 of the settings on which the study's numbers depend, as they were used: equal for studies made alike.",
    ),
    "risk_high": ({"type": "number"}, "L5/S1 entropy above which the risk is high, in nats."),
    "risk_moderate": ({"type": "number"}, "L5/S1 entropy from which the risk is moderate, in nats."),
    "checkpoint_file": (_TEXT, "File name of the localizer's weights."),
    "checkpoint_sha256": (_SHA256, "sha256 of the localizer's weights."),
    "demo_weights": ({"type": "boolean"}, "Whether the weights were trained on synthetic phantoms, for the demo only."),
    "preprocessing": (_TEXT, "trained (as the point net was trained) or reference (as the reference implementation)."),
    "preprocessing_version": ({"type": ["integer", "string"]}, "Version of the preprocessing."),
    "members": (_TEXT, "What was run beside the centre slice: centre (nothing), slices or full."),
    "marks": (_TEXT, "What the localizer's points lie on: canal or disc."),
    "centroids": ({"type": "boolean"}, "Whether patches were to be centred on given vertebra centroids."),
    "device": (_TEXT, "cpu or cuda."),
    "torch": (_TEXT, "Version of PyTorch that ran the network."),
    "study_uid": (_TEXT, "DICOM StudyInstanceUID."),
    "series_uid": (_TEXT, "DICOM SeriesInstanceUID."),
    "n_files": (_COUNT, "Files read."),
    "n_slices": (_COUNT, "Slices of the sorted stack."),
    "centre_slice": (_COUNT, "Index of the centre slice in the sorted stack, from 0."),
    "row_spacing": ({"type": "number"}, "Distance between the rows of the centre slice, in mm."),
    "column_spacing": ({"type": "number"}, "Distance between the columns of the centre slice, in mm."),
    "transfer_syntaxes": (_COUNTS, "Files for each DICOM transfer syntax UID."),
    "decoders": (_COUNTS, "Files for each pixel decoder used."),
    "reference_studies": (_COUNT, "Studies in the feature bank."),
    "feature_bank_sha256": (_SHA256, "sha256 of the feature bank's file."),
    "centroids_refused": (_TEXT, "Why the study's file of vertebra centroids was not used."),
    "reorientation": (
        {"type": ["string", "null"]},
        "How the slices were turned to the training's orientation, or null.",
    ),
}
"""Key -> (JSON Schema, description). Other facts of the series stay in the heatmap file."""

SETTINGS = (
    "checkpoint_sha256",
    "preprocessing",
    "members",
    "marks",
    "centroids",
    "device",
    "risk_high",
    "risk_moderate",
    "feature_bank_sha256",
)
"""Settings on which a study's numbers depend, of files their contents: what ``configuration_sha256`` is the digest of."""


def of_study(
    maps: StudyMaps,
    run: Mapping[str, Any],
    thresholds: Thresholds,
    feature_bank: FeatureBank | None,
    made_by: Mapping[str, Any] | None,
) -> Provenance:
    """What is known of one study: ``run`` is the root record of its heatmap file, ``made_by`` code, image and libraries of
    who measures. What is not known is absent."""
    known = {**maps.provenance, **run}
    if "software_version" in run:
        known["inference_version"] = run["software_version"]
    known |= {"software_version": __version__, "risk_high": thresholds.high, "risk_moderate": thresholds.moderate}
    known |= made_by or {}
    if feature_bank is not None and feature_bank.sha256:
        known["feature_bank_sha256"] = feature_bank.sha256
    if isinstance(maps, Analysed):
        known |= {"row_spacing": maps.geometry.row_spacing, "column_spacing": maps.geometry.column_spacing}
        if feature_bank is not None:
            known["reference_studies"] = len(feature_bank.study_ids)
        if maps.targets is not None and maps.targets.status == "refused":
            known["centroids_refused"] = maps.targets.reason
    known["configuration_sha256"] = settings_digest(known)
    return cast(Provenance, {key: known[key] for key in PROVENANCE if key in known})


def settings_digest(known: Mapping[str, Any]) -> str:
    """sha256 of the SETTINGS among what is known, as JSON with sorted keys; one that is not known counts as null."""
    settings = {name: known.get(name) for name in SETTINGS}
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()
