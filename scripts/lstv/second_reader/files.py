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

_ENTITY = re.compile(r"(?:^|_)(sub|ses|seg)-([^_]+)")
_KIND = re.compile(r"(?:seg-|_)(vert|spine)(?:_msk|_dseg|_seg)?$")


@dataclass(frozen=True)
class Found:
    """Files of one study: ``mask`` (SPINEPS: of the vertebrae) and ``parts`` (SPINEPS only), each once or more often."""

    mask: list[Path] = field(default_factory=list)
    parts: list[Path] = field(default_factory=list)


def masks_of(folder: Path, program: str, study_ids: Iterable[str]) -> dict[str, Found]:
    """The masks that a folder and its subfolders hold of each of the studies.

    First come the names that this workflow writes (``written_names``); a file named so for one study is of no other. Else
    a file is of a study where its name, or its BIDS subject and session, is the study's id, the id without ``sub-``, or the
    label that this workflow's export makes of the id; where another export left out what BIDS does not allow, the id without
    that. Where the id is not one of BIDS and no file is found so, the subject alone is enough. Of SPINEPS' files those with
    ``seg-vert`` and ``seg-spine`` in their names are taken.
    """
    study_ids = list(study_ids)
    of_kind = {study_id: written_names(program, study_id) for study_id in study_ids}
    owner = {name: (study_id, kind) for study_id, names in of_kind.items() for kind, name in names.items()}
    exact: dict[str, Found] = {study_id: Found() for study_id in study_ids}
    by_name: dict[str, Found] = {}
    by_subject: dict[str, Found] = {}
    for path in sorted(Path(folder).rglob(f"*{SUFFIX}")):
        if path.name in owner:
            study_id, kind = owner[path.name]
            _add(exact[study_id], kind, path)
            continue
        subject, session, own_kind = _subject(path.name.removesuffix(SUFFIX), program)
        if own_kind is None:
            continue
        _add(by_name.setdefault(_with_session(subject, session), Found()), own_kind, path)
        if session:
            _add(by_subject.setdefault(subject, Found()), own_kind, path)
    found = {}
    for study_id in study_ids:
        places = [(by_name, name) for name in _names_of(study_id)]
        if not study_id.startswith("sub-"):
            places += [(by_subject, name) for name in _names_of(study_id)]
        other = next((named[name] for named, name in places if name in named), exact[study_id])
        found[study_id] = exact[study_id] if exact[study_id].mask else other
    return found


def written_names(program: str, study_id: str) -> dict[str, str]:
    """Names by kind of the files that this workflow writes of a study: SPINEPS' two masks, TotalSpineSeg's one."""
    if program == SPINEPS:
        return {kind: f"{study_id}_{kind}{SUFFIX}" for kind in (VERTEBRAE, PARTS)}
    return {VERTEBRAE: f"{study_id}{SUFFIX}"}


def _add(entry: Found, kind: str, path: Path) -> None:
    (entry.parts if kind == PARTS else entry.mask).append(path)


def _with_session(subject: str, session: str) -> str:
    return f"{subject}_ses-{session}" if session else subject


def _names_of(study_id: str) -> tuple[str, ...]:
    return study_id, study_id.removeprefix("sub-"), label_of(study_id), bids_label(study_id)


def bids_label(study_id: str) -> str:
    """The id with letters and digits only, as BIDS has subjects."""
    return re.sub(r"[^A-Za-z0-9]", "", study_id)


def _subject(stem: str, program: str) -> tuple[str, str, str | None]:
    """What a file name says of subject, session (empty: nothing) and kind of mask; kind None = not a mask of the program."""
    entities = dict(_ENTITY.findall(stem))
    found = _KIND.search(stem)
    if program == SPINEPS:
        kind = found[1] if found else None
        bare = stem[: found.start()].rstrip("_") if found else stem
    else:
        kind = None if "seg" in entities or found else VERTEBRAE
        bare = stem
    if "sub" not in entities:
        return bare, "", kind
    return entities["sub"], entities.get("ses", ""), kind
