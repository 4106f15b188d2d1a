"""A program's label mask, read and checked: on the series' grid, with labels of the program, the right way round.

A mask that is anything else is refused with a flag and a sentence (``MaskProblem``); the study goes on without it. Voxels
are placed in the patient by the mask's own affine, whose x and y run against DICOM's (NIfTI: to the right, to the front).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lstv.base.arrays import FloatArray
from lstv.dicom import nifti
from lstv.dicom.geometry import SliceGeometry
from lstv.second_reader.numbering import PROGRAMS, Numbering, fitting

_TO_DICOM = np.diag([-1.0, -1.0, 1.0, 1.0])
_ON_GRID = 0.05
"""Voxels by which a pixel of the series may miss a voxel of the mask: affines are stored in single precision."""


class MaskProblem(Exception):
    """A mask cannot be used: ``flag`` without the program's name, as in ``flags.MEANINGS``, and a sentence."""

    def __init__(self, flag: str, sentence: str) -> None:
        super().__init__(sentence)
        self.flag, self.sentence = flag, sentence


@dataclass(frozen=True)
class Grid:
    """The series that was analysed: the plane of its centre slice, that slice's index from 0, and the number of slices."""

    plane: SliceGeometry
    centre: int
    slices: int


@dataclass(frozen=True)
class Mask:
    """Labels uint16 (I, J, K); ``to_patient`` (4, 4): voxel indices -> mm of the DICOM patient system."""

    labels: npt.NDArray[np.uint16]
    to_patient: FloatArray
    numbering: Numbering
    program: str

    @property
    def sagittal_axis(self) -> int:
        """The array's axis that runs most nearly from right to left."""
        directions = self.to_patient[:3, :3] / np.linalg.norm(self.to_patient[:3, :3], axis=0)
        return int(np.abs(directions[0]).argmax())


def read_mask(path: Path, program: str, grid: Grid | None = None) -> Mask:
    """Read the mask that a ``program`` (a key of PROGRAMS) made of a series; on its ``grid`` where one is given.

    Raises MaskProblem with a flag and a sentence for every mask that cannot be trusted.
    """
    labels, affine = _load(Path(path))
    name = Path(path).name
    to_patient = _TO_DICOM @ affine
    if grid is not None:
        _check_grid(name, labels.shape, to_patient, grid)
    numbers = [int(number) for number in np.unique(labels) if number]
    if not numbers:
        raise MaskProblem("empty", f"{name} holds no label; look at the program's log of this study.")
    numberings = fitting(program, numbers)
    if len(numberings) != 1:
        raise MaskProblem("other_labels", _not_of(name, program, numbers, len(numberings)))
    return Mask(labels, to_patient, numberings[0], program)


def _load(path: Path) -> tuple[npt.NDArray[np.uint16], FloatArray]:
    """Labels, and the affine to RAS mm."""
    try:
        image = nifti.read(path)
    except nifti.NiftiError as error:
        flag = "no_geometry" if "lies in the patient" in str(error) else "unreadable"
        raise MaskProblem(flag, f"{path.name} cannot be used: {error}.") from error
    stored, header = image.stored, image.header
    if stored.ndim != 3:
        shape = " x ".join(str(size) for size in stored.shape)
        raise MaskProblem("not_3d", f"{path.name} has the shape {shape}; give a mask of three dimensions.")
    if stored.dtype.kind not in "iu" or (header.slope, header.intercept) != (1.0, 0.0):
        kind = f"{stored.dtype} numbers" if stored.dtype.kind not in "iu" else "numbers that its header scales"
        raise MaskProblem("not_labels", f"{path.name} holds {kind}; save the labels as integers.")
    if int(stored.min()) < 0 or int(stored.max()) > np.iinfo(np.uint16).max:
        raise MaskProblem(
            "not_labels", f"{path.name} holds labels from {stored.min()} to {stored.max()}, which none are."
        )
    return stored.astype(np.uint16), header.affine


def _check_grid(name: str, shape: tuple[int, ...], to_patient: FloatArray, grid: Grid) -> None:
    """The pixels of the centre slice have to be voxels, all of one layer, and all of that layer."""
    plane = grid.plane
    columns, rows = (
        np.array([0, plane.width - 1, 0, plane.width - 1]),
        np.array([0, 0, plane.height - 1, plane.height - 1]),
    )
    corners = np.column_stack([plane.to_patient(columns, rows), np.ones(4)])
    voxels = (np.linalg.inv(to_patient) @ corners.T).T[:, :3]
    nearest = np.rint(voxels)
    on_grid = np.abs(voxels - nearest).max() <= _ON_GRID
    extent = np.sort(np.abs(nearest - nearest[0]).max(axis=0))
    first, last = nearest.min(axis=0), nearest.max(axis=0)
    across = int((last - first).argmin())
    layer = int(first[across])
    fits = (
        on_grid
        and sorted(shape) == sorted((plane.width, plane.height, grid.slices))
        and list(extent) == [0, *sorted((plane.width - 1, plane.height - 1))]
        and shape[across] == grid.slices
        and layer in (grid.centre, grid.slices - 1 - grid.centre)
        and (first >= 0).all()
        and (last < np.array(shape)).all()
    )
    if not fits:
        sizes = " x ".join(str(size) for size in shape)
        raise MaskProblem(
            "other_grid",
            f"{name} ({sizes}) is not on the grid of the series ({plane.width} x {plane.height} x {grid.slices}): make it "
            "of the exported image of this series, without resampling.",
        )


def _not_of(name: str, program: str, numbers: list[int], fits: int) -> str:
    shown = ", ".join(str(number) for number in numbers[:12]) + (", ..." if len(numbers) > 12 else "")
    called = PROGRAMS[program]
    if fits:
        return (
            f"{name} has the labels {shown}, which fit both numberings of {called}; give a mask with the lumbar spine."
        )
    return (
        f"{name} has the labels {shown}, which are not a lumbar spine as {called} numbers it; give that program's mask."
    )
