"""What a study's numbers were made from and with, as its metrics file says it.

Nothing of it is of the moment, the machine's name, a folder or a user: the same code on the same images and settings gives
the same bytes, whenever, wherever and beside whatever other studies it runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from lstv import __version__
from lstv.base import checksums, json_schema
from lstv.base.made_by import MAKER, SHA256, TEXT
from lstv.localizer.heatmap_file import Analysed, StudyMaps
from lstv.uncertainty import Thresholds
from lstv.uncertainty.feature_bank import FeatureBank
from lstv.uncertainty.records import Provenance

_COUNT = {"type": "integer", "minimum": 0}
_COUNTS = {"type": "object", "additionalProperties": _COUNT}

PROVENANCE: dict[str, tuple[dict[str, Any], str]] = {
    "software_version": (TEXT, "Version of this software that made the metrics."),
    **MAKER,
    "inference_version": (TEXT, "Version of this software that made the heatmaps."),
    "inference": (
        json_schema.record({key: json_schema.described(*value) for key, value in MAKER.items()}, required=False),
        "The same of the inference that made this study's heatmaps; its libraries include the DICOM decoders.",
    ),
    "configuration_sha256": (
        SHA256,
        "sha256 of the settings on which the study's numbers depend, as they were used: equal for studies made alike.",
    ),
    "risk_high": ({"type": "number"}, "L5/S1 entropy above which the risk is high, in nats."),
    "risk_moderate": ({"type": "number"}, "L5/S1 entropy from which the risk is moderate, in nats."),
    "checkpoint_file": (TEXT, "File name of the localizer's weights."),
    "checkpoint_sha256": (SHA256, "sha256 of the localizer's weights."),
    "demo_weights": ({"type": "boolean"}, "Whether the weights were trained on synthetic phantoms, for the demo only."),
    "preprocessing": (TEXT, "trained (as the point net was trained) or reference (as the reference implementation)."),
    "preprocessing_version": ({"type": ["integer", "string"]}, "Version of the preprocessing."),
    "members": (TEXT, "What was run beside the centre slice: centre (nothing), slices or full."),
    "marks": (TEXT, "What the localizer's points lie on: canal or disc."),
    "field": (TEXT, "Whether large fields were cut to the lumbar spine and read a second time: lumbar, else whole."),
    "centroids": ({"type": "boolean"}, "Whether patches were to be centred on given vertebra centroids."),
    "device": (TEXT, "cpu or cuda."),
    "torch": (TEXT, "Version of PyTorch that ran the network."),
    "study_uid": (TEXT, "DICOM StudyInstanceUID."),
    "series_uid": (TEXT, "DICOM SeriesInstanceUID."),
    "n_files": (_COUNT, "Files read."),
    "n_slices": (_COUNT, "Slices of the sorted stack."),
    "centre_slice": (_COUNT, "Index of the centre slice in the sorted stack, from 0."),
    "row_spacing": ({"type": "number"}, "Distance between the rows of the centre slice, in mm."),
    "column_spacing": ({"type": "number"}, "Distance between the columns of the centre slice, in mm."),
    "transfer_syntaxes": (_COUNTS, "Files for each DICOM transfer syntax UID."),
    "decoders": (_COUNTS, "Files for each pixel decoder used."),
    "reference_studies": (_COUNT, "Studies in the feature bank."),
    "feature_bank_sha256": (SHA256, "sha256 of the feature bank's file."),
    "centroids_refused": (TEXT, "Why the study's file of vertebra centroids was not used."),
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
    "field",
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
    return checksums.of_settings({name: known.get(name) for name in SETTINGS})
