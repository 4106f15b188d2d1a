"""Which file of a folder is the mask of which study: names as the programs, BIDS and this workflow write them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from lstv.bids.names import label_of
from lstv.second_reader.numbering import SPINEPS

SUFFIX = ".nii.gz"
VERTEBRAE, PARTS = "vert", "spine"
"""SPINEPS' two masks: of the vertebrae by number, and of their parts."""

_ENTITY = re.compile(r"(?:^|_)(sub|seg)-([^_]+)")
_KIND = re.compile(r"(?:seg-|_)(vert|spine)(?:_msk|_dseg|_seg)?$")


@dataclass(frozen=True)
class Found:
    """Files of one study: ``mask`` (SPINEPS: of the vertebrae) and ``parts`` (SPINEPS only), each once or more often."""

    mask: list[Path] = field(default_factory=list)
    parts: list[Path] = field(default_factory=list)


def masks_of(folder: Path, program: str, study_ids: Iterable[str]) -> dict[str, Found]:
    """The masks that a folder and its subfolders hold of each of the studies.

    A file is of a study where its name, or its BIDS subject, is the study's id, or the label that this workflow's export
    makes of the id; where another export left out what BIDS does not allow, the id without that. Of SPINEPS' files those
    with ``seg-vert`` and ``seg-spine`` in their names are taken.
    """
    by_subject: dict[str, Found] = {}
    for path in sorted(Path(folder).rglob(f"*{SUFFIX}")):
        stem = path.name.removesuffix(SUFFIX)
        subject, kind = _subject(stem, program)
        if kind is None:
            continue
        entry = by_subject.setdefault(subject, Found())
        (entry.parts if kind == PARTS else entry.mask).append(path)
    nothing = Found()
    return {
        study_id: next((by_subject[name] for name in _names_of(study_id) if name in by_subject), nothing)
        for study_id in study_ids
    }


def _names_of(study_id: str) -> tuple[str, ...]:
    return study_id, label_of(study_id), bids_label(study_id)


def bids_label(study_id: str) -> str:
    """The id with letters and digits only, as BIDS has subjects."""
    return re.sub(r"[^A-Za-z0-9]", "", study_id)


def _subject(stem: str, program: str) -> tuple[str, str | None]:
    """What a file name says of subject and kind of mask; kind None = not a mask of the program."""
    entities = dict(_ENTITY.findall(stem))
    found = _KIND.search(stem)
    if program == SPINEPS:
        kind = found[1] if found else None
        bare = stem[: found.start()].rstrip("_") if found else stem
    else:
        kind = None if "seg" in entities or found else VERTEBRAE
        bare = stem
    return entities.get("sub", bare), kind
