"""The heatmap file: what inference leaves for the metrics, one HDF5 group per study.

Group ``/<study_id>``: attributes ``status`` (ok | failed | excluded), ``reason``, ``series_id``, ``flags`` (JSON list),
``provenance`` (JSON object) and, where ok, ``geometry`` (JSON of SliceGeometry); datasets ``logits`` float32 (6, 160, 160)
of the centre slice, ``image`` uint8 (160, 160) as the network saw it, ``features/*`` float16 (what the network saw inside),
``strip`` uint8 (slices, 300, 61) with the attribute ``strip`` (JSON: levels, places_mm, slopes_deg, offset_mm) where the
points make a column, and ``members/*`` where members ran. Where a large field was cut to the lumbar spine all these are of
the cut one, and ``whole/logits`` those of the whole field's centre slice. Where vertebra centroids were asked for, the
attribute ``places`` (JSON of DiscTargets) says where they put the discs. Root attributes: ``format_version`` and ``run``
(JSON: checkpoint sha256, preprocessing, versions).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from lstv.anatomy.strip import Strip
from lstv.base.arrays import BoolArray, ByteArray, triple
from lstv.base.errors import UserError
from lstv.dicom.geometry import SliceGeometry
from lstv.localizer import hdf5
from lstv.localizer.encoding import EncodedStudy
from lstv.localizer.outcome import NotAnalysed
from lstv.localizer.patches import DiscTargets

if TYPE_CHECKING:  # imported where a file is opened
    import h5py

FORMAT_VERSION = 1


@dataclass(frozen=True)
class Members:
    """What other slices, transformed views and patches said, mapped back onto the slice's grid.

    ``names`` (T) such as ``slice-1``, ``rotation+5`` or ``patch-l5_s1``; ``kinds`` (T) ``slice``, ``view`` or ``patch``;
    ``probability`` uint8 (T, 5, 160, 160): round(255 p) of the five levels; ``valid`` bool (T, 160, 160): where the member
    saw the image.
    """

    names: tuple[str, ...]
    kinds: tuple[str, ...]
    probability: ByteArray
    valid: BoolArray


@dataclass(frozen=True)
class Features:
    """What the network saw inside the centre slice, float16.

    ``bottleneck`` (2048,): deepest features, averaged over the slice. ``discs`` (6, 16): last decoder features averaged
    over {S >= 0.5}, S = 1 - p_0, then over {p_k >= 0.5} of each level; NaN where such a region is empty. The sizes are
    the published net's.
    """

    bottleneck: npt.NDArray[np.float16]
    discs: npt.NDArray[np.float16]


@dataclass(frozen=True)
class Analysed:
    """A study with maps: ``logits`` float32 (6, 160, 160) and ``image`` uint8 (160, 160) of the centre slice.

    ``members`` is None where none ran, ``features`` where the file holds none, ``places`` where no vertebra centroids were
    asked for. ``whole``: logits of the whole field where all else is of the field cut to the lumbar spine, None elsewhere.
    """

    status: ClassVar[Literal["ok"]] = "ok"
    reason: ClassVar[str] = ""

    study_id: str
    series_id: str
    geometry: SliceGeometry
    image: ByteArray
    logits: npt.NDArray[np.float32]
    flags: tuple[str, ...] = ()
    provenance: dict[str, Any] = field(default_factory=dict)
    members: Members | None = None
    features: Features | None = None
    targets: DiscTargets | None = None
    strip: Strip | None = None
    whole: npt.NDArray[np.float32] | None = None


StudyMaps: TypeAlias = Analysed | NotAnalysed
"""One study's entry of a heatmap file."""


def encoded(maps: StudyMaps) -> EncodedStudy:
    """A study's group as bytes; what the file holds of it is decided here and nowhere else."""
    study = EncodedStudy(maps.study_id)
    attributes = study.attributes[""]
    attributes["status"] = maps.status
    attributes["reason"] = maps.reason
    attributes["series_id"] = maps.series_id
    attributes["flags"] = json.dumps(list(maps.flags))
    attributes["provenance"] = json.dumps(maps.provenance, sort_keys=True)
    if isinstance(maps, NotAnalysed):
        return study
    attributes["geometry"] = json.dumps(asdict(maps.geometry))
    study.add("logits", maps.logits.astype(np.float32, copy=False))
    study.add("image", maps.image)
    if maps.whole is not None:
        study.add("whole/logits", maps.whole.astype(np.float32, copy=False))
    if maps.targets is not None:
        attributes["places"] = json.dumps(maps.targets.as_json(), sort_keys=True)
    if maps.strip is not None:
        laid = asdict(maps.strip)
        study.add("strip", laid.pop("pixels"))
        attributes["strip"] = json.dumps(laid, sort_keys=True)
    if maps.features is not None:
        study.add("features/bottleneck", maps.features.bottleneck.astype(np.float16, copy=False))
        study.add("features/discs", maps.features.discs.astype(np.float16, copy=False))
    if maps.members is not None:
        study.attributes["members"] = {
            "names": json.dumps(list(maps.members.names)),
            "kinds": json.dumps(list(maps.members.kinds)),
        }
        study.add("members/probability", maps.members.probability)
        study.add("members/valid", np.packbits(maps.members.valid, axis=-1))
    return study


class HeatmapWriter:
    """Writes studies one by one; see ``create``."""

    def __init__(self, file: h5py.File, check: Callable[[], None] = lambda: None) -> None:
        self._file = file
        self._check = check

    def write(self, maps: StudyMaps) -> None:
        """Add one study; its id must not be there yet. Raises OSError where the disk has refused it."""
        self.store(encoded(maps))

    def store(self, study: EncodedStudy) -> None:
        """Add one study that is encoded already. Raises as ``write``."""
        study.store(self._file)
        self._check()


@contextmanager
def create(path: Path, run: dict[str, Any]) -> Iterator[HeatmapWriter]:
    """Open a new heatmap file for writing; it gets its name only when the block ends without an error."""
    with hdf5.created(path) as (file, check):
        file.attrs["format_version"] = FORMAT_VERSION
        hdf5.write_text(file, "run", json.dumps(run, sort_keys=True))
        yield HeatmapWriter(file, check)


def read_run(path: Path) -> dict[str, Any]:
    """The root record of a heatmap file: checkpoint sha256, preprocessing, versions."""
    with _opened(path) as file:
        run: dict[str, Any] = json.loads(hdf5.read_text(file, "run"))
    return run


def study_ids(path: Path) -> list[str]:
    """Ids of all studies in a heatmap file, sorted."""
    with _opened(path) as file:
        return sorted(file)


def read_study(path: Path, study_id: str, *, members: bool = True) -> StudyMaps:
    """Read one study. Raises UserError where the file is not a heatmap file or does not hold the study."""
    with _opened(path) as file:
        if study_id not in file:
            raise UserError(f"heatmap file {path} has no study {study_id}; run the inference of its batch again.")
        group = file[study_id]
        flags, provenance = (
            tuple(json.loads(hdf5.read_text(group, "flags"))),
            json.loads(hdf5.read_text(group, "provenance")),
        )
        status = hdf5.read_text(group, "status")
        if status != "ok":
            return NotAnalysed(
                study_id,
                "excluded" if status == "excluded" else "failed",
                hdf5.read_text(group, "reason"),
                hdf5.read_text(group, "series_id"),
                flags,
                provenance,
            )
        given = "features" in group
        return Analysed(
            study_id,
            hdf5.read_text(group, "series_id"),
            _read_geometry(hdf5.read_text(group, "geometry")),
            image=group["image"][()],
            logits=group["logits"][()],
            flags=flags,
            provenance=provenance,
            members=_read_members(group["members"]) if members and "members" in group else None,
            features=Features(group["features/bottleneck"][()], group["features/discs"][()]) if given else None,
            targets=DiscTargets.from_json(json.loads(hdf5.read_text(group, "places")))
            if "places" in group.attrs
            else None,
            strip=_read_strip(group) if "strip" in group else None,
            whole=group["whole/logits"][()] if "whole" in group else None,
        )


def _read_geometry(text: str) -> SliceGeometry:
    record = json.loads(text)
    for name in ("position", "row_direction", "column_direction"):
        record[name] = triple(record[name])
    return SliceGeometry(**record)


def _read_strip(group: h5py.Group) -> Strip:
    laid = json.loads(hdf5.read_text(group, "strip"))
    lists = {name: tuple(laid[name]) for name in ("levels", "places_mm", "slopes_deg")}
    return Strip(pixels=group["strip"][()], offset_mm=laid["offset_mm"], **lists)


def _read_members(group: h5py.Group) -> Members:
    probability = group["probability"][()]
    valid = np.unpackbits(group["valid"][()], axis=-1, count=probability.shape[-1]).astype(bool)
    return Members(
        tuple(json.loads(hdf5.read_text(group, "names"))),
        tuple(json.loads(hdf5.read_text(group, "kinds"))),
        probability,
        valid,
    )


@contextmanager
def _opened(path: Path) -> Iterator[h5py.File]:
    with hdf5.opened(path, "heatmap file") as file:
        if file.attrs.get("format_version") != FORMAT_VERSION:
            raise UserError(
                f"heatmap file {path} has format {file.attrs.get('format_version')}, this version reads {FORMAT_VERSION}; "
                "delete it and run the inference again."
            )
        yield file
