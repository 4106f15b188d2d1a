"""The heatmap file: what inference leaves for the metrics, one HDF5 group per study.

Group ``/<study_id>``: attributes ``status`` (ok | failed | excluded), ``reason``, ``series_id``, ``flags`` (JSON list),
``provenance`` (JSON object) and, where ok, ``geometry`` (JSON of SliceGeometry); datasets ``logits`` float32
(6, 160, 160) of the centre slice, ``image`` uint8 (160, 160) as the network saw it, ``features/*`` float16 (what the
network saw inside), and ``members/*`` where members ran. Where vertebra centroids were asked for, the attribute ``places``
(JSON of GivenPlaces) says where they put the discs. Root attributes: ``format_version`` and ``run`` (JSON: checkpoint
sha256, preprocessing, versions).
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import h5py
import numpy as np

from lstv.base.errors import UserError
from lstv.dicom.geometry import SliceGeometry
from lstv.localizer.patches import GivenPlaces

FORMAT_VERSION = 1


@dataclass(frozen=True)
class Members:
    """What other slices, transformed views and patches said, mapped back onto the slice's grid.

    ``names`` (T) such as ``slice-1``, ``shift+16`` or ``patch-l5_s1``; ``kinds`` (T) ``slice``, ``view`` or ``patch``;
    ``probability`` uint8 (T, 5, 160, 160): round(255 p) of the five levels; ``valid`` bool (T, 160, 160): where the member
    saw the image.
    """

    names: tuple[str, ...]
    kinds: tuple[str, ...]
    probability: np.ndarray
    valid: np.ndarray


@dataclass(frozen=True)
class Features:
    """What the network saw inside the centre slice, float16.

    ``bottleneck`` (2048,): deepest features, averaged over the slice. ``discs`` (6, 16): last decoder features averaged
    over {S >= 0.5}, S = 1 - p_0, then over {p_k >= 0.5} of each level; NaN where such a region is empty. The sizes are
    the published net's.
    """

    bottleneck: np.ndarray
    discs: np.ndarray


@dataclass(frozen=True)
class StudyMaps:
    """One study's entry of a heatmap file; ``logits`` float32 (6, 160, 160), ``image`` uint8 (160, 160)."""

    study_id: str
    status: str
    reason: str = ""
    series_id: str = ""
    flags: tuple[str, ...] = ()
    provenance: dict = field(default_factory=dict)
    geometry: SliceGeometry | None = None
    image: np.ndarray | None = None
    logits: np.ndarray | None = None
    members: Members | None = None
    features: Features | None = None
    places: GivenPlaces | None = None


class HeatmapWriter:
    """Writes studies one by one; see ``create``."""

    def __init__(self, file: h5py.File) -> None:
        self._file = file

    def write(self, maps: StudyMaps) -> None:
        """Add one study; its id must not be there yet."""
        group = self._file.create_group(maps.study_id)
        group.attrs["status"] = maps.status
        group.attrs["reason"] = maps.reason
        group.attrs["series_id"] = maps.series_id
        group.attrs["flags"] = json.dumps(list(maps.flags))
        group.attrs["provenance"] = json.dumps(maps.provenance, sort_keys=True)
        if maps.status != "ok":
            return
        group.attrs["geometry"] = json.dumps(asdict(maps.geometry))
        _dataset(group, "logits", maps.logits.astype(np.float32, copy=False))
        _dataset(group, "image", maps.image)
        if maps.places is not None:
            group.attrs["places"] = json.dumps(maps.places.as_json(), sort_keys=True)
        if maps.features is not None:
            _dataset(group, "features/bottleneck", maps.features.bottleneck.astype(np.float16, copy=False))
            _dataset(group, "features/discs", maps.features.discs.astype(np.float16, copy=False))
        if maps.members is not None:
            members = group.create_group("members")
            members.attrs["names"] = json.dumps(list(maps.members.names))
            members.attrs["kinds"] = json.dumps(list(maps.members.kinds))
            _dataset(members, "probability", maps.members.probability)
            _dataset(members, "valid", np.packbits(maps.members.valid, axis=-1))


def _dataset(group: h5py.Group, name: str, array: np.ndarray) -> None:
    group.create_dataset(name, data=array, chunks=array.shape, compression="gzip", compression_opts=1, shuffle=True)


@contextmanager
def create(path: Path, run: dict) -> Iterator[HeatmapWriter]:
    """Open a new heatmap file for writing; it gets its name only when the block ends without an error."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with h5py.File(temporary, "w", libver="latest") as file:
            file.attrs["format_version"] = FORMAT_VERSION
            file.attrs["run"] = json.dumps(run, sort_keys=True)
            yield HeatmapWriter(file)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def read_run(path: Path) -> dict:
    """The root record of a heatmap file: checkpoint sha256, preprocessing, versions."""
    with _opened(path) as file:
        return json.loads(file.attrs["run"])


def study_ids(path: Path) -> list[str]:
    """Ids of all studies in a heatmap file, sorted."""
    with _opened(path) as file:
        return sorted(file)


def read_study(path: Path, study_id: str, *, members: bool = True) -> StudyMaps:
    """Read one study. Raises UserError where the file is not a heatmap file or does not hold the study."""
    with _opened(path) as file:
        if study_id not in file:
            raise UserError(f"heatmap file {path} holds no study {study_id}; run the inference of its batch again.")
        group = file[study_id]
        attributes = {name: group.attrs[name] for name in ("status", "reason", "series_id")}
        maps = {
            "flags": tuple(json.loads(group.attrs["flags"])),
            "provenance": json.loads(group.attrs["provenance"]),
        }
        if attributes["status"] == "ok":
            geometry = json.loads(group.attrs["geometry"])
            for name in ("position", "row_direction", "column_direction"):
                geometry[name] = tuple(geometry[name])
            maps.update(geometry=SliceGeometry(**geometry), image=group["image"][()], logits=group["logits"][()])
            if "places" in group.attrs:
                maps["places"] = GivenPlaces.from_json(json.loads(group.attrs["places"]))
            if "features" in group:
                maps["features"] = Features(group["features/bottleneck"][()], group["features/discs"][()])
            if members and "members" in group:
                maps["members"] = _read_members(group["members"])
        return StudyMaps(study_id=study_id, **attributes, **maps)


def _read_members(group: h5py.Group) -> Members:
    probability = group["probability"][()]
    valid = np.unpackbits(group["valid"][()], axis=-1, count=probability.shape[-1]).astype(bool)
    return Members(tuple(json.loads(group.attrs["names"])), tuple(json.loads(group.attrs["kinds"])), probability, valid)


@contextmanager
def _opened(path: Path) -> Iterator[h5py.File]:
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise UserError(
            f"heatmap file {path} cannot be read ({error}); delete it and run the inference again."
        ) from error
    with file:
        if file.attrs.get("format_version") != FORMAT_VERSION:
            raise UserError(
                f"heatmap file {path} has format {file.attrs.get('format_version')}, this version reads {FORMAT_VERSION}; "
                "delete it and run the inference again."
            )
        yield file
