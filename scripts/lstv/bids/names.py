"""Names in a BIDS folder: subject labels of study ids and back, entities of file names (BIDS 1.9, Appendix Entities)."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

SUFFIX = "T2w"
_ESCAPE = "Z"
_ESCAPED = re.compile(rf"{_ESCAPE}([0-9A-F]{{2}})")
_LONGEST_LABEL = 120
"""A file system takes names of 255 characters; before and behind the label there are others."""
_ENTITY = re.compile(r"([a-z]+)-([A-Za-z0-9]+)")


def label_of(study_id: str) -> str:
    """The subject label of a study: its letters and digits, every other character, and ``Z``, as ``Z`` and two hexadecimal
    digits (``a_1`` -> ``aZ5F1``). Of a longer one a hash, which only ``participants.tsv`` leads back."""
    label = "".join(_escaped(character) for character in study_id)
    if len(label) > _LONGEST_LABEL:
        return f"{_ESCAPE}{_ESCAPE}{hashlib.sha256(study_id.encode()).hexdigest()[:32]}"
    return label


def _escaped(character: str) -> str:
    if character.isascii() and character.isalnum() and character != _ESCAPE:
        return character
    return "".join(f"{_ESCAPE}{byte:02X}" for byte in character.encode())


def study_of(label: str) -> str | None:
    """The study id that ``label_of`` gave this label; None for a hash or what it never gives."""
    content = re.sub(_ESCAPED, lambda found: chr(int(found[1], 16)), label)
    return content if label_of(content) == label else None


def image_name(study_id: str) -> str:
    """Path of a study's exported image within the BIDS folder."""
    subject = f"sub-{label_of(study_id)}"
    return f"{subject}/anat/{subject}_acq-sag_{SUFFIX}.nii.gz"


@dataclass(frozen=True)
class FileName:
    """A file's entities, such as ``{"sub": "01", "acq": "sag"}``, in their order, and its suffix, such as ``T2w``."""

    entities: dict[str, str]
    suffix: str

    @property
    def words(self) -> str:
        """What the name says beside subject and session, such as ``acq-sag T2w``."""
        told = [f"{key}-{value}" for key, value in self.entities.items() if key not in ("sub", "ses")]
        return " ".join([*told, self.suffix])


def parsed(name: str) -> FileName | None:
    """A NIfTI file's name; None where it is not one of BIDS."""
    found = re.fullmatch(r"(.+)_([A-Za-z0-9]+)\.nii(\.gz)?", name)
    if found is None:
        return None
    parts = [_ENTITY.fullmatch(part) for part in found[1].split("_")]
    entities = {part[1]: part[2] for part in parts if part is not None}
    if len(entities) != len(parts) or next(iter(entities)) != "sub":
        return None
    return FileName(entities, found[2])
