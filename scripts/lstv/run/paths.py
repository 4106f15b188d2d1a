"""Where a run's studies come from, and which paths its rules read and write: what complete settings say of them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lstv.base import private_files, tables
from lstv.cohort import rsna_layout, training_guard
from lstv.run import checks, deployment
from lstv.run.settings import PATHS

Settings = Mapping[str, Any]

SCANNED = {"folder": "scan/studies.csv", "bids": "scan/bids.csv"}
"""The sheet that a scan writes into the results, by the kind of source."""
_WRITTEN = frozenset({"key", "mapping"})


def results(settings: Settings) -> str:
    """The folder of the cohort's results."""
    return f"results/{settings['cohort']}"


def layout(settings: Settings) -> str:
    """How the studies are found once they are there: demo and rsna by a folder in the RSNA layout, sheet by a sheet, which a
    scanned folder, of DICOM or BIDS, has too."""
    kind = str(settings["source"]["kind"])
    return "sheet" if kind in SCANNED else kind


def source(settings: Settings) -> str:
    """Root folder in the RSNA layout, or the sheet of studies."""
    made = {"demo": "dicom", **SCANNED}.get(settings["source"]["kind"])
    return f"{results(settings)}/{made}" if made else str(settings["source"]["path"])


def source_table(settings: Settings) -> str:
    """The file by which the source's studies are known."""
    path = source(settings)
    return path if layout(settings) == "sheet" else f"{path}/{rsna_layout.SERIES_TABLE}"


def labels(settings: Settings) -> str | None:
    """The readers' labels, or what annotations become; None where there is no evaluation."""
    wanted = settings["evaluation"]
    made = f"{results(settings)}/evaluation/labels.csv"
    return made if wanted["annotations"] else wanted["labels"]


def read(settings: Settings) -> list[str]:
    """What rules read and might lie outside the project folder; a container must be shown it. Looks at every folder of a
    sheet. Raises UserError where the sheet cannot be read."""
    given = settings["source"]
    names = [settings[part][key] for part, keys in PATHS.items() for key in keys if key not in _WRITTEN]
    names += [program[key] for program in checks.second_readers(settings).values() for key in ("models", "masks")]
    names += [f"{name}.sha256" for name in (settings["localizer"]["checkpoint"], given["valid_ids"]) if name]
    if given["kind"] in ("rsna", *SCANNED):
        images = os.path.join(given["path"], rsna_layout.IMAGES if given["kind"] == "rsna" else "")
        links = deployment.linked(images)
        names += [images, *links]
        if given["kind"] == "folder":
            names += training_guard.tables(links)  # by which the scan knows what it must refuse
    if given["kind"] == "sheet":
        folders = [row.get("series_dir") for row in tables.read_table(Path(given["path"]), ())]
        names += [*folders, *private_files.folders_of_lists(folders)]
    return [name for name in names if name]


def written(settings: Settings) -> list[str]:
    """Folders that rules write to; they are often links to a larger disk."""
    given = settings["source"]
    names = ["results", results(settings), "resources", "resources/private", ".snakemake"]
    if given["kind"] == "folder":
        names += [os.path.dirname(given[key]) for key in sorted(_WRITTEN) if given[key]]
    if given["download"]:
        names += [given["path"], os.path.dirname(checks.FETCHED[0])]
    return [name for name in names if name]


def private(settings: Settings) -> list[str]:
    """Paths of the user's that may name a patient."""
    given = settings["source"]
    keys = ("path", "key", "mapping", "choices") if given["kind"] in ("sheet", *SCANNED) else ()
    return [given[key] for key in keys if given[key]]
