"""What made the numbers: software, checkpoint, preprocessing, decoders, settings. No clock time, no paths, no patients."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from lstv.base import made_by

LABELS = {
    "software_version": "lstv-uncertainty",
    "checkpoint_file": "Checkpoint file",
    "checkpoint_sha256": "Checkpoint sha256",
    "demo_weights": "Demo weights",
    "preprocessing": "Preprocessing",
    "preprocessing_version": "Preprocessing version",
    "members": "Members (slices and views beside the centre slice)",
    "device": "Device",
    "torch": "PyTorch",
}

_PATHS = ("path", "valid_ids", "list", "labels", "container")
"""Settings that are not shown: a path says nothing to the reader, and may be called like a patient."""


def facts(runs: list[dict], documents: list[dict]) -> list[dict]:
    """``label`` and ``value`` of each known entry; several values are listed with how often each was met.

    Inference's own record counts; what it does not say is looked for in the metrics' provenance.
    """
    records = [document.get("provenance", {}) for document in documents]
    result = []
    for key, label in LABELS.items():
        values = Counter(_text(record[key]) for record in runs if record.get(key) is not None)
        values = values or Counter(_text(record[key]) for record in records if record.get(key) is not None)
        if values:
            result.append({"key": key, "label": label, "value": _listed(values)})
    result += _makers(records)
    decoders: Counter[str] = Counter()
    for record in records:
        if isinstance(record.get("decoders"), dict):
            decoders.update(record["decoders"])
    if decoders:
        listed = "; ".join(f"{name}: {count:,} files" for name, count in sorted(decoders.items()))
        result.append({"key": "decoders_used", "label": "Decoders used", "value": listed})
    return result


def _makers(records: list[Mapping[str, Any]]) -> list[dict]:
    """Of which code, image and settings heatmaps and metrics are: files of an earlier run are kept where they need not be
    made again, so there can be several."""
    result = []
    for what, made in (("metrics", records), ("heatmaps", [_mapping(record.get("inference")) for record in records])):
        known = (
            ("git_revision", "Git revision", [record.get("git_revision") for record in made]),
            ("image", "Container image", [_image(record.get("image")) for record in made]),
        )
        for key, label, values in known:
            if counted := Counter(str(value) for value in values if value):
                text = _listed(counted)
                result.append({"key": f"{what}_{key}", "label": f"{label} that made the {what}", "value": text})
    if counted := Counter(str(found) for record in records if (found := record.get("configuration_sha256"))):
        label = "Settings that the numbers depend on, sha256"
        result.append({"key": "settings_sha256", "label": label, "value": _listed(counted)})
    return result


def _image(found: object) -> str:
    """What one needs to get the same image: its name or whole address, and of its file here the sha256 (an address may name
    another, that of the registry)."""
    image = _mapping(found)
    if not image:
        return ""
    return f"{made_by.image_name(str(image.get('name')))}, sha256 of its file {image.get('sha256') or 'not known'}"


_OF_RUN = {
    "git_revision": "Git revision of this run",
    "image": "Container image of this run",
    "python": "Python of the rules",
    "libraries": "Libraries",
    "decoders": "Decoders",
    "scheduler": "Scheduler",
    "configuration_sha256": "Configuration sha256",
    "command": "Command",
}


def of_run(software: Mapping[str, Any]) -> list[dict]:
    """``label`` and ``value`` of what the workflow recorded of the run that made this report (software_versions.yml): code,
    image, versions, configuration, command. What is not recorded is left out."""
    rules = _mapping(software.get("rules"))
    known: dict[str, Any] = {key: software.get(key) for key in ("configuration_sha256", "command")}
    if software.get("git_revision"):
        known["git_revision"] = str(software["git_revision"]) + (" with changes" if software.get("git_changes") else "")
    known["image"] = _image(software.get("image"))
    known["python"] = rules.get("python")
    for key, versions in (
        ("libraries", rules.get("libraries")),
        ("decoders", rules.get("decoders")),
        ("scheduler", software.get("scheduler")),
    ):
        named = [f"{name} {version}" for name, version in _mapping(versions).items() if version]
        known[key] = ", ".join(named)
    return [{"key": key, "label": label, "value": str(known[key])} for key, label in _OF_RUN.items() if known.get(key)]


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def uses_demo_weights(runs: list[dict], documents: list[dict]) -> bool:
    """Whether any heatmap came from the network that was trained on synthetic phantoms."""
    return any(
        record.get("demo_weights") for record in (*runs, *(document.get("provenance", {}) for document in documents))
    )


def settings_rows(settings: dict, prefix: str = "") -> list[dict]:
    """The settings, one line a key (``metrics.entropy_high``); no paths, of the checkpoint its file name."""
    rows = []
    for key, value in sorted(settings.items()):
        if isinstance(value, dict):
            rows += settings_rows(value, f"{prefix}{key}.")
        elif value is not None and key not in _PATHS:
            text = PurePath(str(value)).name if key == "checkpoint" else _text(value)
            rows.append({"label": f"{prefix}{key}", "value": text})
    return rows


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value))
    return str(value)


def _listed(values: Counter) -> str:
    if len(values) == 1:
        return next(iter(values))
    return "; ".join(f"{value} ({count:,}×)" for value, count in sorted(values.items()))
