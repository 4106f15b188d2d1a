"""A BIDS folder -> its studies, each session of a subject one, with the images that may be its sagittal T2.

Which image is chosen, and why each other one is not, is decided by ``folder.choose`` as for DICOM series: by geometry, by
the times in the sidecars and by the words of the file names.
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from lstv.base.errors import UserError
from lstv.base.text import printable
from lstv.bids.dataset import DESCRIPTION, GENERATOR, PARTICIPANTS
from lstv.bids.names import SUFFIX, FileName, parsed
from lstv.cohort import training_guard
from lstv.cohort.study_sheet import SPLITS, Row
from lstv.dicom import nifti, nifti_series, stacks
from lstv.dicom.facts import Image
from lstv.dicom.nifti_series import Names
from lstv.folder.choose import Choice
from lstv.folder.pseudonym import Naming
from lstv.folder.series import Series, Study

_PHASES = ("phase", "real", "imag")
"""Values of the entity ``part`` of images that the localizer does not know."""


def studies(root: Path) -> list[Study]:
    """Every session of every subject as a study, by id; its series are all images of its ``anat`` folder.

    The id is ``sub-<label>`` or ``sub-<label>_ses-<label>``; in a folder that this software exported, that of the study
    exported. Raises UserError where the folder cannot be listed or has no subject.
    """
    root = Path(root)
    if training_guard.root_of(root) is not None:
        raise UserError(training_guard.refusal(root))
    known = exported_studies(root)
    found = []
    try:
        subjects = _folders(root, "sub-")
        if not subjects:
            raise UserError(root, _without_subjects(root))
        for subject in subjects:
            sessions = _folders(subject, "ses-")
            for folder in ([subject] if (subject / "anat").is_dir() or not sessions else []) + sessions:
                name = subject.name if folder == subject else f"{subject.name}_{folder.name}"
                refused = f"{PARTICIPANTS} of this export does not list it" if known and name not in known else ""
                found.append(_study(known.get(name, (name, ""))[0], folder, root, refused))
    except OSError as error:
        raise UserError(root, f" cannot be listed ({error.strerror}); check its permissions.") from error
    return sorted(found, key=lambda study: study.uid)


def _folders(parent: Path, prefix: str) -> list[Path]:
    return sorted(path for path in parent.iterdir() if path.name.startswith(prefix) and path.is_dir())


def _without_subjects(root: Path) -> str:
    if root.name.startswith(("sub-", "ses-")):
        return " is the folder of a subject or session; name the folder above, which holds the subjects."
    if any(map(nifti.is_named, root.iterdir())):
        return (
            " holds NIfTI files, but no folder sub-<label>; arrange them as BIDS does, each as "
            "sub-<label>/anat/sub-<label>_T2w.nii.gz."
        )
    return " has no folder sub-<label>; name the folder of a BIDS data set."


def exported_studies(root: Path) -> dict[str, tuple[str, str]]:
    """Study id and split by participant, in a folder that this software exported; empty for any other. Raises UserError."""
    try:
        description = json.loads((root / DESCRIPTION).read_text("utf-8"))
        ours = any(entry["Name"] == GENERATOR for entry in description["GeneratedBy"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return {}
    path = root / PARTICIPANTS
    if not ours or not path.exists():
        return {}
    found: dict[str, tuple[str, str]] = {}
    taken: set[str] = set()
    try:
        lines = path.read_text("utf-8").splitlines()[1:]
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(path, " cannot be read; export the folder again.") from error
    for line in lines:
        cells = line.split("\t")
        if len(cells) != 3 or cells[1] in taken or cells[2] not in ("", *SPLITS):
            raise UserError(
                path, f" was changed: {printable(line, 80)!r} is not a participant; export the folder again."
            )
        taken.add(cells[1])
        found[cells[0]] = (cells[1], cells[2])
    return found


def _study(study_id: str, folder: Path, root: Path, refused: str) -> Study:
    series: dict[str, Series] = {}
    anatomical = folder / "anat"
    paths = sorted(path for path in anatomical.iterdir() if nifti.is_named(path)) if anatomical.is_dir() else []
    for path in paths:
        stem = nifti_series.sidecar_of(path).stem
        names = Names(path.name if stem in series else stem, session=study_id)
        found = [nifti_series.unusable(path, refused, names)] if refused else _images(path, root, names)
        series[names.series] = Series(names.series, stacks.split(found), 0, frozenset())
    return Study(study_id, series)


def _images(path: Path, root: Path, names: Names) -> list[Image]:
    name = parsed(path.name)
    if name is None:
        return [nifti_series.unusable(path, "its name is not one that BIDS has", names)]
    names = replace(names, description=name.words)
    if name.suffix != SUFFIX:
        return [nifti_series.unusable(path, f"its suffix is {name.suffix}, not {SUFFIX}", names)]
    if name.entities.get("part") in _PHASES:
        return [nifti_series.unusable(path, "it is a phase, real or imaginary image", names)]
    try:
        return nifti_series.images(path, inherited_sidecar(path, name, root), names)
    except nifti.NiftiError as error:
        return [nifti_series.unusable(path, str(error), names)]


def inherited_sidecar(path: Path, name: FileName, root: Path) -> dict[str, Any]:
    """The keys that hold for an image: of the JSON files above it whose entities are among its own, the nearest counts
    (BIDS' inheritance principle). Raises NiftiError where one of them is not a JSON object."""
    known: dict[str, Any] = {}
    folders = [folder for folder in (path.parent, *path.parent.parents) if folder == root or root in folder.parents]
    for folder in reversed(folders):
        applicable = []
        for file in folder.glob(f"*{name.suffix}.json"):
            other = parsed_sidecar(file.name)
            if other is not None and other[1] == name.suffix and other[0].items() <= name.entities.items():
                applicable.append((len(other[0]), file))
        for _, file in sorted(applicable):
            known |= nifti_series.read_sidecar(file)
    return known


def parsed_sidecar(name: str) -> tuple[dict[str, str], str] | None:
    """Entities, perhaps none, and suffix of a JSON file's name; None where it is not one of BIDS."""
    *parts, suffix = name.removesuffix(".json").split("_")
    pairs = [part.partition("-")[::2] for part in parts]
    return (dict(pairs), suffix) if all(key and value for key, value in pairs) else None


def rows(choices: list[Choice], naming: Naming, root: Path) -> list[Row]:
    """A row of the study sheet for each study, by id."""
    splits = dict(exported_studies(root).values())  # of these the series was chosen among all of DICOM
    made = []
    for choice in choices:
        study_id = naming.study(choice.study.uid)
        split = splits.get(choice.study.uid) or "unknown"
        if choice.chosen is None:
            told = choice.reason if choice.study.series else "it has no image in a folder anat."
            made.append(Row(study_id, split=split, use="no", reason=_with_name(told, choice.study.uid, study_id)))
            continue
        stack = choice.chosen.stack
        path = os.path.abspath(stack.images[0].source)
        series_id = naming.series(stack.facts.series_uid)
        reason = "" if choice.study.uid in splits else choice.reason
        reason = _with_name(reason, choice.study.uid, study_id)
        words = stack.facts.series_description
        made.append(Row(study_id, series_id, path, words, str(stack.n_slices), split, reason=reason))
    return sorted(made, key=lambda row: row.study_id)


def _with_name(reason: str, name: str, study_id: str) -> str:
    """A row's reason, and of a study whose name is not its id that name."""
    if name == study_id:
        return reason
    words = f"{printable(name, 250)!r} in the folder, which is no id: too long, or with other characters"
    return f"{reason.removesuffix('.')}; {words}" if reason else words
