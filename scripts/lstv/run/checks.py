"""What a schema cannot see in complete settings: files that are not there, values that do not go together.

A check is a function of the settings that yields a sentence for each mistake. ``CHECKS`` is the table of them, in the order
in which their sentences stand.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import string
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from lstv.base.errors import UserError
from lstv.cohort import rsna_layout, training_guard

Settings = Mapping[str, Any]
Check = Callable[[Settings], Iterator[str]]

FETCHED = ("resources/pointnet/00002484.pth", "resources/pointnet/valid_id.npy")
"""What the workflow can fetch from Kaggle, under these names only."""

_IDS = (
    "name valid_id.npy there (resources/README.md says where it comes from); for studies of your own in this layout a text "
    "file with their ids, one a line."
)


def contradictions(settings: Settings, *, in_job: bool = False) -> list[str]:
    """One sentence for each mistake in complete settings.

    ``in_job``: in a job of a run that was checked, which does not look at the folder of every study again.
    """
    return [sentence for check in CHECKS if not (in_job and check in _BEFORE_JOBS_ONLY) for sentence in check(settings)]


EVIDENCE = ("method_study", "method_study_patients")
"""Folders of the results, and targets, of the evidence on made-up spines (``workflow/rules/evidence.smk``)."""


def _cohort_is_not_the_evidences(settings: Settings) -> Iterator[str]:
    if settings["cohort"] in EVIDENCE:
        yield (
            f"cohort {settings['cohort']} is the name under which the workflow keeps its study of made-up spines; choose "
            "another."
        )


def _download_is_of_rsna(settings: Settings) -> Iterator[str]:
    source = settings["source"]
    if source["download"] and source["kind"] != "rsna":
        yield f"source.download fetches the RSNA studies, but source.kind is {source['kind']}; set it to rsna."


def _whole_archive_is_of_a_download(settings: Settings) -> Iterator[str]:
    source = settings["source"]
    if source["whole_archive"] and not source["download"]:
        yield "source.whole_archive says how to fetch, but source.download is off; turn that on too."


def _source_exists(settings: Settings) -> Iterator[str]:
    source = settings["source"]
    if source["kind"] == "demo":
        return
    if source["path"] is None:
        yield f"source.kind is {source['kind']}, but source.path is not set; name the folder or the sheet there."
    elif not os.path.exists(source["path"]) and not source["download"]:
        yield f"source.path {source['path']} does not exist; set it to where your data are."
    elif source["kind"] in ("rsna", "folder", "bids") and not source["download"] and not os.path.isdir(source["path"]):
        packed = "; unpack it (unzip FILE -d FOLDER) and name that folder" if _is_zip(source["path"]) else ""
        yield f"source.path {source['path']} is a file, but source.kind {source['kind']} needs a folder{packed}."
    elif source["kind"] == "sheet" and not os.path.isfile(source["path"]):
        yield f"source.path {source['path']} is a folder, but source.kind sheet needs a CSV file."


def _archive_is_unpacked(settings: Settings) -> Iterator[str]:
    source = settings["source"]
    if source["kind"] != "rsna" or source["download"] or source["path"] is None or not os.path.isdir(source["path"]):
        return
    if not os.path.isfile(os.path.join(source["path"], rsna_layout.SERIES_TABLE)):
        with contextlib.suppress(OSError):
            packed = sorted(name for name in os.listdir(source["path"]) if name.endswith(".zip"))
            if packed:
                yield (
                    f"source.path {source['path']} holds {packed[0]}, but no {rsna_layout.SERIES_TABLE}: unpack the archive "
                    f"there (unzip {packed[0]}), so that the table and {rsna_layout.IMAGES} lie in that folder."
                )


def _is_zip(path: str) -> bool:
    return path.lower().endswith(".zip")


def _demo_checkpoint_is_for_the_demo(settings: Settings) -> Iterator[str]:
    checkpoint = settings["localizer"]["checkpoint"]
    if settings["source"]["kind"] != "demo" and Path(checkpoint).parts[-3:-1] == ("resources", "demo"):
        yield (
            "localizer.checkpoint is the demo's, which knows synthetic phantoms only; for your own data set it to "
            "the published point net, for instance resources/pointnet/00002484.pth."
        )


def _sheet_is_no_result(settings: Settings) -> Iterator[str]:
    source, own = settings["source"], f"results/{settings['cohort']}"
    if source["kind"] == "sheet" and source["path"] is not None and _lies_in(source["path"], own):
        yield (
            f"source.path {source['path']} lies in {own}, this run's own results; move the file to "
            "another place, for instance data/, or name another cohort."
        )


def _sheet_marks_training_studies(settings: Settings) -> Iterator[str]:
    source = settings["source"]
    if source["kind"] == "sheet" and source["path"] is not None and source["valid_ids"] is None:
        with contextlib.suppress(UserError):  # what else is wrong with the sheet is said when its studies are read
            yield from filter(None, [training_guard.unmarked(Path(source["path"]))])


def _rsna_has_valid_ids(settings: Settings) -> Iterator[str]:
    source = settings["source"]
    if source["kind"] == "rsna" and source["valid_ids"] is None:
        yield (
            "source.valid_ids is not set, so the RSNA studies that the point net was trained on cannot be told from the "
            f"others; {_IDS}"
        )


def _folder_is_not_rsna(settings: Settings) -> Iterator[str]:
    source = settings["source"]
    scanned = source["kind"] in ("folder", "bids")
    if scanned and source["path"] is not None and training_guard.root_of(source["path"]) is not None:
        yield (
            f"source.path {source['path']} {training_guard.LAYOUT}: set source.kind to rsna and source.valid_ids to "
            "valid_id.npy (for studies of your own in this layout, to a text file with their ids)."
        )


def _private_files_are_not_shared(settings: Settings) -> Iterator[str]:
    source = settings["source"]
    for key in ("key", "mapping") if source["kind"] == "folder" else ():
        if source[key] is not None and _lies_in(source[key], "results"):
            yield (
                f"source.{key} {source[key]} lies in the results, which are shared; name a private place, for instance "
                "in resources/private."
            )


def _folder_has_no_valid_ids(settings: Settings) -> Iterator[str]:
    source = settings["source"]
    if source["kind"] == "folder" and source["valid_ids"] is not None:
        yield (
            "source.valid_ids lists RSNA study ids, which a scanned folder does not have: set it to null, or "
            "source.kind to rsna."
        )


def _bids_is_read_as_trained(settings: Settings) -> Iterator[str]:
    if settings["source"]["kind"] == "bids" and settings["localizer"]["preprocessing"] == "reference":
        yield (
            "localizer.preprocessing reference goes by the names of DICOM files, which source.kind bids does not have; "
            "set it to trained."
        )


def _checkpoint_exists(settings: Settings) -> Iterator[str]:
    path = settings["localizer"]["checkpoint"]
    if not os.path.isfile(path) and path not in _to_come(settings):
        yield (
            f"localizer.checkpoint {path} does not exist; put the point net there "
            "(resources/README.md says where it comes from), correct the path, or for RSNA studies set source.download."
        )


def _thresholds_ascend(settings: Settings) -> Iterator[str]:
    metrics = settings["metrics"]
    if metrics["entropy_moderate"] >= metrics["entropy_high"]:
        yield (
            f"metrics.entropy_moderate ({metrics['entropy_moderate']:g}) must be below metrics.entropy_high "
            f"({metrics['entropy_high']:g})."
        )


def _labels_come_from_one_file(settings: Settings) -> Iterator[str]:
    evaluation = settings["evaluation"]
    if evaluation["labels"] is not None and evaluation["annotations"] is not None:
        yield (
            f"evaluation.labels {evaluation['labels']} and evaluation.annotations {evaluation['annotations']} both give "
            "labels; set one of them to null."
        )


_FILES = (
    ("source", "valid_ids"),
    ("source", "choices"),
    ("selection", "list"),
    ("metrics", "feature_bank"),
    ("evaluation", "labels"),
    ("evaluation", "queue"),
    ("evaluation", "annotations"),
)


def _files_exist(settings: Settings) -> Iterator[str]:
    for part, key in _FILES:
        path = settings[part][key]
        if path is not None and not os.path.isfile(path) and path not in _to_come(settings):
            needed = key == "valid_ids" and settings["source"]["kind"] == "rsna"
            fix = _IDS if needed else "correct the path or set it to null."
            yield f"{part}.{key} {path} does not exist; {fix}"


def _centroids_are_a_folder(settings: Settings) -> Iterator[str]:
    path = settings["localizer"]["centroids"]
    if path is not None and not os.path.isdir(path):
        yield f"localizer.centroids {path} is not a directory; correct the path or set it to null."


def second_readers(settings: Settings) -> dict[str, Any]:
    """Settings of the programs that are asked for as second readers, by name."""
    return {name: values for name, values in settings["second_reader"].items() if isinstance(values, dict)}


def _second_readers_folders(settings: Settings) -> Iterator[str]:
    for name, values in second_readers(settings).items():
        for key in ("models", "masks"):
            path = values[key]
            if path is not None and not os.path.isdir(path):
                yield f"second_reader.{name}.{key} {path} is not a directory; correct the path or set it to null."


def _second_readers_commands(settings: Settings) -> Iterator[str]:
    for name, values in second_readers(settings).items():
        command = values["command"]
        if values["masks"] is not None:
            continue
        try:
            named = {field for _, field, _, _ in string.Formatter().parse(command) if field is not None}
            shlex.split(command)
        except ValueError as error:
            yield f"second_reader.{name}.command is {command!r}, which is not a command line ({error})."
            continue
        strange = sorted(named - {"image", "out", "models"})
        if strange or "image" not in named:
            wrong = f"names {{{strange[0]}}}" if strange else "does not name {image}"
            yield f"second_reader.{name}.command is {command!r}, which {wrong}; use {{image}}, {{out}} and {{models}}."
        elif "models" in named and values["models"] is None:
            key = f"second_reader.{name}.models"
            yield f"second_reader.{name}.command uses {{models}}, but {key} is not set; name the folder."


FUTURE = 120.0
"""Seconds that a file may be dated ahead of this machine's clock."""


def _files_are_of_today(settings: Settings) -> Iterator[str]:
    """Snakemake ends every job whose input is newer than what the job has just made."""
    source = settings["source"]
    named = [(f"{part}.{key}", settings[part][key]) for part, key in (*_FILES, ("localizer", "checkpoint"))]
    if source["path"] is not None and source["kind"] == "sheet":
        named.append(("source.path", source["path"]))
    elif source["path"] is not None and source["kind"] == "rsna":
        named.append(("source.path", os.path.join(source["path"], rsna_layout.SERIES_TABLE)))
    for name, path in named:
        with contextlib.suppress(OSError, TypeError):  # what is not there, others say
            ahead = os.stat(path).st_mtime - time.time()
            if ahead > FUTURE:
                how_far = f"{ahead / 3600:.1f} hours" if ahead >= 3600 else f"{ahead / 60:.0f} minutes"
                yield (
                    f"{name} {path} is dated {how_far} in the future, so nothing made from it could be newer: set its time "
                    f"to now (touch {shlex.quote(path)}), and look at the clocks of its machine and this one."
                )


CHECKS: tuple[Check, ...] = (
    _cohort_is_not_the_evidences,
    _download_is_of_rsna,
    _whole_archive_is_of_a_download,
    _source_exists,
    _archive_is_unpacked,
    _demo_checkpoint_is_for_the_demo,
    _sheet_is_no_result,
    _sheet_marks_training_studies,
    _rsna_has_valid_ids,
    _folder_is_not_rsna,
    _private_files_are_not_shared,
    _folder_has_no_valid_ids,
    _bids_is_read_as_trained,
    _checkpoint_exists,
    _thresholds_ascend,
    _labels_come_from_one_file,
    _files_exist,
    _centroids_are_a_folder,
    _second_readers_folders,
    _second_readers_commands,
    _files_are_of_today,
)

_BEFORE_JOBS_ONLY = frozenset({_sheet_marks_training_studies, _files_are_of_today})
"""Looks at the folder of every study; looks at the clock."""


def _to_come(settings: Settings) -> tuple[str, ...]:
    """Files that are not there yet because the run fetches them."""
    return FETCHED if settings["source"]["download"] else ()


def _lies_in(path: str, folder: str) -> bool:
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))
