"""The options that complete settings give to the programs, quoted for a shell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lstv.base.cli import options

Settings = Mapping[str, Any]

_SCAN = ("ids", "key", "mapping", "choices", "descriptions")
_LOCALIZER = (
    *("sha256", "preprocessing", "members", "marks", "field", "centroids", "device", "forward_batch"),
    *("study_seconds", "study_memory_mb"),
)


def scan(settings: Settings) -> str:
    """Of scan_folder.py: how studies are named and what is told of them."""
    return options(**{name: settings["source"][name] for name in _SCAN})


def selection(settings: Settings) -> str:
    """Of the programs that select studies."""
    return options(valid_ids=settings["source"]["valid_ids"], **settings["selection"])


def report(settings: Settings) -> str:
    """Of build_report.py."""
    values = settings["report"]
    shown = "yes" if values["show_ids"] else "no"
    return options(cohort=settings["cohort"], top=values["top_candidates"], show_ids=shown)


def annotation_fields(settings: Settings) -> str:
    """Of the program that turns annotations into labels: what the fields are called there."""
    fields = settings["evaluation"]["annotation_fields"]
    return options(**{f"{name}_field": value for name, value in fields.items()})


def localizer(settings: Settings) -> str:
    """Of infer_heatmaps.py; UIDs stay out of the heatmap file where the studies go by pseudonyms."""
    source = settings["source"]
    pseudonymous = source["kind"] in ("folder", "sheet") and source["ids"] == "pseudonym"
    values = {name: settings["localizer"][name] for name in _LOCALIZER}
    return options(**values, without_uids=pseudonymous)
