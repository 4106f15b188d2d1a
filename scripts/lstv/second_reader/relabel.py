"""Masks whose numbering is moved by one level, on a reader's word or by a rule: always copies, never without saying why.

Moved are the names of thoracic and lumbar vertebrae with their discs and endplates; the sacrum stays the sacrum. A ``shift``
of 1 makes every vertebra the next lower one (T12 -> L1, L5 -> L6), -1 the next higher one (L6 -> L5, L1 -> T12).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lstv.base import atomic, checksums
from lstv.base.errors import StudyError
from lstv.dicom import nifti
from lstv.second_reader.masks import MaskProblem, read_mask
from lstv.second_reader.numbering import LUMBAR, PROGRAMS, Numbering

_CHAIN = tuple([f"C{n}" for n in range(1, 8)] + [f"T{n}" for n in range(1, 13)] + list(LUMBAR))
"""Vertebrae that a shift passes through; a T13 has no place in it."""
SHIFTS = (-1, 1)


@dataclass(frozen=True)
class Relabelled:
    """A moved copy: ``labels`` of the mask's shape and kind, and each number that changed with what it became."""

    labels: npt.NDArray[np.uint16]
    changed: dict[int, int]


def relabelled(labels: npt.NDArray[np.uint16], numbering: Numbering, shift: int) -> Relabelled:
    """Move every vertebra above the sacrum by ``shift`` levels (-1 or 1). Raises StudyError where that has no name."""
    if shift not in SHIFTS:
        raise StudyError(f"a shift of {shift} is not one level; use -1 or 1.")
    present = [int(number) for number in np.unique(labels) if number]
    names = {number: numbering.vertebrae[number] for number in present if number in numbering.vertebrae}
    discs = {number: name for number, name in numbering.disc_names(present).items() if number != numbering.above_sacrum}
    if "T13" in (*names.values(), *discs.values()):
        raise StudyError("the mask has a T13, through which a shift by one has two meanings; relabel it by hand.")
    by_name = {name: number for number, name in numbering.vertebrae.items()}
    disc_of = {name: number for number, name in numbering.discs.items() if number != numbering.above_sacrum}
    changed = _moved(names, by_name, shift) | _moved(discs, disc_of, shift)
    if numbering.name == "spineps":
        plates = {
            number: numbering.vertebrae[number - 200] for number in present if number - 200 in numbering.vertebrae
        }
        changed |= _moved(plates, {name: 200 + number for name, number in by_name.items()}, shift)
    table = np.arange(int(labels.max()) + 1, dtype=np.uint16)
    for old, new in changed.items():
        table[old] = new
    return Relabelled(table[labels], changed)


def _moved(names: dict[int, str], numbers: dict[str, int], shift: int) -> dict[int, int]:
    changed = {}
    for number, name in names.items():
        if name not in _CHAIN:  # the sacrum
            continue
        place = _CHAIN.index(name) + shift
        wanted = _CHAIN[place] if 0 <= place < len(_CHAIN) else None
        if wanted is None or wanted not in numbers:
            raise StudyError(f"{name} moved by {shift:+d} has no number in this program's masks; relabel it by hand.")
        changed[number] = numbers[wanted]
    return changed


def write(
    source: Path,
    program: str,
    study_id: str,
    shift: int,
    why: str,
    folder: Path,
    provenance: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Write the moved copy of a mask and a JSON beside it that says what, why and by which software; returns that record.

    ``folder`` may not be the one of the original. Raises StudyError where the mask cannot be read or moved.
    """
    if folder.resolve() == source.parent.resolve():
        raise StudyError(f"{source} would be written over; name another folder for relabelled masks.")
    try:
        mask = read_mask(source, program)
    except MaskProblem as problem:
        raise StudyError(problem.sentence) from problem
    image = nifti.read(source)
    moved = relabelled(mask.labels, mask.numbering, shift)
    kind = image.stored.dtype
    if moved.labels.max() > np.iinfo(kind).max:
        kind = np.dtype(np.uint16)
    name = f"{study_id}_{program}_relabelled.nii.gz"
    nifti.write(folder / name, moved.labels.astype(kind), image.header.affine)
    record = {
        "study_id": study_id,
        "program": PROGRAMS[program],
        "numbering": mask.numbering.name,
        "original": source.name,
        "original_sha256": checksums.file_digest(source),
        "mask": name,
        "shift": shift,
        "why": why,
        "changed": {str(old): new for old, new in sorted(moved.changed.items())},
        "vertebrae": {
            mask.numbering.vertebrae[old]: mask.numbering.vertebrae[new]
            for old, new in sorted(moved.changed.items())
            if old in mask.numbering.vertebrae
        },
        **({} if provenance is None else {"provenance": provenance}),
    }
    atomic.write_json(folder / f"{study_id}_{program}_relabelled.json", record)
    return record
