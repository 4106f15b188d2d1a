"""The demo cohort's maps as the repository keeps them: every analysed study, rounded until it fits.

Logits are stored in steps of 1/8 below the highest class of the pixel, members in 16 grades, the picture in blocks of
8 x 8 pixels. The rounded maps are studies in their own right: the table says what is measured on them. They keep the members
of the version that stored them, 22 views among them.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

import numpy as np

from lstv.dicom.geometry import SliceGeometry
from lstv.localizer import heatmap_file
from lstv.localizer.heatmap_file import Analysed, Members

STORED = Path(__file__).parents[1] / "data" / "golden_demo_maps.npz"

_STEPS = 8
_GRADE = 17
_BLOCK = 8
_VECTORS = ("position", "row_direction", "column_direction")


def store(files: Iterable[Path], path: Path = STORED) -> list[str]:
    """Keep the analysed studies of these heatmap files; returns their ids."""
    found = [heatmap_file.read_study(file, name) for file in files for name in heatmap_file.study_ids(file)]
    analysed = sorted((maps for maps in found if isinstance(maps, Analysed)), key=lambda maps: maps.study_id)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        for maps in analysed:
            for name, array in _arrays(maps).items():
                content = io.BytesIO()
                np.lib.format.write_array(content, array, allow_pickle=False)
                # a fixed date: the same maps give the same bytes
                entry = zipfile.ZipInfo(f"{maps.study_id}.{name}.npy")
                entry.compress_type = zipfile.ZIP_LZMA
                archive.writestr(entry, content.getvalue())
    return [maps.study_id for maps in analysed]


def load(path: Path = STORED) -> list[Analysed]:
    """The stored studies, sorted by id."""
    with np.load(path, allow_pickle=False) as archive:
        ids = sorted({name.split(".")[0] for name in archive})
        return [_study(name, {part: archive[f"{name}.{part}"] for part in _PARTS}) for name in ids]


_PARTS = ("facts", "logits", "image", "members", "valid")


def _arrays(maps: Analysed) -> dict[str, np.ndarray]:
    facts = {
        "geometry": asdict(maps.geometry),
        "names": maps.members.names,
        "kinds": maps.members.kinds,
        "flags": maps.flags,
    }
    below = (maps.logits.max(axis=0) - maps.logits) * _STEPS
    size = len(maps.image) // _BLOCK
    return {
        "facts": np.array(json.dumps(facts, sort_keys=True)),
        "logits": np.rint(below).clip(0, 255).astype(np.uint8),
        "image": maps.image.reshape(size, _BLOCK, size, _BLOCK)[:, 0, :, 0],
        "members": np.rint(maps.members.probability / _GRADE).astype(np.uint8),
        "valid": np.packbits(maps.members.valid, axis=-1),
    }


def _study(study_id: str, parts: dict[str, np.ndarray]) -> Analysed:
    facts = json.loads(str(parts["facts"]))
    geometry = {name: tuple(v) if name in _VECTORS else v for name, v in facts["geometry"].items()}
    members = Members(
        tuple(facts["names"]),
        tuple(facts["kinds"]),
        parts["members"] * np.uint8(_GRADE),
        np.unpackbits(parts["valid"], axis=-1).astype(bool),
    )
    return Analysed(
        study_id,
        "",
        flags=tuple(facts["flags"]),
        geometry=SliceGeometry(**geometry),
        image=np.kron(parts["image"], np.ones((_BLOCK, _BLOCK), np.uint8)),
        logits=parts["logits"].astype(np.float32) / -_STEPS,
        members=members,
    )
