"""A study's metrics file as types; its JSON Schema, made in ``study_record``, says what each key means."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias, TypedDict

Values: TypeAlias = dict[str, Any]
"""Metrics by name, whose types and units stand in the registry, with ``point_px`` and ``point_mm`` of a level, ``risk``,
``quality``, ``discs`` and ``junction_disc`` of a study."""


class Maker(TypedDict, total=False):
    """Of the program that made something: its code, image, Python and libraries."""

    git_revision: str | None
    image: dict[str, str | None] | None
    python: str
    libraries: dict[str, str | None]


class Provenance(TypedDict, total=False):
    """What the numbers were made from and with; what is not known is absent."""

    software_version: str
    git_revision: str | None
    image: dict[str, str | None] | None
    python: str
    libraries: dict[str, str | None]
    inference_version: str
    inference: Maker
    configuration_sha256: str
    risk_high: float
    risk_moderate: float
    checkpoint_file: str
    checkpoint_sha256: str
    demo_weights: bool
    preprocessing: str
    preprocessing_version: int | str
    members: str
    marks: str
    field: str
    centroids: bool
    device: str
    torch: str
    study_uid: str
    series_uid: str
    n_files: int
    n_slices: int
    centre_slice: int
    row_spacing: float
    column_spacing: float
    transfer_syntaxes: dict[str, int]
    decoders: dict[str, int]
    reference_studies: int
    feature_bank_sha256: str
    centroids_refused: str
    reorientation: str | None


class StudyRecord(TypedDict):
    """A study's metrics file. ``levels`` and ``study`` are empty unless the status is ok."""

    schema_version: int
    study_id: str
    series_id: str | None
    status: Literal["ok", "failed", "excluded"]
    reason: str
    flags: list[str]
    levels: dict[str, Values]
    study: Values
    provenance: Provenance
